"""Taking back what a run cancelled: which windows are open, in which order they close, what becomes of each item."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.mixed import everything, fill_all, mixed_world, put_on_hold, records
from support.orders import errand, orders
from support.world import WHO, World
from tui_app.domain.describe import Verb
from tui_app.domain.errors import Conflict
from tui_app.domain.ledger import Event
from tui_app.domain.rates import Rate
from tui_app.domain.records import LedgerQuery, PlanRecord, RunRecord, Who
from tui_app.domain.run import ItemState, RunState, Verified
from tui_app.systems.cases.embedded import EmbeddedCases

WINDOW = 90.0
OTHER = Who("ops2@example.com", "ops2", "ops1", "local", "local")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = mixed_world(tmp_path)
    yield made
    await assert_invariants(made.store, *records(tmp_path).values())
    await made.close()


async def cancelled(world: World, *names: str) -> RunRecord:
    """A run that cancelled everything of these systems."""
    return await world.worker().drive((await world.confirm(await world.plan(*everything(*names)))).id)


async def test_a_run_is_undone_and_says_so_everywhere(world: World, tmp_path: Path) -> None:
    ids = fill_all(tmp_path, 8)["cases"]
    run = await cancelled(world)
    assert run.undo is not None
    assert run.undo.items == 8
    plan = await world.undo(run.id)
    assert plan.head.verb is Verb.REINSTATE
    confirmed = await world.confirm(plan, key="k2")
    assert confirmed.state is RunState.QUEUED
    done = await world.worker().drive(confirmed.id)
    assert (done.state, done.states, done.verified) == (
        RunState.FINISHED,
        {ItemState.REINSTATED: 8},
        {Verified.YES: 8},
    )
    assert done.undo is None
    answers = [one.outcome.answer for one in await world.items(done.id) if one.outcome]
    assert {(answer.before, answer.after) for answer in answers} == {("cancelled", "in_progress")}
    # the run that was undone is what it was: its outcomes are history, and there is nothing left to undo
    undone = await world.store.runs.get(run.id)
    assert (undone.states, undone.undo) == ({ItemState.CANCELLED: 24}, None)
    [noted] = await world.store.ledger.lines(LedgerQuery(run=run.id, event=Event.UNDO.value))
    assert noted.facts["plan"] == plan.id
    told = await world.store.ledger.lines(LedgerQuery(event="reinstated", limit=100))
    assert {row.facts["item"] for row in told} == set(ids)
    # verifying the first run again finds that its cancellations do not hold any more, and why
    again = await world.steering.verify(run.id, WHO)
    assert again.verified == {Verified.YES: 16, Verified.UNDONE: 8}
    notes = {one.verification.note for one in await world.items(run.id) if one.verification}
    assert notes - {None} == {f"undone by run {done.id}"}
    # and so it is of the undo, once a further run has cancelled them again
    third = await world.confirm(await world.plan(*everything("cases")), key="k3")
    third = await world.worker().drive(third.id)
    assert third.states == {ItemState.CANCELLED: 8}
    again = await world.steering.verify(done.id, WHO)
    assert again.verified == {Verified.UNDONE: 8}
    assert (await world.steering.verify(run.id, WHO)).verified[Verified.UNDONE] == 8


async def test_what_cannot_be_undone_is_refused_with_why(world: World, tmp_path: Path) -> None:
    fill_all(tmp_path, 3)
    final = await cancelled(world, "commands", "schedules")
    with pytest.raises(Conflict, match="nothing that can be brought back"):
        await world.steering.undoable(final.id)
    cases = await world.worker().drive((await world.confirm(await world.plan(*everything("cases")), key="k2")).id)
    undo = await world.worker().drive((await world.confirm(await world.undo(cases.id), key="k3")).id)
    assert undo.states == {ItemState.REINSTATED: 3}
    with pytest.raises(Conflict, match="is an undo itself"):
        await world.steering.undoable(undo.id)
    with pytest.raises(Conflict, match="nothing that can be brought back"):
        await world.steering.undoable(cases.id)
    again = await world.worker().drive((await world.confirm(await world.plan(*everything("cases")), key="k4")).id)
    world.clock.forward(2 * 3600)
    with pytest.raises(Conflict, match="the last window"):
        await world.steering.undoable(again.id)


async def test_of_two_undos_at_once_the_later_one_finds_nothing_to_bring_back(world: World, tmp_path: Path) -> None:
    fill_all(tmp_path, 4, "cases")
    run = await cancelled(world, "cases")
    first, later = await world.undo(run.id), await world.undo(run.id)
    await world.worker().drive((await world.confirm(first, key="k2")).id)
    done = await world.worker().drive((await world.confirm(later, key="k3")).id)
    assert done.states == {ItemState.SKIPPED: 4}
    assert {one.outcome.answer.code for one in await world.items(done.id) if one.outcome} == {"DRIFTED"}


async def test_a_run_that_has_cancelled_nothing_yet_is_left_alone(world: World, tmp_path: Path) -> None:
    fill_all(tmp_path, 5, "cases")
    run = await world.confirm(await world.plan(*everything("cases")))
    with pytest.raises(Conflict):
        await world.steering.undoable(run.id)
    assert (await world.store.runs.get(run.id)).state is RunState.QUEUED


async def small_world(folder: Path, **options: Any) -> World:
    """Cases that can be brought back for a minute and a half only, and are cancelled one a minute."""
    world = mixed_world(folder)
    await world.systems["cases"].close()
    cases = EmbeddedCases(folder / "cases.db", world.clock, window_seconds=WINDOW, **options)
    world.systems["cases"] = cases  # type: ignore[index]
    return world


async def test_under_a_limit_the_first_windows_close_before_the_run_ends(tmp_path: Path) -> None:
    world = await small_world(tmp_path, server_rate=Rate(1, timedelta(minutes=1)))
    ids = fill_all(tmp_path, 4, "cases")["cases"]
    run = await cancelled(world, "cases")
    assert run.states == {ItemState.CANCELLED: 4}
    assert run.undo is not None
    assert run.undo.first_closes < run.undo.last_closes
    [selection] = await world.steering.undoable(run.id)
    sent = {one.item.seen.id: one.sent_at for one in await world.items(run.id)}
    # the one whose window closes first comes first
    assert list(selection.ids or ()) == sorted(ids, key=lambda one: sent[one] or "")
    plan = await world.undo(run.id)
    assert plan.totals["blocked"] == {"WINDOW_CLOSED": 2}
    items = await world.store.plans.items(plan.id, limit=10)
    dues = [item.seen.due for item in items if item.seen.verdict.cancellable]
    assert dues == sorted(due for due in dues if due is not None)
    assert dues[-1] == run.undo.last_closes
    # the limit holds for an undo too: by the time of the second one, its window has closed as well
    done = await world.worker().drive((await world.confirm(plan, key="k2")).id)
    assert done.codes[ItemState.SKIPPED, "WINDOW_CLOSED"] == 2
    assert done.codes[ItemState.REINSTATED, None] >= 1
    await assert_invariants(world.store, *records(tmp_path).values())
    await world.close()


async def test_a_window_that_closes_between_review_and_run_is_told_item_by_item(tmp_path: Path) -> None:
    world = await small_world(tmp_path)
    fill_all(tmp_path, 3, "cases")
    run = await cancelled(world, "cases")
    confirmed = await world.confirm(await world.undo(run.id), key="k2")
    world.clock.forward(WINDOW)
    done = await world.worker().drive(confirmed.id)
    assert done.codes == {(ItemState.SKIPPED, "DRIFTED"): 3}
    told = [one.outcome.answer.message or "" for one in await world.items(done.id) if one.outcome]
    assert all("could be reinstated until" in message for message in told)
    assert len(records(tmp_path)["cases"].cancelled()) == 3
    await assert_invariants(world.store, *records(tmp_path).values())
    await world.close()


async def test_a_limit_holds_for_an_undo_too_and_it_goes_on(tmp_path: Path) -> None:
    world = mixed_world(tmp_path, rates={"cases": Rate(2, timedelta(minutes=1))})
    fill_all(tmp_path, 5, "cases")
    run = await cancelled(world, "cases")
    began, waited = world.clock.moment, sum(world.waits)
    done = await world.worker().drive((await world.confirm(await world.undo(run.id), key="k2")).id)
    assert done.states == {ItemState.REINSTATED: 5}
    assert sum(world.waits) - waited >= 119
    assert world.clock.moment - began >= timedelta(seconds=119)
    await assert_invariants(world.store, *records(tmp_path).values())
    await world.close()


async def test_a_running_run_is_asked_to_pause_when_its_undo_is_confirmed(tmp_path: Path) -> None:
    world = mixed_world(tmp_path, rates={"cases": Rate(2, timedelta(minutes=1))})
    fill_all(tmp_path, 5, "cases")
    run = await world.confirm(await world.plan(*everything("cases")))
    plans: list[PlanRecord] = []
    undoing: list[RunRecord] = []

    async def undo(seconds: float) -> None:
        world.clock.forward(seconds)
        now = await world.store.runs.get(run.id)
        if now.undo is not None and not plans:
            assert now.state is RunState.RUNNING
            world.launcher.working = True
            plan = await world.undo(run.id)
            # looking at what an undo would do leaves the run alone
            assert (await world.store.runs.get(run.id)).wanted is None
            plans.append(plan)
            undoing.append(await world.confirm(plan, key="k2"))

    worker = world.worker()
    paused = await type(worker)("w1", world.store, world.systems, world.clock, WHO, undo).drive(run.id)
    assert paused.state is RunState.PAUSED
    [plan] = plans
    assert plan.totals["counts"]["cancellable"] == paused.states[ItemState.CANCELLED] == 2
    world.launcher.working = False
    done = await world.worker().drive(undoing[0].id)
    assert done.states == {ItemState.REINSTATED: 2}
    # The run can still be resumed, and cancels what it had not come to; what was brought back stays so.
    await world.steering.resume(run.id, WHO)
    over = await world.worker().drive(run.id)
    assert over.states == {ItemState.CANCELLED: 5}
    assert len(records(tmp_path)["cases"].cancelled()) == 3
    await assert_invariants(world.store, *records(tmp_path).values())
    await world.close()


async def test_what_somebody_else_brought_back_meanwhile_is_not_ours(world: World, tmp_path: Path) -> None:
    ids = fill_all(tmp_path, 3, "cases")["cases"]
    run = await cancelled(world, "cases")
    confirmed = await world.confirm(await world.undo(run.id), key="k2")
    elsewhere = EmbeddedCases(tmp_path / "cases.db", world.clock)
    theirs = errand("theirs", verb=Verb.REINSTATE, operator=OTHER.operator)
    await elsewhere.execute(await orders(elsewhere, ids[:1], "theirs", verb=Verb.REINSTATE), theirs)
    done = await world.worker().drive(confirmed.id)
    assert done.codes == {(ItemState.REINSTATED, None): 2, (ItemState.SKIPPED, "DRIFTED"): 1}
    await elsewhere.close()


async def test_a_hold_does_not_keep_a_case_from_coming_back(world: World, tmp_path: Path) -> None:
    """A hold stands in the way of stopping work, not of taking it up again: it comes back as it was, held."""
    ids = fill_all(tmp_path, 2, "cases")["cases"]
    run = await cancelled(world, "cases")
    put_on_hold(tmp_path, ids[:1])
    done = await world.worker().drive((await world.confirm(await world.undo(run.id), key="k2")).id)
    assert done.states == {ItemState.REINSTATED: 2}
    seen = await world.systems["cases"].survey(ids)
    assert [one.verdict.cancellable for one in seen] == [False, True]
