"""One chunk of a run: intent, send, record, verify. Idempotent and resumable; it knows no queue.

1. the chunk is claimed, and its generation goes up;  2. what was on its way when a worker died is settled;
3. what can have drifted is read again;  4. intents are on disk, which also claims the items;  5. the orders are sent,
guarded;  6. outcomes and their ledger entry are one transaction;  7. what was cancelled is verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from tui_app.domain.drift import DriftKind, drift
from tui_app.domain.errors import NotAllowed, NotSignedIn, OutcomeUnknown, RateLimited, Unavailable
from tui_app.domain.items import Seen
from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock, Deferred, Held, System
from tui_app.domain.records import Claim, RunItem, RunRecord
from tui_app.domain.run import (
    EFFECTIVE,
    Answer,
    Errand,
    ItemState,
    Order,
    Outcome,
    SkipCode,
    Verification,
    item_key,
    never,
)
from tui_app.domain.stores import WorkStore
from tui_app.domain.verdict import VerdictCode
from tui_app.domain.versions import what_changed
from tui_app.engine.calls import Calls, Doubts, Told, Unsettled, unread
from tui_app.engine.containment import Caught, contained
from tui_app.engine.faults import Reports
from tui_app.engine.notes import Notes
from tui_app.engine.pacing import is_answered
from tui_app.engine.recall import Recall

_SENT_ANYHOW = frozenset({VerdictCode.ALREADY_CANCELLED, VerdictCode.PUBLISHING, VerdictCode.PUBLISHED})
"""What the system did while we were on our way: the guarded write has no effect, and its answer says what became of it,
whose cancellation it was, or that the race is lost."""

_WITHOUT_INTENT = {VerdictCode.CLAIMED: "another run is working on it", SkipCode.STOPPED: "the run was stopped"}

POLL = timedelta(seconds=1)
"""How long a chunk is put aside while the system works on what it has accepted."""


class SystemTrouble(Exception):
    """A chunk did not come to its end because of its system: it is not there, lets us not in, or does not tell.

    Attributes:
        error: what the system said. What was not sent is planned again, and the chunk can be released.
    """

    def __init__(self, error: Held | OutcomeUnknown | NotAllowed) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(slots=True)
class Turn:
    """What a turn of a chunk came to. ``asked``: its system was asked something, and answered.

    ``used`` counts orders that may have reached the system, and so count towards a rate.
    """

    asked: bool = False
    used: int = 0


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker has at hand: the journal, one system and its surveys, the clock, the facts for the ledger."""

    work: WorkStore
    system: System
    recall: Recall
    clock: Clock
    facts: Mapping[str, Any]
    reports: Reports
    doubts: Doubts
    turn: Turn = field(default_factory=Turn)

    def now(self) -> str:
        """The present moment, as it is stored."""
        return stamp(self.clock.now())


async def run_chunk(bench: Bench, run: RunRecord, claim: Claim, *, stopping: bool = False) -> int | None:
    """Bring a claimed chunk as far as it goes: to its end, or aside while the system works on it.

    Of a claim on a part nothing but that part is touched, and the chunk is given back for the rest; so it is where the
    system has deferred some. Of a run that is ``stopping`` nothing is planned any more, and what was on its way is only
    looked at. An error of the system stays with its items (``tui_app.engine.calls``); one of the journal is raised.

    Returns:
        How many orders the system came to, where it has deferred others; else none.

    Raises:
        SystemTrouble: the system cannot be reached, does not let us in, or does not tell what became of an order.
        Conflict: another worker has the chunk.
    """
    async with Notes(bench.work, claim, lambda: _positions(run, claim), bench.clock) as notes:
        errand = _errand(bench, run, claim, notes, only_look=stopping)
        calls = Calls(claim.system, bench.system, errand, bench.reports, bench.doubts, notes.answers)
        settled = await _settle(bench, run, claim, calls)
        sent = _Sorted()
        # Where the system could not be asked what became of the last ones, it gets no further ones.
        if not (settled.held or settled.silent or settled.deferred or stopping):
            decided, orders, not_read = await _decide(bench, run, claim, calls)
            sent = await _send(bench, run, claim, calls, orders)
            sent.held |= not_read
            sent.final[:0] = decided
    if sent.final:
        await bench.work.record(claim, sent.final, bench.facts, bench.now())
    await _verify(bench, run, claim, calls, [*settled.final, *sent.final])
    waiting, deferred = [*settled.waiting, *sent.waiting], [*settled.deferred, *sent.deferred]
    rest = bool(deferred) or claim.part
    if waiting:
        at_once = rest and not claim.closed
        due = stamp(bench.clock.now() + (timedelta(0) if at_once else POLL))
        await bench.work.accept(claim, waiting, due, {**settled.taken, **sent.taken})
    for reason in (*settled.held.values(), *settled.silent, *sent.held.values(), *sent.silent):
        raise SystemTrouble(reason)
    if not waiting:
        await (bench.work.release(claim) if rest else bench.work.complete(claim))
    return settled.reached + sent.reached if deferred else None


