"""Requests to the service over httpx, and its answers as models or as errors of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from tui_app.contract.models import Wire
from tui_app.contract.problems import MEDIA_TYPE, Problem, from_problem
from tui_app.domain.errors import CannotConnect, Fault, OutcomeUnknown, QuashError, Unavailable, UsageProblem

M = TypeVar("M", bound=Wire)

CONNECT_SECONDS = 5.0
PATIENCE = 30.0
"""Seconds that a request may take in all, and a streamed answer between two pieces."""

LONG_PATIENCE = 900.0
"""The same for requests that read a whole journal, or every item of a run."""

MAX_BODY = 64 * 1024 * 1024
"""The largest answer that is read whole, in bytes; a plan file is streamed."""

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class Channel:
    """One httpx client with the rules of ours: no redirects, no proxies, capped bodies, errors translated.

    A request that may have reached the service without an answer is ``OutcomeUnknown`` where it could change something,
    and ``Unavailable`` where it only reads.
    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport, *, token: str | None, origin: str) -> None:
        self._origin = origin
        self._http = httpx.AsyncClient(
            base_url=base_url,
            transport=transport,
            # What is not compressed cannot grow while it is unpacked.
            headers={"Accept-Encoding": "identity", **({"Authorization": f"Bearer {token}"} if token else {})},
            timeout=httpx.Timeout(PATIENCE, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the transport; an embedded service is shut down."""
        await self._http.aclose()

    async def get(
        self, model: type[M], path: str, query: dict[str, Any] | None = None, *, patience: float = PATIENCE
    ) -> M:
        """Read a model."""
        return self._model(model, "GET", path, await self.send("GET", path, query, patience=patience))

    async def post(
        self,
        model: type[M],
        path: str,
        body: Wire | None = None,
        headers: dict[str, str] | None = None,
        *,
        patience: float = PATIENCE,
    ) -> M:
        """Send a model, and read the one that comes back.

        Raises:
            UsageProblem: the model holds half characters, which nothing can carry.
        """
        content = None if body is None else _encoded(body)
        sent = {**(headers or {}), **({} if content is None else {"Content-Type": "application/json"})}
        answer = await self.send("POST", path, content=content, headers=sent, patience=patience)
        return self._model(model, "POST", path, answer)

    async def upload(self, model: type[M], path: str, document: bytes, query: dict[str, Any]) -> M:
        """Send a document of JSON lines, and read the model that comes back."""
        headers = {"Content-Type": "application/jsonl"}
        answer = await self.send("POST", path, query, content=document, headers=headers, patience=LONG_PATIENCE)
        return self._model(model, "POST", path, answer)

    async def send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> bytes:
        """The body of an answer; queries that are ``None`` or ``False`` are left out."""
        asked = {name: value for name, value in (query or {}).items() if value is not None and value is not False}
        timeout = httpx.Timeout(patience, connect=CONNECT_SECONDS)
        try:
            request = self._http.build_request(
                method, path, params=asked, content=content, headers=headers, timeout=timeout
            )
        except UnicodeEncodeError as error:
            raise UsageProblem("a value holds half characters", hint="Type it again.") from error
        except httpx.InvalidURL as error:
            raise UsageProblem("an id or a filter is too long to be sent", hint="Give many ids with --ids.") from error
        try:
            async with asyncio.timeout(patience + CONNECT_SECONDS):
                answer = await self._open(request)
                try:
                    return await self._read(answer, request)
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            raise self._silent(request, error) from error

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The body of an answer in pieces, however long it is."""
        request = self._http.build_request("GET", path)
        answer = await self._open(request)
        try:
            async for piece in self._pieces(answer, request):
                yield piece
        finally:
            await answer.aclose()

    async def _open(self, request: httpx.Request) -> httpx.Response:
        try:
            answer = await self._http.send(request, stream=True)
        except _NOT_SENT as error:
            raise CannotConnect(f"{self._origin} does not answer: {_words(error)}") from error
        except httpx.TransportError as error:
            raise self._silent(request, error) from error
        if answer.is_success:
            return answer
        try:
            raise self._problem(answer, request.method, await self._read(answer, request))
        finally:
            await answer.aclose()

    async def _read(self, answer: httpx.Response, request: httpx.Request) -> bytes:
        body = bytearray()
        async for piece in self._pieces(answer, request):
            body += piece
            if len(body) > MAX_BODY:
                raise Fault(f"{self._origin} sent more than {MAX_BODY} bytes for {request.url.path}")
        return bytes(body)

    async def _pieces(self, answer: httpx.Response, request: httpx.Request) -> AsyncIterator[bytes]:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise Fault(f"{self._origin} compressed its answer, which it was not asked to do")
        try:
            async for piece in answer.aiter_bytes():
                yield piece
        except httpx.TransportError as error:
            raise self._silent(request, error) from error

    def _silent(self, request: httpx.Request, error: Exception) -> QuashError:
        what = f"{self._origin} gave no answer to {request.method} {request.url.path}: {_words(error)}"
        return Unavailable(what, hint="Try again.") if request.method == "GET" else OutcomeUnknown(what)

    def _problem(self, answer: httpx.Response, method: str, body: bytes) -> QuashError:
        if answer.headers.get("content-type", "").split(";")[0] == MEDIA_TYPE:
            try:
                return from_problem(Problem.model_validate_json(body))
            except ValidationError:
                return self._strange(method, f"answered {answer.status_code} with a problem that cannot be read")
        # A gateway in between may say this after the service has acted.
        behind = answer.status_code >= 500
        return self._strange(method if behind else "GET", f"answered {answer.status_code} without a problem document")

    def _model(self, model: type[M], method: str, path: str, body: bytes) -> M:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise self._strange(method, f"answered {method} {path} with something else than was asked for") from error

    def _strange(self, method: str, what: str) -> QuashError:
        hint = "Is this address a quash service? See `quash serve`."
        if method == "GET":
            return CannotConnect(f"{self._origin} {what}", hint=hint)
        return OutcomeUnknown(f"{self._origin} {what}")


def _encoded(body: Wire) -> bytes:
    try:
        return body.model_dump_json().encode()
    except PydanticSerializationError as error:
        raise UsageProblem("a value holds half characters", hint="Type it again.") from error


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
