"""A runner that tests drive step by step, on systems that are watched: when they were asked to send what, and how."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from support.mixed import everything
from support.world import WHO, World
from tui_app.domain.errors import RateLimited
from tui_app.domain.ports import Reply, System
from tui_app.domain.rates import Rate
from tui_app.domain.records import RunRecord
from tui_app.domain.run import Errand, Order
from tui_app.engine.worker import Worker


@dataclass
class Watched:
    """A system, and when it was asked to send what; ``reply`` may answer in its place, ``then`` comes after it."""

    inner: System
    world: World
    reply: Callable[[Sequence[Order]], Sequence[Reply] | None] = lambda orders: None
    then: Callable[[], Awaitable[object]] | None = None
    sent: list[tuple[datetime, Sequence[Order], Sequence[Reply]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        at, replies = self.world.clock.now(), self.reply(orders)
        if replies is None:
            replies = await self.inner.execute(orders, errand)
        self.sent.append((at, orders, replies))
        if self.then is not None:
            await self.then()
        return replies

    @property
    def answered(self) -> list[tuple[datetime, Sequence[Order]]]:
        """What was not refused for coming too soon."""
        return [(at, orders) for at, orders, replies in self.sent if not isinstance(replies[0], RateLimited)]


def watching(world: World, **more: Any) -> dict[str, Watched]:
    """The systems of a world, each watched."""
    return {name: Watched(system, world, **more) for name, system in world.systems.items()}


async def run_of(world: World, *names: str) -> RunRecord:
    """A confirmed run of everything that can be cancelled in these systems."""
    return await world.confirm(await world.plan(*everything(*names)))


async def drive(
    world: World,
    run: RunRecord,
    systems: Any = None,
    waiting: Callable[[float], Awaitable[object]] | None = None,
    rates: Mapping[str, Rate] | None = None,
) -> RunRecord:
    """Be its runner; ``waiting`` is told of each wait before time passes."""

    async def wait(seconds: float) -> None:
        world.waits.append(seconds)
        if waiting is not None:
            await waiting(seconds)
        world.clock.forward(seconds)

    worker = Worker("w1", world.store, systems or world.systems, world.clock, WHO, wait, rates=rates or {})
    return await worker.drive(run.id)