def _positions(run: RunRecord, claim: Claim) -> dict[str, int]:
    return {_order(run, one).key: one.item.position for one in claim.items}


@dataclass(slots=True)
class _Sorted:
    """The replies to some orders, sorted: outcomes; positions the system still works on; positions not reached.

    ``taken`` are its answers where it took on our own request. ``silent`` are those that nobody knows of: their intents
    stay. ``unsent`` are positions of which it is certain that nothing was sent, when they were to be. ``reached`` is
    the number of orders with an answer.
    """

    final: list[Outcome] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    taken: dict[int, Answer] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)
    silent: list[OutcomeUnknown | NotAllowed | Held] = field(default_factory=list)
    deferred: list[int] = field(default_factory=list)
    unsent: list[int] = field(default_factory=list)
    reached: int = 0

    @classmethod
    def of(cls, items: Sequence[RunItem], orders: Sequence[Order], replies: Sequence[Told]) -> _Sorted:
        made = cls()
        for one, order, reply in zip(items, orders, replies, strict=True):
            position = one.item.position
            if isinstance(reply, Answer):
                made._add(one, order, reply)
                continue
            if isinstance(reply, (Unavailable, NotSignedIn)):
                made.held[position] = reply
                made.unsent.append(position)
                continue
            if isinstance(reply, Deferred):
                made.deferred.append(position)
                made.unsent.append(position)
                continue
            why = reply.why if isinstance(reply, Unsettled) else reply
            if isinstance(why, Deferred):
                made.deferred.append(position)
                continue
            made.silent.append(why)
        return made

    def _add(self, one: RunItem, order: Order, answer: Answer) -> None:
        self.reached += 1
        if answer.state is ItemState.ACCEPTED:
            self.waiting.append(one.item.position)
            if answer.ours:
                self.taken[one.item.position] = answer
        else:
            self.final.append(Outcome(one.item.position, one.item.system, order.id, order.key, answer))


def _errand(bench: Bench, run: RunRecord, claim: Claim, notes: Notes, *, only_look: bool) -> Errand:
    async def halted() -> bool:
        asked = await contained(bench.work.halted(run.id))
        # Where nobody can tell, nothing more goes out.
        return True if isinstance(asked, Caught) else asked

    return Errand(
        run_id=run.id,
        chunk=claim.chunk,
        verb=run.plan.verb,
        operator=run.principal,
        reason=run.confirmed.reason,
        options=run.confirmed.options,
        only_look=only_look,
        again=run.plan.again,
        # What was on its way when a stop was asked for has to be looked at all the same.
        halted=never if only_look else halted,
        intents=partial(bench.work.intents, claim.system),
        arrived=notes.arrived,
    )


def _order(run: RunRecord, item: RunItem, seen: Seen | None = None) -> Order:
    key = item.key or item_key(run.secret, run.id, item.item.system, item.item.seen.id)
    noted = item.noted
    accepted = noted is not None and noted.state is ItemState.ACCEPTED and noted.ours is True
    return Order(item.item.seen.id, key, seen or item.item.seen, item.sent_at, accepted)


async def _settle(bench: Bench, run: RunRecord, claim: Claim, calls: Calls) -> _Sorted:
    """Settle intents without outcome, and what was accepted; the outcomes are recorded when this returns."""
    open_ = [one for one in claim.items if one.state in (ItemState.SENDING, ItemState.ACCEPTED)]
    if not open_:
        return _Sorted()
    answered = [one for one in open_ if is_answered(one)]
    asked = [one for one in open_ if not is_answered(one)]
    noted = [one.noted for one in answered if one.noted is not None]
    bench.turn.used += len(asked)
    told = await calls.reconcile([_order(run, one) for one in asked]) if asked else []
    _note_turn(bench.turn, told)
    items = [*answered, *asked]
    settled = _Sorted.of(items, [_order(run, one) for one in items], [*noted, *told])
    if settled.final:
        await bench.work.record(claim, settled.final, bench.facts, bench.now())
    return settled


def _note_turn(turn: Turn, told: Sequence[Told]) -> None:
    """Count no more what certainly did not reach the system: what it was not there for, and what was left for later."""
    for one in told:
        if isinstance(one, Answer):
            turn.asked = True
        elif isinstance(one, (Deferred, NotSignedIn, Unavailable)) and not isinstance(one, RateLimited):
            turn.used -= 1


