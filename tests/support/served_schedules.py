"""The embedded schedules behind `quash serve`, reached by the adapter of quash itself: the circle is full."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.backend import KEY, listening, make_backend, token
from support.schedules_bench import OWNER, SchedulesBench
from support.world import MovableClock, make_world
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.outbound.tokens import TokenSource
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.native.assembly import assemble
from tui_app.systems.schedules.bodies import parted
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.systems.schedules.http import HttpSchedules
from tui_app.systems.schedules.plug import SchedulesSettings


class ServedSchedulesBench(SchedulesBench):
    """The file as it is, and the adapter over TCP. The service tells whole seconds, and the date of this host."""

    lacks: Collection[str] = ("versions", "keys", "operators", "controls", "locks")
    searched: Sequence[str] = ("id", "channel", "content")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.clock = MovableClock(datetime.now(UTC))
        self.url = ""

    def open(self, *, server_rate: Rate | None = None) -> System:
        system = HttpSchedules(self.url, tokens=TokenSource.given(token(OWNER, ())), clock=self.clock)
        self.opened.append(system)
        return system

    async def touch(self, item_id: str) -> None:
        # What happens in the second in which a page was read cannot be told from what happened before.
        self.clock.forward(2)
        await super().touch(item_id)

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        found = []
        for effect in await super().effects(item_id):
            words, run, _ = parted(effect["reason"] or "")
            found.append({**effect, "reason": words, "run_id": run})
        return found


@asynccontextmanager
async def served_schedules_bench(folder: Path) -> AsyncIterator[ServedSchedulesBench]:
    """A service on a socket of this host, and the adapter of quash before it."""
    async with AsyncExitStack() as stack:
        bench, world = ServedSchedulesBench(folder), make_world(folder)
        stack.push_async_callback(world.close)
        system = EmbeddedSchedules(bench.file.path, bench.clock)
        stack.push_async_callback(system.close)
        settings = {"schedules": SchedulesSettings()}
        native = assemble({"schedules": system}, settings, folder / "native.db", bench.clock, read_only=False)
        backend = replace(make_backend(world, Authenticator({"": KEY})), native=native)
        bench.url = await stack.enter_async_context(listening(create_app(backend)))
        yield bench
        for opened in bench.opened:
            await opened.close()
