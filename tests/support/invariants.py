"""The invariants of runs, asserted against every system's own records, the journal and the ledger.

They hold at any moment, also right after a runner was killed; what is said of runs that are over, only of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field

from support.records import Effect, Records
from tui_app.domain.describe import Verb
from tui_app.domain.records import LedgerQuery, RunItem, RunRecord
from tui_app.domain.run import EFFECTIVE, OUTCOMES, OVER, ItemState, RunCounts, Verified
from tui_app.domain.stores import Store

DONE = {Verb.CANCEL: ItemState.CANCELLED, Verb.REINSTATE: ItemState.REINSTATED}


@dataclass
class Journal:
    """What the journal says: the runs, and each intention by its key."""

    runs: dict[str, RunRecord] = field(default_factory=dict)
    intents: dict[str, tuple[RunRecord, RunItem]] = field(default_factory=dict)
    unknown: bool = False

    def reported(self, system: str) -> dict[str, tuple[RunRecord, RunItem]]:
        """What is recorded as done in one system, by key."""
        return {
            key: (run, one)
            for key, (run, one) in self.intents.items()
            if one.item.system == system and one.state in EFFECTIVE
        }


async def assert_invariants(store: Store, *records: Records, unknown: bool = False) -> None:
    """Hold every run of a journal against the systems that it worked on.

    With ``unknown`` what was done may also be reported as not known, where an error came in between.
    """
    journal = Journal(unknown=unknown)
    for run in await store.runs.newest(1000):
        _check_run(journal, run, await store.runs.items(run.id, limit=1_000_000))
    for one in records:
        _check_system(journal, one)
    # 9. the ledger verifies, and counts the same effects
    report = await store.ledger.check()
    assert report.problem is None, report
    told = [
        (row.facts["system"], row.facts["item"], event)
        for event in (ItemState.CANCELLED, ItemState.REINSTATED)
        for row in await store.ledger.lines(LedgerQuery(event=event.value, limit=1_000_000))
        if row.position >= 0
    ]
    done = [
        (one.item.system, one.item.seen.id, one.state) for _, one in journal.intents.values() if one.state in EFFECTIVE
    ]
    assert sorted(told) == sorted(done)


def _check_run(journal: Journal, run: RunRecord, items: Sequence[RunItem]) -> None:
    journal.runs[run.id] = run
    # 3. the outcomes sum to the plan, and every item has a state
    assert len(items) == run.items
    counts = RunCounts.of(run.states, run.items)
    recorded = [one.state for one in items]
    for state in ItemState:
        if state is not ItemState.PLANNED:
            assert run.states.get(state, 0) == recorded.count(state), state
    assert sum(astuple(counts)) == run.items
    if run.state in OVER:
        # 4. nothing is planned, sending or accepted
        assert counts.pending == 0
        assert set(recorded) <= OUTCOMES
    for one in items:
        if one.key:
            # 6. one key an item, and one body a key
            assert one.key not in journal.intents
            journal.intents[one.key] = (run, one)
        if one.state in EFFECTIVE:
            # 5. nothing outside what was confirmed, and nothing without an intent
            assert one.state is DONE[run.plan.verb]
            assert one.item.seen.verdict.cancellable
            assert one.key
            assert one.sent_at is not None
            # 2. what is recorded as done has been held against the system
            assert one.verification is not None or run.state not in OVER
        if one.state is ItemState.SKIPPED and one.sent_at is None:
            assert one.key is None


def _check_system(journal: Journal, records: Records) -> None:
    # 7. exactly one reply, one notification; never both published and cancelled
    assert records.contradictions() == []
    effects, cancelled = records.effects(), records.cancelled()
    # 1. at most one effect an item, and one more only where the other verb came in between
    last = _last_of_each(effects)
    ours = {one.key: one for one in effects if one.run in journal.runs and one.key}
    assert len(ours) == sum(one.run in journal.runs for one in effects)
    assert all(number == 1 for number in records.taken().values()), "something was taken up twice under one key"
    for key, effect in ours.items():
        _check_effect(journal, records.system, key, effect)
    for key, (run, one) in journal.reported(records.system).items():
        # 2. what is reported as done was done
        assert key in ours, f"{one.item.seen.id} is reported as {one.state}, and {records.system} know nothing of it"
        assert ours[key].verb is run.plan.verb
        verified = one.verification is not None and one.verification.verified is Verified.YES
        if verified and last[one.item.seen.id].key == key:
            assert (one.item.seen.id in cancelled) is (run.plan.verb is Verb.CANCEL)


def _check_effect(journal: Journal, system: str, key: str, effect: Effect) -> None:
    # 5. no effect without an earlier intent; none outside the plan
    assert key in journal.intents, f"{effect} was never intended"
    run, one = journal.intents[key]
    assert (run.id, run.plan.verb) == (effect.run, effect.verb)
    assert (one.item.system, one.item.seen.id) == (system, effect.item)
    assert one.sent_at is not None
    assert effect.at is None or one.sent_at <= effect.at, f"{effect} came before its intent of {one.sent_at}"
    if run.state in OVER:
        # 2. what was done is reported as done
        told = one.state is DONE[effect.verb] or (journal.unknown and one.state is ItemState.UNKNOWN)
        assert told, f"{effect} is reported as {one.state}"


def _last_of_each(effects: Iterable[Effect]) -> dict[str, Effect]:
    last: dict[str, Effect] = {}
    for one in effects:
        before = last.get(one.item)
        assert one.verb is (Verb.CANCEL if before is None or before.verb is Verb.REINSTATE else Verb.REINSTATE), (
            f"{one} came after {before}"
        )
        last[one.item] = one
    return last
