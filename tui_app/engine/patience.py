"""Waits for a system that takes no reads while a plan is made or read again: visibly, and as long as it gets on.

What is waited for is noted in the journal, so that any process tells it. A note that its process does not renew is
believed for a moment only: the process may have been killed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from tui_app.domain.errors import Busy, RateLimited, Unavailable
from tui_app.domain.moments import known, recent, span, stamp
from tui_app.domain.ports import Clock
from tui_app.domain.records import Waiting
from tui_app.domain.stores import PlanStore
from tui_app.engine.silence import SILENT
from tui_app.engine.worker import Wait, asked_for

T = TypeVar("T")

NOTED = timedelta(seconds=5)
"""How often a note is renewed of a system that does not answer."""

BELIEVED = timedelta(seconds=20)
"""How long a note is believed that is not renewed; that of a limit is, until the limit is over and so long after it."""

BUDGET = timedelta(minutes=16)
"""How long one step of a plan is waited for while nothing more of it is read, beside the longest wait asked for.

A quarter of an hour is the longest usual window of a limit, and not every server says how long its window is.
"""

BUSY = timedelta(seconds=1)
"""How long a plan waits before it asks again for what others hold."""


@dataclass(slots=True)
class _Step:
    """One step of a plan: since when nothing more of it was read, how much was read, and the longest wait asked for."""

    since: datetime
    held: datetime | None = None
    read: int = 0
    longest: timedelta = timedelta(0)

    def met(self, limited: RateLimited, now: datetime) -> timedelta:
        """Return how long the step has waited without getting on; ``held`` is when that began."""
        if limited.read > self.read:
            self.since, self.held, self.read, self.longest = now, None, limited.read, timedelta(0)
        self.held = self.held or now
        self.longest = max(self.longest, timedelta(seconds=limited.retry_after or 0.0))
        return now - self.since


class Patience:
    """What each plan that is read here waits for."""

    def __init__(self, clock: Clock, wait: Wait, plans: PlanStore) -> None:
        self._clock = clock
        self._wait = wait
        self._plans = plans
        self._waiting: dict[str, Waiting] = {}
        self._noted: set[str] = set()

    def believed(self, waiting: Waiting | None) -> Waiting | None:
        """What another process noted that a plan waits for, as long as it may be so still."""
        if waiting is None:
            return None
        now, noted, until = self._clock.now(), known(waiting.noted), known(waiting.until)
        limited = noted is not None and until is not None and noted <= now < until
        fresh = any(one is not None and recent(one, now, BELIEVED) for one in (noted, until))
        return waiting if limited or fresh else None

    def of(self, plan_id: str) -> Waiting | None:
        """What a plan waits for at present; none where nothing keeps it waiting, or it is made elsewhere."""
        found = self._waiting.get(plan_id)
        if found is None or found.until is not None:
            return found
        return found if found.since <= stamp(self._clock.now() - SILENT) else None

    async def ask(self, plan_id: str, system: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return what a system answers; ask again whenever it says that it can be asked.

        Raises:
            RateLimited: it took no reads for as long as a step is waited for, and none of them got on.
        """
        step = _Step(self._clock.now())
        watching = asyncio.create_task(self._watch(plan_id))
        try:
            while True:
                self._waiting[plan_id] = Waiting(system, stamp(self._clock.now()))
                try:
                    return await work()
                except RateLimited as limited:
                    await self._wait_for(plan_id, system, limited, step)
                except Busy as error:
                    error.details.setdefault("system", system)
                    raise
        finally:
            self._waiting.pop(plan_id, None)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            if plan_id in self._noted:
                await self._note(plan_id, None)

    async def _watch(self, plan_id: str) -> None:
        """Note again and again that a system has not answered, while it has not."""
        pause = SILENT
        while True:
            await asyncio.sleep(pause.total_seconds())
            pause = NOTED
            found = self.of(plan_id)
            if found is not None and found.until is None:
                await self._note(plan_id, found)

    async def _note(self, plan_id: str, waiting: Waiting | None) -> None:
        # A journal that is busy is told with the next note; no plan depends on it.
        with contextlib.suppress(Unavailable):
            noted = None if waiting is None else replace(waiting, noted=stamp(self._clock.now()))
            await self._plans.note_waiting(plan_id, noted)
            (self._noted.discard if waiting is None else self._noted.add)(plan_id)

    def free(self, plan_id: str) -> None:
        """Nothing keeps a plan waiting any more."""
        self._waiting.pop(plan_id, None)

    async def busy(self, plan_id: str, error: Busy) -> None:
        """Wait a moment for a file or a database that others hold; for all to see."""
        held = str(error.details.get("system", "journal"))
        self._waiting[plan_id] = Waiting(held, stamp(self._clock.now() - SILENT))
        await self._wait(BUSY.total_seconds())

    async def _wait_for(self, plan_id: str, system: str, limited: RateLimited, step: _Step) -> None:
        now, asked = self._clock.now(), asked_for(limited)
        waited = step.met(limited, now)
        if waited + asked > BUDGET + step.longest:
            told = f"{limited.message}; nothing more could be read for {span(waited.total_seconds())}"
            raise RateLimited(told, hint=limited.hint, retry_after=limited.retry_after) from limited
        self._waiting[plan_id] = limit = Waiting(system, stamp(step.held or now), stamp(now + asked))
        await self._note(plan_id, limit)
        await self._wait(asked.total_seconds())
