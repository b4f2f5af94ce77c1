"""Schedules to try quash on: the same posts every time, due around the moment of seeding.

Row ``i`` depends on ``i`` and that moment alone, so that a larger demo begins with the rows of a smaller one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tui_app.clock import SystemClock
from tui_app.database.sqlite import connect, transaction
from tui_app.database.statements import load
from tui_app.domain import moments
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.schema import prepare
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

QUEUE = "post_publish"

_PATTERN = (
    *[PENDING] * 10,
    QUEUED,
    PUBLISHING,
    SUCCESS,
    SUCCESS,
    SUCCESS,
    FAILED,
    CANCELLED,
    PENDING,
    PENDING,
    QUEUED,
)
_HOSTILE_AT = 18
_REASON = "campaign postponed"

HOSTILE = (
    "[@click=app.quit]x[/]",
    "a[/]b",
    "\x1b[31mred\x1b[0m and \x1b[2Jcleared \x9b1m",
    "summer-\u202egpj.exe",
    "\x1b]52;c;cXVhc2g=\x07clipboard",
    '=HYPERLINK("https://example.invalid","win")',
    "zero\u200bwidth \ufeffand \u2066isolated\u2069",
    "新しいお知らせ — naïve café 🚚",
    "first line\nsecond line\r\ttabbed",
    "A long thread: " + "more about the launch of the new range; " * 280,
)


@dataclass(frozen=True, slots=True)
class _Connection:
    """An account on a channel that posts go out on."""

    name: str
    channel: str

    @property
    def id(self) -> str:
        return _uuid("connection", self.name)

    @property
    def channel_id(self) -> str:
        return _uuid("channel", self.channel)


_CONNECTIONS = (
    _Connection("@example", "x"),
    _Connection("@example_support", "x"),
    _Connection("Example Inc.", "linkedin"),
    _Connection("Example Careers", "linkedin"),
    _Connection("example.official", "instagram"),
    _Connection("Example Outdoor", "facebook"),
    _Connection("[bold]example[/]", "mastodon"),
)
_OWNERS = ("jane@example.com", "ops2@example.com", "press@example.com", "events@example.com", "shop@example.com")
_ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tokyo", "Asia/Kolkata", "America/Sao_Paulo", "UTC")
_TITLES = ("Spring sale", "Launch of the new range", "Hiring", "Opening hours", "Webinar", "Behind the scenes")
_CONTENTS = (
    "Everything in the shop is 20 % off until Sunday. #{number}",
    "It is here: the new range, lighter and repairable. #{number}",
    "We are looking for people who like maps. Open position {number}",
    "On public holidays we open at ten. Notice {number}",
    "Seats are left for webinar {number}: how we test in the rain",
    "This is where your tent was sewn, part {number}",
)


def seed(path: Path, rows: int, now: datetime | None = None) -> int:
    """Put the first ``rows`` demo schedules into a file, made where there is none; how many were new.

    Rows that exist stay as they are. A seeding that was interrupted is completed by the next one. Due times are told
    from ``now``, which is the present unless it is given.

    Raises:
        CannotConnect: the file cannot be opened, or is not a SQLite file.
        sqlite3.Error: it is locked, or the disk is full.
    """
    moment = now or SystemClock().now()
    connection = connect(path)
    try:
        # Demo data can be made again; what is done to it later is written with full durability.
        connection.execute("PRAGMA synchronous=OFF")
        prepare(connection)
        connection.execute("PRAGMA cache_size=-400000")
        made = sum(_seed_chunk(connection, start, min(start + CHUNK, rows), moment) for start in range(0, rows, CHUNK))
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return made


def _seed_chunk(connection: sqlite3.Connection, start: int, stop: int, now: datetime) -> int:
    ids = json.dumps([_id(number) for number in range(start, stop)])
    there = {row[0] for row in connection.execute(SQL["there"], (ids,))}
    rows = [_schedule(number, now) for number in range(start, stop) if _id(number) not in there]
    if not rows:
        return 0
    with transaction(connection):
        connection.executemany(
            SQL["connection"],
            ({"id": one.id, "channel_id": one.channel_id, "display_name": one.name} for one in _CONNECTIONS),
        )
        connection.executemany(SQL["post"], (row["post"] for row in rows))
        connection.executemany(SQL["variant"], rows)
        _insert_counted(connection, rows)
        connection.executemany(SQL["audit"], (entry for row in rows for entry in _audit(row)))
        connection.executemany(SQL["message"], (_message(row) for row in rows if row["status"] == QUEUED))
        connection.executemany(
            SQL["outbox"], ({**row, "at": row["published_at"]} for row in rows if row["status"] == SUCCESS)
        )
    return len(rows)


def _insert_counted(connection: sqlite3.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert schedules without the trigger that counts each of them, which takes longer than the insert itself."""
    [trigger] = connection.execute(SQL["trigger"]).fetchone()
    connection.execute(SQL["drop_trigger"])
    connection.executemany(SQL["schedule"], rows)
    statuses = Counter(row["status"] for row in rows)
    connection.executemany(
        "UPDATE tally SET n = n + ? WHERE status = ?", ((n, status) for status, n in statuses.items())
    )
    connection.execute(trigger)


