"""Notes of answers: what a system has answered is on disk before the other answers of its chunk have come.

A system that is sent to one by one answers over seconds, and a runner may be killed meanwhile. A note is no outcome: it
spares whoever goes on with the chunk the question what became of the item, which not every system can answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType

from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock
from tui_app.domain.records import Claim
from tui_app.domain.run import Answer, Order
from tui_app.domain.stores import WorkStore
from tui_app.engine.containment import Caught, contained

GROUP = 0.02
"""Seconds for which answers are collected, so that one write serves several; a write takes some milliseconds."""

_log = logging.getLogger("quash.runner")


class Notes:
    """The answers of a chunk as they come; ``positions`` returns those of its orders, by their keys.

    Most systems answer all orders at once, and need no positions.

    What is not written yet when the block ends is dropped: the outcomes follow at once.
    """

    def __init__(self, work: WorkStore, claim: Claim, positions: Callable[[], Mapping[str, int]], clock: Clock) -> None:
        self.answers: dict[str, Answer] = {}
        self._work = work
        self._claim = claim
        self._positions = positions
        self._clock = clock
        self._places: Mapping[str, int] | None = None
        self._fresh: dict[int, Answer] = {}
        self._writing: asyncio.Task[None] | None = None

    def arrived(self, order: Order, answer: Answer) -> None:
        """Keep an answer, and write it down within 50 ms."""
        self.answers[order.key] = answer
        if self._places is None:
            self._places = self._positions()
        if order.key in self._places:
            self._fresh[self._places[order.key]] = answer
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def __aenter__(self) -> Notes:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        while self._fresh:
            await asyncio.sleep(GROUP)
            group, self._fresh = self._fresh, {}
            written = await contained(self._work.note(self._claim, group, stamp(self._clock.now())))
            if isinstance(written, Caught):
                # The outcomes are written by the same store, and what is wrong with it is told then.
                _log.warning("run %s, chunk %d: no note: %s", self._claim.run_id, self._claim.chunk, written.error)
                return
