"""Schedules in a SQLite file, on the bench of the conformance suite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from support.benches import BEGINNING, Given, State
from support.world import MovableClock
from tui_app.domain import moments
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.systems.schedules.schema import prepare
from tui_app.systems.schedules.words import SEARCHED

STATUSES = {
    State.WAITING: "pending",
    State.BLOCKED: "failed",
    State.BUSY: "publishing",
    State.DONE: "success",
    State.CANCELLED: "cancelled",
}
OWNER = "jane@example.com"


def a_schedule(number: int, **more: Any) -> dict[str, Any]:
    """A schedule with its post, variant and connection, as the file names their columns."""
    # Ids that are in no order, so that an order by id differs from the order of making.
    spread = number * 2_654_435_761 % 2**32
    row = {
        "id": str(UUID(int=spread << 96 | 4 << 76 | 2 << 62 | number)),
        "post_variant_id": str(UUID(int=1 << 100 | number)),
        "channel_connection_id": str(UUID(int=2 << 100 | number)),
        "post_id": str(UUID(int=3 << 100 | number)),
        "channel_id": str(UUID(int=4 << 100)),
        "owner": OWNER,
        "title": "Spring sale",
        "post_status": "scheduled",
        "channel": "@example",
        "content": "20 % off until Sunday",
        "run_at": "2026-01-02T09:00:00.000000Z",
        "timezone": "America/New_York",
        "run_at_local": "2026-01-02T04:00:00",
        "status": "pending",
        "attempts": 0,
        "created_at": moments.stamp(BEGINNING),
        "updated_at": moments.stamp(BEGINNING),
        "claimed_at": None,
        **more,
    }
    if row["status"] == "publishing" and row["claimed_at"] is None:
        row["claimed_at"] = row["updated_at"]
    return row


def insert(connection: sqlite3.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Put schedules into the file; what several share is there once."""
    for statement in (
        (
            "INSERT INTO post (id, owner_id, title, status, created_at, updated_at)"
            " VALUES (:post_id, :owner, :title, :post_status, :created_at, :created_at) ON CONFLICT DO NOTHING"
        ),
        (
            "INSERT INTO channel_connection (id, channel_id, display_name)"
            " VALUES (:channel_connection_id, :channel_id, :channel) ON CONFLICT DO NOTHING"
        ),
        (
            "INSERT INTO post_variant (id, post_id, channel_id, content)"
            " VALUES (:post_variant_id, :post_id, :channel_id, :content) ON CONFLICT DO NOTHING"
        ),
        (
            "INSERT INTO schedule (id, post_variant_id, channel_connection_id, post_id, owner, channel, run_at,"
            " timezone, run_at_local, status, attempts, created_at, updated_at, claimed_at)"
            " VALUES (:id, :post_variant_id, :channel_connection_id, :post_id, :owner, :channel, :run_at,"
            " :timezone, :run_at_local, :status, :attempts, :created_at, :updated_at, :claimed_at)"
        ),
    ):
        connection.executemany(statement, rows)


