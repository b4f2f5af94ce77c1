"""What a server answered, read with suspicion, and every form of ``Retry-After``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tui_app.domain.moments import known_date
from tui_app.outbound.recognition import Said

LONGEST_WAIT = 24 * 3600.0
"""What a server asks us to wait is held to this, in seconds."""

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_RESET = re.compile(r"[0-9]{1,13}(\.[0-9]{1,9})?", re.ASCII)
_EPOCH, _EPOCH_MILLIS = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that is one: the system understood, and this is what it says.

    ``headers`` have lower-case names. ``json`` is null where the body is empty; ``text`` is the body as it came.
    ``date`` is the server's own clock, where it told it. ``said`` are the API's own words in a refusal: one without
    them is no answer of the API, and never becomes a response.
    """

    status: int
    headers: Mapping[str, str]
    json: Any
    text: str
    date: datetime | None = None
    said: Said | None = None

    @property
    def refusal(self) -> Said:
        """The API's own words; empty ones where it refused nothing."""
        return self.said or Said("", "")

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


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


def reset_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """In how many seconds the server's limit begins anew, as ``X-RateLimit-Reset`` or ``RateLimit-Reset`` tells it.

    The number is seconds from now, or a moment in seconds or milliseconds since 1970, by the server's own clock where
    it tells it. None where neither header can be read.
    """
    text = next((headers[name] for name in ("x-ratelimit-reset", "ratelimit-reset") if name in headers), "").strip()
    if not _RESET.fullmatch(text):
        return None
    number = float(text)
    if number >= _EPOCH:
        moment = number / 1000 if number >= _EPOCH_MILLIS else number
        number = moment - (date_of(headers) or now).timestamp()
    return min(max(number, 0.0), LONGEST_WAIT)
