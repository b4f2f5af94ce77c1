"""Requests to the service over httpx, and its answers as models or as errors of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import httpx

from tui_app.contract.models import Wire
from tui_app.contract.problems import MEDIA_TYPE, Problem, from_problem
from tui_app.domain.errors import CannotConnect, Fault, OutcomeUnknown, QuashError, Unavailable

M = TypeVar("M", bound=Wire)

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
MAX_BODY = 64 * 1024 * 1024
"""The largest answer that is read whole, in bytes; a plan file is streamed."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


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
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the transport; an embedded service is shut down."""
        await self._http.aclose()

    async def get(self, model: type[M], path: str, query: dict[str, Any] | None = None) -> M:
        """Read a model."""
        return model.model_validate_json(await self.send("GET", path, query))

    async def post(
        self, model: type[M], path: str, body: Wire | None = None, headers: dict[str, str] | None = None
    ) -> M:
        """Send a model, and read the one that comes back."""
        content = None if body is None else body.model_dump_json().encode()
        sent = {**(headers or {}), **({} if content is None else {"Content-Type": "application/json"})}
        return model.model_validate_json(await self.send("POST", path, content=content, headers=sent))

    async def send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """The body of an answer; queries that are ``None`` or ``False`` are left out."""
        asked = {name: value for name, value in (query or {}).items() if value is not None and value is not False}
        request = self._http.build_request(method, path, params=asked, content=content, headers=headers)
        answer = await self._open(request)
        try:
            return await self._read(answer, request)
        finally:
            await answer.aclose()

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The body of an answer in pieces, however long it is."""
        request = self._http.build_request("GET", path)
        answer = await self._open(request)
        try:
            async for piece in answer.aiter_bytes():
                yield piece
        except httpx.TransportError as error:
            raise self._silent(request, error) from error
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
            raise self._problem(answer, await self._read(answer, request))
        finally:
            await answer.aclose()

    async def _read(self, answer: httpx.Response, request: httpx.Request) -> bytes:
        body = bytearray()
        try:
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > MAX_BODY:
                    raise Fault(f"{self._origin} sent more than {MAX_BODY} bytes for {request.url.path}")
        except httpx.TransportError as error:
            raise self._silent(request, error) from error
        except httpx.DecodingError as error:
            raise Fault(f"{self._origin} sent an answer that cannot be decoded") from error
        return bytes(body)

    def _silent(self, request: httpx.Request, error: httpx.TransportError) -> QuashError:
        what = f"{self._origin} gave no answer to {request.method} {request.url.path}: {_words(error)}"
        return Unavailable(what, hint="Try again.") if request.method == "GET" else OutcomeUnknown(what)

    def _problem(self, answer: httpx.Response, body: bytes) -> QuashError:
        if answer.headers.get("content-type", "").split(";")[0] != MEDIA_TYPE:
            return CannotConnect(
                f"{self._origin} answered {answer.status_code} without a problem document",
                hint="Is this address a quash service? See `quash serve`.",
            )
        return from_problem(Problem.model_validate_json(body))


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
