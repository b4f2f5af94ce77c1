"""Requests to an HTTP service of somebody else: what is certain of each of them, as errors of ours.

```
                          a read                  a write
not connected             CannotConnect           CannotConnect        nothing was sent
no or half an answer      Unavailable             OutcomeUnknown
3xx                       CannotConnect           OutcomeUnknown       never followed
401                       once more with another token, else NotSignedIn
429                       RateLimited             RateLimited
5xx                       Unavailable             OutcomeUnknown       503 with Retry-After on a read: RateLimited
2xx that cannot be read   Unavailable             OutcomeUnknown
anything else             a Response, for the adapter to judge
```
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx

from tui_app.clock import SystemClock
from tui_app.config.values import Secret
from tui_app.domain.errors import (
    CannotConnect,
    NotSignedIn,
    OutcomeUnknown,
    QuashError,
    RateLimited,
    Unavailable,
    UsageProblem,
)
from tui_app.domain.ports import Clock
from tui_app.outbound.addresses import Origin, path_of
from tui_app.outbound.answers import Response, date_of, parse, retry_after
from tui_app.outbound.line import CONNECT_SECONDS, Line, NoAnswer, NotSent, Reply
from tui_app.outbound.tokens import TokenSource
from tui_app.outbound.transport import Door

PATIENCE = 30.0
"""Seconds that a request may take in all, apart from connecting."""

READ_PATIENCE = 8.0
"""The same for a read at most: it can be asked again, and somebody may be looking at the screen."""

MAX_BODY = 16 * 1024 * 1024
CONCURRENCY = 16

Auth = Literal["bearer", "x-session-id"]


class Unsendable(UsageProblem):
    """A value that no request can carry; whoever brought it has to bring another."""


class Untrusted(CannotConnect):
    """Somebody answers whose certificate does not hold, which does not pass by itself."""


class HttpService:
    """One service at one origin, under an optional prefix of paths.

    At most ``concurrency`` requests are on their way at once, each on a line of its own: one pool for all gets slower
    the more of them there are. Nothing is connected before the first request.

    Raises:
        UsageProblem: plain http to another host, or no address of a service.
    """

    def __init__(
        self,
        url: str,
        *,
        tokens: TokenSource | None = None,
        auth: Auth = "bearer",
        ca_file: str | Path | None = None,
        concurrency: int = CONCURRENCY,
        patience: float = PATIENCE,
        connect: float = CONNECT_SECONDS,
        max_body: int = MAX_BODY,
        clock: Clock | None = None,
    ) -> None:
        self._door = Door(url, ca_file)
        self._tokens = tokens
        self._auth = auth
        self._patience = patience
        self._connect = connect
        self._max_body = max_body
        self._clock = clock or SystemClock()
        self._places = asyncio.Semaphore(concurrency)
        self._free: list[Line] = []
        self._closed = False

    @property
    def origin(self) -> str:
        """Where requests go, to be named to the operator."""
        return str(self._door.origin)

    async def read(
        self,
        *parts: str,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        plain: bool = False,
    ) -> Response:
        """Ask for what stands at a path; queries that are ``None`` are left out.

        With ``plain`` the answer may be a text that is no JSON.

        Raises:
            Unavailable: nothing was learned; also as ``CannotConnect`` and ``RateLimited``.
            NotSignedIn: there is no token, or it is not accepted.
            UsageProblem: the request cannot be put into words of HTTP (``Unsendable``), or ``ca_file`` is none.
        """
        request = self._request("GET", parts, query, None, headers)
        return self._read(request, await self._signed(request), plain=plain)

    async def write(
        self,
        *parts: str,
        json: Any,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Response:
        """Have something changed.

        Raises:
            OutcomeUnknown: it may have been changed.
            Unavailable: it certainly has not; as ``CannotConnect`` or ``RateLimited``.
            NotSignedIn, UsageProblem: as for reading; nothing has been changed.
        """
        request = self._request(method, parts, None, json, headers)
        return self._read(request, await self._signed(request), plain=False)

    async def close(self) -> None:
        """Close every connection that is not in use; those in use are closed as they come back."""
        self._closed = True
        while self._free:
            await self._free.pop().close()

    def _request(
        self,
        method: str,
        parts: tuple[str, ...],
        query: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
    ) -> httpx.Request:
        url = self._door.base.copy_with(raw_path=self._door.base.raw_path + path_of(*parts).encode("ascii"))
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        # What is not compressed cannot grow while it is unpacked.
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "quash"}
        for name, value in (headers or {}).items():
            if not value.isascii() or not value.isprintable():
                raise Unsendable(f"the header {name} cannot hold {value[:80]!r}", hint="It holds one line of ASCII.")
            sent[name] = value
        try:
            content = None
            if body is not None:
                content = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
                sent["Content-Type"] = "application/json"
            return httpx.Request(method, url.copy_merge_params(asked) if asked else url, headers=sent, content=content)
        except UnicodeEncodeError as error:
            raise Unsendable("a value holds half characters", hint="Type it again.") from error
        except httpx.InvalidURL as error:
            raise Unsendable(
                f"a value is too long to be sent to {self.origin}", hint="Give many ids with --ids."
            ) from error

    async def _signed(self, request: httpx.Request) -> Reply:
        if self._tokens is None:
            return await self._sent(request, None)
        return await self._tokens.used(
            lambda token: self._sent(request, token), lambda reply: reply.status == httpx.codes.UNAUTHORIZED
        )

    async def _sent(self, request: httpx.Request, token: Secret | None) -> Reply:
        if token is not None:
            bearer = self._auth == "bearer"
            request.headers["Authorization" if bearer else "X-Session-ID"] = "Bearer " * bearer + token.reveal()
        try:
            async with self._line() as line:
                reads = request.method == "GET"
                patience = min(self._patience, READ_PATIENCE) if reads else self._patience
                return await line.ask(request, patience=patience, limit=self._max_body)
        except NotSent as error:
            kind = Untrusted if error.untrusted else CannotConnect
            raise kind(f"{self.origin} does not answer: {error}", hint=error.hint) from error
        except NoAnswer as error:
            raise self._silent(request, f"gave no answer: {error}") from error

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line]:
        async with self._places:
            if self._closed:
                raise CannotConnect(f"the way to {self.origin} was closed")
            line = self._free.pop() if self._free else Line(self._door.transport(1), connect=self._connect)
            try:
                yield line
            finally:
                await self._back(line)

    async def _back(self, line: Line) -> None:
        if self._closed or line.spent:
            await line.close()
        else:
            self._free.append(line)

    def _read(self, request: httpx.Request, reply: Reply, *, plain: bool) -> Response:
        status, headers = reply.status, reply.headers
        if status == httpx.codes.UNAUTHORIZED:
            raise self._not_accepted()
        wait = retry_after(headers, self._clock.now())
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise RateLimited(f"{self.origin} asks us to wait", retry_after=wait)
        if 300 <= status < 400:
            raise self._elsewhere(request, reply)
        if status >= 500:
            if status == httpx.codes.SERVICE_UNAVAILABLE and request.method == "GET" and wait is not None:
                raise RateLimited(f"{self.origin} is not ready, and asks us to wait", retry_after=wait)
            raise self._silent(request, f"answered {status}")
        if reply.broken:
            raise self._silent(request, f"answered {status}, and the rest cannot be read: {reply.broken}")
        text = reply.body.decode("utf-8", "replace")
        value = None
        try:
            value = _value(reply, plain=plain)
        except ValueError as error:
            if status < 300:
                raise self._silent(request, f"answered {status} with what cannot be read: {error}") from error
        return Response(status, dict(headers), value, text, date_of(headers))

    def _silent(self, request: httpx.Request, what: str) -> QuashError:
        told = f"{self.origin} {what} ({request.method} {request.url.path})"
        return Unavailable(told, hint="Try again.") if request.method == "GET" else OutcomeUnknown(told)

    def _elsewhere(self, request: httpx.Request, reply: Reply) -> QuashError:
        try:
            there = str(Origin.of(request.url.join(reply.headers.get("location", ""))))
        except (httpx.InvalidURL, ValueError):
            there = "no address"
        what = f"answered {reply.status} and points to {there}, which is not followed"
        if request.method != "GET":
            # A form that was accepted is answered with 303, and by many servers with 302.
            return self._silent(request, what)
        return CannotConnect(f"{self.origin} {what}", hint="If that is the service, name it as `url` in the profile.")

    def _not_accepted(self) -> NotSignedIn:
        if self._tokens is None:
            told = f"{self.origin} wants a token, and this profile has none for it"
            return NotSignedIn(told, hint="Name `token_command` or `token_file` in the profile.")
        ends, now = self._tokens.expires_at, self._clock.now()
        expired = "has expired" if ends is not None and ends <= now else "is not accepted"
        return NotSignedIn(
            f"the token for {self.origin} {expired}; it comes from {self._tokens.place}",
            hint=f"Renew what {self._tokens.place} gives, then resume.",
        )


def _value(reply: Reply, *, plain: bool) -> Any:
    """The JSON of an answer; nothing where it has no body, or is a text that was allowed to be one.

    Raises:
        ValueError: it is something else.
    """
    if not reply.body.strip():
        return None
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("", "text/plain"):
        # Many a server does not say that it is JSON.
        try:
            return parse(reply.body)
        except ValueError:
            if plain:
                return None
            raise
    if kind != "application/json" and not kind.endswith("+json"):
        raise ValueError(f"{kind[:80]} in place of JSON")
    return parse(reply.body)
