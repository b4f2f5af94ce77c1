"""The clocks of the host."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import uuid4

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux names the present start of the host."""


class SystemClock:
    """See ``tui_app.domain.ports.Clock``."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Seconds since the host was started, with the time that it slept where its system counts that."""
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if boot is None else time.clock_gettime(boot)

    def boot(self) -> str:
        """Where the host does not name its present start, a name of this process."""
        return _boot()


@cache
def _boot() -> str:
    with suppress(OSError, ValueError):
        return BOOT.read_text(encoding="ascii").strip() or str(uuid4())
    return str(uuid4())
