"""A run from its plan to the end, on the embedded bus."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.world import TROUBLED, WHO, World, commands, fill, make_world
from tui_app.domain.errors import (
    CannotConnect,
    Conflict,
    CountDiffers,
    InvalidReason,
    MalformedId,
    NeedsTakeover,
    OutcomeUnknown,
    PhraseDiffers,
    PlanChanged,
    PlanExpired,
    TargetChanged,
    UsageProblem,
)
from tui_app.domain.filters import parse
from tui_app.domain.items import Selection
from tui_app.domain.plan import Options
from tui_app.domain.records import Who
from tui_app.domain.run import Answer, Errand, ItemState, Order, PauseCause, RunState, Verified, item_key
from tui_app.domain.verdict import FINAL, VerdictCode
from tui_app.systems.commands.bus import EmbeddedBus, Failure
from tui_app.systems.commands.embedded import EmbeddedCommands

OTHER = Who("joe@example.com", "joe", "ops1", "local", "local")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = make_world(tmp_path)
    yield made
    await assert_invariants(made.store, made.records)
    await made.close()


def embedded(world: World) -> EmbeddedCommands:
    system = world.systems["commands"]
    assert isinstance(system, EmbeddedCommands)
    return system


def bus(world: World) -> EmbeddedBus:
    return EmbeddedBus(embedded(world).file, world.clock)


async def test_everything_in_troubleshooting_is_cancelled_verified_and_told(world: World) -> None:
    ids = fill(world.records.path, 1200)
    fill(world.records.path, 30, status="COMPLETED")
    plan = await world.plan(Selection("commands", filter=parse(f"status:{TROUBLED}")))
    assert plan.totals["counts"] == {"items": 1200, "cancellable": 1200, "blocked": 0}
    run = await world.worker().drive((await world.confirm(plan)).id)
    assert run.state is RunState.FINISHED
    assert run.states[ItemState.CANCELLED] == 1200
    assert run.verified == {Verified.YES: 1200}
    assert {item for item, status in world.records.statuses().items() if status == "CANCELED"} == set(ids)
    assert set(world.records.cancels()) == set(ids)
    assert run.head is not None


async def test_blocked_items_are_skipped_and_nothing_is_sent_for_them(world: World) -> None:
    (good,) = fill(world.records.path, 1)
    (done,) = fill(world.records.path, 1, status="COMPLETED")
    (lost,) = fill(world.records.path, 1, reply_queue="nowhere__replies")
    plan = await world.plan(commands(good, done, lost, "payments/none", good))
    assert plan.totals["counts"] == {"items": 4, "cancellable": 1, "blocked": 3}
    assert plan.totals["blocked"] == {"TERMINAL": 1, "REPLY_QUEUE_MISSING": 1, "NOT_FOUND": 1}
    run = await world.worker().drive((await world.confirm(plan)).id)
    states = {
        one.item.seen.id: (one.state, one.outcome and one.outcome.answer.code) for one in await world.items(run.id)
    }
    assert states == {
        good: (ItemState.CANCELLED, None),
        done: (ItemState.SKIPPED, "TERMINAL"),
        lost: (ItemState.SKIPPED, "REPLY_QUEUE_MISSING"),
        "payments/none": (ItemState.SKIPPED, "NOT_FOUND"),
    }
    assert set(world.records.cancels()) == {good}


async def test_what_moved_since_the_plan_is_skipped_and_said(world: World) -> None:
    same, retried, again = fill(world.records.path, 3)
    plan = await world.plan(commands(same, retried, again))
    await bus(world).retry(retried)
    await bus(world).retry(again)
    await bus(world).receive(again)
    await bus(world).move_to_troubleshooting(again, Failure("TIMEOUT", "again"))
    run = await world.worker().drive((await world.confirm(plan)).id)
    told = {one.item.seen.id: one.outcome for one in await world.items(run.id)}
    assert told[same]
    assert told[same].answer.state is ItemState.CANCELLED
    for item in (retried, again):
        outcome = told[item]
        assert outcome
        assert (outcome.answer.state, outcome.answer.code) == (ItemState.SKIPPED, "DRIFTED")
        assert "changed since the plan" in (outcome.answer.message or "")
    assert set(world.records.cancels()) == {same}


async def test_accepted_drift_cancels_what_changed_and_still_can_be(world: World) -> None:
    same, retried, again = fill(world.records.path, 3)
    plan = await world.plan(commands(same, retried, again))
    await bus(world).retry(retried)
    await bus(world).retry(again)
    await bus(world).receive(again)
    await bus(world).move_to_troubleshooting(again, Failure("TIMEOUT", "again"))
    await world.planner.check(plan.id)
    await world.planner.idle()
    drift = (await world.store.plans.get(plan.id)).drift
    assert drift is not None
    assert (drift["state"], drift["unchanged"], drift["changed"], drift["gone"]) == ("done", 1, 1, 1)
    run = await world.worker().drive((await world.confirm(plan, options=Options(accept_drift=True))).id)
    assert run.states == {ItemState.CANCELLED: 2, ItemState.SKIPPED: 1}
    assert set(world.records.cancels()) == {same, again}


async def test_two_plans_over_the_same_items_have_one_effect(world: World) -> None:
    ids = fill(world.records.path, 40)
    first, second = await world.plan(commands(*ids)), await world.plan(commands(*ids))
    one = await world.confirm(first, key="k1")
    two = await world.confirm(second, key="k2")
    await world.worker().drive(one.id)
    run = await world.worker().drive(two.id)
    assert run.states == {ItemState.ALREADY_CANCELLED: 40}
    answers = [item.outcome.answer for item in await world.items(two.id) if item.outcome]
    assert {(answer.ours, answer.by) for answer in answers} == {(False, WHO.operator)}


async def test_an_item_that_another_run_works_on_is_left_to_it(world: World) -> None:
    ids = fill(world.records.path, 3)
    one = await world.confirm(await world.plan(commands(*ids)), key="k1")
    two = await world.confirm(await world.plan(commands(*ids)), key="k2")
    claim = await world.store.work.claim(one.id, "elsewhere", world.clock.read())
    assert claim is not None
    await world.store.work.intend(claim, {0: "a", 1: "b"}, "2026-01-02T00:00:00.000000Z")
    run = await world.worker().drive(two.id)
    assert run.states == {ItemState.SKIPPED: 2, ItemState.CANCELLED: 1}
    assert run.codes[ItemState.SKIPPED, "CLAIMED"] == 2
    await world.worker().drive(one.id)


async def test_a_late_worker_is_refused(world: World) -> None:
    ids = fill(world.records.path, 2)
    run = await world.confirm(await world.plan(commands(*ids)))
    late = await world.store.work.claim(run.id, "late", world.clock.read())
    assert late is not None
    await world.worker("new").drive(run.id)
    with pytest.raises(Conflict):
        await world.store.work.intend(late, {0: "a"}, "2026-01-02T00:00:00.000000Z")
    with pytest.raises(Conflict):
        await world.store.work.complete(late)


async def test_the_same_key_confirms_once_and_a_plan_has_one_run(world: World) -> None:
    plan = await world.plan(commands(*fill(world.records.path, 2)))
    first = await world.confirm(plan, key="k1")
    assert (await world.confirm(plan, key="k1")).id == first.id
    with pytest.raises(Conflict):
        await world.confirm(plan, key="k2")
    with pytest.raises(Conflict):
        await world.confirm(plan, key="k1", options=Options(notify_stakeholders=False))
    await world.worker().drive(first.id)


async def test_what_cannot_be_confirmed_changes_nothing(world: World) -> None:
    plan = await world.plan(commands(*fill(world.records.path, 2)), ttl=timedelta(seconds=60))

    async def confirm(**changed: Any) -> None:
        words = {
            "plan_hash": plan.hash,
            "reason": "duplicate request",
            "options": Options(),
            "phrase": "yes",
            "expect_count": None,
            "key": "k1",
            "who": WHO,
        }
        await world.steering.confirm(plan.id, **{**words, **changed})

    with pytest.raises(PlanChanged):
        await confirm(plan_hash="0" * 64)
    with pytest.raises(InvalidReason):
        await confirm(reason="  ")
    with pytest.raises(PhraseDiffers):
        await confirm(phrase="Yes")
    with pytest.raises(PhraseDiffers):
        await confirm(phrase=None)
    with pytest.raises(CountDiffers):
        await confirm(expect_count=3)
    world.clock.forward(61)
    with pytest.raises(PlanExpired):
        await confirm()
    assert await world.store.runs.newest(10) == []
    assert world.launcher.starts == 0


@pytest.mark.parametrize(
    ("selection", "error"),
    [
        (Selection("commands", ids=("no-slash",)), MalformedId),
        (Selection("commands", ids=()), UsageProblem),
        (Selection("parcels", ids=("a",)), UsageProblem),
    ],
)
async def test_what_cannot_be_planned(world: World, selection: Selection, error: type[Exception]) -> None:
    fill(world.records.path, 1)
    with pytest.raises(error):
        await world.plan(selection)
    assert await world.store.plans.newest(10) == []


async def test_pause_resume_and_stop(world: World) -> None:
    ids = fill(world.records.path, 600)
    run = await world.confirm(await world.plan(commands(*ids)))
    paused = await world.steering.pause(run.id, WHO)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.OPERATOR)
    assert (await world.worker().drive(run.id)).state is RunState.PAUSED
    assert world.records.cancels().total() == 0
    assert (await world.steering.resume(run.id, WHO)).state is RunState.QUEUED
    await world.steering.stop(run.id, WHO)
    stopped = await world.worker().drive(run.id)
    assert stopped.state is RunState.STOPPED
    assert stopped.codes == {(ItemState.SKIPPED, "STOPPED"): 600}
    assert world.records.cancels().total() == 0
    with pytest.raises(Conflict):
        await world.steering.pause(run.id, WHO)
    assert (await world.steering.resume(run.id, WHO)).state is RunState.STOPPED


async def test_other_hands_send_nothing_until_they_accept(world: World) -> None:
    run = await world.confirm(await world.plan(commands(*fill(world.records.path, 2))))
    paused = await world.worker(who=OTHER).drive(run.id)
    assert paused.pause
    assert paused.pause.cause is PauseCause.PRINCIPAL
    with pytest.raises(NeedsTakeover):
        await world.steering.resume(run.id, OTHER)
    with pytest.raises(NeedsTakeover):
        await world.steering.stop(run.id, OTHER)
    assert world.records.cancels().total() == 0
    await world.steering.resume(run.id, OTHER, take_over=True)
    assert (await world.worker(who=OTHER).drive(run.id)).states == {ItemState.CANCELLED: 2}


async def test_another_target_gets_nothing_until_it_is_accepted(world: World, tmp_path: Path) -> None:
    run = await world.confirm(await world.plan(commands(*fill(world.records.path, 2))))
    elsewhere = EmbeddedCommands(tmp_path / "other.db", world.clock)
    fill(tmp_path / "other.db", 2)
    paused = await world.worker(systems={"commands": elsewhere}).drive(run.id)
    assert paused.pause
    assert paused.pause.cause is PauseCause.TARGET
    assert [row async for row in _statuses(elsewhere)] == [TROUBLED, TROUBLED]
    world.steering._systems = {"commands": elsewhere}
    with pytest.raises(TargetChanged):
        await world.steering.resume(run.id, WHO)
    await elsewhere.close()


async def _statuses(system: EmbeddedCommands) -> AsyncIterator[str]:
    for seen in await system.survey(["payments/c000000", "payments/c000001"]):
        yield seen.status


class Flaky:
    """A system in front of the real one that fails as often as it is told, before or after the effect."""

    def __init__(self, inner: EmbeddedCommands, *, before: int = 0, after: int = 0) -> None:
        self.inner, self.before, self.after = inner, before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        if self.before > 0:
            self.before -= 1
            raise CannotConnect("the bus does not answer")
        answers = await self.inner.execute(orders, errand)
        if self.after > 0:
            self.after -= 1
            raise OutcomeUnknown("the answer was lost")
        return answers


async def test_a_system_that_comes_back_is_waited_for(world: World) -> None:
    run = await world.confirm(await world.plan(commands(*fill(world.records.path, 5))))
    flaky = Flaky(embedded(world), before=3)
    done = await world.worker(systems={"commands": flaky}).drive(run.id)  # type: ignore[dict-item]
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 5})
    assert len(world.waits) == 3


async def test_a_system_that_stays_away_pauses_the_run_with_nothing_sent(world: World) -> None:
    run = await world.confirm(await world.plan(commands(*fill(world.records.path, 5))))
    flaky = Flaky(embedded(world), before=100)
    paused = await world.worker(systems={"commands": flaky}).drive(run.id)  # type: ignore[dict-item]
    assert paused.pause
    assert (paused.pause.cause, paused.pause.message) == (
        PauseCause.BREAKER,
        "the bus does not answer",
    )
    assert world.records.cancels().total() == 0
    assert (await world.steering.resume(run.id, WHO)).state is RunState.QUEUED
    assert (await world.worker().drive(run.id)).states == {ItemState.CANCELLED: 5}


async def test_a_lost_answer_is_settled_by_reading(world: World) -> None:
    run = await world.confirm(await world.plan(commands(*fill(world.records.path, 5))))
    flaky = Flaky(embedded(world), after=1)
    done = await world.worker(systems={"commands": flaky}).drive(run.id)  # type: ignore[dict-item]
    assert done.states == {ItemState.CANCELLED: 5}
    assert done.verified == {Verified.YES: 5}


async def test_intents_of_a_dead_worker_are_settled_by_the_ordinary_claim(world: World) -> None:
    ids = fill(world.records.path, 4)
    run = await world.confirm(await world.plan(commands(*ids)))
    claim = await world.store.work.claim(run.id, "dead", world.clock.read())
    assert claim is not None
    keys = {one.item.position: item_key(run.secret, run.id, "commands", one.item.seen.id) for one in claim.items}
    await world.store.work.intend(claim, keys, "2026-01-02T00:00:00.000000Z")
    sent = [Order(one.item.seen.id, keys[one.item.position], one.item.seen) for one in claim.items[:2]]
    errand = Errand(run.id, 0, run.plan.verb, run.principal, run.confirmed.reason, run.confirmed.options)
    await embedded(world).execute(sent, errand)
    done = await world.worker("next").drive(run.id)
    assert done.states == {ItemState.CANCELLED: 4}
    assert done.verified == {Verified.YES: 4}


async def test_verifying_again_finds_a_late_worker(world: World) -> None:
    (item,) = fill(world.records.path, 1)
    run = await world.worker().drive((await world.confirm(await world.plan(commands(item)))).id)
    await embedded(world).file.write(
        lambda connection: connection.execute("UPDATE command SET status = 'COMPLETED' WHERE id = ?", (item,))
    )
    again = await world.steering.verify(run.id, WHO)
    assert again.verified == {Verified.CONTRADICTED: 1}


async def test_refused_items_make_a_new_plan(world: World) -> None:
    one, two = fill(world.records.path, 2)
    run = await world.confirm(await world.plan(commands(one, two)))

    class QueueGone(Flaky):
        async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
            await bus(world).drop_queue("payments__replies")
            return await self.inner.execute(orders, errand)

    done = await world.worker(systems={"commands": QueueGone(embedded(world))}).drive(run.id)  # type: ignore[dict-item]
    assert done.codes == {(ItemState.REFUSED, "REPLY_QUEUE_MISSING"): 2}
    await bus(world).create_queue("payments__replies")
    (selection,) = await world.steering.refused(run.id)
    assert selection.ids == (one, two)
    again = await world.confirm(await world.plan(selection), key="k2")
    assert (await world.worker().drive(again.id)).states == {ItemState.CANCELLED: 2}


@pytest.mark.parametrize("code", sorted(FINAL))
async def test_items_refused_for_good_are_not_offered_for_retry(world: World, code: VerdictCode) -> None:
    one, two = fill(world.records.path, 2)
    run = await world.confirm(await world.plan(commands(one, two)))

    class RefusesOneForGood(Flaky):
        async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
            codes = {one: code.value, two: "ACTIVE_HOLD"}
            return [Answer(ItemState.REFUSED, codes[order.id], "no") for order in orders]

    done = await world.worker(systems={"commands": RefusesOneForGood(embedded(world))}).drive(run.id)  # type: ignore[dict-item]
    assert done.states == {ItemState.REFUSED: 2}
    (selection,) = await world.steering.refused(run.id)
    assert selection.ids == (two,)
