"""The pace at which a system is sent to: what of a chunk may go now, by a rule that all runs of a journal share.

An item takes a permit before its intent is written. What was sent under a permit was sent before its chunk came back,
and that moment is what counts; a new permit is granted only where those that count, from one unit ago on, leave room.
So no stretch of that length holds more items than the rate allows, whoever asks in between, whatever is restarted. An
item counts once for each turn, however often its request has to be repeated in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from tui_app.domain.clocks import Reading
from tui_app.domain.ports import Clock
from tui_app.domain.rates import Rate
from tui_app.domain.records import Claim, RunItem
from tui_app.domain.run import ItemState
from tui_app.domain.stores import WorkStore


@dataclass(frozen=True, slots=True)
class Pace:
    """The rates of a profile, by system; a system without one is sent to as fast as it answers."""

    work: WorkStore
    clock: Clock
    rates: Mapping[str, Rate]

    @asynccontextmanager
    async def turn(self, claim: Claim, used: Callable[[], int]) -> AsyncIterator[Claim]:
        """What of a chunk may be sent now. Where that is nothing, the gate is closed until it is something.

        ``used`` says afterwards how many of the items may have reached their system: only those count.
        """
        if claim.closed:
            yield within(claim, 0)
            return
        rate, wanted = self.rates.get(claim.system), sum(_is_sent(one) for one in claim.items)
        if rate is None or not wanted:
            yield claim
            return
        grant = await self.work.take(claim, min(wanted, rate.turn), rate, Reading.of(self.clock))
        if grant.due is not None:
            await self.work.close_gate(claim.system, grant.due, rate)
        try:
            yield within(claim, grant.items)
        finally:
            if grant.items:
                await self.work.give_back(claim, max(0, grant.items - used()), Reading.of(self.clock))


def within(claim: Claim, items: int) -> Claim:
    """A claim without what would be sent beyond so many items: that waits for another turn."""
    kept: list[RunItem] = []
    for one in claim.items:
        if _is_sent(one):
            items -= 1
            if items < 0:
                continue
        kept.append(one)
    return replace(claim, items=tuple(kept), part=claim.part or len(kept) < len(claim.items))


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the systems of a run have come in their last turns, so that no more is read anew than is sent.

    A system that deferred some of its orders gets so many at a time as it came to; after each turn in which it came to
    all of them, twice as many.
    """

    _items: dict[str, int] = field(default_factory=dict)

    def part(self, claim: Claim) -> Claim:
        """What of a chunk its system is expected to come to."""
        items = self._items.get(claim.system)
        return claim if items is None else within(claim, items)

    def note(self, system: str, reached: int | None) -> None:
        """How many orders a system came to; none where that was all of them."""
        if reached is not None:
            self._items[system] = max(1, reached)
        elif system in self._items:
            self._items[system] *= 2


def is_answered(one: RunItem) -> bool:
    """Whether the answer to this item came before its worker died; one that is only accepted is asked for again."""
    return one.noted is not None and one.noted.state is not ItemState.ACCEPTED


def _is_sent(one: RunItem) -> bool:
    """Whether settling or sending this item may mean a request that changes it."""
    if is_answered(one):
        return False
    return one.state is ItemState.SENDING or (one.state is ItemState.PLANNED and one.item.seen.verdict.cancellable)
