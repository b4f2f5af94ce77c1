"""All three systems in one world, on one clock that tests move: items to cancel in each, and each one's own records."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from support.records import CaseRecords, CommandRecords, Records, ScheduleRecords
from support.schedules_bench import a_schedule, insert
from support.world import TROUBLED, MovableClock, World, fill, make_world
from tui_app.domain import moments
from tui_app.domain.filters import parse
from tui_app.domain.items import Selection
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.systems.cases.embedded import EmbeddedCases
from tui_app.systems.cases.schema import prepare as prepare_cases
from tui_app.systems.commands.embedded import EmbeddedCommands
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.systems.schedules.schema import prepare as prepare_schedules

WAITING = {
    "schedules": "status:pending,queued",
    "cases": "status:in_progress",
    "commands": f"status:{TROUBLED}",
}
"""What a filled file has of each system that can be cancelled."""

STAKEHOLDERS = ("referrer@example.com", "ward-3@example.com")


def everything(*names: str) -> list[Selection]:
    """All that can be cancelled, of all systems or of those named."""
    return [Selection(name, filter=parse(WAITING[name])) for name in names or WAITING]


def open_systems(
    folder: Path, clock: MovableClock, *, chunk: int | None = None, rates: dict[str, Rate] | None = None
) -> dict[str, System]:
    """The three embedded systems of a folder; with ``chunk``, in chunks of that size."""
    limits = rates or {}
    kinds: dict[str, Callable[[Path], System]] = {
        "commands": lambda path: _small(EmbeddedCommands, chunk)(path, clock),
        "cases": lambda path: _small(EmbeddedCases, chunk)(path, clock, server_rate=limits.get("cases")),
        "schedules": lambda path: _small(EmbeddedSchedules, chunk)(path, clock, server_rate=limits.get("schedules")),
    }
    return {name: kind(folder / f"{name}.db") for name, kind in kinds.items()}


def _small(kind: type[Any], chunk: int | None) -> type[Any]:
    return kind if chunk is None else type(f"Small{kind.__name__}", (kind,), {"chunk_size": chunk})


def records(folder: Path) -> dict[str, Records]:
    """The own records of each system in a folder."""
    made = (CommandRecords(folder / "commands.db"), CaseRecords(folder / "cases.db"))
    return {one.system: one for one in (*made, ScheduleRecords(folder / "schedules.db"))}


def mixed_world(folder: Path, clock: MovableClock | None = None, **options: Any) -> World:
    """A world of all three systems; ``options`` are those of :func:`open_systems`."""
    clock = clock or MovableClock()
    fill_all(folder, 0)
    return make_world(folder, open_systems(folder, clock, **options), clock)


def fill_all(folder: Path, number: int, *names: str) -> dict[str, list[str]]:
    """So many items that can be cancelled in each system, or in those named; their ids."""
    fillers = {
        "commands": lambda: fill(folder / "commands.db", number),
        "cases": lambda: fill_cases(folder / "cases.db", number),
        "schedules": lambda: fill_schedules(folder / "schedules.db", number),
    }
    return {name: fillers[name]() for name in names or fillers}


@contextmanager
def _writing(path: Path, prepare: Callable[[sqlite3.Connection], None]) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        prepare(connection)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def fill_cases(path: Path, number: int, *, stakeholders: tuple[str, ...] = STAKEHOLDERS, **columns: Any) -> list[str]:
    """Cases in progress, each with a workflow, a related record and people who follow it."""
    with _writing(path, prepare_cases) as connection:
        start = connection.execute("SELECT count(*) FROM cases").fetchone()[0]
        ids = [f"CASE-{start + offset:06}" for offset in range(number)]
        row = {"type": "histology", "title": "biopsy", "status": "in_progress", "assigned_to": "jane@example.com"}
        row |= {"created_at": "2026-01-01T00:00:00.000000Z", **columns}
        names = ", ".join((*row, "id", "updated_at"))
        connection.executemany(
            f"INSERT INTO cases ({names}) VALUES ({', '.join('?' * (len(row) + 2))})",
            (
                (*row.values(), one, f"2026-01-01T01:{offset // 60 % 60:02}:{offset % 60:02}.000000Z")
                for offset, one in enumerate(ids)
            ),
        )
        connection.executemany(
            "INSERT INTO stakeholder (case_id, target) VALUES (?, ?)", [(one, to) for one in ids for to in stakeholders]
        )
        connection.executemany(
            "INSERT INTO workflow (case_id, name, status) VALUES (?, 'processing', 'running')", [(one,) for one in ids]
        )
        connection.executemany(
            "INSERT INTO record (case_id, kind, id, system, status) VALUES (?, 'specimen', ?, 'lims', 'open')",
            [(one, f"S{one}") for one in ids],
        )
    return ids


def fill_schedules(path: Path, number: int, **columns: Any) -> list[str]:
    """Posts that go out a minute apart from each other, from nine in the morning on; the ids are in another order."""
    with _writing(path, prepare_schedules) as connection:
        start = connection.execute("SELECT count(*) FROM schedule").fetchone()[0]
        first = moments.read("2027-01-02T09:00:00.000000Z")
        rows = [
            a_schedule(one, **{"run_at": moments.stamp(first + timedelta(minutes=one * 7 % 1000)), **columns})
            for one in range(start + 1, start + number + 1)
        ]
        insert(connection, rows)
    return [str(UUID(row["id"])) for row in rows]


def put_on_hold(folder: Path, ids: list[str]) -> None:
    """A legal hold on each of these cases, whatever is being done with them."""
    with _writing(folder / "cases.db", prepare_cases) as connection:
        connection.executemany(
            "INSERT INTO dependency (case_id, type, id, status, required, changed_at)"
            " VALUES (?, 'hold', 'LEGAL-1', 'active', 1, '2026-01-02T00:00:00.000000Z')",
            [(one,) for one in ids],
        )
