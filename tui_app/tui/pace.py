"""How fast a run goes, from what was seen of it."""

from __future__ import annotations

from collections import deque

WINDOW = 10.0
"""Seconds that are looked back on: long enough to be calm, short enough to notice a pause."""


class Pace:
    """Items a second over the last ten seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def forget(self) -> None:
        """Begin anew: what was seen so far says nothing of what comes."""
        self._seen.clear()

    def note(self, now: float, done: int) -> None:
        """``done`` items had an outcome at ``now``, in seconds of any clock that does not jump."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Items a second; None until it can be told."""
        if len(self._seen) < 2:
            return None
        (before, had), (now, has) = self._seen[0], self._seen[-1]
        return (has - had) / (now - before) if now > before and has > had else None

    def left(self, items: int) -> float | None:
        """Seconds until so many more are done, at this rate."""
        return None if self.rate is None else items / self.rate

    def words(self) -> str:
        """The rate as a person says it: by the second, or by the minute where that would be a fraction."""
        rate = self.rate
        if rate is None:
            return ""
        return f"{rate:,.0f} a second" if rate >= 1 else f"{rate * 60:,.1f} a minute"
