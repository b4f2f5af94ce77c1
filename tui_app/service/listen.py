"""The service on a socket."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from tui_app.domain.errors import CannotConnect
from tui_app.service.connections import Connections, Limits, protocol_of

CLOSING_SECONDS = 10
"""How long requests that are being answered may take at the end."""

LONGEST_HEAD = 32 * 1024


class Listener(uvicorn.Server):
    """A server on a socket that is bound already; ``ready`` is called once when it answers.

    uvicorn's own limit of connections answers 503 to everybody once it is reached, and it gives a head all the time in
    the world: ``limits`` say what holds in place of both.
    """

    def __init__(
        self, app: ASGIApp, bound: socket.socket, ready: Callable[[str], None], limits: Limits | None = None
    ) -> None:
        self.connections = Connections(limits or Limits())
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol_of(self.connections),  # type: ignore[arg-type] # a class is called like any other maker
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=LONGEST_HEAD,
                timeout_graceful_shutdown=CLOSING_SECONDS,
            )
        )
        self._bound = bound
        self._ready = ready

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._bound.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self._ready(self.url)

    async def listen(self) -> None:
        """Answer until a signal, or ``should_exit``, ends it."""
        await self.serve([self._bound])


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes any that is free.

    Raises:
        CannotConnect: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotConnect(f"{host} is no address of this host: {error}", hint="Give --host.") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise CannotConnect(
            f"{host}:{port} cannot be listened on: {error.strerror}", hint="Give another --host or --port."
        ) from error
    return bound


async def listen(app: ASGIApp, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it; ``ready`` gets the address once it answers.

    Raises:
        CannotConnect: the address cannot be had.
    """
    await Listener(app, bind(host, port), ready).listen()
