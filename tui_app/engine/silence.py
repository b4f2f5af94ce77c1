"""Tells whoever watches a run that a system has not answered for a while, and since when."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

from tui_app.domain.errors import Unavailable
from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock, TellsSilence
from tui_app.domain.stores import WorkStore

SILENT = timedelta(seconds=3)
"""How long a system may take to answer before it is said that it has not."""

EVERY = 1.0
"""Seconds between two looks at whether a system answers."""


@dataclass(slots=True)
class Silence:
    """Keeps in the journal which systems do not answer the runner of one run.

    What an earlier runner left there is cleared with the first look.
    """

    work: WorkStore
    clock: Clock
    run_id: str
    every: float = EVERY
    _told: dict[str, str | None] = field(default_factory=dict)
    _mute: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def watched(self, name: str, system: object) -> AsyncIterator[None]:
        """Look at a system again and again while the block works with it."""
        if name in self._mute or not isinstance(system, TellsSilence):
            # To ask a protocol costs as much as some items, and the answer stays the same.
            self._mute.add(name)
            yield
            return
        watching = asyncio.create_task(self._watch(name, system))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self._tell(name, system)

    async def _watch(self, name: str, system: TellsSilence) -> None:
        while True:
            await asyncio.sleep(self.every)
            await self._tell(name, system)

    async def _tell(self, name: str, system: TellsSilence) -> None:
        since = system.silent_since
        long = since is not None and self.clock.now() - since >= SILENT
        told = stamp(since) if since is not None and long else None
        if name in self._told and self._told[name] == told:
            return
        # A journal that is busy is told with the next look; the run does not depend on it.
        with contextlib.suppress(Unavailable):
            await self.work.note_silence(self.run_id, name, told)
            self._told[name] = told
