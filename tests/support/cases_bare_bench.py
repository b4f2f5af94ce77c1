"""Cases on the bench at a server that is not ours: it has no list, and tells nobody whom it notified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from support.benches import BEGINNING, Given, State
from support.case_server import Kept, Quirks, Way, case_server
from support.cases_bench import CasesBench
from tui_app.domain import moments

STATUSES = {
    State.WAITING: "in_progress",
    State.BLOCKED: "in_progress",
    State.BUSY: "processing",
    State.DONE: "completed",
    State.CANCELLED: "cancelled",
}
FOR_EVER = 1_000_000


class BareBench:
    """Scenes are set in the server's memory, and effects are read in its own audit."""

    kind_field = CasesBench.kind_field
    text_field = CasesBench.text_field
    tries_field = CasesBench.tries_field
    time_field = CasesBench.time_field
    reason_field = CasesBench.reason_field
    searched = CasesBench.searched
    shown = CasesBench.shown
    codes = CasesBench.codes
    malformed: Sequence[str] = CasesBench.malformed
    notifies = False
    lacks: Collection[str] = ("runs", "operators", "locks")
    window_seconds = 7_200.0

    def __init__(self, way: Way) -> None:
        self._way = way
        self._server = way.server

    def open(self, **more: Any) -> Any:
        return self._way.open(**more)

    def forward(self, seconds: float) -> None:
        self._server.clock.forward(seconds)

    def now(self) -> str:
        return moments.stamp(self._server.clock.now())

    async def add(self, items: Sequence[Given]) -> list[str]:
        ids = []
        for item in items:
            ids.append(f"CASE-{len(self._server.cases) * 2_654_435_761 % 2**32:010}")
            case = Kept(title=item.text, updated=moments.stamp(BEGINNING + timedelta(minutes=item.minute)))
            self._server.cases[ids[-1]] = case
            self._put(case, item.state)
        return ids

    def _put(self, case: Kept, state: State) -> None:
        case.status, case.hold = STATUSES[state], state is State.BLOCKED
        case.polls = FOR_EVER if state is State.BUSY else 0

    async def touch(self, item_id: str) -> None:
        self._server.cases[item_id].updated = self.now()

    async def bring(self, item_id: str, state: State) -> None:
        self._put(self._server.cases[item_id], state)
        await self.touch(item_id)

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        entry = {
            "event": "CASE_CANCELLED",
            "timestamp": self.now(),
            "user_id": operator,
            "details": {"notes": "by hand"},
        }
        self._server.cases[item_id].audit.append(entry)

    async def cancelled(self, item_id: str) -> bool:
        return await self.status(item_id) == "cancelled"

    async def status(self, item_id: str) -> str:
        return self._server.cases[item_id].status

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        return self._entries(item_id, "CASE_CANCELLED")

    async def reversals(self, item_id: str) -> list[dict[str, Any]]:
        return self._entries(item_id, "CASE_REINSTATED")

    def _entries(self, item_id: str, event: str) -> list[dict[str, Any]]:
        found = [one for one in self._server.cases[item_id].audit if one["event"] == event]
        told = [{"run_id": None, **one["details"], "operator": one["user_id"]} for one in found]
        return [{**one, "reason": one.get("notes")} for one in told]

    async def notices(self, item_id: str) -> list[dict[str, Any]]:
        return []

    def reasons(self, notice: dict[str, Any]) -> set[str]:
        return {notice["reason"]}


@asynccontextmanager
async def cases_bare_bench() -> AsyncIterator[BareBench]:
    """A running server without a list, and the bench of it."""
    async with case_server(quirks=Quirks(deadlines=("cancel", "status"))) as way:
        yield BareBench(way)
