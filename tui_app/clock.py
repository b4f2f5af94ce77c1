"""The clock of the host."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """See ``tui_app.domain.ports.Clock``."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Seconds since the host was started, with the time that it slept where its system counts that."""
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boot is None else time.clock_gettime(boot)
