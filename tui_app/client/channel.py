"""Requests to the service over httpx, and its answers as models or as errors of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from tui_app.config.values import Secret
from tui_app.contract import paths
from tui_app.contract.models import Wire
from tui_app.contract.problems import MEDIA_TYPE, Problem, from_problem, type_of
from tui_app.domain.errors import CannotConnect, OutcomeUnknown, QuashError, Unavailable, UsageProblem
from tui_app.domain.foreign_json import parse
from tui_app.outbound.answers import retry_after
from tui_app.outbound.line import Line, NoAnswer, NotSent, Reply, pieces, whole, words
from tui_app.outbound.recognition import ACCESS, Said, Unrecognised, advice, is_json, media, recognised, said
from tui_app.outbound.tokens import TokenSource

M = TypeVar("M", bound=Wire)

PATIENCE = 30.0
"""Seconds that a request may take in all, and a streamed answer between two pieces."""

LONG_PATIENCE = 900.0
"""The same for requests that read a whole journal, or every item of a run."""

MAX_BODY = 64 * 1024 * 1024
"""The largest answer that is read whole, in bytes; a plan file is streamed."""

FULL = frozenset({429, 503})
"""What a service that is full, or a proxy before it, answers without a problem document of ours."""

_LOOK = "It may have been done: look at the run, then ask again."
_HARMLESS = "Nothing was sent; try again."


class Channel:
    """The way to one service, with errors translated. ``tokens`` are needed on a socket, and there alone.

    A request that may have reached the service without an answer is ``OutcomeUnknown`` where it could begin a run or
    steer one, and ``Unavailable`` where it ``reads``: a GET, and whatever leaves the systems and the runs as they are,
    such as making a plan. An answer that is not recognisably the service's is no answer.
    """

    def __init__(
        self, base_url: str, transport: httpx.AsyncBaseTransport, *, tokens: TokenSource | None, origin: str
    ) -> None:
        self._origin = origin
        self._base = httpx.URL(base_url)
        self._line = Line(transport)
        self._tokens = tokens
        self._met = False

    @property
    def signed_in_until(self) -> datetime | None:
        """When the token in use ends; none where that is not known."""
        return None if self._tokens is None else self._tokens.expires_at

    async def close(self) -> None:
        """Close the transport; an embedded service is shut down."""
        await self._line.close()

    async def get(
        self,
        model: type[M],
        path: str,
        query: dict[str, Any] | None = None,
        *,
        patience: float = PATIENCE,
        named: str | None = None,
    ) -> M:
        """Read a model; with ``named`` it has to be the one of this id."""
        reply = await self.send("GET", path, query, patience=patience)
        return self._model(model, f"GET {path}", reply, reads=True, named=named)

    async def post(
        self,
        model: type[M],
        path: str,
        body: Wire | None = None,
        headers: dict[str, str] | None = None,
        *,
        reads: bool = False,
        patience: float = PATIENCE,
        named: str | None = None,
    ) -> M:
        """Send a model, and read the one that comes back; with ``named`` it has to be the one of this id.

        Raises:
            UsageProblem: the model holds half characters, which nothing can carry.
        """
        content = None if body is None else _encoded(body)
        sent = {**(headers or {}), **({} if content is None else {"Content-Type": "application/json"})}
        reply = await self.send("POST", path, content=content, headers=sent, reads=reads, patience=patience)
        return self._model(model, f"POST {path}", reply, reads=reads, named=named)

    async def upload(self, model: type[M], path: str, document: bytes, query: dict[str, Any]) -> M:
        """Send a document of JSON lines, which begins and steers nothing, and read the model that comes back."""
        headers = {"Content-Type": paths.JSON_LINES}
        reply = await self.send(
            "POST", path, query, content=document, headers=headers, reads=True, patience=LONG_PATIENCE
        )
        return self._model(model, f"POST {path}", reply, reads=True)

    async def send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        reads: bool = False,
        patience: float = PATIENCE,
    ) -> Reply:
        """An answer of success; queries that are ``None`` or ``False`` are left out."""
        request = self._request(method, path, query, content, headers)
        reads = reads or method == "GET"
        if self._tokens is None:
            reply = await self._ask(request, patience, reads=reads)
        else:
            reply = await self._tokens.used(
                lambda token: self._ask(_bearing(request, token), patience, reads=reads),
                # A stranger may say so after the service has acted: what steers a run is not sent twice for that.
                lambda one: one.status == httpx.codes.UNAUTHORIZED and (reads or _is_problem(one)),
            )
        if reply.broken:
            raise self._silent(request, reply.broken, reads=reads)
        if not 200 <= reply.status < 300:
            raise self._problem(request, reply, reads=reads)
        return reply

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The body of an answer in pieces, however long it is."""
        request = self._request("GET", path)
        if self._tokens is not None:
            _bearing(request, await self._tokens.current())
        try:
            answer = await self._line.open(request, patience=PATIENCE)
        except (NotSent, NoAnswer) as error:
            raise self._lost(request, error, reads=True) from error
        try:
            if not answer.is_success:
                raise self._problem(request, await whole(answer, MAX_BODY), reads=True)
            if media(answer.headers.get("content-type", "")) != paths.JSON_LINES:
                raise self._strange(answer.status_code, f"answered GET {path} with something else", reads=True)
            async for piece in pieces(answer):
                yield piece
        except (httpx.TransportError, OSError, ValueError) as error:
            raise self._silent(request, words(error), reads=True) from error
        finally:
            await answer.aclose()

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Request:
        asked = {name: value for name, value in (query or {}).items() if value is not None and value is not False}
        try:
            url = self._base.copy_with(raw_path=self._base.raw_path.rstrip(b"/") + path.encode("ascii"))
            # What is not compressed cannot grow while it is unpacked.
            sent = {"Accept-Encoding": "identity", "User-Agent": "quash", **(headers or {})}
            return httpx.Request(method, url.copy_merge_params(asked) if asked else url, headers=sent, content=content)
        except UnicodeEncodeError as error:
            raise UsageProblem("a value holds half characters", hint="Type it again.") from error
        except httpx.InvalidURL as error:
            raise UsageProblem("an id or a filter is too long to be sent", hint="Give many ids with --ids.") from error

    async def _ask(self, request: httpx.Request, patience: float, *, reads: bool) -> Reply:
        try:
            return await self._line.ask(request, patience=patience, limit=MAX_BODY)
        except (NotSent, NoAnswer) as error:
            raise self._lost(request, error, reads=reads) from error

    def _lost(self, request: httpx.Request, error: NotSent | NoAnswer, *, reads: bool) -> QuashError:
        if isinstance(error, NotSent):
            return CannotConnect(f"{self._origin} does not answer: {error}", hint=error.hint)
        return self._silent(request, str(error), reads=reads)

    def _silent(self, request: httpx.Request, why: str, *, reads: bool) -> QuashError:
        what = f"{self._origin} gave no answer to {request.method} {request.url.path}: {why}"
        if not reads:
            return OutcomeUnknown(what, hint=_LOOK)
        return Unavailable(what, hint="Try again." if request.method == "GET" else _HARMLESS)

    def _problem(self, request: httpx.Request, reply: Reply, *, reads: bool) -> QuashError:
        if _is_problem(reply):
            try:
                error = from_problem(Problem.model_validate_json(reply.body))
            except ValidationError:
                return self._strange(reply.status, "answered with a problem that cannot be read", reads=reads)
            if not self._met and "route" in error.details:
                return CannotConnect(
                    f"{self._origin} is a quash service, and knows no route {error.details['route']}",
                    hint="`service` of the profile is the address in front of /v1: check its path.",
                )
            self._met = True
            return error
        if reads and reply.status in FULL:
            return Unrecognised(
                f"{self._origin} answered {reply.status}: it, or a proxy before it, takes no more requests at present",
                hint="Try again in a moment; nothing was sent.",
                retry_after=retry_after(reply.headers, datetime.now(UTC)),
            )
        kind = media(reply.headers.get("content-type", "")) or "no kind of content"
        asked = f"{request.method} {request.url.path}"
        told = f"answered {asked} with {reply.status} ({kind[:80]}), not in quash's words"
        return self._strange(reply.status, told, reads=reads)

    def _model(self, model: type[M], asked: str, reply: Reply, *, reads: bool, named: str | None = None) -> M:
        try:
            if not is_json(media(reply.headers.get("content-type", ""))):
                raise ValueError("no JSON")
            made = model.model_validate_json(reply.body)
            if named is not None and getattr(made, "id", named) != named:
                raise ValueError("another one")
        except ValueError as error:
            what = f"answered {asked} with {reply.status} and something else than was asked for"
            raise self._strange(reply.status, what, reads=reads) from error
        self._met = True
        return made

    def _strange(self, status: int, what: str, *, reads: bool) -> QuashError:
        """What is raised for an answer that is not recognisably the service's: nothing is known by it."""
        told, hint = f"{self._origin} {what}", advice(status, "service")
        if not reads:
            return OutcomeUnknown(told, hint=f"{hint} {_LOOK}")
        if not self._met and status < 500 and status not in ACCESS:
            hint = "Is this address a quash service? See `quash serve`."
        return Unrecognised(told, hint=hint)


def _said(status: int, body: Any) -> Said | None:
    """What a problem document of the service says, where its parts agree; none where it is another's."""
    if not isinstance(body, dict) or body.get("status") != status or body.get("type") != type_of(body.get("code")):
        return None
    return said(body.get("code"), body.get("detail"), body.get("details"))


def _is_problem(reply: Reply) -> bool:
    try:
        body = parse(reply.body)
    except ValueError:
        return False
    return recognised(reply.status, reply.headers.get("content-type", ""), body, _said, MEDIA_TYPE) is not None


def _encoded(body: Wire) -> bytes:
    try:
        return body.model_dump_json().encode()
    except PydanticSerializationError as error:
        raise UsageProblem("a value holds half characters", hint="Type it again.") from error


def _bearing(request: httpx.Request, token: Secret) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.reveal()}"
    return request
