"""Handing out what is to be sent, several requests at once, for about two seconds: then the run is listened to again.

How many are on their way at once adapts, since whoever pauses waits for all of them. A service that works on them side
by side gets as many as there are lines; one that takes them one after another gets no more than it answers soon.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from tui_app.domain.errors import Fault, QuashError
from tui_app.domain.ports import DEFERRED, Clock, Deferred
from tui_app.outbound.http import CONCURRENCY

G = TypeVar("G")
T = TypeVar("T")

HANDED_OUT = timedelta(seconds=1.5)
"""For how long requests are handed out; with the answers to the last of them that is about two seconds."""

SOON = timedelta(seconds=1)
"""Where every answer comes within this, nobody waits for long, however many are on their way."""

QUEUED = 1.5
"""So many times as long as one alone takes an answer that had to wait for others."""


class Slices:
    """The slices of one service, and what was learned in them: how many requests it takes at once."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.width = 1
        self._alone = timedelta(0)

    def begin(self, halted: Callable[[], Awaitable[bool]]) -> Slice:
        """A slice that begins now, and ends early where the run is ``halted``."""
        return Slice(self, halted)

    def note(self, took: timedelta, together: int) -> None:
        """An answer ``took`` so long with so many requests on their way, its own among them."""
        if together == 1:
            self._alone = took
        if took > SOON and took > QUEUED * self._alone:
            self.width = max(1, self.width - 1)
        else:
            self.width = min(CONCURRENCY, self.width + 1)


class Slice:
    """One slice: what it does not reach is deferred. Over once, it stays over."""

    def __init__(self, slices: Slices, halted: Callable[[], Awaitable[bool]]) -> None:
        self._slices = slices
        self._halted = halted
        self._begun = slices.clock.now()
        self._handed = 0
        self._over = False

    async def hand_out(
        self, given: Sequence[G], work: Callable[[G], Coroutine[Any, Any, T]]
    ) -> list[T | Deferred | Fault]:
        """What became of each, in order, once all that was handed out is done.

        An error of ours in one of them is a ``Fault`` in its place. What the service said to one that concerns them all
        is raised when the others are done.

        Unless the run is halted the first one of a slice is always handed out, so that each slice gets on.
        """
        tasks: list[asyncio.Task[T]] = []
        on_their_way: set[asyncio.Task[T]] = set()
        try:
            for one in given:
                while len(on_their_way) >= self._slices.width:
                    _, on_their_way = await asyncio.wait(on_their_way, return_when=asyncio.FIRST_COMPLETED)
                if await self._is_over():
                    break
                task = asyncio.create_task(self._timed(work(one), len(on_their_way) + 1))
                on_their_way.add(task)
                tasks.append(task)
                self._handed += 1
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            # They are done, unless we were cancelled ourselves.
            for task in on_their_way:
                task.cancel()
        return [*(_result(task) for task in tasks), *[DEFERRED] * (len(given) - len(tasks))]

    async def _is_over(self) -> bool:
        if not self._over:
            late = self._slices.clock.now() - self._begun >= HANDED_OUT
            self._over = (late and self._handed > 0) or await self._halted()
        return self._over

    async def _timed(self, work: Coroutine[Any, Any, T], together: int) -> T:
        begun = self._slices.clock.now()
        try:
            return await work
        finally:
            self._slices.note(self._slices.clock.now() - begun, together)


def _result(task: asyncio.Task[T]) -> T | Fault:
    """What a task returned, which may be an error as well: only the task knows which of them was raised."""
    error = task.exception()
    if error is None or isinstance(error, QuashError) or not isinstance(error, Exception):
        return task.result()
    fault = Fault(f"an error in quash: {type(error).__name__}")
    fault.__cause__ = error
    return fault
