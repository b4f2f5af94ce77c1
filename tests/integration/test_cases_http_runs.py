"""Whole runs against a case API that is not ours: planned, confirmed, paced, paused, taken up elsewhere, undone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.case_server import Quirks, case_server
from support.world import WHO, make_world
from tui_app.cli.exits import Exit, of_run
from tui_app.domain import moments
from tui_app.domain.filters import parse
from tui_app.domain.items import Selection
from tui_app.domain.plan import PlanState
from tui_app.domain.rates import Rate
from tui_app.domain.run import ItemState, PauseCause, RunState, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.engine.planning import Planner
from tui_app.service.words import run_model
from tui_app.systems.cases.conduct import Conduct
from tui_app.systems.cases.words import ASSUMED

MINUTE = timedelta(minutes=1)
NAMES = tuple(f"CASE-{n}" for n in range(1, 13))


async def planned(world, *names):
    return await world.confirm(await world.plan(Selection("cases", ids=names)))


async def test_a_run_over_the_limit_ends_with_each_case_cancelled_once_and_undone(tmp_path):
    quirks = Quirks(limit=Rate(5, MINUTE), reads=Rate(100, MINUTE), polls=2)
    async with case_server(*NAMES, quirks=quirks) as way:
        way.server.cases[NAMES[3]].hold = True
        world = make_world(tmp_path, {"cases": way.open(limited=True)}, way.server.clock)
        began = way.server.clock.now()
        run = await planned(world, *NAMES)
        done = await world.worker().drive(run.id)
        assert done.state is RunState.FINISHED
        items = await world.items(run.id)
        states = {one.item.seen.id: one.state for one in items}
        assert states.pop(NAMES[3]) is ItemState.SKIPPED
        assert set(states.values()) == {ItemState.CANCELLED}
        assert sorted(one for one, _ in way.server.effects) == sorted(states)
        for one in items:
            if one.state is ItemState.CANCELLED:
                assert one.verification is not None
                assert one.verification.verified is Verified.YES
                assert one.outcome.answer.undo_until == way.server.cases[one.item.seen.id].deadline
                assert (one.item.seen.id, one.key) in way.server.effects
            else:
                assert one.outcome.answer.code == VerdictCode.ACTIVE_HOLD
        # Eleven at five a minute take two minutes and more.
        assert way.server.clock.now() - began > 2 * MINUTE

        undo = await world.confirm(await world.undo(run.id), key="k2")
        back = await world.worker().drive(undo.id)
        assert back.state is RunState.FINISHED
        assert sorted(one for one, _ in way.server.returned) == sorted(states)
        assert {one.state for one in await world.items(undo.id)} == {ItemState.REINSTATED}
        assert (await world.store.ledger.check()).problem is None
        await world.close()


async def test_a_permission_that_is_lost_pauses_the_run_and_nothing_is_lost(tmp_path):
    async with case_server(*NAMES[:4]) as way:
        system = way.open(limited=True)
        world = make_world(tmp_path, {"cases": system}, way.server.clock)
        run = await planned(world, *NAMES[:4])
        cancel = way.server._cancel

        def then_lost(*given):
            way.server.permitted = len(way.server.effects) < 1
            return cancel(*given)

        way.server._cancel = then_lost
        paused = await world.worker().drive(run.id)
        assert paused.state is RunState.PAUSED
        assert paused.pause.cause is PauseCause.CREDENTIALS
        assert "cancel_case" in paused.pause.message
        way.server.permitted, way.server._cancel = True, cancel
        way.server.clock.forward(61)
        await world.steering.resume(run.id, WHO)
        done = await world.worker().drive(run.id)
        assert done.state is RunState.FINISHED
        cancelled = [one.item.seen.id for one in await world.items(run.id) if one.state is ItemState.CANCELLED]
        assert cancelled == [one for one, _ in way.server.effects]
        assert len(cancelled) >= 3
        await world.close()


async def test_a_server_that_goes_away_in_the_middle_pauses_the_run_and_another_runner_ends_it(tmp_path):
    """It goes with the first cancellation, after its effect and before its answer, and comes back later."""
    async with case_server(*NAMES[:3], patience=0.2) as way:
        world = make_world(tmp_path, {"cases": way.open(limited=True)}, way.server.clock)
        run = await planned(world, *NAMES[:3])
        begun = []

        def from_then_on(asked):
            begun.extend([asked] if asked.method == "POST" else [])
            return bool(begun)

        await way.raw.arm("reset after the effect", from_then_on)
        stopped = await world.worker().drive(run.id)
        assert stopped.state is RunState.PAUSED
        assert stopped.pause.cause is PauseCause.BREAKER
        assert stopped.states == {ItemState.SENDING: 1}, "nobody knows of the first yet, and none was sent after it"
        await way.raw.mend()
        await world.steering.resume(run.id, WHO)
        done = await world.worker("w2", systems={"cases": way.open(limited=True)}).drive(run.id)
        assert done.state is RunState.FINISHED
        assert done.states == {ItemState.CANCELLED: 3}
        assert sorted(one for one, _ in way.server.effects) == sorted(NAMES[:3])
        await world.close()


async def test_a_stop_while_the_server_is_away_sends_nothing_more_and_settles_when_it_is_back(tmp_path):
    async with case_server(*NAMES, quirks=Quirks(polls=3), patience=0.2) as way:
        world = make_world(tmp_path, {"cases": way.open(limited=True)}, way.server.clock)
        run = await planned(world, *NAMES)
        begun = []

        def from_then_on(asked):
            begun.extend([asked] if asked.method == "POST" else [])
            return len(begun) > 2

        await way.raw.arm("reset after the effect", from_then_on)
        assert (await world.worker().drive(run.id)).state is RunState.PAUSED
        posts = len(begun)
        stopped = await world.steering.stop(run.id, WHO)
        assert stopped.unsent == 0
        assert stopped.codes[ItemState.SKIPPED, "STOPPED"] >= len(NAMES) - posts
        still_away = await world.worker("w2", systems={"cases": way.open(limited=True)}).drive(run.id)
        assert still_away.state is (RunState.PAUSED if stopped.unsettled else RunState.STOPPED)
        assert still_away.unsettled == stopped.unsettled
        await way.raw.mend()
        await world.steering.resume(run.id, WHO)
        done = await world.worker("w3", systems={"cases": way.open(limited=True)}).drive(run.id)
        assert done.state is RunState.STOPPED
        assert len(begun) == posts
        told = {one.item.seen.id for one in await world.items(run.id) if one.state is ItemState.CANCELLED}
        unknown = {one.item.seen.id for one in await world.items(run.id) if one.state is ItemState.UNKNOWN}
        assert told <= {one for one, _ in way.server.effects} <= told | unknown
        assert (await world.store.ledger.check()).problem is None
        await world.close()


async def test_a_deadline_is_the_servers(tmp_path):
    async with case_server(NAMES[0]) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, NAMES[0])
        await world.worker().drive(run.id)
        [one] = await world.items(run.id)
        until = moments.read(one.outcome.answer.undo_until)
        assert until - way.server.clock.now() <= timedelta(hours=2)
        await world.close()


async def test_what_is_unknown_stays_so_and_is_planned_anew_under_a_new_key(tmp_path):
    """Neither resuming nor verifying its run looks at it again, as the guide says."""
    name = NAMES[0]
    async with case_server(name, quirks=Quirks(polls=10**6)) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, name)
        assert (await world.worker().drive(run.id)).states == {ItemState.UNKNOWN: 1}
        [item] = await world.items(run.id)
        assert f"quash show cases {name}" in item.outcome.answer.message
        asked = len(way.raw.log)
        await world.steering.resume(run.id, WHO)
        await world.steering.verify(run.id, WHO)
        assert len(way.raw.log) == asked

        way.server.cases[name].status, way.server.quirks.polls = "in_progress", 1
        again = await world.confirm(await world.plan(Selection("cases", ids=(name,))), key="k2")
        assert (await world.worker().drive(again.id)).states == {ItemState.CANCELLED: 1}
        [fresh] = await world.items(again.id)
        assert fresh.key != item.key
        await world.close()


@pytest.mark.parametrize(("lacking", "code"), [(404, Exit.DONE), (405, Exit.DONE), (403, Exit.UNKNOWN)])
async def test_a_clean_run_at_a_server_without_an_audit_ends_as_done(tmp_path, lacking, code):
    """One that keeps an audit, and does not show it, leaves the run with what is not known."""
    async with case_server(NAMES[0], quirks=Quirks(without=("audit-log",), lacking=lacking)) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, NAMES[0])
        done = await world.worker().drive(run.id)
        assert done.state is RunState.FINISHED
        assert of_run(run_model(done, at_work=False)) is code
        await world.close()


@pytest.mark.parametrize("without", [(), ("audit-log",)])
async def test_an_undo_goes_by_the_deadline_that_its_run_was_given_once(tmp_path, without):
    """A server that tells it only in its answer to the cancellation, with an audit or with none."""
    first = NAMES[0]
    async with case_server(first, quirks=Quirks(without=without)) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, first)
        done = await world.worker().drive(run.id)
        way.server.clock.forward(600)
        plan = await world.undo(run.id)
        [item] = await world.store.plans.items(plan.id)
        assert item.seen.due == plan.totals["soonest"] == done.undo.first_closes == way.server.cases[first].deadline
        assert ASSUMED not in {code for code, _, _ in plan.totals["impact"]}
        undo = await world.confirm(plan, key="k2")
        assert (await world.worker().drive(undo.id)).states == {ItemState.REINSTATED: 1}
        await world.close()


async def test_a_window_that_its_run_was_given_blocks_once_it_has_closed(tmp_path):
    """One of two has closed when the undo is planned, the other when that plan is read again."""
    async with case_server(*NAMES[:2], quirks=Quirks(limit=Rate(1, MINUTE))) as way:
        world = make_world(tmp_path, {"cases": way.open(limited=True)}, way.server.clock)
        run = await planned(world, *NAMES[:2])
        done = await world.worker().drive(run.id)
        first, last = moments.read(done.undo.first_closes), moments.read(done.undo.last_closes)
        assert last - first >= MINUTE
        way.server.clock.forward((first - way.server.clock.now()).total_seconds() + 1)
        plan = await world.undo(run.id)
        closed, still = await world.store.plans.items(plan.id)
        assert closed.seen.verdict.code is VerdictCode.WINDOW_CLOSED
        assert done.undo.first_closes in closed.seen.verdict.reason
        assert still.seen.verdict.cancellable
        assert plan.totals["soonest"] == still.seen.due == done.undo.last_closes

        way.server.clock.forward((last - way.server.clock.now()).total_seconds() + 1)
        await world.planner.check(plan.id)
        await world.planner.idle()
        drift = (await world.store.plans.get(plan.id)).drift
        assert (drift["state"], drift["gone"]) == ("done", 1)
        await world.close()


async def test_a_window_that_its_run_only_assumed_is_said_so_in_the_undo_and_closes_nothing(tmp_path):
    async with case_server(*NAMES[:1], quirks=Quirks(deadlines=())) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, NAMES[0])
        done = await world.worker().drive(run.id)
        plan = await world.undo(run.id)
        way.server.quirks.without = ("audit-log",)
        way.server.clock.forward(7_201)
        await world.planner.check(plan.id)
        await world.planner.idle()
        [item] = await world.store.plans.items(plan.id)
        assert item.seen.due == done.undo.first_closes
        assert [ASSUMED, "2 hours", 1] in plan.totals["impact"]
        assert (await world.store.plans.get(plan.id)).drift["gone"] == 0
        await world.close()


async def test_a_plan_waits_for_the_limit_of_reads_and_says_so(tmp_path):
    quirks = Quirks(reads=Rate(20, MINUTE))
    async with case_server(*NAMES, quirks=quirks) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        told = []

        async def wait(seconds):
            [plan] = await world.store.plans.newest(1)
            told.append((world.planner.waiting(plan), plan.read, plan.expected))
            way.server.clock.forward(seconds)

        world.planner = Planner(world.store, world.systems, way.server.clock, wait)
        plan = await world.plan(Selection("cases", ids=NAMES))
        assert plan.state is PlanState.READY
        assert plan.totals["counts"]["cancellable"] == len(NAMES)
        assert {(waiting.system, read, expected) for waiting, read, expected in told} == {("cases", 0, len(NAMES))}
        assert all(waiting.since < waiting.until for waiting, _, _ in told)
        assert world.planner.waiting(plan) is None
        assert way.waits == []
        await world.close()


async def test_a_plan_of_a_server_that_takes_no_reads_fails_with_whom_to_ask(tmp_path):
    async with case_server(*NAMES, quirks=Quirks(reads=Rate(0, MINUTE))) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        plan = await world.plan(Selection("cases", ids=NAMES))
        assert plan.state is PlanState.FAILED
        assert world.waits == [60.0] * 16
        assert "nothing more could be read for 16 min" in plan.error
        assert "Level 3: contact #case-ops" in plan.error
        assert len(way.raw.log) <= 10 * len(NAMES)
        await world.close()


async def test_reading_a_plan_again_waits_and_fails_in_the_same_way(tmp_path):
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        plan = await world.plan(Selection("cases", ids=NAMES))
        way.server.quirks.reads = Rate(0, MINUTE)
        await world.planner.check(plan.id)
        await world.planner.idle()
        checked = await world.store.plans.get(plan.id)
        assert checked.drift["state"] == "failed"
        assert "Level 3: contact #case-ops" in checked.drift["error"]
        assert world.waits == [60.0] * 16
        await world.close()


async def test_what_came_is_not_counted_where_it_cannot_be(tmp_path):
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        plan = await world.plan(Selection("cases", ids=NAMES[:2]))

        async def selections(_plan_id):
            return (Selection("cases", filter=parse("status:in_progress")),)

        world.store.plans.selections = selections
        await way.raw.arm("429")
        assert await world.planner.arrived(plan) is None
        await world.close()


async def test_a_pause_is_heard_while_a_run_waits_for_the_limit_of_reads(tmp_path):
    """The last look before the sending comes back at once: it is the gate that is waited for, in short steps."""
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, *NAMES)
        way.server.quirks.reads = Rate(0, MINUTE)
        steps = []

        async def wait(seconds):
            steps.append(seconds)
            way.server.clock.forward(seconds)
            if len(steps) == 3:
                await world.steering.pause(run.id, WHO)

        paused = await replace(world.worker(), wait=wait).drive(run.id)
        assert (paused.state, paused.pause.cause) == (RunState.PAUSED, PauseCause.OPERATOR)
        assert moments.read(paused.gates["cases"]) > way.server.clock.now()
        assert len(steps) == 3
        assert max(steps) <= 1
        assert way.waits == []
        assert way.server.wishes == []
        await world.close()


async def test_an_error_of_ours_about_one_answer_stays_with_its_case_which_is_not_sent_again(tmp_path, monkeypatch):
    """The request had its effect when the error came: the case is looked at, and its neighbours are cancelled."""
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, *NAMES)
        judged = Conduct._judged

        async def broken(self, order, *given):
            if order.id == NAMES[4]:
                raise KeyError("status")
            return await judged(self, order, *given)

        monkeypatch.setattr(Conduct, "_judged", broken)
        done = await world.worker().drive(run.id)
        assert done.state is RunState.FINISHED
        assert done.states == {ItemState.CANCELLED: len(NAMES)}
        assert sorted(one for one, _ in way.server.effects) == sorted(NAMES)
        await world.close()


async def test_an_error_of_ours_before_anything_is_sent_is_found_by_halves(tmp_path, monkeypatch):
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        run = await planned(world, *NAMES)
        held_back = Conduct._held_back

        async def broken(self, order, *given):
            if order.id == NAMES[4]:
                raise KeyError("status")
            return await held_back(self, order, *given)

        monkeypatch.setattr(Conduct, "_held_back", broken)
        done = await world.worker().drive(run.id)
        assert done.state is RunState.FINISHED
        assert done.states[ItemState.CANCELLED] == len(NAMES) - 1
        (other,) = [one for one in await world.items(run.id) if one.state is not ItemState.CANCELLED]
        assert (other.item.seen.id, other.outcome.answer.code) == (NAMES[4], "FAULT")
        assert NAMES[4] not in {one for one, _ in way.server.effects}
        await world.close()
