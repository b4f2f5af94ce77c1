"""Cases on the bench of the conformance suite: scenes set and records read with a plain connection to the file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from support.benches import BEGINNING, Given, State
from support.world import MovableClock
from tui_app.domain import moments
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.cases.embedded import EmbeddedCases
from tui_app.systems.cases.schema import prepare
from tui_app.systems.cases.words import SEARCHED

STATUSES = {
    State.WAITING: "in_progress",
    State.BLOCKED: "in_progress",
    State.BUSY: "cancelling",
    State.DONE: "completed",
    State.CANCELLED: "cancelled",
}
STAKEHOLDER = "referrer@example.com"
FAR = "2099-01-01T00:00:00.000000Z"


class CasesBench:
    """Cases in a SQLite file. ``clock`` is that of every system that the bench opens."""

    kind_field = "type"
    text_field = "title"
    tries_field = "reinstated"
    time_field = "updated"
    reason_field = "notes"
    searched = SEARCHED
    shown = frozenset({State.WAITING, State.BLOCKED})
    codes = MappingProxyType(
        {
            State.BLOCKED: VerdictCode.ACTIVE_HOLD,
            State.BUSY: VerdictCode.CLAIMED,
            State.DONE: VerdictCode.TERMINAL,
            State.CANCELLED: VerdictCode.ALREADY_CANCELLED,
        }
    )
    notifies = True
    lacks: Collection[str] = ()
    malformed: Sequence[str] = ("", " ", "-abc", "_abc", "a/b", "..", "a#b", "a b", "a\x1b[2J", "abc\n", "ä", "x" * 129)

    def __init__(self, folder: Path, **times: float) -> None:
        self.path = folder / "cases.db"
        self.clock = MovableClock()
        self.opened: list[EmbeddedCases] = []
        self._times = times
        self.window_seconds = times.get("window_seconds", 7_200.0)
        self._made = 0
        with self.connected() as connection:
            prepare(connection)

    def open(self, **more: Any) -> EmbeddedCases:
        system = EmbeddedCases(self.path, self.clock, **{**self._times, **more})
        self.opened.append(system)
        return system

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()

    def forward(self, seconds: float) -> None:
        self.clock.forward(seconds)

    def now(self) -> str:
        return moments.stamp(self.clock.now())

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What stands in the file."""
        with self.connected() as connection:
            return [dict(row) for row in connection.execute(query, values)]

    async def add(self, items: Sequence[Given]) -> list[str]:
        ids = []
        with self.connected() as connection:
            connection.execute("BEGIN")
            for item in items:
                self._made += 1
                # Ids that are in no order, so that an order by id differs from the order of making.
                case_id = f"CASE-{self._made * 2_654_435_761 % 2**32:010}"
                ids.append(case_id)
                at = moments.stamp(BEGINNING + timedelta(minutes=item.minute))
                connection.execute(
                    "INSERT INTO cases (id, type, title, status, assigned_to, created_at, updated_at, reinstated)"
                    " VALUES (?, ?, ?, ?, 'jane@example.com', ?, ?, ?)",
                    (case_id, item.kind, item.text, STATUSES[item.state], at, at, item.tries),
                )
                connection.execute("INSERT INTO stakeholder VALUES (?, ?)", (case_id, STAKEHOLDER))
                connection.execute(
                    "INSERT INTO workflow (case_id, name, status) VALUES (?, 'work', 'running')", (case_id,)
                )
                connection.execute(
                    "INSERT INTO record (case_id, kind, id, system, status) VALUES (?, 'specimen', ?, 'lims', 'open')",
                    (case_id, case_id),
                )
                self._surround(connection, case_id, item.state, at)
            connection.execute("COMMIT")
        return ids

    def _surround(self, connection: sqlite3.Connection, case_id: str, state: State, at: str) -> None:
        if state is State.BLOCKED:
            connection.execute("INSERT INTO dependency VALUES (?, 'hold', 'LEGAL-1', 'active', 1, ?)", (case_id, at))
        if state is State.BUSY:
            named = str(uuid4())
            connection.execute(
                "INSERT INTO cancellation (cancellation_id, case_id, state, operator, reason, notes, notify,"
                " previous_status, accepted_at, complete_at)"
                " VALUES (?, ?, 'processing', 'ops9@example.com', 'operational_request', 'by hand', 0, 'pending',"
                " ?, ?)",
                (named, case_id, at, FAR),
            )
            connection.execute(
                "UPDATE cases SET previous_status = 'pending', cancellation_id = ? WHERE id = ?", (named, case_id)
            )

    def change(self, case_id: str, columns: str, *values: Any) -> None:
        """Change a case behind everybody's back, as the case management itself would: with a new version."""
        with self.connected() as connection:
            connection.execute(
                f"UPDATE cases SET {columns}, revision = revision + 1, updated_at = ? WHERE id = ?",
                (*values, self.now(), case_id),
            )

    async def touch(self, item_id: str) -> None:
        self.change(item_id, "priority = 'P1'")

    async def bring(self, item_id: str, state: State) -> None:
        with self.connected() as connection:
            if state is State.WAITING:
                connection.execute("DELETE FROM dependency WHERE case_id = ?", (item_id,))
            self._surround(connection, item_id, state, self.now())
        if state is not State.BLOCKED:
            self.change(item_id, "status = ?", STATUSES[state])

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        details = json.dumps({"reason": "operational_request", "notes": "by hand"})
        with self.connected() as connection:
            connection.execute(
                "INSERT INTO audit (case_id, event, at, user_id, details) VALUES (?, 'CASE_CANCELLED', ?, ?, ?)",
                (item_id, self.now(), operator, details),
            )

    async def cancelled(self, item_id: str) -> bool:
        return await self.status(item_id) == "cancelled"

    async def status(self, item_id: str) -> str:
        [row] = self.rows("SELECT status FROM cases WHERE id = ?", item_id)
        return str(row["status"])

    async def reversals(self, item_id: str) -> list[dict[str, Any]]:
        return self.events(item_id, "CASE_REINSTATED")

    def reasons(self, notice: dict[str, Any]) -> set[str]:
        return {notice["reason"]}

    def events(self, item_id: str, event: str) -> list[dict[str, Any]]:
        """The details of each audit entry of one kind, with who did it and in which words."""
        query = "SELECT user_id, details FROM audit WHERE case_id = ? AND event = ? ORDER BY audit_id"
        found = [(row["user_id"], json.loads(row["details"])) for row in self.rows(query, item_id, event)]
        return [{**details, "operator": user, "reason": details.get("notes")} for user, details in found]

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        return self.events(item_id, "CASE_CANCELLED")

    async def notices(self, item_id: str) -> list[dict[str, Any]]:
        query = "SELECT target, text FROM notification WHERE case_id = ? AND status = 'sent' ORDER BY notification_id"
        sent = self.rows(query, item_id)
        return [{"target": row["target"], "reason": row["text"].partition("Reason: ")[2]} for row in sent]


@asynccontextmanager
async def cases_bench(folder: Path, **times: float) -> AsyncIterator[CasesBench]:
    """The embedded case management on the bench."""
    bench = CasesBench(folder, **times)
    try:
        yield bench
    finally:
        for system in bench.opened:
            await system.close()
