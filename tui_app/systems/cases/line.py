"""The way to a case API: who asks, when it may be asked again, how often, and what to say when that was not enough.

Nobody waits for a limit here: whoever asks is told when to come back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tui_app.domain import moments
from tui_app.domain.errors import CannotConnect, RateLimited, Unavailable
from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock
from tui_app.outbound.answers import Response, reset_after
from tui_app.outbound.http import Fits, HttpService, Untrusted
from tui_app.outbound.recognition import Said, Unrecognised
from tui_app.systems.cases.dialects import RUNBOOK, Dialect, Operation

if TYPE_CHECKING:
    from tui_app.outbound.tokens import TokenSource

LIMITED = 60.0
"""Seconds to wait where a server limits us and does not say for how long, as the runbook has it."""

LONGEST_WAIT = 900.0
"""Seconds that a server is believed to want us to wait at most."""

TRIES = 4
"""How often in a row something is tried before the trouble is taken for lasting."""

LASTING = timedelta(seconds=15)
"""After how long it is taken for lasting, however few the tries: a server that hangs is not waited for four times."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 8.0
"""Seconds; the pause between two tries doubles, with full jitter."""

_BLOCKED = "check the case's dependencies, and resolve what blocks it."
_WHERE = "Check that it runs, and `url` of cases in the profile."

Wait = Callable[[float], Awaitable[None]]

Kept = dict[tuple[str, ...], "Response"]
"""Answers by operation and case: what was read before a limit came in the way is not asked for again after it."""

