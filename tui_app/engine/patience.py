"""Waits for a system that takes no reads while a plan is made or read again: visibly, and as long as it gets on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from tui_app.domain.errors import Busy, RateLimited
from tui_app.domain.moments import span, stamp
from tui_app.domain.ports import Clock
from tui_app.domain.records import Waiting
from tui_app.engine.silence import SILENT
from tui_app.engine.worker import Wait, asked_for

T = TypeVar("T")

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
    read: int = 0
    longest: timedelta = timedelta(0)

    def met(self, limited: RateLimited, now: datetime) -> timedelta:
        """Return how long the step has waited without getting on."""
        if limited.read > self.read:
            self.since, self.read, self.longest = now, limited.read, timedelta(0)
        self.longest = max(self.longest, timedelta(seconds=limited.retry_after or 0.0))
        return now - self.since


class Patience:
    """What each plan that is read here waits for."""

    def __init__(self, clock: Clock, wait: Wait) -> None:
        self._clock = clock
        self._wait = wait
        self._waiting: dict[str, Waiting] = {}

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
        self._waiting[plan_id] = Waiting(system, stamp(now), stamp(now + asked))
        await self._wait(asked.total_seconds())
