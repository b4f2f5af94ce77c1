"""Letters as a system that a profile can name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tui_app.config import values
from tui_app.config.places import Rooms
from tui_app.config.profiles import EMBEDDED, Setting
from tui_app.config.values import Address
from tui_app.domain.ports import System
from tui_app.systems.plug import Plug


@dataclass(frozen=True, slots=True)
class LettersSettings:
    """Where the letters lie."""

    url: Annotated[Address, Setting(values.address("sqlite"), "`sqlite:`", '"sqlite:"')] = EMBEDDED


def _open(settings: LettersSettings, rooms: Rooms) -> System:
    from support.letters.system import Letters

    return Letters(rooms.system("letters"))


def _seed(path: Path, rows: int) -> None:
    from support.letters import records

    records.seed(path, rows)


PLUG = Plug(LettersSettings, _open, _seed)
