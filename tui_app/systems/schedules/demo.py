"""Schedules to try quash on: the same posts every time, due around the moment of seeding.

Row ``i`` depends on ``i`` and that moment alone, so that a larger demo begins with the rows of a smaller one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tui_app.clock import SystemClock
from tui_app.database import seeding
from tui_app.database.sqlite import transaction
from tui_app.database.statements import load
from tui_app.domain import moments
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.demo_posts import CONNECTIONS, CONTENTS, HOSTILE, OWNERS, TITLES, ZONES, noise, uuid_of
from tui_app.systems.schedules.plug import QUEUE
from tui_app.systems.schedules.schema import TALLY, prepare
from tui_app.systems.schedules.words import (
    CANCELLED,
    FAILED,
    OPEN,
    PENDING,
    POST_PUBLISHED,
    POST_READY,
    POST_SCHEDULED,
    PUBLISHING,
    QUEUED,
    SUCCESS,
)

SQL = load("tui_app.systems.schedules", "demo.sql")

CHUNK = 24_000
APART = timedelta(seconds=11)
CERTAIN = 24
"""The soonest rows, all of which can be cancelled; what comes after them follows ``_PATTERN``."""

_PATTERN = (
    *[PENDING] * 12,
    SUCCESS,
    SUCCESS,
    SUCCESS,
    FAILED,
    CANCELLED,
    *[PENDING] * 3,
)
_IN_HAND, _STUCK = 51, 91
_RARE = {30: QUEUED, _IN_HAND: PUBLISHING, 70: QUEUED, _STUCK: PUBLISHING}
"""What the runners have: a few of each hundred."""

_HOSTILE_AT = 18
_REASON = "campaign postponed"


def seed(path: Path, rows: int, now: datetime | None = None) -> int:
    """Put the first ``rows`` demo schedules into a file, made where there is none; how many were new.

    Rows that exist stay as they are. A seeding that was interrupted is completed by the next one. Due times are told
    from ``now``, which is the present unless it is given.

    Raises:
        CannotConnect: the file cannot be opened, or is not a SQLite file.
        sqlite3.Error: it is locked, or the disk is full.
    """
    moment = now or SystemClock().now()

    def seed_chunk(connection: sqlite3.Connection, start: int, stop: int) -> int:
        return _seed_chunk(connection, start, stop, moment)

    return seeding.seed(path, rows, CHUNK, prepare, seed_chunk)


def _seed_chunk(connection: sqlite3.Connection, start: int, stop: int, now: datetime) -> int:
    ids = {_id(number): number for number in range(start, stop)}
    there = {row[0] for row in connection.execute(SQL["there"], (json.dumps(list(ids)),))}
    rows = [_schedule(item_id, number, now) for item_id, number in ids.items() if item_id not in there]
    if not rows:
        return 0
    with transaction(connection):
        connection.executemany(
            SQL["connection"],
            ({"id": one.id, "channel_id": one.channel_id, "display_name": one.name} for one in CONNECTIONS),
        )
        connection.executemany(SQL["post"], (row["post"] for row in rows))
        connection.executemany(SQL["variant"], rows)
        with TALLY.added_at_once(connection, (row["status"] for row in rows)):
            connection.executemany(SQL["schedule"], rows)
        connection.executemany(SQL["audit"], (entry for row in rows for entry in _audit(row)))
        connection.executemany(SQL["message"], (_message(row) for row in rows if row["status"] == QUEUED))
        connection.executemany(
            SQL["outbox"], ({**row, "at": row["published_at"]} for row in rows if row["status"] == SUCCESS)
        )
    return len(rows)


def _id(number: int) -> str:
    """The id of one row, which is all that is needed to know whether it is there."""
    return str(UUID(bytes=noise("schedule", number)[:16], version=4))


def _status(number: int) -> str:
    if number < CERTAIN:
        return PENDING
    return _RARE.get(number % 100) or _PATTERN[number % len(_PATTERN)]


def _schedule(item_id: str, number: int, now: datetime) -> dict[str, Any]:
    chance, status = noise("schedule", number), _status(number)
    connection = CONNECTIONS[chance[0] % len(CONNECTIONS)]
    zone = ZONES[chance[1] % len(ZONES)]
    times = _times(number, status, now, chance)
    post = _post(number, now)
    return {
        "id": item_id,
        "post_variant_id": uuid_of("variant", number),
        "channel_connection_id": connection.id,
        "channel_id": connection.channel_id,
        "channel": connection.name,
        "post_id": post["id"],
        "owner": post["owner"],
        "post": post,
        "content": _content(number),
        "timezone": zone,
        "run_at_local": _local(times["run_at"], zone),
        "status": status,
        "attempts": 0 if status in (PENDING, QUEUED, CANCELLED) else 1,
        "cancellation_reason": _REASON if status == CANCELLED else None,
        **{name: None if moment is None else moments.stamp(moment) for name, moment in times.items()},
    }


def _times(number: int, status: str, now: datetime, chance: bytes) -> dict[str, Any]:
    """When it is due and what happened when, all of it at whole seconds."""
    now = now.astimezone(UTC).replace(microsecond=0)
    created = now - timedelta(days=1 + chance[2] % 20, seconds=chance[3])
    ahead = now + timedelta(minutes=9 + 2 * number) if number < CERTAIN else now + timedelta(hours=1) + number * APART
    behind = now - timedelta(hours=1) - number * APART
    past = {"run_at": behind, "created_at": behind - timedelta(days=1, seconds=chance[3])}
    some: dict[str, datetime | None] = {"claimed_at": None, "published_at": None, "cancelled_at": None}
    if status == PENDING:
        return {"run_at": ahead, "created_at": created, "updated_at": created, **some}
    if status == CANCELLED:
        cancelled = now - timedelta(minutes=1 + chance[4])
        return {"run_at": ahead, "created_at": created, "updated_at": cancelled, **some, "cancelled_at": cancelled}
    if status == QUEUED:
        due = now - timedelta(seconds=chance[4] % 60)
        return {"run_at": due, "created_at": created, "updated_at": due, **some}
    if number % 100 == _IN_HAND and status == PUBLISHING:
        claimed = now - timedelta(seconds=1 + chance[4] % 30)
        due = claimed - timedelta(seconds=5)
        return {"run_at": due, "created_at": created, "updated_at": claimed, **some, "claimed_at": claimed}
    claimed = behind + timedelta(seconds=2)
    happened = {"claimed_at": claimed, "published_at": claimed if status == SUCCESS else None}
    return {**past, "updated_at": claimed, **some, **happened}


def _post(number: int, now: datetime) -> dict[str, Any]:
    """The post of a row: of three rows the first two are one post on two channels."""
    group, alone = divmod(number, 3)
    chance = noise("post", number if alone == 2 else group * 3)
    members = [number] if alone == 2 else [group * 3, group * 3 + 1]
    statuses = {_status(member) for member in members}
    status = POST_READY
    if SUCCESS in statuses:
        status = POST_PUBLISHED
    elif not statuses.isdisjoint((*OPEN, PUBLISHING)):
        status = POST_SCHEDULED
    return {
        "id": str(UUID(bytes=chance[:16], version=4)),
        "owner": OWNERS[chance[0] % len(OWNERS)],
        "title": TITLES[chance[1] % len(TITLES)],
        "status": status,
        "created_at": moments.stamp(now.astimezone(UTC) - timedelta(days=30)),
    }


def _content(number: int) -> str:
    hostile = number % 2 == 1 if number < CERTAIN else number % len(_PATTERN) == _HOSTILE_AT
    if hostile:
        return HOSTILE[(number // 2 if number < CERTAIN else number // len(_PATTERN)) % len(HOSTILE)]
    return CONTENTS[number % len(CONTENTS)].format(number=number)


@lru_cache(maxsize=len(ZONES))
def _zone(name: str) -> tzinfo:
    """A zone; UTC on a host that has no zones."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return UTC


