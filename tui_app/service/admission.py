"""How many requests are answered at a time: of one principal, of those who may only read, and of all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tui_app.contract.principal import OPERATE, Principal
from tui_app.domain.errors import RateLimited


@dataclass(frozen=True, slots=True)
class Turns:
    """Requests at a time: of one principal, of all, and of those without the permission ``operate`` together.

    ``waiting`` of one principal wait for their turn; one more is refused.
    """

    of_one: int = 8
    all: int = 48
    viewers: int = 12
    waiting: int = 64


@dataclass(eq=False, slots=True)
class _Waiting:
    principal: Principal
    turn: asyncio.Future[None]


class Admission:
    """Lets requests through one after the other where there are many, operators' before viewers'."""

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns or Turns()
        self._running: Counter[str] = Counter()
        self._viewing = 0
        self._waiting: list[_Waiting] = []

    @asynccontextmanager
    async def turn(self, principal: Principal) -> AsyncIterator[None]:
        """The time for one request.

        Raises:
            RateLimited: too many requests of this principal wait already.
        """
        if principal.unlimited:
            yield
            return
        await self._enter(principal)
        try:
            yield
        finally:
            self._leave(principal)

    async def _enter(self, principal: Principal) -> None:
        if self._fits(principal):
            self._begin(principal)
            return
        if sum(one.principal.name == principal.name for one in self._waiting) >= self._turns.waiting:
            raise RateLimited(
                f"too many requests of {principal.name} wait for an answer",
                hint="Send fewer at a time.",
                retry_after=1,
            )
        waiting = _Waiting(principal, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._leave(principal)
            raise

    def _fits(self, principal: Principal) -> bool:
        if self._running[principal.name] >= self._turns.of_one or self._running.total() >= self._turns.all:
            return False
        return principal.may(OPERATE) or self._viewing < self._turns.viewers

    def _begin(self, principal: Principal) -> None:
        self._running[principal.name] += 1
        self._viewing += not principal.may(OPERATE)

    def _leave(self, principal: Principal) -> None:
        self._running[principal.name] -= 1
        if not self._running[principal.name]:
            del self._running[principal.name]
        self._viewing -= not principal.may(OPERATE)
        for one in sorted(self._waiting, key=lambda each: not each.principal.may(OPERATE)):
            if self._fits(one.principal):
                self._waiting.remove(one)
                self._begin(one.principal)
                one.turn.set_result(None)
