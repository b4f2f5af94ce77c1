"""What a system promises that can take a cancellation back: within a window, once, and only what was cancelled."""

import asyncio
from dataclasses import replace

import pytest

from support.benches import Given, State
from support.orders import REASON, carried_out, errand, key_of, orders, settled
from support.scenes import another_id
from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.run import ItemState, SkipCode, Verified
from tui_app.domain.verdict import VerdictCode

pytestmark = pytest.mark.parametrize("bench", ["cases-embedded", "cases-http", "cases-http-bare"], indirect=True)

UNDO = errand("run-2", verb=Verb.REINSTATE, reason="cancelled by mistake")


async def cancelled(bench, system, number=1):
    """So many cancelled items, and what the cancellations answered."""
    ids = await bench.add([Given(minute=n) for n in range(number)])
    return ids, await carried_out(bench, system, await orders(system, ids))


async def back(system, ids, run_id="run-2"):
    return await orders(system, ids, run_id, verb=Verb.REINSTATE)


async def test_a_cancellation_says_until_when_it_can_be_undone(bench, system):
    ids, answers = await cancelled(bench, system, 3)
    now = bench.now()
    for seen, answer in zip(await system.survey(ids, Verb.REINSTATE), answers, strict=True):
        assert answer.undo_until == seen.due
        left = (moments.read(answer.undo_until) - moments.read(now)).total_seconds()
        assert bench.window_seconds - 60 < left <= bench.window_seconds


async def test_each_state_has_its_verdict_for_reinstating(bench, system):
    ids = dict(zip(State, await bench.add([Given(state) for state in State]), strict=True))
    [ours], _ = await cancelled(bench, system)
    gone = another_id(ours)
    for state in (State.WAITING, State.BLOCKED, State.BUSY, State.DONE):
        [seen] = await system.survey([ids[state]], Verb.REINSTATE)
        assert seen.verdict.code is VerdictCode.NOT_CANCELLED, state
        assert seen.verdict.reason
        assert (seen.due, seen.effects) == (None, ())
    open_, missing = await system.survey([ours, gone], Verb.REINSTATE)
    assert open_.verdict.cancellable
    assert {effect.code for effect in open_.effects} <= set(system.description.effects)
    assert open_.effects
    assert missing.verdict.code is VerdictCode.NOT_FOUND
    # for cancelling it is another matter
    [for_cancelling] = await system.survey([ours])
    assert for_cancelling.verdict.code is VerdictCode.ALREADY_CANCELLED
    assert for_cancelling.due is None


async def test_within_the_window_it_comes_back_as_it_was(bench, system):
    ids = await bench.add([Given(minute=n) for n in range(5)])
    before = {item_id: await bench.status(item_id) for item_id in ids}
    await carried_out(bench, system, await orders(system, ids))
    told = [await bench.notices(item_id) for item_id in ids]
    chunk = await back(system, ids)
    answers = await carried_out(bench, system, chunk, UNDO)
    assert [answer.state for answer in answers] == [ItemState.REINSTATED] * 5
    for item_id, answer in zip(ids, answers, strict=True):
        assert await bench.status(item_id) == before[item_id] == answer.after
        [reversal] = await bench.reversals(item_id)
        assert (reversal["operator"], reversal["reason"]) == ("jane@example.com", UNDO.reason)
        assert reversal["idempotency_key"] == key_of("run-2", item_id)
        assert reversal["run_id"] == (None if "runs" in bench.lacks else "run-2")
        # what was done stays on record
        [effect] = await bench.effects(item_id)
        assert effect["reason"] == REASON
        assert (await system.trail(item_id))[-1].details[bench.reason_field] == UNDO.reason
    assert [await bench.notices(item_id) for item_id in ids] == told
    assert [found.verified for found in await system.verify(chunk, UNDO)] == [Verified.YES] * 5
    assert all(seen.verdict.cancellable for seen in await system.survey(ids))
    assert await system.execute([], UNDO) == []


async def test_after_the_window_nothing_comes_back(bench, system):
    [item_id], _ = await cancelled(bench, system)
    chunk = await back(system, [item_id])
    bench.forward(bench.window_seconds)
    [seen] = await system.survey([item_id], Verb.REINSTATE)
    assert seen.verdict.code is VerdictCode.WINDOW_CLOSED
    assert seen.verdict.reason
    assert (seen.due, seen.effects) == (None, ())
    for send in (system.execute, system.reconcile):
        [answer] = await send(chunk, UNDO)
        assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.WINDOW_CLOSED)
        assert answer.message
    assert await bench.cancelled(item_id)
    assert await bench.reversals(item_id) == []


async def test_a_moment_before_the_window_closes_it_still_comes_back(bench, system):
    [item_id], [answer] = await cancelled(bench, system)
    chunk = await back(system, [item_id])
    left = (moments.read(answer.undo_until) - moments.read(bench.now())).total_seconds()
    bench.forward(left - 0.5)
    [answer] = await system.execute(chunk, UNDO)
    assert answer.state is ItemState.REINSTATED


