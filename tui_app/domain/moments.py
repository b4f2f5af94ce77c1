"""Moments. Text has one form: ISO 8601 in UTC with microseconds and a trailing Z, which sorts as it compares.

Every moment that comes from outside is read here, by :func:`known` and its two relatives for headers and tokens. They
answer none for what cannot be a moment of this program, such as the year 1 or 9999, which many systems write for
"never". What they accept lies far enough from the ends of the calendar that windows, leases and time zones can be
added to it without an overflow.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
"""What lies outside of these two is not a moment at which something happened or will happen."""

LONGEST = LATEST - EARLIEST
"""No stretch of time is longer."""

LONGEST_TEXT = 64
"""Characters of a text that may be a moment."""


def known(value: object) -> datetime | None:
    """The moment that a text in ISO 8601 or a ``datetime`` names, in UTC; none for everything else.

    Without an offset it is taken for UTC. Nothing that is passed in makes this raise.
    """
    if isinstance(value, str) and len(value) <= LONGEST_TEXT:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return _possible(value) if isinstance(value, datetime) else None


def known_epoch(value: object) -> datetime | None:
    """The moment that a number of seconds since 1970 names, as tokens and some headers have it; else none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _possible(datetime.fromtimestamp(value, UTC))
    except (OverflowError, ValueError, OSError):
        return None


def known_date(value: object) -> datetime | None:
    """The moment that a date of HTTP names, as the headers ``Date`` and ``Retry-After`` have it; else none."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return None
    # Here, since it brings the package with it, and most of what is started reads no header.
    from email.utils import parsedate_to_datetime

    try:
        return _possible(parsedate_to_datetime(value))
    except (OverflowError, ValueError, TypeError, IndexError):
        return None


def _possible(moment: datetime) -> datetime | None:
    try:
        found = moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return found if EARLIEST <= found <= LATEST else None


def read(text: object) -> datetime:
    """The same as :func:`known`, for whoever can refuse what is no moment.

    Raises:
        ValueError: it is none.
    """
    moment = known(text)
    if moment is None:
        raise ValueError(f"{str(text)[:LONGEST_TEXT]!r} is not a moment")
    return moment


def stamp(moment: datetime) -> str:
    """The text form of an aware moment."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def stamped(value: object) -> str | None:
    """What :func:`known` reads, in the text form; none where it reads none."""
    moment = known(value)
    return None if moment is None else stamp(moment)


def place(value: object) -> str | None:
    """The same where a moment is only a place in an order: a date that is not known stays as it is written."""
    moment = stamped(value)
    if moment is not None or not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return moment
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return value


def to_the_second(value: object) -> str:
    """A moment as a person reads it in a table, ``2026-01-05 08:00:00Z``; what is no moment, as it is written."""
    moment = known(value)
    return str(value) if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"


def held(seconds: float) -> float:
    """A number of seconds, held to the longest stretch of time either way; what is no number is zero."""
    longest = LONGEST.total_seconds()
    return 0.0 if math.isnan(seconds) else min(max(seconds, -longest), longest)


def stretch(seconds: float) -> timedelta:
    """A number of seconds as a stretch of time that can be added to a moment; see :func:`held`."""
    return timedelta(seconds=held(seconds))


def later(moment: datetime, by: timedelta) -> datetime:
    """A moment moved by a stretch of time, held to the earliest and the latest that there are."""
    try:
        return min(max(moment + by, EARLIEST), LATEST)
    except OverflowError:
        return LATEST if by > timedelta(0) else EARLIEST


def clamped(until: datetime, now: datetime, longest: timedelta) -> datetime:
    """A moment to come that was noted, as far as it can be believed: no later than its longest span from now.

    What is later was noted while the clock was ahead. Whoever asks notes the answer in its place: else the moment would
    move with the clock, and never come.
    """
    return min(until, later(now, longest))


def recent(then: datetime, now: datetime, within: timedelta) -> bool:
    """Whether something was noted less than so long ago; what is noted for later was noted by another clock."""
    return timedelta(0) <= now - then < within


def span(seconds: float) -> str:
    """A length of time as a person says it, in its two largest units."""
    whole = max(0, round(held(seconds)))
    days, hours, minutes, rest = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{days} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def ahead(text: object, now: datetime) -> str:
    """How far off a moment is: "in 9 min 03 s", or "12 s ago"; empty where the text is no moment."""
    moment = known(text)
    if moment is None:
        return ""
    left = (moment - now).total_seconds()
    return f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
