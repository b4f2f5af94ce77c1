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
from tui_app.domain.errors import OutcomeUnknown, Unavailable
from tui_app.domain.items import Seen
from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock, Deferred, Held, Reply, System
from tui_app.domain.records import Claim, RunItem, RunRecord
from tui_app.domain.run import EFFECTIVE, Answer, Errand, ItemState, Order, Outcome, SkipCode, item_key, never
from tui_app.domain.stores import WorkStore
from tui_app.domain.verdict import VerdictCode
from tui_app.engine.recall import Recall

_SENT_ANYHOW = frozenset({VerdictCode.ALREADY_CANCELLED, VerdictCode.PUBLISHING, VerdictCode.PUBLISHED})
"""What the system did while we were on our way: the guarded write has no effect, and its answer says what became of it,
whose cancellation it was, or that the race is lost."""

_WITHOUT_INTENT = {VerdictCode.CLAIMED: "another run is working on it", SkipCode.STOPPED: "the run was stopped"}

POLL = timedelta(seconds=1)
"""How long a chunk is put aside while the system works on what it has accepted."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker has at hand: the journal, one system and its surveys, the clock, the facts for the ledger."""

    work: WorkStore
    system: System
    recall: Recall
    clock: Clock
    facts: Mapping[str, Any]

    def now(self) -> str:
        """The present moment, as it is stored."""
        return stamp(self.clock.now())


async def run_chunk(bench: Bench, run: RunRecord, claim: Claim, *, stopping: bool = False) -> int | None:
    """Bring a claimed chunk as far as it goes: to its end, or aside while the system works on it.

    Of a claim on a part nothing but that part is touched, and the chunk is given back for the rest; so it is where the
    system has deferred some. Of a run that is ``stopping`` nothing is planned any more, and what was on its way is only
    looked at.

    Returns:
        How many orders the system came to, where it has deferred others; else none.

    Raises:
        Unavailable: the system cannot be reached; what was not sent is planned again, and the chunk can be released.
        OutcomeUnknown: it may have been sent, and could not be found out; likewise, but that it stays to be settled.
        Refused: the system will not have us at all; likewise.
        Conflict: another worker has the chunk.
    """
    errand = _errand(bench, run, claim, only_look=stopping)
    settled = await _settle(bench, run, claim, errand)
    sent = _Sorted()
    # Where the system could not be asked what became of the last ones, it gets no further ones.
    if not (settled.held or settled.silent or settled.deferred or stopping):
        decided, orders, unread = await _decide(bench, run, claim)
        sent = await _send(bench, run, claim, errand, orders)
        sent.held |= unread
        sent.final[:0] = decided
        if sent.final:
            await bench.work.record(claim, sent.final, bench.facts, bench.now())
    await _verify(bench, claim, errand, [*settled.final, *sent.final])
    waiting, deferred = [*settled.waiting, *sent.waiting], [*settled.deferred, *sent.deferred]
    rest = bool(deferred) or claim.part
    if waiting:
        at_once = rest and not claim.closed
        await bench.work.accept(claim, waiting, stamp(bench.clock.now() + (timedelta(0) if at_once else POLL)))
    for reason in (*settled.held.values(), *settled.silent, *sent.held.values(), *sent.silent):
        raise reason
    if not waiting:
        await (bench.work.release(claim) if rest else bench.work.complete(claim))
    return settled.reached + sent.reached if deferred else None


@dataclass(slots=True)
class _Sorted:
    """The replies to some orders, sorted: outcomes; positions the system still works on; positions not reached.

    ``silent`` are those that nobody knows of: their intents stay. ``reached`` is the number of orders with an answer.
    """

    final: list[Outcome] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    held: dict[int, Held] = field(default_factory=dict)
    silent: list[OutcomeUnknown] = field(default_factory=list)
    deferred: list[int] = field(default_factory=list)
    reached: int = 0

    @classmethod
    def of(cls, items: Sequence[RunItem], orders: Sequence[Order], replies: Sequence[Reply]) -> _Sorted:
        made = cls()
        for one, order, reply in zip(items, orders, replies, strict=True):
            position = one.item.position
            if isinstance(reply, Held):
                made.held[position] = reply
                continue
            if isinstance(reply, OutcomeUnknown):
                made.silent.append(reply)
                continue
            if isinstance(reply, Deferred):
                made.deferred.append(position)
                continue
            made.reached += 1
            if reply.state is ItemState.ACCEPTED:
                made.waiting.append(position)
            else:
                made.final.append(Outcome(position, one.item.system, order.id, order.key, reply))
        return made


