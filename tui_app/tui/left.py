"""The time that is left until a moment, as a person says it, and whether that is close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tui_app.domain.moments import known

CLOSE = 600.0
"""Seconds before a moment from which it is said to the second, and in amber."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def now() -> datetime:
    """The time that is counted from, unless a console is given another clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Left:
    """So many seconds until a moment; fewer than none once it has passed."""

    seconds: float

    @property
    def past(self) -> bool:
        """Whether the moment has passed."""
        return self.seconds <= 0

    @property
    def close(self) -> bool:
        """Whether it comes within ten minutes."""
        return 0 < self.seconds < CLOSE

    @property
    def words(self) -> str:
        """Whether to come or gone by: "in 8 min 12 s", "5 min ago"."""
        return f"{self.span} ago" if self.past else f"in {self.span}"

    @property
    def span(self) -> str:
        """How long alone, never longer than "59 min 59 s"; to the second where it is close."""
        # What is left is rounded up, and what has passed down: a second that is left is never said to be none.
        whole = int(-self.seconds) if self.past else -int(-self.seconds // 1)
        hours, minutes = whole // _HOUR, whole % _HOUR // _MINUTE
        if whole >= 2 * _DAY:
            return f"{whole // _DAY} d"
        if whole >= 10 * _HOUR:
            return f"{hours} h"
        if hours:
            return f"{hours} h {minutes:02} min"
        if whole >= _MINUTE:
            seconds = whole % _MINUTE
            return f"{minutes} min {seconds:02} s" if self.close and seconds else f"{minutes} min"
        return f"{whole} s"


def left(moment: object, since: datetime) -> Left | None:
    """What is left until a moment in its text form; none where there is no moment."""
    found = known(moment)
    return None if found is None else Left((found - since).total_seconds())
