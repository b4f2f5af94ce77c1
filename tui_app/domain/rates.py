"""How fast a system may be sent to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

UNITS = {"second": 1, "minute": 60, "hour": 3600}
"""What a rate may be per, in seconds."""

ASKED = timedelta(minutes=15)
"""A system that asks to be left alone is left alone no longer than this at a time."""

TURN = timedelta(seconds=2)
"""About as much work is taken on at once: what has been begun is not interrupted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many items in a stretch of time, which is one of the units."""

    items: int
    per: timedelta

    def __str__(self) -> str:
        unit = next(name for name, seconds in UNITS.items() if seconds == self.per.total_seconds())
        return f"{self.items}/{unit}"

    def time_for(self, items: int) -> timedelta:
        """About how long it takes to send so many."""
        return self.per * items / self.items

    @property
    def turn(self) -> int:
        """Items that are sent together under this rate."""
        return min(self.items, max(1, int(self.items * (TURN / self.per))))


def longest_gate(rate: str | None) -> timedelta:
    """How long a system may be closed: by our own rate for one of its units and a tick, else for as long as it may ask.

    ``rate`` is in its text form.
    """
    return ASKED if rate is None else timedelta(seconds=UNITS.get(rate.partition("/")[2], max(UNITS.values())) + 1)
