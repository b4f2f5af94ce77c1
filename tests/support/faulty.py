"""Errors of every kind, thrown from the methods of systems and of the journal: for one item, one run or one plan.

``python -m support.faulty FOLDER AT`` is a runner that drives every run of a folder, each with an error of its own.
What each case throws follows from its number alone, so that two processes mean the same by it.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from support.mixed import open_systems
from support.records import Records
from support.world import MovableClock, World, make_world
from tui_app.domain.errors import BY_CODE, NotAllowed, NotSignedIn, OutcomeUnknown, RateLimited, Unavailable
from tui_app.domain.moments import read
from tui_app.domain.records import Claim, RunRecord
from tui_app.domain.rollback import RolledBack
from tui_app.domain.run import Errand, ItemState, Order, RunState
from tui_app.engine import local
from tui_app.engine.worker import Worker

SYSTEMS = ("commands", "cases", "schedules")
ITEMS, CHUNK = 5, 3
"""Items of a run, in chunks of so many: the one that an error is thrown for stands in either."""

FOREVER = 10_000


class Strange(Exception):
    """An error that no library has."""


ERRORS: tuple[Callable[[], Exception], ...] = (
    *(lambda kind=kind: kind("thrown by a test") for kind in BY_CODE.values()),
    lambda: RolledBack("thrown by a test"),
    lambda: sqlite3.OperationalError("no such table: nowhere"),
    lambda: sqlite3.IntegrityError("CHECK constraint failed"),
    lambda: sqlite3.ProgrammingError("Cannot operate on a closed database"),
    lambda: psycopg.errors.RaiseException("a trigger raised"),
    lambda: psycopg.errors.UntranslatableCharacter("no such character"),
    lambda: psycopg.InterfaceError("the connection is closed"),
    lambda: httpx.RemoteProtocolError("peer closed the connection"),
    lambda: httpx.ReadTimeout("no answer"),
    lambda: httpx.InvalidURL("no such address"),
    lambda: KeyError("status"),
    lambda: ValueError("not a number"),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    lambda: RecursionError("too deep"),
    lambda: MemoryError(),
    lambda: AssertionError(),
    lambda: OverflowError("date value out of range"),
    lambda: ZeroDivisionError(),
    lambda: AttributeError("None has no attribute"),
    lambda: TimeoutError(),
    lambda: OSError(28, "No space left on device"),
    lambda: ConnectionResetError(104, "reset"),
    lambda: NotImplementedError(),
    lambda: StopAsyncIteration(),
    lambda: ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    lambda: Strange("thrown by a test"),
)
"""Errors of ours, of drivers, of Python."""

METHODS = ("survey", "execute", "execute", "execute", "reconcile", "verify", "identity")
WHEN = ("before", "during", "after")


@dataclass(frozen=True)
class Case:
    """One error: what throws it, when, how often. ``place`` is that of its item in the run."""

    number: int
    system: str
    method: str
    when: str
    make: Callable[[], Exception]
    times: int
    place: int

    @classmethod
    def of(cls, number: int) -> Case:
        chance = random.Random(number)
        make = chance.choice(ERRORS)
        # Who asks us to wait is waited for, for as long as it does.
        often = (1, 2) if isinstance(make(), RateLimited) else (1, 2, FOREVER)
        return cls(
            number,
            chance.choice(SYSTEMS),
            chance.choice(METHODS),
            chance.choice(WHEN),
            make,
            chance.choice(often),
            chance.randrange(ITEMS),
        )

    @property
    def truthful(self) -> bool:
        """Whether what it throws is not a lie: that nothing was done may be said only before something is."""
        says_nothing_was_done = isinstance(self.make(), Unavailable | RolledBack)
        return not (says_nothing_was_done and self.when == "after" and self.method in ("execute", "reconcile"))

    @property
    def known(self) -> bool:
        """Whether it says something of the system as a whole, for which a run may pause."""
        return self.method == "identity" or isinstance(
            self.make(), Unavailable | NotSignedIn | NotAllowed | OutcomeUnknown
        )


def cases(first: int, number: int, *systems: str) -> list[Case]:
    """So many cases from a number on, none of which lies."""
    found: list[Case] = []
    while len(found) < number:
        one = Case.of(first)
        first += 1
        if one.truthful and (not systems or one.system in systems):
            found.append(one)
    return found


@dataclass
class Faulty:
    """A system that throws for some of its items; ``sent`` counts how often each order had gone through, by key."""

    inner: Any
    by_item: dict[str, Case] = field(default_factory=dict)
    thrown: Counter[int] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    armed: bool = True
    striking: Case | None = None
    """The case of the run that is being driven: who the system is is asked for no item."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def _due(self, method: str, when: str, ids: Sequence[str]) -> Exception | None:
        for item_id in ids:
            one = self.by_item.get(item_id)
            if one is None or not self.armed or (one.method, one.when) != (method, when):
                continue
            if self.thrown[one.number] < one.times:
                self.thrown[one.number] += 1
                return one.make()
        return None

    async def _call(self, method: str, ids: Sequence[str], call: Callable[[], Any], keys: Sequence[str] = ()) -> Any:
        if (error := self._due(method, "before", ids)) is not None:
            raise error
        if (error := self._due(method, "during", ids)) is not None:
            token = _inside.set(error)
            try:
                return await call()
            finally:
                _inside.reset(token)
        told = await call()
        self.sent.update(keys)
        if (error := self._due(method, "after", ids)) is not None:
            raise error
        return told

    async def identity(self) -> str:
        ids = [item_id for item_id, one in self.by_item.items() if one is self.striking]
        return str(await self._call("identity", ids, self.inner.identity))

    async def survey(self, ids: Sequence[str], *given: Any) -> Any:
        return await self._call("survey", ids, lambda: self.inner.survey(ids, *given))

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Any:
        keys = [order.key for order in orders]
        for order in orders:
            one = self.by_item.get(order.id)
            if one is not None and one.method == "reconcile" and self.armed and not self.thrown[-one.number - 1]:
                # So that there is something to be settled.
                self.thrown[-one.number - 1] += 1
                await self.inner.execute(orders, errand)
                self.sent.update(keys)
                raise OutcomeUnknown("the answer was lost")
        ids = [order.id for order in orders]
        return await self._call("execute", ids, lambda: self.inner.execute(orders, errand), keys)

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Any:
        return await self._call("reconcile", [one.id for one in orders], lambda: self.inner.reconcile(orders, errand))

    async def verify(self, orders: Sequence[Order], errand: Errand) -> Any:
        return await self._call("verify", [one.id for one in orders], lambda: self.inner.verify(orders, errand))


