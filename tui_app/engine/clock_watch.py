"""Notices that the clock of the host was set, by a second clock that nobody can set."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from tui_app.domain.moments import span
from tui_app.domain.ports import Clock

TOLERANCE = timedelta(seconds=5)
"""A clock that is only slewed, and a host that is busy, differ by less than this between two looks."""

_log = logging.getLogger("quash.runner")


class ClockWatch:
    """Watches one clock for one run. ``noted`` tells of the last jump in words; none where there was none."""

    def __init__(self, clock: Clock, run_id: str) -> None:
        self._clock = clock
        self._run_id = run_id
        self._wall, self._steady = self._read()
        self.noted: str | None = None

    def look(self) -> None:
        """Compare both clocks since the last look; a jump is logged and noted."""
        wall, steady = self._read()
        jump = (wall - self._wall) - timedelta(seconds=steady - self._steady)
        self._wall, self._steady = wall, steady
        if abs(jump) > TOLERANCE:
            seconds = jump.total_seconds()
            self.noted = f"the clock was set {'forward' if seconds > 0 else 'back'} by {span(abs(seconds))}"
            _log.warning("run %s: %s; what was noted before counts for its own span from now", self._run_id, self.noted)

    def _read(self) -> tuple[datetime, float]:
        return self._clock.now(), self._clock.steady()
