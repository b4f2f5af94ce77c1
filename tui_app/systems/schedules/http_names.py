"""What the numbers in a list stand for, where a service lists numbers: the names of channels, the content of variants.

They are read apart, and cost requests that a service may count: the names of all channels take one request, and each
content takes one of its own. Both are kept for a while, and contents are read within an allowance. What is not read
stays a number, and says so.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from tui_app.domain import moments
from tui_app.domain.errors import NotAllowed, NotSignedIn, RateLimited, Unavailable
from tui_app.domain.ports import Clock
from tui_app.systems.schedules.bodies import Row

T = TypeVar("T")

KEPT = timedelta(minutes=10)
"""How long a name is believed."""

MOST_KEPT = 2_000
"""Contents that are kept at most: those that were needed last."""

WINDOW = timedelta(minutes=15)
"""In which the allowance is counted: the longest usual window of a limit."""

ALLOWANCE = 60
"""Contents that are read in a window at most, beside every other request."""

LISTED = 20
"""How many of them may be for lists: the others are for what the operator looks at by itself."""

AGAIN = timedelta(minutes=1)
"""After how long names are asked for again that could not be read."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a number stands for, as it was read at a moment; or that it was not told."""

    text: str
    read_at: datetime


def _lacks_content(row: Row) -> bool:
    return not (row.content or row.unread) and bool(row.post_variant)


class Names:
    """The names of one service; nothing that is asked for here may prevent what it is asked for."""

    def __init__(
        self,
        channels: Callable[[], Awaitable[Mapping[str, str]]],
        content: Callable[[str], Awaitable[str]],
        clock: Clock,
    ) -> None:
        self._read_channels, self._read_content = channels, content
        self._clock = clock
        self._reading = asyncio.Lock()
        self._channels: Mapping[str, str] = {}
        self._channels_at: datetime | None = None
        self._contents: OrderedDict[str, _Known] = OrderedDict()
        self._spent: deque[datetime] = deque()
        self._quiet_until: datetime | None = None

    async def know_channels(self) -> bool:
        """Read the names of channels, where they were not read lately; whether they are known then."""
        async with self._reading:
            if not self._channels_known and not self._quiet():
                found = await self._tried(self._read_channels())
                if found is not None:
                    self._channels, self._channels_at = found, self._clock.now()
            return self._channels_known

    @property
    def _channels_known(self) -> bool:
        return self._channels_at is not None and moments.recent(self._channels_at, self._clock.now(), KEPT)

    async def with_channels(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Return the rows with the names of their channels; a number says whether it has none or was not read."""
        why = "name not told" if not rows or await self.know_channels() else "name not read"
        return tuple(
            row
            if row.channel != row.channel_connection or not row.channel
            else replace(row, channel=self._channels.get(row.channel_connection, f"{row.channel} ({why})"))
            for row in rows
        )

    async def with_contents(self, rows: Sequence[Row], allowance: int) -> list[Row]:
        """Return the rows with the content of their variants, of which so many may have been read in a window."""
        now = self._clock.now()
        lacking = dict.fromkeys(row.post_variant for row in rows if _lacks_content(row) and not self._fresh(row, now))
        await asyncio.gather(*(self._learn(variant, allowance, now) for variant in list(lacking)[:allowance]))
        why = self._why_not_read()
        return [
            replace(row, content=self._content(row.post_variant, why)) if _lacks_content(row) else row for row in rows
        ]

    def _fresh(self, row: Row, now: datetime) -> bool:
        known = self._contents.get(row.post_variant)
        return known is not None and moments.recent(known.read_at, now, KEPT)

    def _why_not_read(self) -> str:
        if self._quiet():
            return "the service could not be asked, and is asked again later"
        if len(self._spent) >= ALLOWANCE:
            return f"{ALLOWANCE} were, as many as may be in {WINDOW.total_seconds() / 60:.0f} minutes"
        return "opening it reads it"

    def _content(self, variant: str, why: str) -> str:
        known = self._contents.get(variant)
        if known is None:
            return f"(variant {variant}: content not read: {why})"
        self._contents.move_to_end(variant)
        return known.text

    async def _learn(self, variant: str, allowance: int, now: datetime) -> None:
        while self._spent and not moments.recent(self._spent[0], now, WINDOW):
            self._spent.popleft()
        if len(self._spent) >= allowance or self._quiet():
            return
        self._spent.append(now)
        answer = await self._tried(self._read_content(variant))
        if answer is None:
            return
        self._contents[variant] = _Known(answer or f"(variant {variant}: content not told)", now)
        if len(self._contents) > MOST_KEPT:
            self._contents.popitem(last=False)

    async def _tried(self, reading: Awaitable[T]) -> T | None:
        """Read; where that fails, leave names alone for as long as the service asks for, or a while."""
        try:
            return await reading
        except RateLimited as limited:
            wait = WINDOW if limited.retry_after is None else moments.stretch(limited.retry_after)
        except (Unavailable, NotAllowed, NotSignedIn):
            wait = AGAIN
        self._quiet_until = moments.later(self._clock.now(), wait)
        return None

    def _quiet(self) -> bool:
        if self._quiet_until is None:
            return False
        self._quiet_until = moments.clamped(self._quiet_until, self._clock.now(), WINDOW)
        return self._clock.now() < self._quiet_until
