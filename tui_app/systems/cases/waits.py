"""Orders that wait for a case API: what it has taken on, and what it is busy with; when to ask again, and how long.

Pure: whoever asks brings the time. The pauses between two questions double, since reads and cancellations are limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tui_app.domain import moments
from tui_app.domain.run import Order

PROCESSING = timedelta(minutes=15)
"""How long a cancellation may take to become complete before nobody waits for it any more."""

FIRST_POLL, LONGEST_POLL = timedelta(seconds=0.5), timedelta(seconds=30)
"""When an accepted cancellation is asked for again, and the longest pause."""

KEY_BUSY = timedelta(seconds=2)
"""How long to wait first where a key is still being processed."""


@dataclass(slots=True)
class Taken:
    """An order that is waited for: since when, until when it can be undone, and when to ask again.

    ``answered``: the server has said that it took this order on. Else the case is being cancelled, and by whom that is
    has to be read afterwards.
    """

    since: datetime
    undo_until: str | None
    due: datetime
    apart: timedelta = FIRST_POLL
    answered: bool = True

    def ask_again(self, now: datetime) -> bool:
        """Put off the next question; false where it has been waited for long enough."""
        self.since = min(self.since, now)
        if now - self.since > PROCESSING:
            return False
        self.apart = min(self.apart * 2, LONGEST_POLL)
        self.due = now + self.apart - FIRST_POLL
        return True


@dataclass(slots=True)
class _Busy:
    """An order whose key the server is still processing: since when we know, when to ask again, and how much later."""

    since: datetime
    due: datetime
    apart: timedelta


@dataclass(slots=True)
class Waits:
    """What waits, by the key of its order."""

    _taken: dict[str, Taken] = field(default_factory=dict)
    _busy: dict[str, _Busy] = field(default_factory=dict)

    def taken(self, order: Order) -> Taken | None:
        """The order as the server took it on; none where it is not known that it has."""
        return self._taken.get(order.key)

    def take(self, order: Order, undo_until: str | None, now: datetime) -> None:
        """The server took the order on just now."""
        known = self._taken.get(order.key)
        if known is None or not known.answered:
            self._taken[order.key] = Taken(now, undo_until, now + FIRST_POLL)

    def found_taken(self, order: Order, now: datetime, *, answered: bool) -> Taken:
        """An order whose case reading shows as being cancelled, or that was answered to an earlier process.

        It is waited for since it was sent, where that is known.
        """
        since = now if order.sent_at is None else moments.read(order.sent_at)
        return self._taken.setdefault(order.key, Taken(since, None, now, answered=answered))

    def still_busy(self, order: Order, asked: timedelta, now: datetime) -> bool:
        """Put the order off, for as long as the server asked at least; false where it was busy for long enough."""
        before = self._busy.get(order.key, _Busy(now, now, KEY_BUSY))
        if now - before.since > PROCESSING:
            return False
        # Each asking counts towards the limit of cancellations.
        apart = min(before.apart * 2, LONGEST_POLL)
        self._busy[order.key] = _Busy(before.since, now + max(asked, before.apart), apart)
        return True

    def wait(self, order: Order, now: datetime) -> bool:
        """Whether it is too early to ask for the order again."""
        waiting = [one for one in (self._busy.get(order.key), self._taken.get(order.key)) if one is not None]
        for one in waiting:
            # What was noted for later than that was noted while the clock was ahead.
            one.since, one.due = min(one.since, now), moments.clamped(one.due, now, PROCESSING)
        return any(now < one.due for one in waiting)
