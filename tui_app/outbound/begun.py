"""Surveys that a limit of reads has cut off, until whoever asked comes back for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from tui_app.domain.describe import Verb
from tui_app.domain.errors import RateLimited
from tui_app.domain.moments import later, stretch

K = TypeVar("K")
V = TypeVar("V")

BELIEVED = timedelta(seconds=60)
"""How long after the end of a limit its survey is still waited for; later it would be an old truth."""

LIMITED = timedelta(seconds=60)
"""How long a limit is taken to last that does not say."""

_Wanted = tuple[tuple[str, ...], Verb]


@dataclass(slots=True)
class Begun(Generic[K, V]):
    """What was read for each survey that is not complete: without it a small limit would never let one end."""

    _kept: dict[_Wanted, tuple[datetime, dict[K, V]]] = field(default_factory=dict)

    def take(self, ids: Sequence[str], verb: Verb, now: datetime) -> dict[K, V]:
        """What was read for this survey before; nothing where it is a new one."""
        self._kept = {wanted: one for wanted, one in self._kept.items() if now < later(one[0], BELIEVED)}
        _, kept = self._kept.pop((tuple(ids), verb), (now, {}))
        return kept

    def keep(self, ids: Sequence[str], verb: Verb, kept: dict[K, V], limited: RateLimited, now: datetime) -> None:
        """Keep what was read for a survey that can go on when a limit is over."""
        wait = LIMITED if limited.retry_after is None else stretch(limited.retry_after)
        self._kept[tuple(ids), verb] = (later(now, wait), kept)
