"""What a server answered, read with suspicion: JSON without its traps, and every form of ``Retry-After``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from tui_app.domain.moments import known_date

LONGEST_WAIT = 24 * 3600.0
"""What a server asks us to wait is held to this, in seconds."""

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_WHOLE = 2**63


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that is one: the system understood, and this is what it says.

    ``headers`` have lower-case names. ``json`` is null where the body is empty or, with an error's status, not JSON;
    ``text`` is the body as it came. ``date`` is the server's own clock, where it told it.
    """

    status: int
    headers: Mapping[str, str]
    json: Any
    text: str
    date: datetime | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


def parse(body: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, or holds what no JSON should: NaN, infinity, numbers beyond 64 bits, half characters, or
            hundreds of levels.
    """
    value = from_json(body, allow_inf_nan=False)
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
        elif isinstance(one, float):
            if not math.isfinite(one):
                raise ValueError("a number without end")
        elif isinstance(one, int) and not -_WHOLE <= one < _WHOLE:
            raise ValueError("a number beyond 64 bits")
    return value


def date_of(headers: Mapping[str, str], name: str = "date") -> datetime | None:
    """The moment in a header, aware, in UTC; none where there is none."""
    return known_date(headers.get(name))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """How many seconds the server asks us to wait; none where it does not say so in a way that can be read.

    A moment is taken by the server's own clock where it tells it, else by ``now``.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_WAIT)
    moment = date_of({"date": text})
    if moment is None:
        return None
    left = (moment - (date_of(headers) or now)).total_seconds()
    return min(max(left, 0.0), LONGEST_WAIT)
