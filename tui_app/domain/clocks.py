"""The two clocks of a host: one that tells the time and may be set, and one that nobody sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tui_app.domain.moments import span
from tui_app.domain.ports import Clock

TOLERANCE = timedelta(seconds=5)
"""A clock that is only slewed, and a host that is busy, differ by less than this between two readings."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks, read together.

    ``steady`` counts seconds since some beginning, by a clock that does not stop while the host sleeps; two of them can
    be compared where their ``boot`` is the same.
    """

    now: datetime
    steady: float
    boot: str

    @classmethod
    def of(cls, clock: Clock) -> Reading:
        """What the clocks tell now."""
        return cls(clock.now(), clock.steady(), clock.boot())

    def jump_since(self, before: Reading) -> str | None:
        """How the clock was set since another reading, in words; none where it was not, as far as can be known.

        Once the host was started anew, only a time that lies behind the former one tells of it.
        """
        passed = self.now - before.now
        if self.boot == before.boot:
            passed -= timedelta(seconds=self.steady - before.steady)
            if abs(passed) <= TOLERANCE:
                return None
            return f"the clock was set {_words(passed)}"
        return None if passed >= -TOLERANCE else f"the clock was set back by at least {span(-passed.total_seconds())}"


@dataclass(frozen=True, slots=True)
class Look:
    """What a runner saw when it looked at the clocks last, with the last jump that it knew of, in words."""

    reading: Reading
    jump: str | None = None


def _words(jump: timedelta) -> str:
    seconds = jump.total_seconds()
    return f"{'forward' if seconds > 0 else 'back'} by {span(abs(seconds))}"
