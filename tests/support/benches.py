"""What the conformance suite needs of a system beside its Protocol: a way to set the scene, and to see what happened.

Scenes and effects are told in words that hold for every system, so that one suite serves them all.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

from support.world import MovableClock
from tui_app.domain import moments
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.commands.embedded import EmbeddedCommands
from tui_app.systems.commands.schema import prepare

BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
"""When the oldest item of a scene changed; every system's clock is later."""


class State(StrEnum):
    """How an item stands, whatever its system calls it."""

    WAITING = "waiting"
    BLOCKED = "blocked"
    BUSY = "busy"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Given:
    """One item of a scene. ``minute`` counts from the beginning; ``kind`` and ``text`` are of the system's fields."""

    state: State = State.WAITING
    minute: int = 0
    kind: str = "TIMEOUT"
    text: str = "no answer"
    tries: int = 1


class Bench(Protocol):
    """One implementation on the bench, and what is its own about it.

    ``kind_field``, ``text_field``, ``tries_field`` and ``time_field`` are where ``Given`` shows; ``searched`` are the
    fields that free text looks into. ``shown`` are the states of the default filter. ``codes`` is why an item in each
    state cannot be cancelled. ``reason_field`` is where the trail of a cancellation holds the operator's words.
    ``notifies``: somebody is told of each cancellation. ``lacks`` names what the system behind it does not keep, tell
    or guard, so that no adapter can promise it: ``versions``, ``keys``, ``runs``, ``operators`` (it knows whom the
    token names), ``controls`` (its reasons are plain lines), ``locks`` (a request may be on its way to it unseen),
    ``reasons``, ``audits``, ``texts``.
    """

    kind_field: str
    text_field: str
    tries_field: str
    time_field: str
    reason_field: str
    searched: Sequence[str]
    malformed: Sequence[str]
    shown: Collection[State]
    codes: Mapping[State, VerdictCode]
    notifies: bool
    lacks: Collection[str]

    def open(self, *, server_rate: Rate | None = None) -> System:
        """Another connection to the same system: a second operator. The bench closes it.

        ``server_rate`` is the system's own limit, for those that have one.
        """

    def forward(self, seconds: float) -> None:
        """Let time pass for the system, where it works on something by itself or limits who asks."""

    async def add(self, items: Sequence[Given]) -> list[str]:
        """Put items there; their ids, in order."""

    async def touch(self, item_id: str) -> None:
        """Let the system change an item, now, in a way that leaves it as cancellable as it was."""

    async def bring(self, item_id: str, state: State) -> None:
        """Let an item come to another state behind our back."""

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        """Record a cancellation that is not ours, in the system's own audit and by nothing else."""

    async def cancelled(self, item_id: str) -> bool:
        """Whether the system's own status says so."""

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        """The details of the cancellations in the system's own audit, oldest first."""

    async def notices(self, item_id: str) -> list[dict[str, Any]]:
        """What was sent to tell of the cancellation."""

    def reasons(self, notice: dict[str, Any]) -> set[str]:
        """Every text in a notice that has to be the operator's words."""


class ReversibleBench(Bench, Protocol):
    """One whose cancellations can be undone, for ``window_seconds``."""

    window_seconds: float

    def now(self) -> str:
        """The system's present moment."""

    async def status(self, item_id: str) -> str:
        """The system's own status."""

    async def reversals(self, item_id: str) -> list[dict[str, Any]]:
        """The details of the reinstatements in the system's own audit, oldest first."""


STATUSES = {
    State.WAITING: "IN_TROUBLESHOOTING_QUEUE",
    State.BLOCKED: "IN_TROUBLESHOOTING_QUEUE",
    State.BUSY: "IN_PROGRESS",
    State.DONE: "COMPLETED",
    State.CANCELLED: "CANCELED",
}
QUEUE, NO_QUEUE = "payments__replies", "missing__replies"