async def _decide(
    bench: Bench, run: RunRecord, claim: Claim, calls: Calls
) -> tuple[list[Outcome], list[tuple[RunItem, Order]], dict[int, Unavailable]]:
    """What is skipped, what is to be sent, with what was seen just now, and what could not be read."""
    planned = [one for one in claim.items if one.state is ItemState.PLANNED]
    skipped, wanted = [], []
    for one in planned:
        verdict = one.item.seen.verdict
        if verdict.cancellable:
            wanted.append(one)
        else:
            skipped.append(_skipped(one, verdict.code, verdict.reason))
    if not wanted:
        return skipped, [], {}
    orders: list[tuple[RunItem, Order]] = []
    not_read: dict[int, Unavailable] = {}
    try:
        now_seen = await calls.survey(bench.recall, [one.item.seen.id for one in wanted])
    except (Unavailable, NotSignedIn, NotAllowed) as error:
        raise SystemTrouble(error) from error
    bench.turn.asked = True
    for one, now in zip(wanted, now_seen, strict=True):
        if isinstance(now, Caught):
            why = unread(one.item.seen.id, now.error, bench.reports).verdict.reason
            skipped.append(_skipped(one, SkipCode.FAULT, why))
        elif now.verdict.code is VerdictCode.NOT_KNOWN and not now.version:
            # That it cannot be read says nothing about it: it has not changed for that.
            not_read[one.item.position] = Unavailable(f"{claim.system}: {now.id}: {now.verdict.reason}", hint="")
        elif _still_meant(one.item.seen, now, accept_drift=run.confirmed.options.accept_drift):
            orders.append((one, _order(run, one, now)))
        else:
            skipped.append(_skipped(one, SkipCode.DRIFTED, _drifted(one.item.seen, now)))
    return skipped, orders, not_read


def _still_meant(frozen: Seen, now: Seen, *, accept_drift: bool) -> bool:
    kind = drift(frozen, now)
    return (
        kind is DriftKind.UNCHANGED or (kind is DriftKind.CHANGED and accept_drift) or now.verdict.code in _SENT_ANYHOW
    )


def _drifted(frozen: Seen, now: Seen) -> str:
    return f"changed since the plan: {now.verdict.reason or what_changed(frozen, now)}"


def _skipped(item: RunItem, code: SkipCode | VerdictCode | None, message: str | None) -> Outcome:
    answer = Answer(ItemState.SKIPPED, None if code is None else code.value, message, before=item.item.seen.status)
    return Outcome(item.item.position, item.item.system, item.item.seen.id, None, answer)


async def _send(
    bench: Bench, run: RunRecord, claim: Claim, calls: Calls, pairs: Sequence[tuple[RunItem, Order]]
) -> _Sorted:
    if not pairs:
        return _Sorted()
    keys = {one.item.position: order.key for one, order in pairs}
    without = await bench.work.intend(claim, keys, bench.now())
    left_out = [
        _skipped(one, code, _WITHOUT_INTENT[code])
        for one, _ in pairs
        if (code := without.get(one.item.position)) is not None
    ]
    ours = [(one, order) for one, order in pairs if one.item.position not in without]
    if not ours:
        return _Sorted(final=left_out)
    items, orders = [one for one, _ in ours], [order for _, order in ours]
    bench.turn.used += len(orders)
    told = await calls.execute(orders)
    _note_turn(bench.turn, told)
    sent = _Sorted.of(items, orders, told)
    if sent.unsent:
        await bench.work.withdraw(claim, sent.unsent)
    sent.final[:0] = left_out
    return sent


async def _verify(bench: Bench, run: RunRecord, claim: Claim, calls: Calls, recorded: Iterable[Outcome]) -> None:
    """Verify what was cancelled now, and what an earlier worker recorded and did not verify any more.

    Raises:
        SystemTrouble: some could not be read; what could be is recorded.
    """
    now = {one.position: one for one in recorded if one.answer.state in EFFECTIVE}
    left = {
        one.item.position: one.outcome
        for one in claim.items
        if one.outcome is not None and one.state in EFFECTIVE and one.verification is None
    }
    wanted = [*left.values(), *now.values()]
    if not wanted:
        return
    seen = {one.item.position: one.item.seen for one in claim.items}
    sent = {one.item.position: one.sent_at for one in claim.items}
    orders = [Order(one.id, one.key or "", seen[one.position], sent.get(one.position)) for one in wanted]
    told = await calls.verify(orders)
    found = {one.position: each for one, each in zip(wanted, told, strict=True) if isinstance(each, Verification)}
    if found:
        bench.turn.asked = True
        await bench.work.verify(claim, found, bench.facts, bench.now())
    for each in told:
        if not isinstance(each, Verification):
            raise SystemTrouble(each)
