"""A runner that is killed: ``python -m support.dying FOLDER RUN POINT NTH [CONNINFO]``.

It drives a run until it has reached a point for the NTH time, and there sends itself SIGKILL. Points are the names of
what the engine calls on the journal and on the system, with ``before_`` or ``after_`` in front.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.world import WHO, make_world
from tui_app.clock import SystemClock
from tui_app.domain.ports import System
from tui_app.engine.worker import Worker

POINTS = (
    "after_claim",
    "before_intend",
    "after_intend",
    "before_execute",
    "after_execute",
    "before_record",
    "after_record",
    "after_verify",
    "after_complete",
)


class Watched:
    """Everything of an object, and the end of this process at one of its calls."""

    def __init__(self, inner: Any, reached: Callable[[str], None]) -> None:
        self._inner, self._reached = inner, reached

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*given: Any, **named: Any) -> Any:
            self._reached(f"before_{name}")
            answer = await found(*given, **named)
            self._reached(f"after_{name}")
            return answer

        return call


CHUNK = 200
"""Small, so that there is a middle to be killed in."""


def system_of(folder: Path, conninfo: str | None) -> System:
    """The command bus of a test, in small chunks: embedded in the folder, or the real one."""
    if conninfo is None:
        from tui_app.systems.commands.embedded import EmbeddedCommands

        return type("SmallEmbedded", (EmbeddedCommands,), {"chunk_size": CHUNK})(folder / "commands.db")
    from tui_app.systems.commands.postgres import PostgresCommands

    return type("SmallPostgres", (PostgresCommands,), {"chunk_size": CHUNK})(conninfo)


async def _drive(folder: Path, run: str, reached: Callable[[str], None], conninfo: str | None) -> None:
    world = make_world(folder, {"commands": system_of(folder, conninfo)})
    systems: Any = {"commands": Watched(world.systems["commands"], reached)}
    store: Any = Watched(world.store, reached)
    store.work = Watched(world.store.work, reached)
    await Worker(f"dying-{os.getpid()}", store, systems, SystemClock(), WHO).drive(run)
    await world.close()


def main() -> None:
    folder, run, point, nth, *rest = sys.argv[1:]
    left = int(nth)

    def reached(name: str) -> None:
        nonlocal left
        left -= name == point
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(_drive(Path(folder), run, reached, rest[0] if rest else None))


if __name__ == "__main__":
    main()
