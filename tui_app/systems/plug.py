"""How a system is plugged in: what a profile may say of it, how it is opened, and how made-up items get into it.

Every package of a system has a module ``plug`` with one ``PLUG``. It is imported at every start, and so imports neither
its adapters nor anything else that costs time; they come when the system is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui_app.config.places import Rooms
from tui_app.domain.ports import System


@dataclass(frozen=True, slots=True)
class Plug:
    """One system.

    ``settings`` is the dataclass of its table in a profile, with a default for every key. ``open`` makes the adapter
    that settings ask for, without connecting, and raises ``UsageProblem`` for what this version cannot do. ``seed``
    makes so many items in its embedded file; those that are there stay.
    """

    settings: type[Any]
    open: Callable[[Any, Rooms], System]
    seed: Callable[[Path, int], None]