def _local(moment: datetime, zone: str) -> str:
    return moment.astimezone(_zone(zone)).replace(tzinfo=None).isoformat()


def _audit(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    def told(event: str, at: str, principal: str | None = None, **details: Any) -> dict[str, Any]:
        return {"id": row["id"], "event": event, "at": at, "principal": principal, "details": json.dumps(details)}

    yield told("SCHEDULE_CREATED", row["created_at"], row["owner"], run_at=shapes.moment(row["run_at"]))
    if row["status"] not in (PENDING, CANCELLED):
        yield told(rules.QUEUED_EVENT, row["run_at"])
    if row["claimed_at"] is not None:
        yield told(rules.STARTED_EVENT, row["claimed_at"], attempt=1)
    if row["status"] == SUCCESS:
        yield told(rules.SUCCEEDED_EVENT, row["published_at"], attempt=1)
    if row["status"] == FAILED:
        yield told(rules.FAILED_EVENT, row["updated_at"], attempt=1, error="the channel refused the post: 403")
    if row["status"] == CANCELLED:
        original = shapes.facts({**row, "status": PENDING, "updated_at": row["created_at"]})
        details = rules.cancel_details(original=original, reason=_REASON, run_id=None, idempotency_key=None)
        yield told(rules.CANCEL_EVENT, row["cancelled_at"], row["owner"], **details)


def _message(row: dict[str, Any]) -> dict[str, Any]:
    return {"queue": QUEUE, "body": json.dumps(shapes.message(row)), "at": row["run_at"]}