class ScheduleFile:
    """The file, read and changed with a plain connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = 0
        self._run(prepare)

    def _run(self, work: Any) -> Any:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return work(connection)
        finally:
            connection.close()

    def add(self, **more: Any) -> dict[str, Any]:
        """One more schedule, with what is said of it."""
        [row] = self.add_all([more])
        return row

    def add_all(self, wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = []
        for more in wanted:
            self._made += 1
            rows.append(a_schedule(self._made, **more))

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, rows)
            connection.execute("COMMIT")

        self._run(work)
        return rows

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self._run(lambda connection: connection.execute(query, values).fetchall())]

    def change(self, query: str, *values: Any) -> None:
        self._run(lambda connection: connection.execute(query, values))

    def status(self, item_id: str) -> str:
        [row] = self.rows("SELECT status FROM schedule WHERE id = ?", item_id)
        return str(row["status"])

    def post_status(self, post_id: str) -> str:
        [row] = self.rows("SELECT status FROM post WHERE id = ?", post_id)
        return str(row["status"])

    def events(self, item_id: str, event: str | None = None) -> list[dict[str, Any]]:
        """The audit of one schedule, oldest first; the details of one kind of event where one is named."""
        found = self.rows("SELECT event, at, principal, details FROM audit WHERE id = ? ORDER BY audit_id", item_id)
        for row in found:
            row["details"] = json.loads(row["details"])
        return [row for row in found if event is None or row["event"] == event]

    def dump(self) -> list[str]:
        """Everything in the file, to tell that nothing changed."""
        return list(self._run(lambda connection: list(connection.iterdump())))


class SchedulesBench:
    """One file of schedules. Nobody is notified, so ``notices`` is always empty."""

    kind_field = "channel"
    text_field = "content"
    tries_field = "attempts"
    time_field = "updated"
    malformed: Sequence[str] = ("", " ", "..", "a/b", "a#b", "-a", "a b", "a\x1b[2J", "ü", "x" * 129, "a?b", "%2e")
    reason_field = "reason"
    searched: Sequence[str] = SEARCHED
    shown: Collection[State] = (State.WAITING,)
    codes: Mapping[State, VerdictCode] = MappingProxyType(
        {
            State.BLOCKED: VerdictCode.FAILED,
            State.BUSY: VerdictCode.PUBLISHING,
            State.DONE: VerdictCode.PUBLISHED,
            State.CANCELLED: VerdictCode.ALREADY_CANCELLED,
        }
    )
    notifies = False
    lacks: Collection[str] = ()

    def __init__(self, folder: Path) -> None:
        self.file = ScheduleFile(folder / "schedules.db")
        self.clock = MovableClock()
        self.opened: list[System] = []

    def open(self, *, server_rate: Rate | None = None) -> System:
        system = EmbeddedSchedules(self.file.path, self.clock, server_rate=server_rate)
        self.opened.append(system)
        return system

    def forward(self, seconds: float) -> None:
        self.clock.forward(seconds)

    async def add(self, items: Sequence[Given]) -> list[str]:
        rows = self.file.add_all(
            [
                {
                    "status": STATUSES[item.state],
                    "channel": item.kind,
                    "content": item.text,
                    "attempts": item.tries,
                    "run_at": moments.stamp(self.clock.moment + timedelta(minutes=item.minute)),
                    "updated_at": moments.stamp(BEGINNING + timedelta(minutes=item.minute)),
                }
                for item in items
            ]
        )
        return [row["id"] for row in rows]

    def _change(self, item_id: str, columns: str, *values: Any) -> None:
        self.file.change(
            f"UPDATE schedule SET {columns}, revision = revision + 1, updated_at = ? WHERE id = ?",
            *values,
            moments.stamp(self.clock.now()),
            item_id,
        )

    async def touch(self, item_id: str) -> None:
        self._change(item_id, "run_at = ?", moments.stamp(self.clock.moment + timedelta(hours=1)))

    async def bring(self, item_id: str, state: State) -> None:
        now = moments.stamp(self.clock.now())
        self._change(item_id, "status = ?, claimed_at = ?", STATUSES[state], now)

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        self.file.change(
            "INSERT INTO audit (id, event, at, principal, details) VALUES (?, 'SCHEDULE_CANCELLED', ?, ?, ?)",
            item_id,
            moments.stamp(self.clock.now()),
            operator,
            json.dumps({"reason": "by hand", "previous_status": "pending"}),
        )

    async def cancelled(self, item_id: str) -> bool:
        return self.file.status(item_id) == "cancelled"

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        found = self.file.events(item_id, "SCHEDULE_CANCELLED")
        return [{"operator": row["principal"], **row["details"]} for row in found]

    async def notices(self, item_id: str) -> list[dict[str, Any]]:
        return []

    def reasons(self, notice: dict[str, Any]) -> set[str]:
        raise AssertionError("nobody is told of a cancelled schedule")


@asynccontextmanager
async def schedules_bench(folder: Path) -> AsyncIterator[SchedulesBench]:
    """The embedded schedules on the bench."""
    bench = SchedulesBench(folder)
    try:
        yield bench
    finally:
        for system in bench.opened:
            await system.close()
