"""How often each user may ask: the last stretch of time is looked back upon, so that no minute holds more than it may.

The counts are kept in memory. A restart forgets them, which gives a user one stretch anew and costs no write per
request; two services of one profile count apart.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tui_app.domain.errors import RateLimited
from tui_app.domain.rates import Rate

MOST_WINDOWS = 10_000
"""Users times buckets that are remembered before those that are empty are let go."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a user stands in a bucket. ``reset`` is when the oldest request that counts leaves it, in Unix seconds."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """As the answer tells it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@dataclass(slots=True)
class Limiter:
    """Counts requests a user and bucket. One that is refused does not count, so that waiting helps."""

    rates: Mapping[str, Rate]
    _windows: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def take(self, user: str, bucket: str, now: datetime) -> tuple[Standing | None, RateLimited | None]:
        """Count one request. There is no standing where the bucket has no limit, and an error where it is used up."""
        rate = self.rates.get(bucket)
        if rate is None:
            return None, None
        at, per = now.timestamp(), rate.per.total_seconds()
        self._forget(at)
        window = self._windows.setdefault((user, bucket), deque(maxlen=rate.items))
        _expire(window, at, per)
        full = len(window) >= rate.items
        if not full:
            window.append(at)
        free = window[0] + per
        standing = Standing(rate.items, rate.items - len(window), math.ceil(free))
        if not full:
            return standing, None
        wait = max(1, math.ceil(free - at))
        return standing, RateLimited(f"too many requests: {rate} allowed; wait {wait} s", retry_after=wait)

    def _forget(self, at: float) -> None:
        if len(self._windows) < MOST_WINDOWS:
            return
        for name, window in list(self._windows.items()):
            _expire(window, at, self.rates[name[1]].per.total_seconds())
            if not window:
                del self._windows[name]


def _expire(window: deque[float], at: float, per: float) -> None:
    """Let go of what is too old, and of what lies ahead: a clock that was put back must not lock anybody out."""
    while window and window[0] <= at - per:
        window.popleft()
    while window and window[-1] > at:
        window.pop()
