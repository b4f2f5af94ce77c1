"""A console that looks the same on every machine and at every hour, for pictures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from support.backend import make_backend
from support.operator import ROWS, Desk
from support.world import WHO, make_world
from tui_app.client.backend import BackendClient
from tui_app.client.transport import BASE_URL, EmbeddedTransport
from tui_app.contract.principal import Principal
from tui_app.service.app import create_app
from tui_app.systems.commands.demo import NEWEST, seed
from tui_app.tui.app import QuashApp


def still(folder: Path, rows: int = ROWS, *, facts: dict[str, Any] | None = None, **options: Any) -> QuashApp:
    """The console over demo data, an hour after the newest of it; ``facts`` are of the profile."""
    if rows:
        seed(folder / "commands.db", rows)

    def client() -> BackendClient:
        world = make_world(folder)
        world.clock.moment = NEWEST + timedelta(hours=1)
        app = create_app(make_backend(world, **(facts or {})))
        return BackendClient(BASE_URL, EmbeddedTransport(app, principal=Principal(WHO.operator, unlimited=True)))

    return QuashApp(client, utf8=True, **options)


def after(work: Callable[[Desk], Awaitable[object]] | None = None) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """What a picture waits for: rows, then what is done with them, then rest."""

    async def before(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, QuashApp)
        desk = Desk(app, pilot, None)  # type: ignore[arg-type]
        await desk.until(lambda: app.about is not None or app.notice is not None, "an answer")
        await desk.settled()
        if app.size.width >= 120 and app.about is not None:
            await desk.until(lambda: "Trail" in desk.text or not desk.table.rows, "the preview")
        if work is not None:
            await work(desk)
            await desk.settled()
        assert app.crash is None, app.crash.read_text()

    return before
