"""Every interleaving of a few coroutines on one PostgreSQL database, where a step is one statement as it really runs.

The code under test is the real one, each on a connection of its own, with its transactions and their locks. A step that
has to wait for another's lock is left waiting, and the others go on; whoever holds the lock decides when it comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

GLANCE = 0.002
"""Seconds until it is asked whether a step waits for a lock."""


class Turns:
    """Where one coroutine waits for its turn; ``whole`` transactions, or each statement and each commit, are a step."""

    def __init__(self, *, whole: bool) -> None:
        self.whole = whole
        self.waiting = asyncio.Event()
        self._go = asyncio.Event()

    async def turn(self) -> None:
        self.waiting.set()
        await self._go.wait()
        self._go.clear()

    def give(self) -> None:
        self.waiting.clear()
        self._go.set()


class _Cursor:
    def __init__(self, inner: Any, turns: Turns) -> None:
        self._inner, self._turns = inner, turns

    async def execute(self, *given: Any) -> None:
        if not self._turns.whole:
            await self._turns.turn()
        await self._inner.execute(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Connection:
    def __init__(self, inner: Any, turns: Turns) -> None:
        self._inner, self._turns = inner, turns

    @property
    def info(self) -> Any:
        return self._inner.info

    @asynccontextmanager
    async def cursor(self, **how: Any) -> AsyncIterator[_Cursor]:
        async with self._inner.cursor(**how) as cursor:
            yield _Cursor(cursor, self._turns)


class SteppedDatabase:
    """What :class:`tui_app.systems.schedules.postgres_rows.ScheduleDatabase` does, a turn for each step."""

    def __init__(self, connection: Any, turns: Turns) -> None:
        self._connection, self._turns = connection, turns

    async def read(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        if self._turns.whole:
            await self._turns.turn()
        return await work(_Connection(self._connection, self._turns))

    async def write(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        if self._turns.whole:
            await self._turns.turn()
        async with self._connection.transaction():
            result = await work(_Connection(self._connection, self._turns))
            if not self._turns.whole:
                await self._turns.turn()  # the commit
        return result


@dataclass
class Actor:
    """One of those that run at once. One that ``dies`` takes so many steps, and no more."""

    name: str
    connection: Any
    turns: Turns
    work: Callable[[], Awaitable[Any]]
    dies: int | None = None
    steps: int = 0
    over: bool = False
    result: Any = None
    task: asyncio.Task[Any] | None = None

    @property
    def ready(self) -> bool:
        return not self.over and self.turns.waiting.is_set()

    async def begin(self) -> None:
        self.task = asyncio.create_task(self._run())
        await self._until_it_waits()

    async def _run(self) -> None:
        try:
            self.result = await self.work()
        finally:
            self.over = True
            self.turns.waiting.set()

    async def _until_it_waits(self) -> None:
        async with asyncio.timeout(20):
            await self.turns.waiting.wait()

    async def settle(self, watcher: Any) -> None:
        """Return when the step is over, or waits for somebody's lock."""
        async with asyncio.timeout(20):
            while not self.turns.waiting.is_set():
                try:
                    await asyncio.wait_for(self.turns.waiting.wait(), GLANCE)
                except TimeoutError:
                    asked = await watcher.execute(
                        "SELECT cardinality(pg_blocking_pids(%s))", (self.connection.info.backend_pid,)
                    )
                    if (await asked.fetchone())[0]:
                        return

    async def end(self, watcher: Any) -> None:
        """What the death of a process looks like from the database: the connection is gone, and its transaction."""
        self.over = True
        assert self.task is not None
        pid = self.connection.info.backend_pid
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.connection.close()
        async with asyncio.timeout(20):
            while True:
                asked = await watcher.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,))
                if not (await asked.fetchone())[0]:
                    return


@dataclass
class Interleavings:
    """All orders in which the actors of a scene can take their turns, each in a world of its own.

    ``scene`` makes a world and its actors anew; ``tried`` counts the orders that were driven to the end, ``waits`` the
    steps that had to wait for a lock.
    """

    scene: Callable[[], Awaitable[tuple[Any, Sequence[Actor]]]]
    watcher: Any
    tried: int = 0
    waits: int = 0
    choices: list[int] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[tuple[list[str], Any, dict[str, Actor]]]:
        while True:
            world, actors = await self.scene()
            for actor in actors:
                await actor.begin()
            taken, widths = await self._drive(actors)
            self.tried += 1
            yield taken, world, {actor.name: actor for actor in actors}
            del self.choices[len(widths) :]
            while self.choices and self.choices[-1] + 1 == widths[len(self.choices) - 1]:
                self.choices.pop()
            if not self.choices:
                return
            self.choices[-1] += 1

    async def _drive(self, actors: Sequence[Actor]) -> tuple[list[str], list[int]]:
        taken: list[str] = []
        widths: list[int] = []
        while not all(actor.over for actor in actors):
            ready = [actor for actor in actors if actor.ready]
            if not ready:
                # All wait for each other: PostgreSQL ends one of them, whose error is told below.
                await asyncio.gather(*(actor.task for actor in actors if actor.task and not actor.over))
            place = len(taken)
            if place == len(self.choices):
                self.choices.append(0)
            widths.append(len(ready))
            actor = ready[self.choices[place]]
            taken.append(actor.name)
            actor.steps += 1
            actor.turns.give()
            await actor.settle(self.watcher)
            await self._settle(actors)
            self.waits += not actor.over and not actor.ready
            if actor.steps == actor.dies and not actor.over:
                await actor.end(self.watcher)
                await self._settle(actors)
        for actor in actors:
            if actor.task is not None and not actor.task.cancelled():
                actor.task.result()
        return taken, widths

    async def _settle(self, actors: Sequence[Actor]) -> None:
        """Return when all that the last step set free has gone on; each of them may set others free.

        Only once that step is over: whoever is looked at before it gives up its lock seems to wait, and goes on later.
        """
        held = [actor for actor in actors if not actor.over and not actor.ready]
        while held:
            for actor in held:
                await actor.settle(self.watcher)
            still = [actor for actor in held if not actor.over and not actor.ready]
            if len(still) == len(held):
                return
            held = still


async def connect(url: str) -> Any:
    """A connection as the adapter has them: nothing is in a transaction that was not begun."""
    return await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None)
