"""The clock of the host."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """See ``tui_app.domain.ports.Clock``."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)
