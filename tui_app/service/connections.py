"""The connections of a service: how long each may say nothing, how many there are, and which gives way to another.

Whoever connects has said nothing about themselves yet. Such a connection gives way to the next one, the oldest first,
so that connections that only stand there keep nobody out. A request with a token that holds takes its connection out
of these: it gives way only while it is idle, and after the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tui_app.contract.problems import MEDIA_TYPE, to_problem
from tui_app.domain.errors import Busy
from tui_app.service.answers import encode
from tui_app.service.auth import PROVEN

REFUSING_SECONDS = 1.0
"""How long a client that is refused may take to read that."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections there may be, and seconds that they may take.

    ``most`` are those of all, ``of_address`` those of one address without a request whose token held, ``of_principal``
    those of one principal. ``head`` is how long a head may take to arrive whole, ``reading`` how long a client may
    read nothing of its answer. For ``settling`` no connection gives way: where many come at once, what each of them
    says is read first. Until then there may be ``slack`` times as many.
    """

    most: int = 200
    of_address: int = 50
    of_principal: int = 32
    head: float = 10.0
    reading: float = 60.0
    settling: float = 0.25
    slack: int = 2


class Connections:
    """The connections that are open, the one that was heard of least recently first."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: list[GuardedProtocol] = []

    def admit(self, one: GuardedProtocol) -> bool:
        """Take in a connection, and end others where there are too many; false where none gives way."""
        limits = self.limits
        while may_end := self._unproven(one.address, limits.of_address):
            self._end(may_end[0])
        while len(self._open) >= limits.most:
            gives_way = self._gives_way()
            if gives_way is None:
                break
            self._end(gives_way)
        else:
            self._open.append(one)
            return True
        if len(self._open) >= limits.most * limits.slack or all(each.principal for each in self._open):
            return False
        self._open.append(one)
        return True

    def _unproven(self, address: str, most: int) -> list[GuardedProtocol]:
        """The connections of an address that may be ended for another one, if these are as many as ``most``."""
        found = [each for each in self._open if each.principal is None and each.address == address]
        if len(found) < most:
            return []
        return found if len(found) >= most * self.limits.slack else [each for each in found if each.settled]

    def _gives_way(self) -> GuardedProtocol | None:
        """The oldest that has shown no token though it was listened to, else the one that has been idle for longest."""
        unproven = (each for each in self._open if each.principal is None and each.settled)
        return next(unproven, None) or next((each for each in self._open if each.principal and not each.busy), None)

    def _end(self, one: GuardedProtocol) -> None:
        self.leave(one)
        one.end()

    def prove(self, one: GuardedProtocol) -> None:
        """A token of this connection held; of too many of its principal's the one ends that was idle for longest."""
        self.heard(one)
        others = [each for each in self._open if each.principal == one.principal and each is not one]
        idle = [each for each in others if not each.busy]
        if len(others) >= self.limits.of_principal and idle:
            self._end(idle[0])

    def heard(self, one: GuardedProtocol) -> None:
        """This one is now the one that was heard of last."""
        if one in self._open:
            self._open.remove(one)
            self._open.append(one)

    def leave(self, one: GuardedProtocol) -> None:
        """It is closed, or ends now."""
        if one in self._open:
            self._open.remove(one)

    def __len__(self) -> int:
        return len(self._open)


class GuardedProtocol(H11Protocol):
    """One connection. A head that does not arrive, and a client that does not read, end it."""

    def __init__(self, *given: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*given, **named)
        self._connections = connections
        self._answering: ASGIApp = self.app
        self.app = self._answer
        self._deadline: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self.principal: str | None = None
        self.busy = self.refused = self.settled = False

    @property
    def address(self) -> str:
        """Of the client."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._connections.admit(self):
            self._expect_head()
            # Timers come after what was read: by then everything that had arrived is known.
            self.loop.call_later(self._connections.limits.settling, self._settle)
        else:
            self._refuse(transport)

    def _settle(self) -> None:
        self.settled = True

    def _refuse(self, transport: asyncio.Transport) -> None:
        """Say that there is no place. What the client sends is still taken in: closing on it would lose the answer."""
        self.refused = True
        transport.write(_full())
        transport.write_eof()
        self._deadline = self.loop.call_later(REFUSING_SECONDS, self.end)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        if not self.busy and self._deadline is None:
            self._expect_head()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.leave(self)
        self._stop_waiting_for_head()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading = self._reading or self.loop.call_later(self._connections.limits.reading, self.end)

    def resume_writing(self) -> None:
        self._stop_waiting_for_reader()
        super().resume_writing()

    def on_response_complete(self) -> None:
        self.busy = False
        self._connections.heard(self)
        super().on_response_complete()

    def end(self) -> None:
        """Cut it."""
        self.transport.abort()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(self._connections.limits.head, self.end)

    def _stop_waiting_for_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None

    def _stop_waiting_for_reader(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self._reading = None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.busy = True
        self._stop_waiting_for_head()
        extensions = {**scope.get("extensions", {}), PROVEN: self._prove}
        await self._answering({**scope, "extensions": extensions}, receive, send)

    def _prove(self, principal: str) -> None:
        self.principal = principal
        self._connections.prove(self)


def _full() -> bytes:
    """What is answered where no connection gives way, before anything was asked."""
    error = Busy("this service answers as many requests as it can at present", hint="Try again in a moment.")
    document = to_problem(error)
    body = encode(document)
    head = (
        f"HTTP/1.1 {document.status} Service Unavailable\r\nContent-Type: {MEDIA_TYPE}\r\nRetry-After: 1\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def protocol_of(connections: Connections) -> Callable[..., asyncio.Protocol]:
    """What makes the protocol of each connection of one service."""

    def make(*given: Any, **named: Any) -> asyncio.Protocol:
        return GuardedProtocol(*given, connections=connections, **named)

    return make
