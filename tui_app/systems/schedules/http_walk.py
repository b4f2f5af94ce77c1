"""Walking the list of a service by the moment at which schedules go out, so that none is lost between two requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tui_app.domain.errors import MalformedFilter
from tui_app.systems.schedules.bodies import Row
from tui_app.systems.schedules.dialects import Ask, Listed, through
from tui_app.systems.schedules.http_wire import Wire

READINGS = 40
"""Requests for the schedules of one moment at most, where one answer does not hold all of them and the service gives
them in another order each time: each time it is read through, about a third of them is missed."""


class Unlistable(MalformedFilter):
    """The service answers, and its list cannot be told to its end: asking again is no help, a narrower list may be."""


@dataclass
class Walk:
    """One list, walked from its first moment to its last, or the other way; ``rows`` are those that were met."""

    wire: Wire
    ask: Ask
    rows: dict[str, Row] = field(default_factory=dict)
    done: bool = False
    _readings: int = 0
    _total: int = 0
    _large: bool = False
    """Whether as many rows at a time are asked for as the service gives."""

    @property
    def frontier(self) -> str | None:
        """How far it has come: of those at this moment, and beyond it, some may not have been met."""
        return self.ask.end if self.ask.descending else self.ask.start

    def met_all(self, row: Row) -> bool:
        """Whether every schedule up to this one was met."""
        at = self.frontier
        return self.done or (at is not None and (through(row.run_at) > at if self.ask.descending else row.run_at < at))

    async def step(self) -> None:
        """Read on.

        Raises:
            Unavailable: nothing was learned.
            Unlistable: it is no list that can be walked.
        """
        listed = await self.wire.listed(self.ask)
        if listed.more and self.ask.page == 1 and 0 < len(listed.rows) < self.ask.limit:
            # It gives fewer at a time than were asked for: places count by what it gives.
            self.ask = replace(self.ask, limit=len(listed.rows))
        due = [row.run_at for row in listed.rows]
        if due != sorted(due, reverse=self.ask.descending):
            raise Unlistable("the service does not list schedules by the moment at which they go out", hint="")
        self.rows.update((row.id, row) for row in listed.rows)
        self._readings += 1
        if self.ask.page == 1:
            self._total = listed.total
        moved = bool(due) and self._beyond(due[-1])
        if listed.more and await self._enlarged(due):
            return
        if listed.more and not moved and self.ask.page * self.ask.limit < listed.total:
            self.ask = replace(self.ask, page=self.ask.page + 1)
        elif self.ask.page > 1 and self._lacks(listed, due, moved=moved):
            self._again()
        elif listed.more and moved:
            self._readings = 0
            if self.ask.descending:
                self.ask = replace(self.ask, page=1, end=through(due[-1]))
            else:
                self.ask = replace(self.ask, page=1, start=due[-1])
        else:
            self.done = True

    async def _enlarged(self, due: Sequence[str]) -> bool:
        """Ask for as many at a time as the service gives, where an answer holds one moment alone, and not all of it."""
        most = (await self.wire.dialect()).most
        if self._large or not due or due[0] != due[-1] or most <= self.ask.limit:
            return False
        self._large, self.ask = True, replace(self.ask, page=1, limit=most)
        return True

    def _lacks(self, listed: Listed, due: Sequence[str], *, moved: bool) -> bool:
        """Whether some of the moment that fills several answers were not met: fewer are known than stand in front."""
        if listed.total < self._total:
            # Some have left meanwhile, and what stood behind them was passed over.
            return True
        if listed.more and moved:
            in_front = (self.ask.page - 1) * self.ask.limit + sum(one != due[-1] for one in due)
            return self._met(due[-1]) < in_front
        return self._met() < min(listed.total, self.ask.page * self.ask.limit)

    def _beyond(self, moment: str) -> bool:
        at = self.frontier
        return at is None or (through(moment) < at if self.ask.descending else moment > at)

    def _met(self, until: str | None = None) -> int:
        """How many were met from the frontier on, as far as a moment that is not counted, or in all."""
        at = self.frontier

        def counts(moment: str) -> bool:
            if self.ask.descending:
                return (at is None or moment <= at) and (until is None or moment > until)
            return (at is None or moment >= at) and (until is None or moment < until)

        return sum(counts(row.run_at) for row in self.rows.values())

    def _again(self) -> None:
        """Some of one moment were told twice, and so others not at all: they are in no order, and are read again."""
        if self._readings >= READINGS:
            at = (self.frontier or "")[:19]
            raise Unlistable(
                f"the service lists the schedules of {at}Z in another order each time, more of them than it gives at a "
                f"time: {self._met():,} could be read, and the list cannot be told to its end",
                hint="Narrow it by status, or by run_at to before or after that moment; or bring the ids.",
            )
        self.ask = replace(self.ask, page=1)
