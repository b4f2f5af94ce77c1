"""Requests to an HTTP service of somebody else: what is certain of each of them, as errors of ours.

```
                          a read                  a write
not connected             CannotConnect           CannotConnect        nothing was sent
no or half an answer      Unavailable             OutcomeUnknown
3xx                       CannotConnect           OutcomeUnknown       never followed
429                       RateLimited             RateLimited
5xx                       Unavailable             OutcomeUnknown       503 with Retry-After on a read: RateLimited
4xx of a stranger         Unrecognised            OutcomeUnknown
2xx that does not fit     Unrecognised            OutcomeUnknown       no JSON, or not what was asked for
401 of the API            once more with another token, else NotSignedIn
anything else             a Response, for the adapter to judge
```

Whether an answer is the API's or a stranger's is told by ``recognition``, given the shape of the API's errors.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
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
from tui_app.domain.foreign_json import parse
from tui_app.domain.ports import Clock
from tui_app.outbound.addresses import Origin, path_of
from tui_app.outbound.answers import Response, date_of, reset_after, retry_after
from tui_app.outbound.line import CONNECT_SECONDS, Line, NoAnswer, NotSent, Reply
from tui_app.outbound.recognition import Said, Shape, Unrecognised, advice, is_json, media, nobody, recognised
from tui_app.outbound.tokens import TokenSource
from tui_app.outbound.transport import Door

PATIENCE = 30.0
"""Seconds that a request may take in all, apart from connecting."""

READ_PATIENCE = 8.0
"""The same for a read at most: it can be asked again, and somebody may be looking at the screen."""

MAX_BODY = 16 * 1024 * 1024
CONCURRENCY = 16

Auth = Literal["bearer", "x-session-id"]

Fits = Callable[[Response], bool]
"""Whether a success is the answer to what was asked."""

HEADER: Mapping[Auth, str] = {"bearer": "Authorization", "x-session-id": "X-Session-ID"}
"""The header in which the token is sent."""

_NONE_FOUND = re.compile(r"missing|required|no (token|session|credentials)|not (provided|found|present)", re.IGNORECASE)


class Unsendable(UsageProblem):
    """A value that no request can carry; whoever brought it has to bring another."""


class Untrusted(CannotConnect):
    """Somebody answers whose certificate does not hold, which does not pass by itself."""


class HttpService:
    """One service at one origin, under an optional prefix of paths.

    At most ``concurrency`` requests are on their way at once, each on a line of its own: one pool for all gets slower
    the more of them there are. Nothing is connected before the first request. ``shape`` is how the API writes an error:
    without it no refusal is believed. ``auth`` says in which header the token goes, where a profile may choose.

    Raises:
        UsageProblem: plain http to another host, or no address of a service.
    """

    def __init__(
        self,
        url: str,
        *,
        tokens: TokenSource | None = None,
        auth: Auth | None = None,
        shape: Shape = nobody,
        ca_file: str | Path | None = None,
        concurrency: int = CONCURRENCY,
        patience: float = PATIENCE,
        connect: float = CONNECT_SECONDS,
        max_body: int = MAX_BODY,
        clock: Clock | None = None,
    ) -> None:
        self._door = Door(url, ca_file)
        self._tokens = tokens
        self._auth: Auth = auth or "bearer"
        self._chosen = auth
        self._shape = shape
        self._patience = patience
        self._connect = connect
        self._max_body = max_body
        self._clock = clock or SystemClock()
        self._places = asyncio.Semaphore(concurrency)
        self._free: list[Line] = []
        self._closed = False
        self._on_their_way = 0
        self.silent_since: datetime | None = None
        """Since when requests have had no answer; none where nothing was asked, or the last one was answered."""

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
        fits: Fits | None = None,
    ) -> Response:
        """Ask for what stands at a path; queries that are ``None`` are left out.

        With ``plain`` the answer may be a text that is no JSON. One that does not pass ``fits`` is a stranger's.

        Raises:
            Unavailable: nothing was learned; also as ``CannotConnect``, ``RateLimited`` and ``Unrecognised``.
            NotSignedIn: there is no token, or it is not accepted.
            UsageProblem: the request cannot be put into words of HTTP (``Unsendable``), or ``ca_file`` is none.
        """
        request = self._request("GET", parts, query, None, headers)
        return self._read(request, await self._signed(request), plain=plain, fits=fits)

    async def read_as(self, token: Secret, *parts: str) -> Response:
        """Ask for what stands at a path with this token and no other.

        Raises:
            Unavailable, NotSignedIn: as for reading.
        """
        request = self._request("GET", parts, None, None, None)
        return self._read(request, await self._sent(request, token), plain=False, fits=None)

    async def write(
        self,
        *parts: str,
        json: Any,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        fits: Fits | None = None,
    ) -> Response:
        """Have something changed. A success that does not pass ``fits`` is a stranger's.

        Raises:
            OutcomeUnknown: it may have been changed.
            Unavailable: it certainly has not; as ``CannotConnect`` or ``RateLimited``.
            NotSignedIn, UsageProblem: as for reading; nothing has been changed.
        """
        request = self._request(method, parts, None, json, headers)
        return self._read(request, await self._signed(request), plain=False, fits=fits)

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

        def refused(reply: Reply) -> bool:
            # A stranger may say so after the service has acted: a write is not sent a second time for that.
            sent_again = request.method == "GET" or self._said(reply) is not None
            return reply.status == httpx.codes.UNAUTHORIZED and sent_again

        return await self._tokens.used(lambda token: self._sent(request, token), refused)

    async def _sent(self, request: httpx.Request, token: Secret | None) -> Reply:
        if token is not None:
            request.headers[HEADER[self._auth]] = "Bearer " * (self._auth == "bearer") + token.reveal()
        if self.silent_since is None:
            self.silent_since = self._clock.now()
        self._on_their_way += 1
        try:
            async with self._line() as line:
                reads = request.method == "GET"
                patience = min(self._patience, READ_PATIENCE) if reads else self._patience
                reply = await line.ask(request, patience=patience, limit=self._max_body)
                self.silent_since = self._clock.now() if self._on_their_way > 1 else None
                return reply
        except NotSent as error:
            kind = Untrusted if error.untrusted else CannotConnect
            raise kind(f"{self.origin} does not answer: {error}", hint=error.hint) from error
        except NoAnswer as error:
            raise self._silent(request, f"gave no answer: {error}") from error
        finally:
            self._on_their_way -= 1

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

    def _read(self, request: httpx.Request, reply: Reply, *, plain: bool, fits: Fits | None) -> Response:
        status, headers = reply.status, reply.headers
        wait = retry_after(headers, self._clock.now())
        if status == httpx.codes.TOO_MANY_REQUESTS:
            reset = reset_after(headers, self._clock.now()) if wait is None else wait
            raise RateLimited(f"{self.origin} asks us to wait", retry_after=reset)
        if 300 <= status < 400:
            raise self._elsewhere(request, reply)
        if status >= 500:
            if status == httpx.codes.SERVICE_UNAVAILABLE and request.method == "GET" and wait is not None:
                raise RateLimited(f"{self.origin} is not ready, and asks us to wait", retry_after=wait)
            raise self._silent(request, f"answered {status}")
        if reply.broken:
            raise self._silent(request, f"answered {status}, and the rest cannot be read: {reply.broken}")
        if status >= 400:
            return self._refused(request, reply)
        text = reply.body.decode("utf-8-sig", "replace")
        try:
            # What was read is told as far as it can be; of what was changed, nothing is believed that is odd.
            value = _value(reply, plain=plain, strict=request.method != "GET")
            response = Response(status, dict(headers), value, text, date_of(headers))
        except ValueError as error:
            raise self._stranger(request, status, f"with what cannot be read: {error}") from error
        if fits is not None and not fits(response):
            raise self._stranger(request, status, "with something else than what was asked for")
        return response

    def _refused(self, request: httpx.Request, reply: Reply) -> Response:
        """The API's own refusal, for the adapter to judge.

        Raises:
            QuashError: it is a stranger's, or about the token.
        """
        said = self._said(reply)
        if said is None:
            kind = media(reply.headers.get("content-type", "")) or "no kind of content"
            raise self._stranger(request, reply.status, f"in a form that is not this API's ({kind[:80]})")
        if reply.status == httpx.codes.UNAUTHORIZED:
            raise self._not_accepted(said)
        text = reply.body.decode("utf-8-sig", "replace")
        return Response(reply.status, dict(reply.headers), parse(reply.body), text, date_of(reply.headers), said)

    def _said(self, reply: Reply) -> Said | None:
        """The API's own words in a refusal; none where it is a stranger's."""
        try:
            body = parse(reply.body)
        except ValueError:
            return None
        return recognised(reply.status, reply.headers.get("content-type", ""), body, self._shape)

    def _stranger(self, request: httpx.Request, status: int, how: str) -> QuashError:
        told, hint = f"{self.origin} answered {status} {how} ({request.method} {request.url.path})", advice(status)
        return Unrecognised(told, hint=hint) if request.method == "GET" else OutcomeUnknown(told, hint=hint)

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

    def _other_header(self) -> str:
        """What to write where the service reads a token in another header; nothing where that is no setting."""
        if self._chosen is None:
            return ""
        return "".join(
            f'For {HEADER[one]} write `auth = "{one}"` beside its url. ' for one in HEADER if one != self._auth
        )

    def _not_accepted(self, said: Said) -> NotSignedIn:
        why = f": {said.message[:200]}" if said.message else ""
        if self._tokens is None:
            told = f"{self.origin} wants a token, and this profile has none for it{why}"
            return NotSignedIn(told, hint="Name `token_command` or `token_file` in the profile.")
        ends, now, header = self._tokens.expires_at, self._clock.now(), HEADER[self._auth]
        expired = ends is not None and ends <= now
        told = f"the token for {self.origin} {'has expired' if expired else 'is not accepted'}{why}"
        hint = f"Renew what {self._tokens.place} gives, then resume."
        if not expired and _NONE_FOUND.search(said.message):
            hint = f"It was sent as {header}: see which header the service reads. {self._other_header()}{hint}"
        return NotSignedIn(f"{told}; it comes from {self._tokens.place}", hint=hint)


def _value(reply: Reply, *, plain: bool, strict: bool) -> Any:
    """The JSON of an answer; nothing where it has no body, or is a text that was allowed to be one.

    Raises:
        ValueError: it is something else.
    """
    kind = media(reply.headers.get("content-type", ""))
    empty = not reply.body.strip()
    if kind == "text/plain" and not empty:
        # Many a server does not say that it is JSON.
        try:
            return parse(reply.body, strict=strict)
        except ValueError:
            if plain:
                return None
            raise
    if not is_json(kind) and not (empty and kind == "text/plain"):
        raise ValueError(f"{kind[:80]} in place of JSON")
    if empty:
        return None
    try:
        return parse(reply.body, strict=strict)
    except ValueError:
        if plain and kind == "":
            return None
        raise
