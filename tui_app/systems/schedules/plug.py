"""How schedules are plugged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.config.profiles import SchedulesSettings
from tui_app.domain.errors import UsageProblem
from tui_app.systems.plug import Plug

if TYPE_CHECKING:
    from pathlib import Path

    from tui_app.config.places import Rooms
    from tui_app.domain.ports import Clock, System


def open_(settings: SchedulesSettings, rooms: Rooms, clock: Clock | None = None) -> System:
    """The schedules that a profile names; nothing is connected yet.

    Raises:
        UsageProblem: they are not embedded, which this version cannot do.
    """
    if settings.url.scheme != "sqlite":
        raise UsageProblem(
            f"this version has no schedules at {settings.url}", hint="Leave `url` out: they are then embedded."
        )
    from tui_app.systems.schedules.embedded import EmbeddedSchedules

    return EmbeddedSchedules(rooms.system("schedules"), clock, server_rate=settings.server_rate)


def seed(path: Path, rows: int) -> None:
    """Make the first ``rows`` schedules of the demo in a file; those that exist stay as they are."""
    from tui_app.systems.schedules import demo

    demo.seed(path, rows)


PLUG = Plug(name="schedules", settings=SchedulesSettings, open=open_, seed=seed)
