"""Moments in one text form: ISO 8601 in UTC with microseconds and a trailing Z, which sorts as it compares."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(moment: datetime) -> str:
    """The text form of an aware moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read(text: str) -> datetime:
    """An ISO 8601 moment or date; without an offset it is taken for UTC.

    Raises:
        ValueError: it is neither.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def span(seconds: float) -> str:
    """A length of time as a person says it, in its two largest units."""
    whole = max(0, round(seconds))
    days, hours, minutes, rest = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{days} d {hours:02} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def ahead(text: str, now: datetime) -> str:
    """How far off a moment is: "in 9 min 03 s", or "12 s ago"; empty where the text is no moment."""
    try:
        left = (read(text) - now).total_seconds()
    except ValueError:
        return ""
    return f"in {span(left)}" if left > 0 else f"{span(-left)} ago"
