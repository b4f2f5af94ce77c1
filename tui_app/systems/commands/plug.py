"""Commands as a system that a profile can name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tui_app.config import values
from tui_app.config.places import Rooms
from tui_app.config.profiles import EMBEDDED, ID_PATTERN, Setting
from tui_app.config.values import Address
from tui_app.domain.errors import UsageProblem
from tui_app.domain.ports import System
from tui_app.systems.plug import Plug


@dataclass(frozen=True, slots=True)
class CommandsSettings:
    """Where the command bus is."""

    url: Annotated[
        Address,
        Setting(
            values.address("sqlite", "postgresql"),
            "`sqlite:` is embedded, in the state folder; `postgresql://` is the command bus' own database",
            '"postgresql://quash@db.example.com/bus"',
        ),
    ] = EMBEDDED
    id_pattern: Annotated[str | None, ID_PATTERN] = None


def _open(settings: CommandsSettings, rooms: Rooms) -> System:
    if settings.url.scheme == "sqlite":
        from tui_app.systems.commands.embedded import EmbeddedCommands

        return EmbeddedCommands(rooms.system("commands"))
    try:
        from tui_app.systems.commands.postgres import PostgresCommands
    except ImportError as error:
        raise UsageProblem(
            f"a command bus in PostgreSQL needs the package {error.name}",
            hint="Install quash with its extra: quash[postgres].",
        ) from error
    return PostgresCommands(settings.url.reveal())


def _seed(path: Path, rows: int) -> None:
    from tui_app.systems.commands import demo

    demo.seed(path, rows)


PLUG = Plug(CommandsSettings, _open, _seed)
