"""Cases over HTTP on the bench: our own service on a socket, over an embedded bench, and our client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.backend import KEY as SIGNING
from support.backend import WHO, listening, make_backend, token
from support.cases_bench import CasesBench
from support.world import make_world
from tui_app.outbound.answers import Response
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.native.cases import api
from tui_app.service.native.dispatch import NativeService
from tui_app.service.native.idempotency import Answers
from tui_app.systems.cases.dialects import error_of
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.line import CaseLine
from tui_app.systems.cases.plug import CasesSettings

CANCEL = ("operate", "cancel_case")


class Undated(HttpService):
    """The case management has a clock that a test moves; the socket's server has not, and dates its answers wrongly."""

    async def read(self, *parts: str, **more: Any) -> Response:
        return replace(await super().read(*parts, **more), date=None)


class HttpCasesBench(CasesBench):
    """The scenes are set in the file; what the operator has is the way over the network.

    The API is told no run, takes the operator from the token, and refuses notes with control characters.
    """

    url = ""
    lacks: Collection[str] = ("runs", "operators", "controls", "locks")

    def __init__(self, folder: Path, **times: float) -> None:
        super().__init__(folder, **times)
        self.ways: list[HttpCases] = []

    def embedded(self) -> Any:
        """The system behind the service."""
        return super().open()

    def open(self, **more: Any) -> Any:
        tokens = TokenSource.given(token(WHO.operator, CANCEL))
        service = Undated(self.url, tokens=tokens, shape=error_of, clock=self.clock)

        async def wait(seconds: float) -> None:
            self.clock.forward(seconds)

        line = CaseLine(service, tokens, WHO.operator, clock=self.clock, contact="#case-ops", wait=wait)
        system = HttpCases(line, self.url, **more)
        self.ways.append(system)
        return system


@asynccontextmanager
async def cases_http_bench(
    folder: Path, settings: Mapping[str, Any] | None = None, **times: float
) -> AsyncIterator[HttpCasesBench]:
    """Our own service on a socket, and the bench of its cases; without limits unless the settings say so."""
    bench = HttpCasesBench(folder, **times)
    limits = {"native_rate": None, "native_read_rate": None, **(settings or {})}
    routes = api(bench.embedded().desk, CasesSettings(**limits))
    native = NativeService([routes], Answers(folder / "native.db"), bench.clock)
    backend = replace(make_backend(make_world(folder), Authenticator({"": SIGNING})), native=native)
    try:
        async with listening(create_app(backend)) as url:
            bench.url = url
            yield bench
    finally:
        for way in [*bench.ways, *bench.opened]:
            await way.close()
