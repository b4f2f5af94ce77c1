"""A runner that is killed: ``python -m support.dying FOLDER RUN POINT NTH AT CHUNK [--bus CONNINFO] [--runner NAME]``.

It drives a run until it has reached a point for the NTH time, and there sends itself SIGKILL. Points are the names of
what the engine calls on the journal and on a system, with ``before_`` or ``after_`` in front. ``AT`` is when its clock
begins, so that the times of a test are in order whatever process they are from; it waits by moving the clock.
``--runner`` is one of the broken ones below, which the invariants have to find.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.mixed import open_systems
from support.world import MovableClock, World, make_world
from tui_app.domain.moments import read
from tui_app.domain.ports import Reply, System
from tui_app.domain.run import EFFECTIVE, Answer, Errand, ItemState, Order, Verification
from tui_app.engine.worker import Worker

POINTS = (
    "after_claim",
    "before_intend",
    "after_intend",
    "before_execute",
    "after_execute",
    "before_record",
    "after_record",
    "after_verify",
    "after_complete",
)
ACCEPTING = ("before_accept", "after_accept", "before_reconcile", "after_reconcile")
"""Further points where a system works on what it has accepted."""


class Watched:
    """Everything of an object, and the end of this process at one of its calls."""

    def __init__(self, inner: Any, reached: Callable[[str], None]) -> None:
        self._inner, self._reached = inner, reached

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*given: Any, **named: Any) -> Any:
            self._reached(f"before_{name}")
            answer = await found(*given, **named)
            self._reached(f"after_{name}")
            return answer

        return call


class Behind:
    """Something that is as the object behind it, but for what a broken runner does in its own way."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class RecordsFirst(Behind):
    """A broken runner's system: it says that all is done, and does it when it is verified, which is too late."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._errands: dict[str, Errand] = {}

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        self._errands |= {order.key: errand for order in orders}
        return [Answer(ItemState.CANCELLED, before=order.seen.status) for order in orders]

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        late = [order for order in orders if self._errands.pop(order.key, None)]
        await self.inner.execute(late, errand)
        return list(await self.inner.verify(orders, errand))


class IntendsLast(Behind):
    """A broken runner's journal: what is about to be sent is written down only with what became of it."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._late: list[tuple[Any, ...]] = []

    async def intend(self, *given: Any) -> dict[int, Any]:
        self._late.append(given)
        return {}

    async def record(self, *given: Any) -> None:
        while self._late:
            claim, keys, _ = self._late.pop()
            done = {one.position for one in given[1] if one.answer.state in EFFECTIVE}
            await self.inner.intend(claim, {place: key for place, key in keys.items() if place in done}, given[3])
        await self.inner.record(*given)


class Forgets(Behind):
    """A broken runner's system: each sending has a key of its own, so that nobody knows again what was sent before."""

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        return await self.inner.execute([Order(one.id, f"{one.key}-again", one.seen) for one in orders], errand)


class OneByOne(Behind):
    """A service that is sent to one by one, takes its time, and cannot tell later by whom an item was cancelled."""

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        replies: list[Reply] = []
        for order in orders:
            [reply] = await self.inner.execute([order], errand)
            if isinstance(reply, Answer):
                errand.arrived(order, reply)
            replies.append(reply)
            await asyncio.sleep(LATENCY)
        return replies

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        told = await self.inner.reconcile(orders, replace(errand, only_look=True))
        nobody = Answer(ItemState.ALREADY_CANCELLED, None, "nobody knows by whom")
        left = [order for order, one in zip(orders, told, strict=True) if one.state is ItemState.SKIPPED]
        again = dict(zip((one.key for one in left), await self.inner.execute(left, errand), strict=True))
        return [again.get(order.key, nobody) for order in orders]


class NotesNothing(Behind):
    """A broken runner's journal: no answer is written down before all of its chunk are there."""

    async def note(self, *given: Any) -> None:
        return None


BROKEN: Mapping[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "records first": lambda work, system: (work, RecordsFirst(system)),
    "intends last": lambda work, system: (IntendsLast(work), system),
    "forgets": lambda work, system: (work, Forgets(system)),
}
"""Runners that lose, repeat or misreport something, each in its own way."""

SINGLE: Mapping[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "one by one": lambda work, system: (work, OneByOne(system)),
    "one by one, notes nothing": lambda work, system: (NotesNothing(work), OneByOne(system)),
}
"""Runners whose system is sent to one by one; the second is broken."""

LATENCY = 0.05
"""Seconds between two answers of such a system."""


def systems_of(folder: Path, clock: MovableClock, chunk: int, conninfo: str | None = None) -> dict[str, System]:
    """The embedded systems of a folder in small chunks, or the real command bus in place of the embedded one."""
    made = open_systems(folder, clock, chunk=chunk)
    if conninfo is not None:
        from tui_app.systems.commands.postgres import PostgresCommands

        made["commands"] = type("SmallPostgres", (PostgresCommands,), {"chunk_size": chunk})(conninfo)
    return made


def world_of(folder: Path, clock: MovableClock, chunk: int, conninfo: str | None = None) -> World:
    """A world over these systems."""
    return make_world(folder, systems_of(folder, clock, chunk, conninfo), clock)


async def _drive(given: argparse.Namespace, reached: Callable[[str], None]) -> None:
    world = world_of(given.folder, MovableClock(read(given.at)), given.chunk, given.bus)
    systems: dict[str, Any] = {}
    work: Any = world.store.work
    for name, system in world.systems.items():
        work, broken = (BROKEN | SINGLE)[given.runner](work, system) if given.runner else (work, system)
        systems[name] = Watched(broken, reached)
    store: Any = Watched(world.store, reached)
    store.work = Watched(work, reached)
    usual = world.worker(f"dying-{os.getpid()}")
    await Worker(usual.name, store, systems, usual.clock, usual.who, usual.wait).drive(given.run)
    await world.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("run")
    parser.add_argument("point")
    parser.add_argument("nth", type=int)
    parser.add_argument("at")
    parser.add_argument("chunk", type=int)
    parser.add_argument("--bus")
    parser.add_argument("--runner", choices=[*BROKEN, *SINGLE])
    given = parser.parse_args()
    left = given.nth

    def reached(name: str) -> None:
        nonlocal left
        left -= name == given.point
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(_drive(given, reached))


if __name__ == "__main__":
    main()
