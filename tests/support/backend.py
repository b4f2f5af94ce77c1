"""The service over a world of its own, reached in process or over TCP: the same tests meet both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx

from support.world import WHO, World, fill, make_world
from tui_app.client.backend import BackendClient
from tui_app.client.transport import BASE_URL, EmbeddedTransport, tcp_transport
from tui_app.contract.principal import OPERATE, Principal
from tui_app.domain.records import RunRecord, Who
from tui_app.engine.heads import Heads
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator, issue_token
from tui_app.service.backend import Backend, Facts
from tui_app.service.connections import Limits
from tui_app.service.listen import Listener, bind

Way = Literal["embedded", "tcp"]
WAYS: tuple[Way, ...] = ("embedded", "tcp")
KEY = bytes(range(32))


def who(name: str) -> Who:
    return replace(WHO, operator=name)


def make_backend(world: World, authenticator: Authenticator | None = None, **facts: Any) -> Backend:
    """What the service stands on, over a world."""
    return Backend(
        facts=Facts(**{"profile": "local", "environment": "local", "host": WHO.host, "store": "SQLite", **facts}),
        store=world.store,
        systems=world.systems,
        planner=world.planner,
        steering=world.steering,
        launcher=world.launcher,
        clock=world.clock,
        who=who,
        fault_log=world.folder / "faults.log",
        heads=Heads("local", syslog=None),
        authenticator=authenticator,
    )


class _Lent(Backend):
    """For guests: what they close stays open for the others."""

    async def close(self) -> None:
        pass


def token(user: str = WHO.operator, permissions: tuple[str, ...] = (OPERATE,), key: bytes = KEY) -> str:
    return issue_token(key, user, now=datetime.now(UTC), permissions=permissions, ttl=timedelta(hours=1))


class _Quiet(Listener):
    """Leaves the signals of the test process alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """An app on a free port of this host: its address."""
    async with quiet_listener(app) as server:
        yield server.url


@asynccontextmanager
async def quiet_listener(app: Any, limits: Limits | None = None) -> AsyncIterator[Listener]:
    """An app on a free port of this host, under limits of its connections."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = _Quiet(app, bind("127.0.0.1", 0), ready.set_result, limits)
    serving = asyncio.create_task(server.listen())
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    try:
        await ready
        yield server
    finally:
        server.should_exit = True
        await serving


@dataclass
class Service:
    """A running service: a client of an operator who may do everything, and the world behind it."""

    way: Way
    world: World
    backend: Backend
    url: str
    client: BackendClient
    transport: Callable[[Principal], httpx.AsyncBaseTransport]

    def client_of(self, user: str, *permissions: str) -> BackendClient:
        """Somebody else's client."""
        principal = Principal(user, frozenset(permissions))
        secret = token(user, permissions) if self.way == "tcp" else None
        return BackendClient(self.url, self.transport(principal), token=secret)

    def raw(self, user: str = WHO.operator, *permissions: str) -> httpx.AsyncClient:
        """Plain HTTP, for requests that no client of ours would make."""
        principal = Principal(user, frozenset(permissions or (OPERATE,)))
        headers = {"Authorization": f"Bearer {token(user, tuple(principal.permissions))}"}
        return httpx.AsyncClient(
            base_url=self.url,
            transport=self.transport(principal),
            headers=headers if self.way == "tcp" else {},
            trust_env=False,
        )

    async def work(self, run: str) -> RunRecord:
        """Be the runner of one run."""
        return await self.world.worker().drive(run)


@asynccontextmanager
async def serving(way: Way, folder: Path, rows: int = 0, world: World | None = None) -> AsyncIterator[Service]:
    """A service with ``rows`` commands in troubleshooting."""
    world = world or make_world(folder)
    if rows:
        fill(folder / "commands.db", rows)
    async with contextlib.AsyncExitStack() as stack:
        if way == "embedded":
            backend = make_backend(world)
            guests = create_app(_Lent(**{field.name: getattr(backend, field.name) for field in fields(backend)}))
            url, transport = BASE_URL, lambda principal: EmbeddedTransport(guests, principal=principal)
            operator = Principal(WHO.operator, unlimited=True)
            client = BackendClient(url, EmbeddedTransport(create_app(backend), principal=operator))
        else:
            backend = make_backend(world, Authenticator({"": KEY}))
            url = await stack.enter_async_context(listening(create_app(backend)))
            transport = lambda principal: tcp_transport(url)  # noqa: E731
            client = BackendClient(url, tcp_transport(url), token=token())
        stack.push_async_callback(client.close)
        yield Service(way, world, backend, url, client, transport)
