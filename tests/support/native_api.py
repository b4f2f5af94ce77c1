"""A native API of two routes over a shelf of boxes, with everything that the shared part has to handle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from pydantic import Field

from support.backend import KEY, WHO, Way, listening, make_backend, token
from support.world import MovableClock, make_world
from tui_app.client.transport import BASE_URL, EmbeddedTransport
from tui_app.contract.principal import Principal
from tui_app.domain.rates import Rate
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.backend import Backend
from tui_app.service.native.dispatch import NativeService
from tui_app.service.native.idempotency import HEADER, Answers
from tui_app.service.native.table import Declined, Failure, Native, NativeApi, NativeCall, NativeRoute

MINUTE = timedelta(minutes=1)
BOX = "/api/v2/boxes/{box}"
OPEN = "/api/v2/boxes/{box}/open"


class Look(Native):
    deep: bool = False


class Why(Native):
    reason: str = Field(min_length=1, max_length=20)
    times: int = 1


class Box(Native):
    box: str
    opened: int
    by: str


class Wrong(Native):
    wrong: dict[str, Any]


def envelope(failure: Failure) -> Mapping[str, Any]:
    told = {"code": failure.code, "message": failure.message, "details": dict(failure.details)}
    return {"wrong": {**told, "request": failure.request_id, "at": failure.at}}


@dataclass
class Shelf:
    """What the routes act on. ``gate`` holds a handler back; ``mood`` is what it raises, after the effect if told."""

    opened: list[tuple[str, str]] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None
    mood: Exception | None = None
    after_effect: bool = False

    async def look(self, call: NativeCall[Look, None]) -> Mapping[str, Any]:
        if self.mood is not None:
            raise self.mood
        return {"box": call.parts["box"], "opened": len(self.opened), "by": call.actor.name}

    async def open(self, call: NativeCall[Native, Why]) -> Box:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.mood is not None and not self.after_effect:
            raise self.mood
        if not any(key == call.key for _, key in self.opened):
            self.opened.append((call.parts["box"], call.key))
        if self.mood is not None:
            raise self.mood
        if call.body.reason == "held":
            raise Declined(409, "HELD", "the box is held", holder="the porter")
        return Box(box=call.parts["box"], opened=len(self.opened), by=call.actor.name)

    def api(self, limits: Mapping[str, Rate], user_header: str | None = "X-User-ID") -> NativeApi:
        return NativeApi(
            "boxes",
            ("/api/v2/",),
            (
                NativeRoute("GET", BOX, "box", "A box", self.look, Box, query=Look),
                NativeRoute("POST", OPEN, "open_box", "Open a box", self.open, Box, body=Why, keyed=True,
                            bucket="open", errors={409: "it is held"}),
            ),
            envelope,
            Wrong,
            user_header,
            limits,
        )  # fmt: skip


class _Open(EmbeddedTransport):
    """Outlives the clients that use it."""

    async def aclose(self) -> None:
        pass

    async def shut(self) -> None:
        await super().aclose()


@dataclass
class Served:
    """The fake API on a running service, and the way to it."""

    url: str
    transport: httpx.AsyncBaseTransport | None
    shelf: Shelf
    clock: MovableClock
    folder: Path
    api: NativeApi
    native: NativeService
    backend: Backend

    def http(self, user: str = WHO.operator, **headers: str) -> httpx.AsyncClient:
        given = {"Authorization": f"Bearer {token(user)}", "X-User-ID": user, **headers}
        sent = {name: value.encode() for name, value in given.items() if value}
        return httpx.AsyncClient(base_url=self.url, transport=self.transport, headers=sent, trust_env=False)

    async def open(self, http: httpx.AsyncClient, key: str = "", box: str = "b1", **body: Any) -> httpx.Response:
        body = body or {"reason": "to look"}
        return await http.post(OPEN.format(box=box), json=body, headers={HEADER: key or str(uuid4())})


@asynccontextmanager
async def native_service(
    way: Way,
    folder: Path,
    shelf: Shelf | None = None,
    *,
    read_only: bool = False,
    user_header: str | None = "X-User-ID",
) -> AsyncIterator[Served]:
    """A service with the fake API, in this process or on a socket; started again in a folder it knows its keys."""
    shelf, world = shelf or Shelf(), make_world(folder)
    api = shelf.api({"read": Rate(100, MINUTE), "open": Rate(5, MINUTE)}, user_header)
    native = NativeService([api], Answers(folder / "native.db"), world.clock, read_only=read_only)
    backend = replace(make_backend(world, Authenticator({"": KEY})), native=native)
    async with AsyncExitStack() as stack:
        transport = None
        if way == "tcp":
            url = await stack.enter_async_context(listening(create_app(backend)))
        else:
            url, transport = BASE_URL, _Open(create_app(backend), principal=Principal("nobody"))
            stack.push_async_callback(transport.shut)
        yield Served(url, transport, shelf, world.clock, folder, api, native, backend)
