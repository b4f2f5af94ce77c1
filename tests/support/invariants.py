"""The invariants of a run, asserted against the system's own records, the journal and the ledger."""

from __future__ import annotations

from support.world import Records
from tui_app.domain.records import LedgerQuery
from tui_app.domain.run import EFFECTIVE, OUTCOMES, OVER, ItemState, RunCounts, Verified
from tui_app.domain.stores import Store

CANCELED = "CANCELED"


async def assert_invariants(store: Store, records: Records) -> None:
    """Hold every run of a journal against the bus."""
    cancels, replies, statuses = records.cancels(), records.replies(), records.statuses()
    wanted = records.reply_queues()
    # 1. at most one effect an item; 7. exactly one reply for each cancelled command with a reply queue
    assert all(number == 1 for number in cancels.values())
    assert {item: len(sent) for item, sent in replies.items()} == {item: 1 for item in cancels if wanted[item]}
    effects: dict[str, str] = {}
    for run in await store.runs.newest(100):
        items = await store.runs.items(run.id, limit=1_000_000)
        # 3. the outcomes sum to the plan, and every item has a state
        assert len(items) == run.items
        counts = RunCounts.of(run.states, run.items)
        recorded = [one.state for one in items]
        for state in OUTCOMES:
            assert run.states.get(state, 0) == recorded.count(state), state
        assert sum(vars_of(counts)) == run.items
        if run.state in OVER:
            # 4. nothing is planned, sending or accepted
            assert counts.pending == 0
            assert set(recorded) <= OUTCOMES
        planned = {one.item.seen.id for one in items if one.item.seen.verdict.cancellable}
        keys = [one.key for one in items if one.key]
        # 6. one key an item
        assert len(set(keys)) == len(keys)
        for one in items:
            if one.state in EFFECTIVE:
                # 5. nothing outside what was confirmed, and nothing without an intent
                assert one.item.seen.id in planned
                assert one.sent_at is not None
                assert effects.setdefault(one.item.seen.id, run.id) == run.id
                # 2. reported and verified, and the system says so
                if one.verification is not None and one.verification.verified is Verified.YES:
                    assert statuses[one.item.seen.id] == CANCELED
                    assert cancels[one.item.seen.id] == 1
            elif one.state in (ItemState.SKIPPED, ItemState.REFUSED):
                assert cancels[one.item.seen.id] == 0 or effects.get(one.item.seen.id) != run.id
    # 9. the ledger verifies, and counts the same effects
    report = await store.ledger.check()
    assert report.problem is None, report
    told = [row.facts["item"] for row in await store.ledger.lines(LedgerQuery(event="cancelled", limit=1_000_000))]
    assert sorted(told) == sorted(effects)


def vars_of(counts: RunCounts) -> list[int]:
    """The six numbers."""
    return [counts.done, counts.already_cancelled, counts.refused, counts.skipped, counts.unknown, counts.pending]
