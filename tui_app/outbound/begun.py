"""Keeps what was read for surveys that came to no end, so that the same survey goes on with it when asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from tui_app.domain.describe import Verb
from tui_app.domain.errors import RateLimited, Unavailable
from tui_app.domain.moments import later, stretch

K = TypeVar("K")
V = TypeVar("V")

BELIEVED = timedelta(seconds=60)
"""How long after the end of the trouble what was read is still used; later it would be out of date."""

LIMITED = timedelta(seconds=60)
"""How long a limit is taken to last that does not say."""

_Wanted = tuple[tuple[str, ...], Verb]


@dataclass(slots=True)
class Begun(Generic[K, V]):
    """What was read for each survey that is not complete: without it a small limit would never let one end."""

    _kept: dict[_Wanted, tuple[datetime, dict[K, V]]] = field(default_factory=dict)

    def take(self, ids: Sequence[str], verb: Verb, now: datetime) -> dict[K, V]:
        """Return what was read for this survey before; nothing where it is a new one."""
        self._kept = {wanted: one for wanted, one in self._kept.items() if now < later(one[0], BELIEVED)}
        _, kept = self._kept.pop((tuple(ids), verb), (now, {}))
        return kept

    def keep(self, ids: Sequence[str], verb: Verb, kept: dict[K, V], trouble: Unavailable, now: datetime) -> None:
        """Keep what was read until the trouble is over; a limit tells whoever waits how much that is."""
        if trouble.retry_after is not None:
            wait = stretch(trouble.retry_after)
        else:
            wait = LIMITED if isinstance(trouble, RateLimited) else timedelta(0)
        if isinstance(trouble, RateLimited):
            trouble.read = sum(one is not None for one in kept.values())
        self._kept[tuple(ids), verb] = (later(now, wait), kept)
