"""Walking the list of a service by the moment at which schedules go out, so that none is lost between two requests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tui_app.domain.errors import Unavailable
from tui_app.systems.schedules.bodies import Row
from tui_app.systems.schedules.dialects import Ask, through
from tui_app.systems.schedules.http_wire import Wire

PASSES = 3
"""How often schedules of one moment are read where the service gives them in another order each time."""


class Unlistable(Unavailable):
    """The service answers, and its list cannot be walked."""


@dataclass
class Walk:
    """One list, walked from its first moment to its last, or the other way; ``rows`` are those that were met."""

    wire: Wire
    ask: Ask
    rows: dict[str, Row] = field(default_factory=dict)
    done: bool = False
    _passes: int = 1

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
            Unavailable: nothing was learned, or it is no list that can be walked.
        """
        listed = await self.wire.listed(self.ask)
        due = [row.run_at for row in listed.rows]
        if due != sorted(due, reverse=self.ask.descending):
            raise Unlistable("the service does not list schedules by the moment at which they go out", hint="")
        self.rows.update((row.id, row) for row in listed.rows)
        moved = bool(due) and self._beyond(due[-1])
        told = min(listed.total, self.ask.page * self.ask.limit)
        if listed.more and not moved and told < listed.total:
            self.ask = replace(self.ask, page=self.ask.page + 1)
        elif self.ask.page > 1 and self._met() < told:
            self._again()
        elif listed.more and moved:
            self._passes = 1
            if self.ask.descending:
                self.ask = replace(self.ask, page=1, end=through(due[-1]))
            else:
                self.ask = replace(self.ask, page=1, start=due[-1])
        else:
            self.done = True

    def _beyond(self, moment: str) -> bool:
        at = self.frontier
        return at is None or (through(moment) < at if self.ask.descending else moment > at)

    def _met(self) -> int:
        """How many were met from the frontier on."""
        at = self.frontier
        return sum(
            at is None or (row.run_at <= at if self.ask.descending else row.run_at >= at) for row in self.rows.values()
        )

    def _again(self) -> None:
        """Some of one moment were told twice, and so others not at all: they are in no order, and are read again."""
        self._passes += 1
        if self._passes > PASSES:
            raise Unlistable(
                "the service lists schedules of one moment in another order each time, and some may be missing",
                hint="Narrow the list, or try again.",
            )
        self.ask = replace(self.ask, page=1)
