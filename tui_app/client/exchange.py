"""One request to an app of this process, and its answer, with the manners of a connection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

import httpx

Message = MutableMapping[str, Any]

AHEAD = 4
"""Pieces of an answer that the app may be ahead of its reader."""


class Exchange(httpx.AsyncByteStream):
    """Between a handler in its task and a caller in another.

    When the caller leaves, by being cancelled, by its timeout or by closing the answer, the handler is told as a server
    would tell it: ``receive`` says so, and what it still sends goes nowhere.
    """

    def __init__(self, request: httpx.Request, read_timeout: float | None) -> None:
        self._request = request
        self._read_timeout = read_timeout
        self._asked = request.stream
        self._body: AsyncIterator[bytes] | None = None
        self._response: httpx.Response | None = None
        self._pieces: deque[bytes] = deque()
        self._received = self._answered = self._whole = self._ended = self._left = False
        self._changed = asyncio.Event()

    async def receive(self) -> Message:
        """The next piece of the request; then, once the caller has left or the answer is whole, that it is over."""
        if self._received or self._left:
            await self._until(lambda: self._left or self._whole)
            return {"type": "http.disconnect"}
        if self._body is None:
            assert isinstance(self._asked, httpx.AsyncByteStream)
            self._body = aiter(self._asked)
        piece = await anext(self._body, None)
        self._received = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(self, message: Message) -> None:
        """Take a part of the answer; waits while the reader is behind."""
        if message["type"] == "http.response.start":
            self._response = httpx.Response(
                message["status"], headers=message.get("headers", []), stream=self, request=self._request
            )
            return
        if message["type"] != "http.response.body":
            return
        more = message.get("more_body", False)
        if message.get("body") and not self._left:
            self._pieces.append(bytes(message["body"]))
        # Headers reach the caller with the first piece, as they do when a server writes both at once.
        self._answered, self._whole = True, not more
        self._tell()
        if more:
            await self._until(lambda: self._left or len(self._pieces) < AHEAD)

    async def response(self) -> httpx.Response:
        """Wait for the answer to begin.

        Raises:
            httpx.ReadTimeout: it has not begun in time; the handler goes on.
        """
        try:
            await self._in_time(lambda: self._answered)
        except BaseException:
            await self.aclose()
            raise
        assert self._response is not None
        return self._response

    def end(self, failed: Callable[[httpx.Request], httpx.Response]) -> None:
        """The handler is done; where it never began to answer, ``failed`` makes the answer."""
        if not self._answered:
            self._response = failed(self._request)
            self._answered = True
        self._ended = True
        self._tell()

    def cut(self) -> None:
        """End an answer that has begun; one that has not is still waited for."""
        if self._answered:
            self._left = True
            self._tell()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await self._in_time(lambda: bool(self._pieces) or self._whole or self._ended or self._left)
            if self._pieces:
                piece = self._pieces.popleft()
                self._tell()
                yield piece
            elif self._whole:
                return
            else:
                raise httpx.RemoteProtocolError(
                    "the service broke off in the middle of its answer", request=self._request
                )

    async def aclose(self) -> None:
        """The caller has what it wanted, or waits no longer."""
        self._left = True
        self._pieces.clear()
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            await self._changed.wait()

    async def _in_time(self, ready: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(self._read_timeout):
                await self._until(ready)
        except TimeoutError as error:
            raise httpx.ReadTimeout("the service did not answer in time", request=self._request) from error
