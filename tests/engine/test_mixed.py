"""One plan over several systems, from its plan to its end, and back where a system allows it."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.mixed import everything, fill_all, fill_schedules, mixed_world, put_on_hold, records
from support.world import WHO, World, fill
from tui_app.domain.describe import Verb
from tui_app.domain.errors import UsageProblem
from tui_app.domain.items import Seen, Selection
from tui_app.domain.ledger import Event
from tui_app.domain.plan import Options
from tui_app.domain.ports import Reply
from tui_app.domain.records import LedgerQuery
from tui_app.domain.run import Errand, ItemState, Order, RunState, Verified


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = mixed_world(tmp_path)
    yield made
    await assert_invariants(made.store, *records(tmp_path).values())
    await made.close()


async def states_of(world: World, run_id: str) -> dict[str, dict[ItemState, int]]:
    """How many items of each system are in each state."""
    found: dict[str, dict[ItemState, int]] = {}
    for one in await world.items(run_id):
        by_state = found.setdefault(one.item.system, {})
        by_state[one.state] = by_state.get(one.state, 0) + 1
    return found


async def test_a_hundred_items_of_three_systems_are_cancelled_verified_and_ledgered_and_the_cases_undone(
    world: World, tmp_path: Path
) -> None:
    ids = fill_all(tmp_path, 30)
    ids["commands"] += fill(tmp_path / "commands.db", 10)
    chosen = [Selection(name, ids=tuple(some)) for name, some in ids.items()]
    plan = await world.plan(*chosen)
    assert plan.totals["counts"] == {"items": 100, "cancellable": 100, "blocked": 0}
    assert set(plan.head.targets) == {"commands", "cases", "schedules"}
    run = await world.worker().drive((await world.confirm(plan)).id)
    assert (run.state, run.states) == (RunState.FINISHED, {ItemState.CANCELLED: 100})
    assert run.verified == {Verified.YES: 100}
    for name, of_system in records(tmp_path).items():
        assert of_system.cancelled() == set(ids[name])
        assert {one.run for one in of_system.effects()} == {run.id}
    lines = await world.store.ledger.lines(LedgerQuery(run=run.id, event="cancelled", limit=1000))
    assert {(row.facts["system"], row.facts["item"]) for row in lines} == {
        (name, one) for name, some in ids.items() for one in some
    }
    assert {row.facts["reason"] for row in lines} == {"duplicate request"}

    assert run.undo is not None
    assert run.undo.items == 30
    back = await world.undo(run.id)
    assert (back.head.verb, back.totals["counts"]) == (
        Verb.REINSTATE,
        {"items": 30, "cancellable": 30, "blocked": 0},
    )
    undone = await world.worker().drive((await world.confirm(back, key="k2")).id)
    assert (undone.state, undone.states) == (RunState.FINISHED, {ItemState.REINSTATED: 30})
    assert undone.verified == {Verified.YES: 30}
    assert records(tmp_path)["cases"].cancelled() == set()
    assert records(tmp_path)["commands"].cancelled() == set(ids["commands"])
    [noted] = await world.store.ledger.lines(LedgerQuery(run=run.id, event=Event.UNDO.value))
    assert (noted.facts["plan"], noted.facts["operator"]) == (back.id, WHO.operator)
    told = await world.store.ledger.lines(LedgerQuery(run=undone.id, event="reinstated", limit=1000))
    assert {row.facts["item"] for row in told} == set(ids["cases"])
    # what came back can be cancelled again, as a run of its own
    again = await world.worker().drive((await world.confirm(await world.plan(*everything("cases")), key="k3")).id)
    assert again.states == {ItemState.CANCELLED: 30}


async def test_what_has_a_deadline_is_sent_first_and_the_soonest_of_it_first(world: World, tmp_path: Path) -> None:
    ids = fill_all(tmp_path, 20)
    late = fill_schedules(tmp_path / "schedules.db", 1, run_at="2030-01-01T00:00:00.000000Z")
    soon = fill_schedules(tmp_path / "schedules.db", 1, run_at="2026-06-01T00:00:00.000000Z")
    asked = (*late, *ids["schedules"], *soon)
    plan = await world.plan(
        Selection("commands", ids=tuple(ids["commands"])),
        Selection("cases", ids=tuple(ids["cases"])),
        Selection("schedules", ids=asked),
    )
    run = await world.worker().drive((await world.confirm(plan)).id)
    items = await world.items(run.id)
    assert [one.item.system for one in items] == ["schedules"] * 22 + ["commands"] * 20 + ["cases"] * 20
    dues = [one.item.seen.due for one in items[:22]]
    assert dues == sorted(due for due in dues if due is not None)
    assert [items[0].item.seen.id, items[21].item.seen.id] == [*soon, *late]
    sent = [one.sent_at for one in items]
    assert sent == sorted(moment for moment in sent if moment is not None)
    # what nobody named an order for keeps the one that it was given
    assert [one.item.seen.id for one in items[22:42]] == ids["commands"]


async def test_a_filter_sends_the_soonest_first_too(world: World, tmp_path: Path) -> None:
    fill_all(tmp_path, 30)
    plan = await world.plan(*everything("commands", "schedules"))
    items = await world.store.plans.items(plan.id, limit=100)
    assert [one.system for one in items] == ["schedules"] * 30 + ["commands"] * 30
    dues = [one.seen.due or "" for one in items[:30]]
    assert dues == sorted(dues)
    assert len(set(dues)) == 30


async def test_drift_in_one_system_leaves_the_others_alone(world: World, tmp_path: Path) -> None:
    ids = fill_all(tmp_path, 10)
    plan = await world.plan(*everything())
    put_on_hold(tmp_path, ids["cases"][:4])
    run = await world.worker().drive((await world.confirm(plan)).id)
    assert await states_of(world, run.id) == {
        "schedules": {ItemState.CANCELLED: 10},
        "commands": {ItemState.CANCELLED: 10},
        "cases": {ItemState.CANCELLED: 6, ItemState.SKIPPED: 4},
    }
    told = [one.outcome.answer for one in await world.items(run.id) if one.state is ItemState.SKIPPED and one.outcome]
    assert {answer.code for answer in told} == {"DRIFTED"}
    assert all("hold" in (answer.message or "") for answer in told)


async def test_only_what_can_be_brought_back_is_planned_for_it(world: World, tmp_path: Path) -> None:
    ids = fill_all(tmp_path, 2)
    for name in ("commands", "schedules"):
        with pytest.raises(UsageProblem):
            await world.plan(Selection(name, ids=tuple(ids[name])), verb=Verb.REINSTATE)


async def test_nobody_is_notified_where_the_operator_said_so_and_the_senders_are_told_all_the_same(
    world: World, tmp_path: Path
) -> None:
    fill_all(tmp_path, 5)
    plan = await world.plan(*everything())
    quiet = await world.confirm(plan, options=Options(notify_stakeholders=False))
    run = await world.worker().drive(quiet.id)
    assert run.states == {ItemState.CANCELLED: 15}
    cases = records(tmp_path)["cases"]
    assert cases.rows("SELECT count(*) FROM notification") == [(0,)]
    assert len(world.records.replies()) == 5


async def test_a_publisher_at_work_beside_the_run_never_publishes_what_is_cancelled(tmp_path: Path) -> None:
    """Between any two requests of the run the scanner and a publisher take a few steps; every post has one end."""
    world = mixed_world(tmp_path, chunk=4)
    ids = fill_schedules(tmp_path / "schedules.db", 40, run_at="2026-01-01T00:00:00.000000Z")
    fill_all(tmp_path, 8, "commands")
    run = await world.confirm(await world.plan(*everything("schedules", "commands")))
    schedules = world.systems["schedules"]

    class Beside:
        """The same schedules, whose runners work whenever the run has asked for something."""

        def __getattr__(self, name: str) -> Any:
            return getattr(schedules, name)

        async def survey(self, asked: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
            seen = await schedules.survey(asked, verb)
            await self._publish(2)
            return seen

        async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
            replies = await schedules.execute(orders, errand)
            await self._publish(1)
            return replies

        async def _publish(self, number: int) -> None:
            await schedules.runners.store.queue_due(100)  # type: ignore[attr-defined]
            for _ in range(number):
                await schedules.runners.publisher.work_one()  # type: ignore[attr-defined]

    beside: Any = {**world.systems, "schedules": Beside()}
    done = await world.worker(systems=beside).drive(run.id)
    assert done.state is RunState.FINISHED
    own = records(tmp_path)["schedules"]
    published = {item for (item,) in own.rows("SELECT schedule_id FROM outbox")}
    assert published
    assert own.cancelled()
    assert own.cancelled().isdisjoint(published)
    assert own.cancelled() | published == set(ids)
    ends = await states_of(world, run.id)
    assert ends["commands"] == {ItemState.CANCELLED: 8}
    assert ends["schedules"][ItemState.CANCELLED] == len(own.cancelled())
    lost = {
        one.outcome.answer.code
        for one in await world.items(run.id)
        if one.state is not ItemState.CANCELLED and one.outcome
    }
    assert lost <= {"PUBLISHED", "PUBLISHING", "DRIFTED"}
    await assert_invariants(world.store, *records(tmp_path).values())
    await world.close()


async def test_a_schedule_that_came_into_the_queue_is_still_the_one_that_was_planned(tmp_path: Path) -> None:
    world = mixed_world(tmp_path)
    ids = fill_schedules(tmp_path / "schedules.db", 6, run_at="2026-01-01T00:00:00.000000Z")
    plan = await world.plan(*everything("schedules"))
    schedules: Any = world.systems["schedules"]
    assert await schedules.runners.store.queue_due(4) == 4
    run = await world.worker().drive((await world.confirm(plan)).id)
    assert run.states == {ItemState.CANCELLED: 6}
    before = [one.outcome.answer.before for one in await world.items(run.id) if one.outcome]
    assert sorted(one or "" for one in before) == ["pending"] * 2 + ["queued"] * 4
    # the publisher finds each message, and passes it over
    while await schedules.runners.publisher.work_one():
        pass
    own = records(tmp_path)["schedules"]
    assert own.cancelled() == set(ids)
    assert own.rows("SELECT count(*) FROM audit WHERE event = 'PUBLISH_SKIPPED'") == [(4,)]
    await assert_invariants(world.store, own)
    await world.close()
