"""Cases to try quash on: the same rows every time, with everything in them that is awkward in real life.

Row ``i`` depends on ``i`` alone, so that a larger demo begins with the rows of a smaller one. Only the cancelled cases
whose window is open depend on the moment of seeding: a window that is open closes.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from tui_app.database import seeding
from tui_app.database.sqlite import transaction
from tui_app.database.statements import load
from tui_app.domain import moments
from tui_app.systems.cases import rules
from tui_app.systems.cases.schema import TALLY, prepare
from tui_app.systems.cases.words import CANCELLED, ON_HOLD, OPEN, TERMINAL

SQL = load("tui_app.systems.cases", "demo.sql")

NEWEST = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
APART = timedelta(seconds=11)
WINDOW = timedelta(hours=2)
CHUNK = 20_000
NEWEST_NUMBER = 9_204_417
CERTAIN = 24
"""The newest rows, all of which can be cancelled; what comes after them follows ``_PATTERN``."""

STILL_OPEN = 2_000
"""Of the first so many rows, those that are cancelled with an open window were cancelled in the last two hours."""

_HELD, _BUSY, _ALERTED, _UNDOABLE, _ACTED, _HOSTILE_AT = 3, 8, 11, 15, 16, 19
_WORKING = tuple(status for status in OPEN if status != ON_HOLD)
_PATTERN = (
    *_WORKING[:3],
    "under_review",
    *_WORKING[3:6],
    "completed",
    "in_progress",
    ON_HOLD,
    "microscopy",
    "staining",
    "completed",
    "archived",
    "closed",
    CANCELLED,
    CANCELLED,
    CANCELLED,
    "pending",
    "in_progress",
)

HOSTILE = (
    "[@click=app.quit]x[/]",
    "a[/]b",
    "\x1b[31mred\x1b[0m and \x1b[2Jcleared \x9b1m",
    "report-\u202efdp.exe",
    '=HYPERLINK("https://example.invalid","result")',
    "zero\u200bwidth \ufeffand \u2066isolated\u2069",
    "皮膚生検 — naïve café 🔬",
    "first line\nsecond line\r\ttabbed",
    "Second opinion: " + "the slides were sent twice and only one set came back; " * 90,
)
_KINDS = (
    ("biopsy", "skin biopsy, left forearm, two parts"),
    ("biopsy", "core biopsy, four fragments"),
    ("resection", "resection specimen, margins inked"),
    ("cytology", "fluid, 40 ml, cloudy"),
    ("consultation", "second opinion on six slides"),
    ("molecular", "sequencing panel on an earlier block"),
)
_TEAMS = ("histology@example.com", "cytology@example.com", "jane@example.com", "ops2@example.com", "")
_NOTES = "duplicate of another case"


@dataclass(slots=True)
class _Rows:
    """The rows of one chunk, by table, in the order in which they are inserted.

    Dependencies come before their cases: the triggers that follow them have nothing to do then.
    """

    dependency: list[tuple[Any, ...]] = field(default_factory=list)
    cases: list[tuple[Any, ...]] = field(default_factory=list)
    workflow: list[tuple[Any, ...]] = field(default_factory=list)
    record: list[tuple[Any, ...]] = field(default_factory=list)
    stakeholder: list[tuple[Any, ...]] = field(default_factory=list)
    notification: list[tuple[Any, ...]] = field(default_factory=list)
    cancellation: list[tuple[Any, ...]] = field(default_factory=list)
    audit: list[tuple[Any, ...]] = field(default_factory=list)


def seed(path: Path, rows: int, now: datetime) -> int:
    """Put the first ``rows`` demo cases into a file, made where there is none; how many were new.

    Rows that exist stay as they are. A seeding that was interrupted is completed by the next one.

    Raises:
        CannotConnect: the file cannot be opened, or is not a SQLite file.
        sqlite3.Error: it is locked, or the disk is full.
    """

    def seed_chunk(connection: sqlite3.Connection, start: int, stop: int) -> int:
        return _seed_chunk(connection, start, stop, now)

    return seeding.seed(path, rows, CHUNK, prepare, seed_chunk)


def _seed_chunk(connection: sqlite3.Connection, start: int, stop: int, now: datetime) -> int:
    there = {row[0] for row in connection.execute(SQL["there"], (json.dumps([_id(n) for n in range(start, stop)]),))}
    # Backwards, since the ids go down as the rows grow older: SQLite appends to its indexes.
    numbers = [number for number in reversed(range(start, stop)) if _id(number) not in there]
    if not numbers:
        return 0
    rows = _Rows()
    for number in numbers:
        _add(rows, number, now)
    statuses = (row[3] for row in rows.cases)
    with transaction(connection), TALLY.added_at_once(connection, statuses):
        for table in _Rows.__slots__:
            connection.executemany(SQL[table], getattr(rows, table))
    return len(numbers)


def _id(number: int) -> str:
    """The id of one row, which is all that is needed to know whether it is there."""
    return f"CASE-{NEWEST_NUMBER - number}"


def _add(rows: _Rows, number: int, now: datetime) -> None:
    noise = hashlib.blake2b(f"case {number}".encode(), digest_size=16).digest()
    case_id, certain, place = _id(number), number < CERTAIN, number % len(_PATTERN)
    status = OPEN[number % len(OPEN)] if certain else _PATTERN[place]
    updated = NEWEST - number * APART
    if place == _UNDOABLE and status == CANCELLED and number < STILL_OPEN:
        updated = now - timedelta(minutes=5 + number // len(_PATTERN))
    at, opened = moments.stamp(updated), moments.stamp(updated - timedelta(hours=1 + noise[0] % 96))
    kind, title = _KINDS[noise[1] % len(_KINDS)]
    if number % 2 == 1 if certain else place == _HOSTILE_AT:
        title = HOSTILE[(number // 2 if certain else number // len(_PATTERN)) % len(HOSTILE)]
    who = _TEAMS[noise[2] % len(_TEAMS)]
    rows.audit.append((case_id, "CASE_OPENED", opened, who or None, json.dumps({"type": kind})))
    facts = (0, "none", 0, "")
    if not certain and status in OPEN:
        facts = _depend(rows, case_id, place, noise, opened)
    cancelled: tuple[str | None, str | None, str | None] = (None, None, None)
    if status == CANCELLED:
        cancelled = _cancel(rows, case_id, place, noise, updated)
    else:
        _surround(rows, case_id, status in TERMINAL, noise)
    environment = "staging" if noise[3] < 12 else "production"
    head = (case_id, kind, title, status, f"P{1 + noise[4] % 4}", who, environment)
    rows.cases.append((*head, *facts, opened, at, *cancelled))
    rows.stakeholder += [(case_id, target) for target in _targets(noise)]


def _targets(noise: Sequence[int]) -> Iterator[str]:
    """Whoever follows a case; a few cases are followed by nobody."""
    if noise[5] >= 10:
        yield f"referrer-{noise[5] % 40:02}@example.com"
    if noise[5] >= 180:
        yield f"ward-{1 + noise[6] % 9}@example.com"


def _depend(rows: _Rows, case_id: str, place: int, noise: Sequence[int], at: str) -> tuple[int, str, int, str]:
    """The dependencies of a case that goes on: the three facts, and what is in the way."""
    name = f"{noise[7] * 256 + noise[8]:05}"
    if place == _HELD:
        rows.dependency.append((case_id, "hold", f"LEGAL-{name}", "active", 1, at))
        return (1, "none", 0, f"hold LEGAL-{name}")
    if place == _BUSY:
        rows.dependency.append((case_id, "order", f"ORD-{name}", "in_progress", 1, at))
        return (0, "in_progress", 0, f"order ORD-{name}")
    if place == _ALERTED:
        alerts = [f"ALERT-{name}-{number}" for number in range(1 + noise[9] % 2)]
        rows.dependency += [(case_id, "alert", alert, "open", 0, at) for alert in alerts]
        return (0, "none", len(alerts), ", ".join(f"alert {alert}" for alert in alerts))
    if noise[9] < 60:
        rows.dependency.append((case_id, "order", f"ORD-{name}", "completed", 0, at))
        return (0, "completed", 0, "")
    return (0, "none", 0, "")


def _records(case_id: str, noise: Sequence[int]) -> Iterator[tuple[str, str, str, str]]:
    yield (case_id, "specimen", f"S{case_id[5:]}", "lims")
    if noise[10] < 90:
        yield (case_id, "charge", f"B{case_id[5:]}", rules.BILLING_SYSTEM)
    if noise[10] >= 220:
        yield (case_id, "report draft", f"R{case_id[5:]}", "reporting")


def _surround(rows: _Rows, case_id: str, ended: bool, noise: Sequence[int]) -> None:
    """Workflows, records and notifications that wait, of a case that was not cancelled."""
    rows.workflow.append((case_id, "processing", "ended" if ended else "running", None, None))
    if noise[11] < 60:
        rows.workflow.append((case_id, "quality control", "ended" if ended else "waiting", None, None))
    status = "closed" if ended else "open"
    rows.record += [(*record, status, None, None, None) for record in _records(case_id, noise)]
    if not ended and noise[12] < 25:
        text = "The result of a case that you follow is expected within two days."
        at = moments.stamp(NEWEST)
        rows.notification += [
            (case_id, target, f"Case {case_id}", text, "pending", at, None) for target in _targets(noise)
        ]


def _cancel(rows: _Rows, case_id: str, place: int, noise: bytes, updated: datetime) -> tuple[str, str, str]:
    """A cancellation that is complete, with all that follows from it: previous status, its id, its deadline."""
    previous, named = _WORKING[noise[13] % len(_WORKING)], str(UUID(bytes=noise, version=4))
    at, deadline = moments.stamp(updated), moments.stamp(updated + WINDOW)
    before = moments.stamp(updated - timedelta(seconds=1))
    code = rules.REASON_CODE
    rows.cancellation.append((named, case_id, "ops2@example.com", code, _NOTES, previous, before, at, at, deadline))
    rows.workflow.append((case_id, "processing", "ended", named, "running"))
    acted = at if place == _ACTED or noise[14] < 40 else None
    rows.record += [(*record, "case_cancelled", named, "open", acted) for record in _records(case_id, noise)]
    subject, text = f"Case {case_id} is cancelled", rules.notice(_NOTES)
    rows.notification += [(case_id, target, subject, text, "sent", at, named) for target in _targets(noise)]
    details = rules.cancel_details(
        previous_status=previous,
        reason=code,
        notes=_NOTES,
        notify=True,
        cancellation_id=named,
        run_id=None,
        idempotency_key=None,
    )
    rows.audit.append((case_id, rules.CANCEL_EVENT, at, "ops2@example.com", json.dumps(details)))
    return previous, named, deadline
