"""Notices that the clock of the host was set while a run is driven or between two runners, by one nobody sets."""

from __future__ import annotations

import logging
from datetime import timedelta

from tui_app.domain.clocks import Look, Reading
from tui_app.domain.ports import Clock
from tui_app.domain.records import RunRecord
from tui_app.domain.stores import WorkStore

KEPT_ANEW = timedelta(minutes=1)
"""The journal is told of both clocks this often, for whoever drives the run next."""

_log = logging.getLogger("quash.runner")


class ClockWatch:
    """Watches the clock for one run. ``noted`` tells of the last jump in words; none where there was none.

    It begins with what the journal kept of the runner before, which may have died before the clock was set.
    """

    def __init__(self, work: WorkStore, clock: Clock, run: RunRecord) -> None:
        self._work = work
        self._clock = clock
        self._run_id = run.id
        self._last: Reading | None = None
        self._kept: Reading | None = None
        self.noted = run.clock

    async def look(self) -> None:
        """Compare both clocks since the last look; a jump is logged and noted.

        Raises:
            Unavailable: the journal cannot be read or written.
        """
        if self._last is None and (before := await self._work.last_look(self._run_id)) is not None:
            self._last, self.noted = before.reading, before.jump or self.noted
        reading = Reading.of(self._clock)
        jump = None if self._last is None else reading.jump_since(self._last)
        self._last = reading
        if jump is not None:
            self.noted = jump
            _log.warning("run %s: %s; what was noted before counts for its own span from now", self._run_id, jump)
        if jump is not None or self._kept is None or abs(reading.now - self._kept.now) >= KEPT_ANEW:
            await self._work.keep_look(self._run_id, Look(reading, self.noted))
            self._kept = reading