class CommandWords:
    """What both implementations of commands share on the bench."""

    kind_field = "error_code"
    text_field = "error"
    tries_field = "attempts"
    time_field = "updated"
    reason_field = "reason"
    searched: Sequence[str] = ("id", "type", "error_code", "error")
    malformed: Sequence[str] = ("", " ", "payments", "payments/", "/abc", "payments/\x1b[2J", "payments/x ", "x" * 600)
    shown: Collection[State] = (State.WAITING, State.BLOCKED)
    codes: Mapping[State, VerdictCode] = MappingProxyType(
        {
            State.BLOCKED: VerdictCode.REPLY_QUEUE_MISSING,
            State.BUSY: VerdictCode.NOT_IN_TROUBLESHOOTING,
            State.DONE: VerdictCode.TERMINAL,
            State.CANCELLED: VerdictCode.ALREADY_CANCELLED,
        }
    )
    notifies = True
    lacks: Collection[str] = ()

    def __init__(self) -> None:
        self._made = 0

    def rows(self, items: Sequence[Given]) -> list[dict[str, Any]]:
        """Commands as both databases name their columns."""
        made = []
        for item in items:
            self._made += 1
            # Ids that are in no order, so that an order by id differs from the order of making.
            number = self._made * 2_654_435_761 % 2**32
            made.append(
                {
                    "command_id": str(UUID(int=number << 96 | 4 << 76 | 2 << 62 | self._made)),
                    "status": STATUSES[item.state],
                    "attempts": item.tries,
                    "code": item.kind,
                    "message": item.text,
                    "updated": BEGINNING + timedelta(minutes=item.minute),
                    "reply_queue": NO_QUEUE if item.state is State.BLOCKED else QUEUE,
                }
            )
        return made

    def forward(self, seconds: float) -> None:
        raise AssertionError("a command bus cancels at once, and limits nobody")

    def reasons(self, notice: dict[str, Any]) -> set[str]:
        return {notice["reason"], notice["error"]["message"], notice["error_message"]}


class EmbeddedBench(CommandWords):
    """Commands in a SQLite file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "commands.db"
        self._clock = MovableClock()
        self.opened: list[System] = []
        with self._connected() as connection:
            prepare(connection)
            connection.execute("INSERT INTO queue (name) VALUES (?)", (QUEUE,))

    def open(self, *, server_rate: Rate | None = None) -> System:
        assert server_rate is None, "a command bus limits nobody"
        system = EmbeddedCommands(self._path, self._clock)
        self.opened.append(system)
        return system

    @contextmanager
    def _connected(self) -> Any:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            connection.close()

    async def add(self, items: Sequence[Given]) -> list[str]:
        rows = self.rows(items)
        for row in rows:
            row |= {"id": f"payments/{row['command_id']}", "updated": moments.stamp(row["updated"])}
        with self._connected() as connection:
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO command (id, domain, command_id, type, queue, status, attempts, error_type, error_code,"
                " error, created_at, updated_at, reply_queue) VALUES (:id, 'payments', :command_id, 'DebitAccount',"
                " 'payments__commands', :status, :attempts, 'PERMANENT', :code, :message, :updated, :updated,"
                " :reply_queue)",
                rows,
            )
            connection.execute("COMMIT")
        return [row["id"] for row in rows]

    def _change(self, item_id: str, columns: str, *values: Any) -> None:
        with self._connected() as connection:
            connection.execute(
                f"UPDATE command SET {columns}, revision = revision + 1, updated_at = ? WHERE id = ?",
                (*values, moments.stamp(self._clock.now()), item_id),
            )

    async def touch(self, item_id: str) -> None:
        self._change(item_id, "attempts = attempts + 1")

    async def bring(self, item_id: str, state: State) -> None:
        queue = NO_QUEUE if state is State.BLOCKED else QUEUE
        if state is State.BLOCKED:
            # The item itself does not change: only what is around it.
            with self._connected() as connection:
                connection.execute("UPDATE command SET reply_queue = ? WHERE id = ?", (queue, item_id))
            return
        self._change(item_id, "status = ?", STATUSES[state])

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        details = json.dumps({"operator": operator, "reason": "by hand", "reply_to": QUEUE})
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO audit (id, event, at, details) VALUES (?, 'OPERATOR_CANCEL', ?, ?)",
                (item_id, moments.stamp(self._clock.now()), details),
            )

    async def cancelled(self, item_id: str) -> bool:
        with self._connected() as connection:
            row = connection.execute("SELECT status FROM command WHERE id = ?", (item_id,)).fetchone()
        return bool(row["status"] == "CANCELED")

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        query = "SELECT details FROM audit WHERE id = ? AND event = 'OPERATOR_CANCEL' ORDER BY audit_id"
        with self._connected() as connection:
            return [json.loads(row["details"]) for row in connection.execute(query, (item_id,))]

    async def notices(self, item_id: str) -> list[dict[str, Any]]:
        with self._connected() as connection:
            bodies = [json.loads(row["body"]) for row in connection.execute("SELECT body FROM message ORDER BY msg_id")]
        return [body for body in bodies if f"{body['domain']}/{body['command_id']}" == item_id]


@asynccontextmanager
async def embedded_bench(folder: Path) -> AsyncIterator[EmbeddedBench]:
    """The embedded command bus on the bench."""
    bench = EmbeddedBench(folder)
    try:
        yield bench
    finally:
        for system in bench.opened:
            await system.close()
