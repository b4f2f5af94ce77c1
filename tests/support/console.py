"""A console over a running service, driven by its keys and read as an operator reads it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from textual import events
from textual.pilot import Pilot

from support.backend import Service
from support.canned import Canned
from tui_app.contract.plans import PlanRequest, SelectionModel
from tui_app.tui.app import QuashApp

PATIENCE = float(os.environ.get("QUASH_TEST_PATIENCE", "20.0"))
"""Seconds after which what is waited for is taken not to come."""


class Console(QuashApp):
    """Begins at Runs."""

    DEFAULT_MODE = "runs"


class Operator:
    """Somebody at the keyboard."""

    def __init__(self, app: QuashApp, pilot: Pilot[int], service: Service | None = None) -> None:
        self.app, self.pilot, self._service = app, pilot, service

    @property
    def service(self) -> Service:
        """What is behind the console, where that is a real one."""
        assert self._service is not None
        return self._service

    @property
    def text(self) -> str:
        """Everything that stands on the screen."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.pilot.press(*(_NAMES.get(one, one) for one in text))

    def burst(self, *keys: str) -> None:
        """Keys that reach the console in one go, as those of a fast hand or a slow line do."""
        for key in keys:
            self.app.post_message(events.Key(_NAMES.get(key, key), key if len(key) == 1 else None))

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait for a condition; the screen is shown when it does not come."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what or 'it'} did not come:\n{self.text}"
            await self.pilot.pause()

    async def sees(self, *texts: str) -> None:
        """Wait until all of these stand on the screen, wrapped or not, side by side or not."""
        for text in texts:
            await self.until(lambda text=text: any(_flat(text) in one for one in _columns(self.text)), repr(text))

    async def on(self, screen: type[object]) -> None:
        """Wait until a screen stands and may be typed at."""
        await self.until(lambda: isinstance(self.app.screen, screen) and self.app.screen.is_mounted, screen.__name__)
        await self.pilot.pause()

    async def meanwhile(self, work: Awaitable[object]) -> None:
        """Something that happens elsewhere while the console stands."""
        await asyncio.ensure_future(work)
        await self.pilot.pause()


_NAMES = {" ": "space", "-": "minus", ".": "full_stop", ",": "comma", "/": "slash", ":": "colon"}


def _flat(text: str) -> str:
    return " ".join(text.split())


def _columns(text: str) -> list[str]:
    """The screen as a whole, then what stands left and what stands right of the line between two panes."""
    parts = [line.split("│") for line in text.splitlines()]
    sides = ("\n".join(part[side] for part in parts if len(part) > side) for side in (0, 1))
    return [_flat(text), *(_flat(side) for side in sides)]


@asynccontextmanager
async def open_console(service: Service, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Operator]:
    """The console, connected."""
    client = lambda: service.client_of("jane@example.com", "operate")  # noqa: E731
    app = Console(client, utf8=True, clock=service.world.clock.now)
    async with app.run_test(size=size, notifications=True) as pilot:
        operator = Operator(app, pilot, service)
        await operator.until(lambda: app.about is not None, "an answer")
        yield operator


@asynccontextmanager
async def open_canned(
    canned: Canned, size: tuple[int, int] = (120, 40), environment: str = ""
) -> AsyncIterator[Operator]:
    """The console over given answers, on a profile that calls their ``environment`` so."""
    app = Console(lambda: canned.client(environment), utf8=True)
    async with app.run_test(size=size, notifications=True) as pilot:
        operator = Operator(app, pilot)
        await operator.until(lambda: app.about is not None, "an answer")
        yield operator


def request(ids: Iterable[str] | None = None, filter: str | None = None, reason: str | None = None) -> PlanRequest:
    """Commands to plan, by their ids or by a filter."""
    chosen = SelectionModel(system="commands", ids=None if ids is None else list(ids), filter=filter)
    return PlanRequest(selections=[chosen], reason=reason)