async def test_sent_twice_it_comes_back_once_and_is_known_as_ours(bench, system):
    [item_id], _ = await cancelled(bench, system)
    [order] = await back(system, [item_id])
    first = await carried_out(bench, system, [order, order], UNDO)
    assert [answer.state for answer in first] == [ItemState.REINSTATED] * 2
    for again in (system.execute, system.reconcile):
        [answer] = await again([order], UNDO)
        assert (answer.state, answer.ours) == (ItemState.REINSTATED, True)
    assert len(await bench.reversals(item_id)) == 1
    # also after the window: what was done then was done
    bench.forward(bench.window_seconds + 1)
    [answer] = await system.reconcile([order], UNDO)
    assert (answer.state, answer.ours) == (ItemState.REINSTATED, True)


async def test_reconciling_an_undo_that_was_never_sent_sends_it(bench, system):
    [item_id], _ = await cancelled(bench, system)
    [answer] = await system.reconcile(await back(system, [item_id]), UNDO)
    assert answer.state is ItemState.REINSTATED
    assert len(await bench.reversals(item_id)) == 1


async def test_an_undo_that_is_only_looked_at_is_never_sent(bench, system):
    [done, still], _ = await cancelled(bench, system, 2)
    chunk = await back(system, [done, still])
    await carried_out(bench, system, chunk[:1], UNDO)
    looking = replace(UNDO, only_look=True)
    first, second = await settled(bench, system, chunk, await system.reconcile(chunk, looking), looking)
    assert (first.state, first.ours) == (ItemState.REINSTATED, True)
    assert second.state is (ItemState.UNKNOWN if "locks" in bench.lacks else ItemState.SKIPPED)
    assert await bench.cancelled(still)
    assert await bench.reversals(still) == []


async def test_two_operators_bring_each_item_back_once(bench, system):
    ids, _ = await cancelled(bench, system, 20)
    other = bench.open()
    second = errand("run-3", verb=Verb.REINSTATE, operator="ops2@example.com")
    chunks = await back(system, ids), await back(other, list(reversed(ids)), "run-3")
    told = await asyncio.gather(system.execute(chunks[0], UNDO), other.execute(chunks[1], second))
    states = [answer.state for part in told for answer in part]
    assert states.count(ItemState.REINSTATED) == 20
    late = [answer for part in told for answer in part if answer.state is not ItemState.REINSTATED]
    assert {(answer.state, answer.code) for answer in late} == {(ItemState.REFUSED, VerdictCode.NOT_CANCELLED)}
    assert [len(await bench.reversals(item_id)) for item_id in ids] == [1] * 20


async def test_the_guard_holds_for_an_undo_too(bench, system):
    (same, changed, elsewhere, missing), _ = await cancelled(bench, system, 4)
    chunk = await back(system, [same, changed, elsewhere, missing])
    chunk[-1] = type(chunk[-1])(another_id(missing), chunk[-1].key, chunk[-1].seen)
    await bench.touch(changed)
    await bench.bring(elsewhere, State.DONE)
    told = dict(zip([order.id for order in chunk], await system.execute(chunk, UNDO), strict=True))
    assert told[same].state is ItemState.REINSTATED
    assert (told[changed].state, told[changed].code) == (ItemState.SKIPPED, SkipCode.DRIFTED)
    assert (told[elsewhere].state, told[elsewhere].code) == (ItemState.REFUSED, VerdictCode.NOT_CANCELLED)
    assert (told[another_id(missing)].state, told[another_id(missing)].code) == (
        ItemState.REFUSED,
        VerdictCode.NOT_FOUND,
    )
    assert [len(await bench.reversals(item_id)) for item_id in (same, changed, elsewhere, missing)] == [1, 0, 0, 0]


async def test_verification_of_an_undo_reads_what_the_system_says(bench, system):
    (good, again, moved, never), _ = await cancelled(bench, system, 4)
    chunk = await back(system, [good, again, moved, never])
    await system.execute(chunk[:3], UNDO)
    third = errand("run-3", operator="ops2@example.com")
    await carried_out(bench, system, await orders(system, [again], "run-3"), third)
    await bench.bring(moved, State.CANCELLED)
    found = dict(zip([order.id for order in chunk], await system.verify(chunk, UNDO), strict=True))
    assert found[good].verified is Verified.YES
    for item_id in (again, moved, never):
        assert found[item_id].verified is Verified.CONTRADICTED
        assert found[item_id].note
    assert ("jane@example.com" if "operators" in bench.lacks else "ops2@example.com") in (found[again].note or "")


async def test_what_came_back_can_be_cancelled_again_under_another_key(bench, system):
    [item_id], _ = await cancelled(bench, system)
    first = await orders(system, [item_id])
    await system.execute(await back(system, [item_id]), UNDO)
    # The first cancellation is over and done: its order takes no effect any more.
    [stale] = await carried_out(bench, system, first)
    assert not await bench.cancelled(item_id)
    assert len(await bench.effects(item_id)) == 1
    assert stale.ours in (True, None)
    chunk = await orders(system, [item_id], "run-3")
    [answer] = await carried_out(bench, system, chunk, errand("run-3"))
    assert answer.state is ItemState.CANCELLED
    effects = await bench.effects(item_id)
    assert [effect["idempotency_key"] for effect in effects] == [key_of("run-1", item_id), key_of("run-3", item_id)]
    assert [found.verified for found in await system.verify(chunk, errand("run-3"))] == [Verified.YES]
    # and brought back again, under a key of its own
    [answer] = await system.execute(await back(system, [item_id], "run-4"), errand("run-4", verb=Verb.REINSTATE))
    assert answer.state is ItemState.REINSTATED
    assert len(await bench.reversals(item_id)) == 2