def _noise(salt: str, number: int | str) -> bytes:
    return hashlib.blake2b(f"{salt} {number}".encode(), digest_size=32).digest()


@lru_cache(maxsize=64)
def _uuid(salt: str, number: int | str) -> str:
    return str(UUID(bytes=_noise(salt, number)[:16], version=4))


def _id(number: int) -> str:
    """The id of one row, which is all that is needed to know whether it is there."""
    return str(UUID(bytes=_noise("schedule", number)[:16], version=4))


def _status(number: int) -> str:
    return PENDING if number < CERTAIN else _PATTERN[number % len(_PATTERN)]


def _schedule(number: int, now: datetime) -> dict[str, Any]:
    noise, status = _noise("schedule", number), _status(number)
    connection = _CONNECTIONS[noise[0] % len(_CONNECTIONS)]
    zone = _ZONES[noise[1] % len(_ZONES)]
    times = _times(number, status, now, noise)
    post = _post(number, now)
    return {
        "id": _id(number),
        "post_variant_id": _uuid("variant", number),
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


def _times(number: int, status: str, now: datetime, noise: bytes) -> dict[str, Any]:
    """When it is due and what happened when, all of it at whole seconds."""
    now = now.astimezone(UTC).replace(microsecond=0)
    created = now - timedelta(days=1 + noise[2] % 20, seconds=noise[3])
    ahead = now + timedelta(minutes=9 + 2 * number) if number < CERTAIN else now + timedelta(hours=1) + number * APART
    behind = now - timedelta(hours=1) - number * APART
    past = {"run_at": behind, "created_at": behind - timedelta(days=1, seconds=noise[3])}
    some = {"claimed_at": None, "published_at": None, "cancelled_at": None}
    if status == PENDING:
        return {"run_at": ahead, "created_at": created, "updated_at": created, **some}
    if status == CANCELLED:
        cancelled = now - timedelta(minutes=1 + noise[4])
        return {"run_at": ahead, "created_at": created, "updated_at": cancelled, **some, "cancelled_at": cancelled}
    if status == QUEUED:
        due = now - timedelta(seconds=noise[4] % 60)
        return {"run_at": due, "created_at": created, "updated_at": due, **some}
    if status == PUBLISHING and noise[5] % 2:
        claimed = now - timedelta(seconds=1 + noise[4] % 30)
        due = claimed - timedelta(seconds=5)
        return {"run_at": due, "created_at": created, "updated_at": claimed, **some, "claimed_at": claimed}
    claimed = behind + timedelta(seconds=2)
    some |= {"claimed_at": claimed, "published_at": claimed if status == SUCCESS else None}
    return {**past, "updated_at": claimed, **some}


def _post(number: int, now: datetime) -> dict[str, Any]:
    """The post of a row: of three rows the first two are one post on two channels."""
    group, alone = divmod(number, 3)
    noise = _noise("post", number if alone == 2 else group * 3)
    members = [number] if alone == 2 else [group * 3, group * 3 + 1]
    statuses = {_status(member) for member in members}
    status = POST_READY
    if SUCCESS in statuses:
        status = POST_PUBLISHED
    elif not statuses.isdisjoint((*OPEN, PUBLISHING)):
        status = POST_SCHEDULED
    return {
        "id": str(UUID(bytes=noise[:16], version=4)),
        "owner": _OWNERS[noise[0] % len(_OWNERS)],
        "title": _TITLES[noise[1] % len(_TITLES)],
        "status": status,
        "created_at": moments.stamp(now.astimezone(UTC) - timedelta(days=30)),
    }


def _content(number: int) -> str:
    hostile = number % 2 == 1 if number < CERTAIN else number % len(_PATTERN) == _HOSTILE_AT
    if hostile:
        return HOSTILE[(number // 2 if number < CERTAIN else number // len(_PATTERN)) % len(HOSTILE)]
    return _CONTENTS[number % len(_CONTENTS)].format(number=number)


@lru_cache(maxsize=len(_ZONES))
def _zone(name: str) -> tzinfo:
    """A zone; UTC on a host that has no zones."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return UTC


def _local(moment: datetime, zone: str) -> str:
    return moment.astimezone(_zone(zone)).strftime("%Y-%m-%dT%H:%M:%S")


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
    body = {
        "schedule_id": row["id"],
        "post_variant_id": row["post_variant_id"],
        "channel_connection_id": row["channel_connection_id"],
        "attempt_count": row["attempts"],
    }
    return {"queue": QUEUE, "body": json.dumps(body), "at": row["run_at"]}
