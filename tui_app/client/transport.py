"""How requests reach a service in this process; ``tcp_transport`` is how they reach one over TCP.

``httpx.ASGITransport`` cancels the app's handler with its caller, ignores timeouts, never runs the lifespan, lets the
app's exceptions through and buffers whole answers. A console that was tested over it would meet a server that behaves
otherwise, so here the app runs as it does behind a socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

import httpx

from tui_app.client.exchange import Exchange, Message
from tui_app.contract.principal import IN_PROCESS, Principal
from tui_app.contract.problems import MEDIA_TYPE, to_problem
from tui_app.domain.errors import Fault
from tui_app.outbound.transport import tcp_transport

__all__ = ["BASE_URL", "EmbeddedTransport", "tcp_transport"]

App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
"""An ASGI app."""

BASE_URL = "http://quash.embedded"
"""The base URL of a client over :class:`EmbeddedTransport`; nothing resolves it."""

CLOSING_SECONDS = 10.0
"""How long running handlers, and then the app's own shutdown, may take at the end."""

_LOG = logging.getLogger(__name__)


class EmbeddedTransport(httpx.AsyncBaseTransport):
    """An app of this process behaving as behind a socket.

    A handler runs in a task of its own and outlives its caller; read timeouts hold; the app starts up before the first
    request and shuts down when this is closed; an exception of the app is a 500; answers stream, as fast as they are
    read. The app learns the ``principal`` from the scope, where no client on a socket could put one.
    """

    def __init__(self, app: App, *, principal: Principal, closing_seconds: float = CLOSING_SECONDS) -> None:
        self._app = app
        self._principal = principal
        self._closing_seconds = closing_seconds
        self._lifespan: _Lifespan | None = None
        self._exchanges: dict[asyncio.Task[None], Exchange] = {}
        self._closing: asyncio.Task[None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand a request to the app.

        Raises:
            httpx.ConnectError: the app could not be started, or this is closed.
            httpx.ConnectTimeout, httpx.ReadTimeout: as the request's timeouts say; the app goes on.
        """
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        await self._started(timeouts.get("connect"))
        exchange = Exchange(request, timeouts.get("read"))
        state = {} if self._lifespan is None else dict(self._lifespan.state)
        task = _spawn(self._app(self._scope(request, state), exchange.receive, exchange.send))
        self._exchanges[task] = exchange
        task.add_done_callback(self._ended)
        return await exchange.response()

    async def aclose(self) -> None:
        """Let running handlers end, within limits, and shut the app down."""
        if self._closing is None:
            # In a task of its own: a caller that is cancelled now must not leave files open behind it.
            self._closing = _spawn(self._shut_down())
        await asyncio.shield(self._closing)

    async def _shut_down(self) -> None:
        for exchange in self._exchanges.values():
            exchange.cut()
        running = set(self._exchanges)
        if running:
            _, running = await asyncio.wait(running, timeout=self._closing_seconds)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=self._closing_seconds)
        if self._lifespan is not None:
            await self._lifespan.shut_down(self._closing_seconds)

    async def _started(self, patience: float | None) -> None:
        if self._closing is not None:
            raise httpx.ConnectError("the service was closed")
        if self._lifespan is None:
            self._lifespan = _Lifespan(self._app)
        problem = await self._lifespan.started(patience)
        if problem is not None:
            raise httpx.ConnectError(f"the service could not be started: {problem}")

    def _scope(self, request: httpx.Request, state: dict[str, Any]) -> Message:
        path, _, query = request.url.raw_path.partition(b"?")
        return {
            "type": "http",
            # The version of the server that carries the same app over TCP: a client that left is told by `receive`.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port),
            "client": None,
            "state": state,
            "extensions": {IN_PROCESS: self._principal},
        }

    def _ended(self, task: asyncio.Task[None]) -> None:
        exchange = self._exchanges.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("the service failed in process", exc_info=error)
        exchange.end(_failed)


def _failed(request: httpx.Request) -> httpx.Response:
    fault = Fault("the service failed to answer", hint="What it was stands in the log of this process.")
    body = to_problem(fault).model_dump_json().encode()
    return httpx.Response(500, headers={"Content-Type": MEDIA_TYPE}, content=body, request=request)


class _Lifespan:
    """The app's life: begun with the first request, ended when the transport is closed."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self._told: asyncio.Queue[str] = asyncio.Queue()
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._problem: str | None = None
        self._told.put_nowait("lifespan.startup")
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = _spawn(app(scope, self._receive, self._send))
        self._task.add_done_callback(self._ended)

    async def started(self, patience: float | None) -> str | None:
        """Wait until the app has started; what went wrong, or nothing.

        Raises:
            httpx.ConnectTimeout: it has not yet.
        """
        try:
            async with asyncio.timeout(patience):
                await self._up.wait()
        except TimeoutError as error:
            raise httpx.ConnectTimeout("the service is still starting") from error
        return self._problem

    async def shut_down(self, seconds: float) -> None:
        """Tell the app to end, and wait for it, for so long at most."""
        self._told.put_nowait("lifespan.shutdown")
        try:
            async with asyncio.timeout(seconds):
                await self._down.wait()
        except TimeoutError:
            _LOG.error("the service did not shut down within %g seconds", seconds)
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=seconds)

    async def _receive(self) -> Message:
        return {"type": await self._told.get()}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self._problem = _last_line(message.get("message", ""))
        if kind.startswith("lifespan.startup."):
            self._up.set()
        else:
            self._down.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("the service's lifespan failed", exc_info=error)
            self._problem = self._problem or str(error) or type(error).__name__
        self._up.set()
        self._down.set()


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it did not say why"])[-1]


def _spawn(work: Awaitable[None]) -> asyncio.Task[None]:
    """A task that shares no context with whoever asked: behind a socket there is none to share."""

    async def run() -> None:
        await work

    return asyncio.get_running_loop().create_task(run(), context=Context())
