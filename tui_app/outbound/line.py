"""One request over one transport, and what can be said of it when it fails: not sent, or sent and not answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

CONNECT_SECONDS = 5.0
"""How long connecting may take, and so how long a request may take beyond the time for its answer."""

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


_UNTRUSTED = "Its certificate is not for this host, or `ca_file` of the profile has to name who issued it."


class NotSent(Exception):
    """No byte of the request has left; its text says what was in the way."""

    @property
    def untrusted(self) -> bool:
        """Whether somebody answered whose certificate does not hold: asking again changes nothing about that."""
        return "CERTIFICATE_VERIFY_FAILED" in str(self)

    @property
    def hint(self) -> str | None:
        """What to do about it, where that is another thing than to see whether the service runs."""
        return _UNTRUSTED if self.untrusted else None


class NoAnswer(Exception):
    """The request may have arrived, and no answer has begun; its text says what is known of it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body. ``broken`` says why the body is not whole, where it is not."""

    status: int
    headers: httpx.Headers
    body: bytes
    broken: str = ""


class Line:
    """A transport with the rules of ours: no redirects, no cookies, capped bodies, and a limit of time for the whole.

    ``connect`` is how many of its seconds may go into connecting.

    It goes without ``httpx.AsyncClient``, whose redirects, cookies, proxies and unpacking are what must not happen.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, connect: float = CONNECT_SECONDS) -> None:
        self._transport = transport
        self._connect = connect
        self.spent = False
        """Whether a request was given up halfway: its connection may then never be free again."""

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    async def ask(self, request: httpx.Request, *, patience: float, limit: int) -> Reply:
        """Send a request, and read its answer whole, if it comes within ``patience`` seconds and ``limit`` bytes.

        Raises:
            NotSent, NoAnswer: as they say.
        """
        answer: httpx.Response | None = None
        body = bytearray()
        progress = _Progress()
        self.spent = True
        try:
            async with asyncio.timeout(patience + self._connect):
                answer = await self._open(request, patience, progress)
                try:
                    reply = await whole(answer, limit, body)
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            told = f"not whole within {patience:g} s"
            if answer is not None:
                return Reply(answer.status_code, answer.headers, bytes(body), told)
            raise (NoAnswer if progress.may_have_left else NotSent)(told) from error
        self.spent = False
        return reply

    async def open(self, request: httpx.Request, *, patience: float) -> httpx.Response:
        """Send a request, and wait for its answer to begin; whoever opens it reads and closes it.

        Raises:
            NotSent, NoAnswer: as they say.
        """
        return await self._open(request, patience, _Progress())

    async def _open(self, request: httpx.Request, patience: float, progress: _Progress) -> httpx.Response:
        request.extensions = {
            "timeout": {"connect": self._connect, "read": patience, "write": patience, "pool": self._connect},
            "trace": progress.note,
        }
        try:
            answer = await self._transport.handle_async_request(request)
        # A damaged record of TLS comes as the error of `ssl`, which is one of the system.
        except (httpx.TransportError, OSError) as error:
            certain = isinstance(error, _NOT_SENT) or not progress.may_have_left
            told = f"nothing within {patience:g} s" if isinstance(error, httpx.ReadTimeout) else words(error)
            raise (NotSent if certain else NoAnswer)(told) from error
        answer.request = request
        return answer


class _Progress:
    """How far a request came, as its connection tells; one that tells nothing may have sent it."""

    def __init__(self) -> None:
        self.may_have_left = True

    async def note(self, event: str, info: dict[str, Any]) -> None:
        if event.startswith("connection."):
            self.may_have_left = False
        elif ".send_request_headers." in event:
            self.may_have_left = True


async def pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body of an answer as it comes.

    Raises:
        ValueError: it is compressed, and would grow while it is unpacked.
        httpx.TransportError, OSError: it ends before it is whole.
    """
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise ValueError("compressed, which was not asked for")
    async for piece in answer.aiter_bytes():
        yield piece


async def whole(answer: httpx.Response, limit: int, body: bytearray | None = None) -> Reply:
    """An answer with its body, of so many bytes at most; ``body`` holds what there is of it meanwhile."""
    broken = ""
    body = bytearray() if body is None else body
    try:
        async for piece in pieces(answer):
            body += piece
            if len(body) > limit:
                broken = f"more than {limit} bytes"
                break
    except (httpx.TransportError, OSError, ValueError) as error:
        broken = words(error)
    return Reply(answer.status_code, answer.headers, bytes(body), broken)


def words(error: Exception) -> str:
    """What an error of the connection says, on one short line."""
    return " ".join((str(error) or type(error).__name__).split())[:200]
