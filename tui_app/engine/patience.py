"""Waiting for a system that takes no reads, while a plan is made or read again: for all to see, and not for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from tui_app.domain.errors import RateLimited
from tui_app.domain.moments import span, stamp
from tui_app.domain.ports import Clock
from tui_app.domain.records import Waiting
from tui_app.engine.worker import Wait, asked_for

T = TypeVar("T")

BUDGET = timedelta(minutes=10)
"""How long one step of a plan is waited for before the plan fails; each further step has as long."""

SILENT = timedelta(seconds=3)
"""How long a system may take to answer before it is said that it has not."""


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
        """What a system answers, asked again whenever it says that it can be.

        Raises:
            RateLimited: it has taken nothing for as long as a plan waits, or wants to be left alone for longer.
        """
        begun = self._clock.now()
        try:
            while True:
                self._waiting[plan_id] = Waiting(system, stamp(self._clock.now()))
                try:
                    return await work()
                except RateLimited as limited:
                    await self._wait_for(plan_id, system, limited, begun)
        finally:
            self._waiting.pop(plan_id, None)

    async def _wait_for(self, plan_id: str, system: str, limited: RateLimited, begun: datetime) -> None:
        now, asked = self._clock.now(), asked_for(limited)
        if now + asked - begun > BUDGET:
            waited = span((now - begun).total_seconds())
            told = f"{limited.message}; it was waited for {waited}, and would be for {span(asked.total_seconds())} more"
            raise RateLimited(told, hint=limited.hint, retry_after=limited.retry_after) from limited
        self._waiting[plan_id] = Waiting(system, stamp(now), stamp(now + asked))
        await self._wait(asked.total_seconds())