def _errand(bench: Bench, run: RunRecord, claim: Claim, *, only_look: bool) -> Errand:
    async def halted() -> bool:
        try:
            return await bench.work.halted(run.id)
        except Unavailable:
            # Nobody can tell: then nothing more goes out.
            return True

    return Errand(
        run_id=run.id,
        chunk=claim.chunk,
        verb=run.plan.verb,
        operator=run.principal,
        reason=run.confirmed.reason,
        options=run.confirmed.options,
        only_look=only_look,
        # What was on its way when a stop was asked for has to be looked at all the same.
        halted=never if only_look else halted,
        intents=partial(bench.work.intents, claim.system),
    )


def _order(run: RunRecord, item: RunItem, seen: Seen | None = None) -> Order:
    key = item.key or item_key(run.secret, run.id, item.item.system, item.item.seen.id)
    accepted = item.state is ItemState.ACCEPTED
    return Order(item.item.seen.id, key, seen or item.item.seen, item.sent_at, accepted)


async def _settle(bench: Bench, run: RunRecord, claim: Claim, errand: Errand) -> _Sorted:
    """Settle intents without outcome, and what was accepted; the outcomes are recorded when this returns."""
    open_ = [one for one in claim.items if one.state in (ItemState.SENDING, ItemState.ACCEPTED)]
    if not open_:
        return _Sorted()
    orders = [_order(run, one) for one in open_]
    settled = _Sorted.of(open_, orders, await bench.system.reconcile(orders, errand))
    if settled.final:
        await bench.work.record(claim, settled.final, bench.facts, bench.now())
    return settled


async def _decide(
    bench: Bench, run: RunRecord, claim: Claim
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
    unread: dict[int, Unavailable] = {}
    now_seen = await bench.recall.survey(claim.system, bench.system, [one.item.seen.id for one in wanted])
    for one, now in zip(wanted, now_seen, strict=True):
        if now.verdict.code is VerdictCode.NOT_KNOWN and not now.version:
            # That it cannot be read says nothing about it: it has not changed for that.
            unread[one.item.position] = Unavailable(f"{claim.system}: {now.id}: {now.verdict.reason}", hint="")
        elif _still_meant(one.item.seen, now, accept_drift=run.confirmed.options.accept_drift):
            orders.append((one, _order(run, one, now)))
        else:
            skipped.append(_skipped(one, SkipCode.DRIFTED, _drifted(one.item.seen, now)))
    return skipped, orders, unread


def _still_meant(frozen: Seen, now: Seen, *, accept_drift: bool) -> bool:
    kind = drift(frozen, now)
    return (
        kind is DriftKind.UNCHANGED or (kind is DriftKind.CHANGED and accept_drift) or now.verdict.code in _SENT_ANYHOW
    )


def _drifted(frozen: Seen, now: Seen) -> str:
    what = now.verdict.reason or ("it changed" if frozen.status == now.status else f"it is {now.status} now")
    return f"changed since the plan: {what}"


def _skipped(item: RunItem, code: SkipCode | VerdictCode | None, message: str | None) -> Outcome:
    answer = Answer(ItemState.SKIPPED, None if code is None else code.value, message, before=item.item.seen.status)
    return Outcome(item.item.position, item.item.system, item.item.seen.id, None, answer)


async def _send(
    bench: Bench, run: RunRecord, claim: Claim, errand: Errand, pairs: Sequence[tuple[RunItem, Order]]
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
    try:
        sent = _Sorted.of(items, orders, await bench.system.execute(orders, errand))
        unsent = [*sent.held, *sent.deferred]
    except Unavailable as reason:
        sent = _Sorted(held={one.item.position: reason for one in items})
        unsent = [*sent.held]
    except OutcomeUnknown:
        sent = _Sorted.of(items, orders, await bench.system.reconcile(orders, errand))
        # Their intents stay: whether they were sent is what could not be found out.
        unsent = []
    if unsent:
        await bench.work.withdraw(claim, unsent)
    sent.final[:0] = left_out
    return sent


async def _verify(bench: Bench, claim: Claim, errand: Errand, recorded: Iterable[Outcome]) -> None:
    """Verify what was cancelled now, and what an earlier worker recorded and did not verify any more."""
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
    found = await bench.system.verify(orders, errand)
    positions = (one.position for one in wanted)
    await bench.work.verify(claim, dict(zip(positions, found, strict=True)), bench.facts, bench.now())
