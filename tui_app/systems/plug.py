"""How a system is plugged in: what a profile may say of it, how it is opened, and how made-up items get into it.

Every package of a system has a module ``plug`` with one ``PLUG``. It is imported at every start, and so imports neither
its adapters nor anything else that costs time; they come when the system is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tui_app.config.places import Rooms
from tui_app.domain.ports import System

Tell = Callable[[Mapping[str, Any]], None]
"""Is told what was done, as it is done: an ``event``, and its facts."""


class Hands(Protocol):
    """What does the work of a system on this host, where that is ours to do: its scanner and its publisher.

    Both work until ``stop`` is set, or with ``once`` until there is nothing to do, and look again every ``interval``
    seconds. They return how many items they dealt with, by what became of them. Without ``once`` what is unavailable
    is logged and tried again; with it, it is raised.
    """

    async def scan(
        self, stop: asyncio.Event, tell: Tell, *, once: bool, interval: float, batch: int
    ) -> Mapping[str, int]:
        """Queue what is due, at most ``batch`` at a time."""

    async def publish(self, stop: asyncio.Event, tell: Tell, *, once: bool, interval: float) -> Mapping[str, int]:
        """Publish what is queued."""

    async def close(self) -> None:
        """Give back what is open."""


@dataclass(frozen=True, slots=True)
class Plug:
    """One system.

    ``settings`` is the dataclass of its table in a profile, with a default for every key. ``open`` makes the adapter
    that settings ask for, without connecting, and raises ``UsageProblem`` for what this version cannot do. ``seed``
    makes so many items in its embedded file; those that are there stay. ``hands`` opens what does the work of the
    system on this host, for a system that has such, and raises ``UsageProblem`` where somebody else does it.
    ``permissions`` are those that its own routes ask a token for; one that ends with a colon is held for an id that
    stands behind it.
    """

    settings: type[Any]
    open: Callable[[Any, Rooms], System]
    seed: Callable[[Path, int], None]
    hands: Callable[[Any, Rooms], Hands] | None = None
    permissions: tuple[str, ...] = ()
