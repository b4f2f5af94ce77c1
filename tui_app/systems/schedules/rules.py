"""What is true of schedules wherever they are stored: ids, verdicts, effects, refusals, previews.

Pure. The port, the native routes and the runners use it, so that a refusal reads the same wherever it is met.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from tui_app.domain import moments
from tui_app.domain.errors import MalformedId
from tui_app.domain.foreign_json import parse
from tui_app.domain.items import Seen, check_id
from tui_app.domain.ports import Preview, Section
from tui_app.domain.verdict import YES, Effect, Verdict, VerdictCode
from tui_app.systems.schedules.shapes import Row
from tui_app.systems.schedules.words import (
    CANCELLED,
    FAILED,
    IN_QUEUE,
    IRREVERSIBLE,
    LONGEST_CONTENT,
    OPEN,
    POST_KEPT,
    POST_PUT_BACK,
    POST_READY,
    POST_SCHEDULED,
    PUBLISHING,
    QUEUED,
    STAYS_IN,
    SUCCESS,
)

CANCEL_EVENT = "SCHEDULE_CANCELLED"
REFUSED_EVENT = "SCHEDULE_CANCEL_REFUSED"
QUEUED_EVENT = "SCHEDULE_QUEUED"
STARTED_EVENT = "PUBLISH_STARTED"
SUCCEEDED_EVENT = "PUBLISH_SUCCEEDED"
FAILED_EVENT = "PUBLISH_FAILED"
SKIPPED_EVENT = "PUBLISH_SKIPPED"

PERMISSION = "cancel_schedule"
"""Held for all posts, or for one: ``cancel_schedule:<post id>``."""

STUCK_AFTER = timedelta(minutes=10)
"""How long publishing takes at most: what has been at it for longer is said to be stuck."""

BULK_LIMIT = 1_000
"""Schedules in one bulk request at most."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_schedule_id(text: str) -> str:
    """The id in its one spelling: a UUID is lower case; other ids are opaque.

    Raises:
        MalformedId: it cannot stand in a URL as it is.
    """
    if not _ID.fullmatch(check_id(text)):
        raise MalformedId(
            f"{text!r} is not a schedule's id", hint="It has letters, digits, - and _ only: 128 of them at most."
        )
    return text.lower() if _UUID.fullmatch(text.lower()) else text


def check_uuid(text: str) -> str:
    """A UUID in lower case, which every id is on the native routes.

    Raises:
        MalformedId: it is none.
    """
    if not text.isascii() or not _UUID.fullmatch(text.lower()):
        raise MalformedId(f"{text[:80]!r} is not a UUID", hint="It looks like 8-4-4-4-12 hexadecimal digits.")
    return text.lower()


def schedule_id_in(body: str | bytes) -> str:
    """Which schedule a message is about; the rest of it is read from the database, which is true.

    Raises:
        ValueError: it is no message of ours.
    """
    try:
        message = parse(body)
    except ValueError as error:
        raise ValueError("it is no JSON") from error
    named = message.get("schedule_id") if isinstance(message, dict) else None
    if not isinstance(named, str):
        raise ValueError("it names no schedule")
    try:
        return check_schedule_id(named)
    except MalformedId as error:
        raise ValueError("its schedule_id is none") from error


_IN_THE_WAY: Mapping[str, tuple[VerdictCode, str]] = MappingProxyType(
    {
        PUBLISHING: (VerdictCode.PUBLISHING, "a publisher has it in hand (publishing)"),
        SUCCESS: (VerdictCode.PUBLISHED, "it is published already (success)"),
        FAILED: (VerdictCode.FAILED, "it was attempted and has failed (failed): it does not go out any more"),
        CANCELLED: (VerdictCode.ALREADY_CANCELLED, "it is already cancelled"),
    }
)

NOT_FOUND = Verdict.no(VerdictCode.NOT_FOUND, "there is no such schedule")
STUCK = Verdict.no(
    VerdictCode.PUBLISHING,
    "it is stuck in publishing: its publisher may have died, and whether it went out is not known",
)


def missing(item_id: str) -> Seen:
    """What is seen where there is no schedule of this id."""
    return Seen(item_id, "", "", NOT_FOUND)


@lru_cache(maxsize=64)
def verdict(status: str, stuck: bool = False) -> Verdict:
    """May a schedule be cancelled; ``stuck``: it has been publishing for longer than publishing takes."""
    if status in OPEN:
        return YES
    if status == PUBLISHING and stuck:
        return STUCK
    unknown = (VerdictCode.NOT_KNOWN, f"its status is {status}, which quash does not know")
    return Verdict.no(*_IN_THE_WAY.get(status, unknown))


def stuck_before(now: datetime) -> str:
    """What was claimed before this moment and is still publishing is stuck."""
    return moments.stamp(now - STUCK_AFTER)