ABSENT = Response(404, {}, None, "", said=Said("ROUTE_NOT_FOUND", "this API has none"))
"""The answer in place of what the dialect of the API does not have; nobody is asked."""


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
        dialect: Dialect = RUNBOOK,
        contact: str | None = None,
        wait: Wait = asyncio.sleep,
    ) -> None:
        self.dialect = dialect
        self.service = service
        self.tokens = tokens
        self.clock = clock
        self.contact = contact
        self.operator = operator
        self._wait = wait
        self.sent: dict[str, tuple[str, str]] = {}
        """When each order of this process was first and last sent, by its key."""
        self.ahead: timedelta | None = None
        """How far the server's clock is ahead of ours; none where its answers do not tell the time."""
        self._closed_until: datetime | None = None
        self._limits = 0
        self._met = False

    async def user(self) -> str:
        """Who asks: the token's principal, else the operator of the profile.

        Raises:
            NotSignedIn: there is no token.
        """
        if self.tokens is None:
            return self.operator
        await self.tokens.current()
        return self.tokens.subject or self.operator

    async def get(
        self,
        op: Operation,
        case_id: str = "",
        *,
        query: Mapping[str, Any] | None = None,
        kept: Kept | None = None,
        fits: Fits | None = None,
        plain: bool = False,
    ) -> Response:
        """Read, again and again where the trouble may pass soon; an answer that does not pass ``fits`` is a stranger's.

        Where nothing that answers at this address has been the case API yet, it is not asked again: the address may be
        a wrong one. With ``plain`` an answer may be a text that is no JSON. With ``kept`` it is asked at most once,
        however often whoever asks comes back; and not at all while the server is known to take no reads.

        Raises:
            RateLimited: the server takes no reads for so many seconds.
            Unrecognised: nothing that answered was the API's own.
            Unavailable: the trouble has not passed; the hint is how the runbook escalates.
            NotSignedIn: there is no token, or it is not accepted.
        """
        path = self.dialect.path(op, case_id=case_id, user=await self.user())
        if path is None:
            return ABSENT
        if kept is not None:
            if (op, case_id) in kept:
                return kept[op, case_id]
            self._check_open()
        response = await self._read(path, query, fits, plain=plain)
        self._met = self._met or not response.refusal.no_route
        self._limits = 0
        self._note(response)
        if kept is not None:
            kept[op, case_id] = response
        return response

    async def _read(
        self, parts: tuple[str, ...], query: Mapping[str, Any] | None, fits: Fits | None, *, plain: bool
    ) -> Response:
        failures, begun = 0, self.clock.now()
        while True:
            try:
                headers = await self._headers()
                return await self.service.read(*parts, query=query, headers=headers, plain=plain, fits=fits)
            except RateLimited as limited:
                raise self._limited(limited) from limited
            except Unrecognised as stranger:
                failures += 1
                if not self._met or failures >= TRIES or self.clock.now() - begun >= LASTING:
                    raise self.unrecognised(stranger.message, stranger.hint, failures) from stranger
                await self.pause(failures)
            except Unavailable as error:
                failures += 1
                if isinstance(error, Untrusted) or failures >= TRIES or self.clock.now() - begun >= LASTING:
                    raise type(error)(f"cases: {error.message}", hint=self._hint(error, tried(failures))) from error
                await self.pause(failures)

    def unrecognised(self, message: str, hint: str, failures: int) -> Unrecognised:
        """What is raised where a stranger answers, and why; and that nobody else has answered yet, where that is so."""
        if self._met:
            return Unrecognised(f"cases: {message}", hint=self.escalation(tried(failures), hint))
        told = f"cases: nothing at {self.service.origin} is recognised as the case API yet: {message}"
        return Unrecognised(told, hint=f"Check `url` of cases in the profile, as its path too. {hint}")

    async def _headers(self) -> dict[str, str]:
        return {**self.dialect.headers, self.dialect.user_header: await self.user()}

    async def post(self, op: Operation, case_id: str, *, key: str, json: Mapping[str, Any], fits: Fits) -> Response:
        """Ask once for a change, under a key where the API knows keys.

        Raises:
            OutcomeUnknown: it may have been made.
            RateLimited, CannotConnect, NotSignedIn: it certainly has not.
        """
        path = self.dialect.path(op, case_id=case_id)
        assert path is not None
        headers = await self._headers()
        if self.dialect.key_header is not None:
            headers[self.dialect.key_header] = key
        now = stamp(self.clock.now())
        self.sent[key] = (self.sent.get(key, (now, now))[0], now)
        try:
            return await self.service.write(
                *path, json=dict(json), headers=headers, method=self.dialect.methods[op], fits=fits
            )
        except RateLimited as limited:
            asked = _seconds(limited)
            told = f"{limited.message}: {asked:g} s, then with the same key"
            raise RateLimited(told, hint=limited.hint, retry_after=asked) from limited

    async def pause(self, failures: int) -> None:
        """The pause after so many failures in a row: it doubles, with full jitter."""
        await self._wait(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures)))  # noqa: S311

    def _hint(self, error: Unavailable, done: str) -> str:
        """What to do about a read that failed again and again; where nothing was sent, no case is in the way of it."""
        if isinstance(error, CannotConnect):
            return self.escalation(done, _WHERE if error.hint == error.default_hint else error.hint)
        return f"{_WHERE} {self.escalation(done)}"

    def escalation(self, done: str, second: str = _BLOCKED) -> str:
        """The escalation path of the runbook, from what was ``done`` here to whom to ask."""
        whom = self.contact or "the team that runs the case API (the profile names no contact)"
        return f"Level 1: {done}. Level 2: {second} Level 3: contact {whom}."

    def _limited(self, limited: RateLimited) -> RateLimited:
        """The answer to a read that was one too many. Those that were on their way together are one time."""
        if self._left() <= 0:
            self._limits += 1
        asked = _seconds(limited)
        self._close(asked)
        return self._not_before(limited.message, asked)

    def _check_open(self) -> None:
        left = self._left()
        if left > 0:
            raise self._not_before(f"{self.service.origin} has asked us to wait", left)
        self._closed_until = None

    def _not_before(self, message: str, seconds: float) -> RateLimited:
        done = f"asked {times(self._limits)} at the times that the server named, and it took no reads"
        hint = f"Ask again in {seconds:.0f} s. {self.escalation(done)}"
        return RateLimited(f"cases: {message}", hint=hint, retry_after=seconds)

    def _left(self) -> float:
        if self._closed_until is None:
            return 0.0
        now = self.clock.now()
        self._closed_until = moments.clamped(self._closed_until, now, timedelta(seconds=LONGEST_WAIT))
        return (self._closed_until - now).total_seconds()

    def _close(self, seconds: float) -> None:
        # Never in no time: a server that asks for nothing would be hammered on.
        until = self.clock.now() + timedelta(seconds=max(seconds, 1.0))
        self._closed_until = max(until, self._closed_until or until)

    def _note(self, response: Response) -> None:
        """Where a server says that nothing is left of its limit, the next read waits for more of it."""
        if response.date is not None:
            self.ahead = response.date - self.clock.now()
        reset = reset_after(response.headers, self.clock.now())
        if response.headers.get("x-ratelimit-remaining") == "0" and reset is not None:
            self._close(min(reset, LONGEST_WAIT))


def times(number: int) -> str:
    """So many times, in words."""
    return "once" if number == 1 else f"{number} times"


def tried(number: int) -> str:
    """What was done where something was tried so many times."""
    return f"tried {times(number)}" + (" with exponential backoff" if number > 1 else "")


def _seconds(limited: RateLimited) -> float:
    """For how long the server wants to be left alone, within reason."""
    return min(LIMITED if limited.retry_after is None else limited.retry_after, LONGEST_WAIT)
