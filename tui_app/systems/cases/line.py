"""The way to a case API: who asks, at what pace, how often again, and what to say when that was not enough."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tui_app.domain.errors import RateLimited, Unavailable
from tui_app.domain.ports import Clock

if TYPE_CHECKING:
    from tui_app.outbound.answers import Response
    from tui_app.outbound.http import HttpService
    from tui_app.outbound.tokens import TokenSource

CASES = ("api", "v2", "cases")
USER_HEADER = "X-User-ID"
KEY_HEADER = "X-Idempotency-Key"

LIMITED = 60.0
"""Seconds to wait where a server limits us and does not say for how long, as the runbook has it."""

LONGEST_WAIT = 900.0
"""Seconds that a server is believed to want us to wait at most."""

TRIES = 4
"""How often in a row something is read before the trouble is taken for lasting."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 8.0
"""Seconds; the pause between two tries doubles, with full jitter."""

_UNIX = 1_000_000_000

Wait = Callable[[float], Awaitable[None]]


class CaseLine:
    """Requests to the case API in the name of one user, held to the limit that the server tells.

    ``operator`` is named where the token does not say whose it is. ``contact`` is whom the runbook's last level asks.
    """

    def __init__(
        self,
        service: HttpService,
        tokens: TokenSource | None,
        operator: str,
        *,
        clock: Clock,
        contact: str | None = None,
        wait: Wait = asyncio.sleep,
    ) -> None:
        self.service = service
        self.tokens = tokens
        self.clock = clock
        self.contact = contact
        self.operator = operator
        self._wait = wait
        self._closed_until: datetime | None = None

    async def user(self) -> str:
        """Who asks: the token's principal, else the operator of the profile.

        Raises:
            NotSignedIn: there is no token.
        """
        if self.tokens is None:
            return self.operator
        await self.tokens.current()
        return self.tokens.subject or self.operator

    async def get(self, *parts: str, query: Mapping[str, Any] | None = None, patient: bool = False) -> Response:
        """Read, again and again where the trouble may pass; ``patient`` waits for limits as well.

        Raises:
            RateLimited: the server asks us to wait, and whoever asks is not patient.
            Unavailable: the trouble has not passed; the hint is how the runbook escalates.
            NotSignedIn: there is no token, or it is not accepted.
        """
        failures = 0
        while True:
            if patient:
                await self._opened()
            try:
                headers = {USER_HEADER: await self.user()}
                response = await self.service.read(*parts, query=query, headers=headers, plain=True)
            except RateLimited as limited:
                asked = min(LIMITED if limited.retry_after is None else limited.retry_after, LONGEST_WAIT)
                if not patient:
                    raise RateLimited(limited.message, hint=limited.hint, retry_after=asked) from limited
                self._close(asked)
            except Unavailable as error:
                failures += 1
                if failures >= TRIES:
                    raise type(error)(error.message, hint=self.escalation(failures)) from error
                await self.pause(failures)
            else:
                self._note(response)
                return response

    async def post(self, *parts: str, key: str, json: Mapping[str, Any]) -> Response:
        """Ask once for a change, under a key.

        Raises:
            OutcomeUnknown: it may have been made.
            RateLimited, CannotConnect, NotSignedIn: it certainly has not.
        """
        headers = {USER_HEADER: await self.user(), KEY_HEADER: key}
        try:
            return await self.service.write(*parts, json=dict(json), headers=headers)
        except RateLimited as limited:
            asked = min(LIMITED if limited.retry_after is None else limited.retry_after, LONGEST_WAIT)
            told = f"{limited.message}: {asked:g} s, then with the same key"
            raise RateLimited(told, hint=limited.hint, retry_after=asked) from limited

    async def pause(self, failures: int) -> None:
        """The pause after so many failures in a row: it doubles, with full jitter."""
        await self._wait(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures)))  # noqa: S311

    def escalation(self, tries: int) -> str:
        """The escalation path of the runbook, from what was done to whom to ask."""
        whom = self.contact or "the team that runs the case API (the profile names no contact)"
        return (
            f"Level 1: tried {tries} times with exponential backoff. "
            "Level 2: check the case's dependencies, and resolve what blocks it. "
            f"Level 3: contact {whom}."
        )

    async def _opened(self) -> None:
        while self._closed_until is not None:
            left = (self._closed_until - self.clock.now()).total_seconds()
            if left <= 0:
                self._closed_until = None
                return
            await self._wait(left)

    def _close(self, seconds: float) -> None:
        # Never in no time: a server that asks for nothing would be hammered on.
        until = self.clock.now() + timedelta(seconds=max(seconds, 1.0))
        self._closed_until = max(until, self._closed_until or until)

    def _note(self, response: Response) -> None:
        """Where a server says that nothing is left of its limit, the next read waits for more of it."""
        left, reset = response.headers.get("x-ratelimit-remaining", ""), response.headers.get("x-ratelimit-reset", "")
        if left != "0" or not reset.isascii() or not reset.isdecimal() or len(reset) > 12:
            return
        number = float(reset)
        if number > _UNIX:
            number -= (response.date or self.clock.now()).timestamp()
        self._close(min(max(number, 0.0), LONGEST_WAIT))