@lru_cache(maxsize=4096)
def effects(status: str, channel: str, post_status: str, others: bool) -> tuple[Effect, ...]:
    """What cancelling does. ``others``: the post has further schedules that are to go out.

    A post is put back only from ``scheduled``: one that was published anywhere, or that somebody archived, stays.
    """
    found = [Effect(STAYS_IN, channel)]
    if post_status == POST_SCHEDULED:
        found.append(Effect(POST_KEPT if others else POST_PUT_BACK))
    if status == QUEUED:
        found.append(Effect(IN_QUEUE))
    found.append(Effect(IRREVERSIBLE))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a schedule is not cancelled on the native routes: a stable code, and its sentence."""

    code: str
    sentence: str


UNKNOWN_SCHEDULE = Refusal("SCHEDULE_NOT_FOUND", "Schedule not found")
ACCESS_DENIED = Refusal(
    "SCHEDULE_ACCESS_DENIED",
    f"Only the owner of the post, or a holder of '{PERMISSION}' for it, can cancel this schedule",
)
CANCELLED_ALREADY = Refusal("SCHEDULE_ALREADY_CANCELLED", "Schedule is already cancelled")
PUBLISHED_ALREADY = Refusal("SCHEDULE_ALREADY_PUBLISHED", "Cannot cancel schedule that has already been published")


def refusal(status: str) -> Refusal:
    """What the single route answers to a status that prevents cancelling."""
    if status == CANCELLED:
        return CANCELLED_ALREADY
    return Refusal(
        "SCHEDULE_CANNOT_BE_CANCELLED",
        f"Cannot cancel schedule with status '{status}'. Only 'pending' or 'queued' schedules can be cancelled.",
    )


def bulk_refusal(status: str) -> Refusal:
    """What the bulk route answers for one schedule: it tells what is published from what is being published."""
    return PUBLISHED_ALREADY if status == SUCCESS else refusal(status)


def cancel_details(
    *, original: Mapping[str, Any], reason: str | None, run_id: str | None, idempotency_key: str | None
) -> dict[str, Any]:
    """What a ``SCHEDULE_CANCELLED`` event records beside who and when: why, and the schedule as it was.

    Run and key are ours, to know our cancellations by; they are null where a native route was called.
    """
    return {
        "reason": reason,
        "previous_status": original["status"],
        "schedule": dict(original),
        "run_id": run_id,
        "idempotency_key": idempotency_key,
    }


@dataclass(frozen=True, slots=True)
class Schedule:
    """The facts of one schedule that a preview needs; moments are stamps, ``local`` is the wall clock's time."""

    status: str
    channel: str
    content: str
    run_at: str
    local: str
    timezone: str
    attempts: int
    owner: str
    post_title: str
    post_status: str
    others: bool
    stuck: bool
    cut: bool = False

    @classmethod
    def of(cls, row: Row, *, others: bool, stuck: bool) -> Schedule:
        """From a row of a page: whether the post has others that wait and whether it is stuck is found out apart."""
        return cls(
            status=row["status"],
            channel=row["channel"],
            content=row["content"],
            run_at=row["run_at"],
            local=row["run_at_local"],
            timezone=row["timezone"],
            attempts=row["attempts"],
            owner=row["owner"],
            post_title=row["title"],
            post_status=row["post_status"],
            others=others,
            stuck=stuck,
            cut=bool(row["cut"]),
        )


def preview(schedule: Schedule, now: datetime, found: Verdict) -> Preview:
    """The impact of one schedule, which was judged as ``found``; what cannot be cancelled has no impact."""
    sections = _sections(schedule, now)
    if not found.cancellable:
        return Preview(found, sections=sections)
    warnings = []
    warnings += due(schedule.run_at, now)
    happens = effects(schedule.status, schedule.channel, schedule.post_status, schedule.others)
    return Preview(found, happens, tuple(warnings), sections)


def due(run_at: str, now: datetime) -> list[str]:
    """What to warn of where its time has come, or where nobody can tell when it comes."""
    moment = moments.known(run_at)
    if moment is None:
        return ["when it goes out is not known: it may go out at any moment"]
    return ["its time has come: it may go out at any moment"] if moment <= now else []


def _sections(schedule: Schedule, now: datetime) -> tuple[Section, ...]:
    going = [
        f"{schedule.run_at[:19]}Z, {left(schedule.run_at, now)}",
        f"{schedule.local.replace('T', ' ')} in {schedule.timezone}",
    ]
    if schedule.status == QUEUED:
        going.append("queued: the publisher may win")
    content = [*schedule.content.splitlines()] or ["no content"]
    if schedule.cut:
        content.append(f"(cut after {LONGEST_CONTENT:,} characters)")
    return (
        Section(f"Goes out on {schedule.channel}", tuple(going)),
        Section("Content", tuple(content)),
        Section(f"Post {schedule.post_title}", (_post_line(schedule), f"owner: {schedule.owner}")),
        Section("Attempts", (f"{schedule.attempts:,} so far",)),
    )


def _post_line(schedule: Schedule) -> str:
    if schedule.status not in OPEN or schedule.post_status != POST_SCHEDULED:
        return f"status: {schedule.post_status}"
    if schedule.others:
        return f"status: {POST_SCHEDULED}, and stays so: it has other schedules that are to go out"
    return f"status: {POST_SCHEDULED}, becomes {POST_READY}"


def left(run_at: str, now: datetime) -> str:
    """The time until a moment, in its two largest units; or since when it has passed."""
    moment = moments.known(run_at)
    if moment is None:
        return "which is not known as a moment"
    seconds = round((moment - now).total_seconds())
    ahead, seconds = seconds >= 0, abs(seconds)
    parts = [(seconds // 86_400, "d"), (seconds // 3_600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
    said = " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"
    return f"in {said}" if ahead else f"{said} ago"
