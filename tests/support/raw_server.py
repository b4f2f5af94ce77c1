"""An HTTP server on bare sockets that can fail in every way in which a network does, and notes what it has done.

``RawServer(handle)`` answers by ``handle``, whose call is the effect of a request. Armed with a fault it treats the
requests that ``when`` picks as the fault says; ``log`` tells of each whether it had its effect, so that what a client
believes can be held against it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

MEGABYTE = 1024 * 1024
DRIP = 0.02


@dataclass(frozen=True)
class Asked:
    """One request as it came; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answered:
    """One answer; a body that is no bytes is sent as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        plain = isinstance(self.body, bytes)
        content = self.body if plain else json.dumps(self.body).encode()
        headers = {} if plain else {"Content-Type": "application/json"}
        headers |= {"Content-Length": str(len(content)), **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Told\r\n{lines}\r\n".encode("latin-1") + content


@dataclass(frozen=True)
class Done:
    """What became of one request at the server: whether it had its effect, and which fault it met."""

    asked: Asked
    effect: bool
    fault: str | None


class Connection:
    """One client's connection, with what faults need to misbehave."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stopped: asyncio.Event) -> None:
        self._reader, self._writer, self._stopped = reader, writer, stopped

    async def asked(self) -> Asked | None:
        """The next request; none when the client has left."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        path, _, query = target.partition("?")
        return Asked(method, path, parse_qs(query), headers, body)

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def drip(self, text: bytes) -> None:
        """Send byte by byte, slowly, over and over, until the client has had enough."""
        while not self._stopped.is_set():
            for byte in text:
                await self.send(bytes([byte]))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), DRIP)

    async def pour(self, text: bytes) -> None:
        """Send as fast as it is taken, without end."""
        while not self._stopped.is_set():
            await self.send(text)

    async def hang(self) -> None:
        """Say nothing more until the client leaves."""
        await self._reader.read()

    def reset(self) -> None:
        """End with RST in place of an orderly close."""
        end = self._writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()


Play = Callable[[Connection, bytes], Awaitable[None]]
"""What is done in place of sending an answer, which is given."""


@dataclass(frozen=True)
class Fault:
    """A way to fail.

    ``effect`` says whether the request had its effect before. ``listens`` is false where nobody answers the connection
    at all. ``certain`` is set where a client can know that there was no effect. ``retry_after`` is what it should make
    of what it was told to wait.
    """

    play: Play
    effect: bool = False
    listens: bool = True
    certain: bool = False
    reads: bool = True
    retry_after: float | None = None


def says(status: int, body: Any = b"", effect: bool = False, **more: Any) -> Fault:
    """A fault that is an orderly answer."""
    headers = more.pop("headers", {})

    async def play(connection: Connection, good: bytes) -> None:
        await connection.send(Answered(status, body, headers).raw())

    return Fault(play, effect, **more)


def sends(*pieces: bytes, then: str = "close", effect: bool = True) -> Fault:
    """A fault that is some bytes, and then an end of some kind: close, reset, hang, drip or pour the last piece."""

    async def play(connection: Connection, good: bytes) -> None:
        repeated = then in ("drip", "pour")
        await connection.send(*(pieces[:-1] if repeated else pieces))
        match then:
            case "drip":
                await connection.drip(pieces[-1])
            case "pour":
                await connection.pour(pieces[-1])
            case "hang":
                await connection.hang()
            case "reset":
                connection.reset()
            case _:
                connection.close()

    return Fault(play, effect)


def halved(then: str) -> Fault:
    """The answer is broken off in the middle of its body."""

    async def play(connection: Connection, good: bytes) -> None:
        head, _, body = good.partition(b"\r\n\r\n")
        await connection.send(head + b"\r\n\r\n" + body[: len(body) // 2])
        await (connection.hang() if then == "hang" else asyncio.sleep(0))
        connection.close()

    return Fault(play, effect=True)


async def twice(connection: Connection, good: bytes) -> None:
    """What a service behind a confused proxy does: the answer, and in the same breath one that nobody asked for."""
    await connection.send(good + good)


def waits(text: str | None, seconds: float | None, **more: str) -> Fault:
    headers = more if text is None else {"Retry-After": text, **more}
    return says(429, {"error": {"code": "RATE"}}, headers=headers, certain=True, retry_after=seconds)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DATE = "Tue, 24 Nov 2026 10:00:00 GMT"
JSON = {"Content-Type": "application/json"}
NOBODY = {
    "error": {"code": "UNAUTHORIZED", "message": "who"},
    "errors": [{"error_code": "UNAUTHORIZED", "error_description": "who"}],
}
"""That there is no token, as both APIs write it."""

BOMB = gzip.compress(b"[" + b" " * (32 * MEGABYTE) + b"]")

FAULTS: dict[str, Fault] = {
    # connecting
    "refused": Fault(sends().play, listens=False, certain=True),
    "reset when connected": Fault(sends(then="reset").play, reads=False),
    "closed when connected": Fault(sends(then="close").play, reads=False),
    # no answer
    "closed before the effect": sends(effect=False),
    "closed after the effect": sends(),
    "reset before the effect": sends(then="reset", effect=False),
    "reset after the effect": sends(then="reset"),
    "silent before the effect": sends(then="hang", effect=False),
    "silent after the effect": sends(then="hang"),
    # half an answer
    "stalled in the headers": sends(HEAD, then="hang"),
    "stalled in the body": halved("hang"),
    "cut in the body": halved("close"),
    "cut in a chunk": sends(CHUNKED + b"ff\r\n{"),
    "slow loris in the headers": sends(HEAD, b"X-Slow: yes\r\n", then="drip"),
    "slow loris in the body": sends(CHUNKED, b"1\r\n \r\n", then="drip"),
    "endless interim answers": sends(b"HTTP/1.1 100 Continue\r\n\r\n", then="pour"),
    "endless body": sends(CHUNKED, b"10000\r\n" + b" " * 0x10000 + b"\r\n", then="pour"),
    # no HTTP
    "another protocol": sends(b"SSH-2.0-OpenSSH_9.6\r\n", effect=False),
    "noise": sends(b"\x15\x03\x01\x00\x02\x02\x46" * 8, effect=False),
    "a malformed header": sends(HEAD + b"no colon here\r\n\r\n"),
    "two lengths": sends(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "a malformed chunk": sends(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"),
    "huge headers": sends(HEAD + b"X-Long: " + b"x" * MEGABYTE + b"\r\n\r\n"),
    # no answer that can be read
    "huge body": says(200, b'"' + b"x" * (17 * MEGABYTE) + b'"', effect=True, headers=JSON),
    "gzip bomb": says(200, BOMB, effect=True, headers={**JSON, "Content-Encoding": "gzip"}),
    "a page of HTML": says(200, b"<html>Sign in</html>", effect=True, headers={"Content-Type": "text/html"}),
    "broken JSON": says(200, b'{"case_id": ', effect=True, headers=JSON),
    "NaN": says(200, b'{"a": NaN}', effect=True, headers=JSON),
    "a number without end": says(200, b'{"a": 1e999}', effect=True, headers=JSON),
    "a huge number": says(200, b'{"a": ' + b"9" * 4000 + b"}", effect=True, headers=JSON),
    "deep JSON": says(200, b"[" * 100_000, effect=True, headers=JSON),
    "half a character": says(200, b'{"a": "\\ud800"}', effect=True, headers=JSON),
    "no UTF-8": says(200, b'{"a": "\xff"}', effect=True, headers=JSON),
    # errors of the server
    "500 before the effect": says(500, {"error": "no"}),
    "500 after the effect": says(500, {"error": "no"}, effect=True),
    "502 after the effect": says(502, b"<html>Bad gateway</html>", effect=True),
    "503": says(503),
    "503 with a time": says(503, headers={"Retry-After": "7"}, retry_after=7.0),
    "503 after the effect": says(503, effect=True, headers={"Retry-After": "7"}, retry_after=7.0),
    "504 after the effect": says(504, effect=True),
    # redirects
    "302 to elsewhere": says(302, headers={"Location": "https://evil.example.com/steal"}),
    "302 to itself": says(302, headers={"Location": "/"}),
    "303 after the effect": says(303, effect=True, headers={"Location": "/done"}),
    "307 to no address": says(307, headers={"Location": "http://[oops"}),
    "308 without a place": says(308),
    # asked to wait
    "429": waits(None, None),
    "429 for seconds": waits("3", 3.0),
    "429 for a fraction": waits("1.5", 1.5),
    "429 for nothing": waits("0", 0.0),
    "429 for ever": waits("9" * 30, 86400.0),
    "429 until a moment": waits("Tue, 24 Nov 2026 10:01:30 GMT", 90.0, Date=DATE),
    "429 until a moment that has passed": waits("Tue, 24 Nov 2026 09:00:00 GMT", 0.0, Date=DATE),
    "429 for less than nothing": waits("-5", None),
    "429 for nonsense": waits("soon", None),
    "429 with an empty time": waits("", None),
    # signed out
    "401": says(401, NOBODY, certain=True),
    # somebody in between answers in its place
    "401 of a proxy": says(401, b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
    "401 of a gateway after the effect": says(401, {"message": "Unauthorized"}, effect=True),
    "403 of a firewall": says(403, b"<html>Blocked</html>", headers={"Content-Type": "text/html"}),
    "403 of a gateway after the effect": says(403, {"message": "Forbidden"}, effect=True),
    "404 of a proxy": says(404, b"default backend - 404", headers={"Content-Type": "text/plain"}),
    "404 of a proxy after the effect": says(
        404, b"default backend - 404", effect=True, headers={"Content-Type": "text/plain"}
    ),
    "405 after the effect": says(405, effect=True),
    "410 of a gateway": says(410, {"detail": "Gone"}),
    "413 of a proxy": says(413, b"<html>Request Entity Too Large</html>", headers={"Content-Type": "text/html"}),
    "an empty success": says(200),
    "a success of something else": says(200, {"status": "ok"}, effect=True),
}
"""Every fault by its name."""


def every(_: Asked) -> bool:
    return True


class RawServer:
    """A server on a free port of this host. ``fault`` names what the requests that ``when`` picks meet.

    At most ``times`` of them meet it; the others are answered by ``handle``.
    """

    def __init__(self, handle: Callable[[Asked], Answered], *, tls: ssl.SSLContext | None = None) -> None:
        self.log: list[Done] = []
        self.connections = 0
        self._handle = handle
        self._tls = tls
        self._fault: str | None = None
        self._when: Callable[[Asked], bool] = every
        self._left = 0
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    @property
    def effects(self) -> list[Asked]:
        """The requests that had their effect."""
        return [one.asked for one in self.log if one.effect]

    async def arm(self, fault: str, when: Callable[[Asked], bool] = every, times: int = 1_000_000) -> None:
        """Let the requests that ``when`` picks meet a fault from now on, ``times`` of them at most.

        A fault of those that do not listen holds for everything, until it is taken back.
        """
        self._fault, self._when, self._left = fault, when, times
        if not FAULTS[fault].listens:
            await self._deaf()

    async def mend(self) -> None:
        """No fault any more."""
        self._fault = None
        if self._server is None:
            await self.listen()

    async def listen(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._stopped.set()
        await self._deaf()

    async def _deaf(self) -> None:
        """Refuse connections, and end those that there are."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._serve(Connection(reader, writer, self._stopped))
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            # The client had enough, or the test did.
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, connection: Connection) -> None:
        if self._fault is not None and not FAULTS[self._fault].reads and self._left:
            self._left -= 1
            await FAULTS[self._fault].play(connection, b"")
            return
        while (asked := await connection.asked()) is not None:
            named = self._fault if self._left and self._when(asked) else None
            if named is None:
                good = self._handle(asked).raw()
                self.log.append(Done(asked, True, None))
                await connection.send(good)
                continue
            self._left -= 1
            fault = FAULTS[named]
            good = self._handle(asked).raw() if fault.effect else b""
            self.log.append(Done(asked, fault.effect, named))
            await fault.play(connection, good)


@asynccontextmanager
async def raw_server(
    handle: Callable[[Asked], Answered], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """A server that listens, and is gone afterwards."""
    server = RawServer(handle, tls=tls)
    await server.listen()
    try:
        yield server
    finally:
        await server.stop()


@contextmanager
def threaded_server(handle: Callable[[Asked], Answered]) -> Iterator[RawServer]:
    """The same in a thread of its own, for what runs in this process and has the loop to itself."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = RawServer(handle)
    try:
        asyncio.run_coroutine_threadsafe(server.listen(), loop).result(10)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