_inside: ContextVar[Exception | None] = ContextVar("_inside", default=None)
"""What the transactions of this task raise before they are committed."""


def _break_inside(file: Any) -> None:
    """Let the transactions of a file do their work, and raise what their task was told to before they are committed."""

    def around(inner: Callable[..., Any]) -> Callable[..., Any]:
        async def call(work: Callable[[sqlite3.Connection], Any], **named: Any) -> Any:
            error = _inside.get()

            def breaking(connection: sqlite3.Connection) -> Any:
                told = work(connection)
                if error is not None:
                    raise error
                return told

            return await inner(breaking, **named)

        return call

    for name in ("read", "write"):
        setattr(file, name, around(getattr(file, name)))


class FaultyStore:
    """A part of the journal that throws for one run or plan: a method, before or after it is carried out."""

    def __init__(
        self, inner: Any, whose: str, method: str, when: str, make: Callable[[], Exception], times: int
    ) -> None:
        self.inner, self.whose, self.method, self.when = inner, whose, method, when
        self.make, self.left = make, times

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name != self.method:
            return found

        async def call(*given: Any, **named: Any) -> Any:
            first = given[0]
            owner = first.run_id if isinstance(first, Claim) else first
            meant = owner == self.whose and self.left > 0
            if meant and self.when == "before":
                self.left -= 1
                raise self.make()
            told = await found(*given, **named)
            if meant:
                self.left -= 1
                raise self.make()
            return told

        return call


def faulty_world(folder: Path, clock: MovableClock) -> World:
    """A world whose systems throw what they are told to."""
    opened = open_systems(folder, clock, chunk=CHUNK)
    for system in opened.values():
        _break_inside(system.file)  # type: ignore[attr-defined]
    systems: dict[str, Any] = {name: Faulty(system) for name, system in opened.items()}
    return make_world(folder, systems, clock)


def arm(world: World, thrown: Sequence[tuple[Case, Sequence[str]]]) -> None:
    """Tell the systems what to throw: each case for one of its ids."""
    for one, ids in thrown:
        system: Any = world.systems[one.system]
        system.by_item[ids[one.place]] = one


def effects_of(own: Records) -> Counter[str]:
    """How many effects each item of a system had, by its own record."""
    return Counter(effect.item for effect in own.effects())


def assert_contained(run: RunRecord, one: Case, items: Sequence[Any], effects: Counter[str]) -> None:
    """Nothing but the one item has another end than it was meant to have, and that one the end that it has."""
    assert max(effects.values(), default=0) <= 1, f"{one}: two effects"
    if run.state is RunState.PAUSED:
        assert one.known, f"{one}: the run is paused by {run.pause}"
        assert run.pause is not None
        assert run.pause.message
        return
    assert run.state is RunState.FINISHED, f"{one}: the run is {run.state}"
    for place, item in enumerate(items):
        if place != one.place:
            assert item.state is ItemState.CANCELLED, f"{one}: {item}"
        if item.state is ItemState.CANCELLED:
            assert effects[item.item.seen.id] == 1, f"{one}: {item} had no effect"
        elif item.state is not ItemState.UNKNOWN:
            assert effects[item.item.seen.id] == 0, f"{one}: {item} had its effect"
            assert item.outcome is not None
            assert item.outcome.answer.message


def assert_sent_once(world: World) -> None:
    """No order went out again whose first sending had gone through."""
    for name, system in world.systems.items():
        twice: Any = [key for key, number in system.sent.items() if number > 1]  # type: ignore[attr-defined]
        assert twice == [], f"{name}: {twice} were sent again"


async def _run_all(folder: Path, at: str) -> None:
    clock = MovableClock(read(at))
    world = faulty_world(folder, clock)
    thrown = []
    for run in reversed(await world.store.runs.newest(1000)):
        items = await world.items(run.id)
        one = cases(int(run.confirmed.reason.rsplit(" ", 1)[1]), 1)[0]
        thrown.append((one, [item.item.seen.id for item in items]))
    arm(world, thrown)

    async def wait(seconds: float) -> None:
        clock.forward(seconds)
        await asyncio.sleep(0)

    usual = world.worker("faulty")

    async def worker() -> Worker:
        return Worker(usual.name, world.store, world.systems, clock, usual.who, wait)

    await local.work(folder, world.store, worker)
    assert_sent_once(world)
    await world.close()


if __name__ == "__main__":
    asyncio.run(_run_all(Path(sys.argv[1]), sys.argv[2]))
