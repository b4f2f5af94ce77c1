"""What keeps a plan waiting is told by every process that has the journal, and not by a note that nobody renews."""

import asyncio
from datetime import timedelta

import pytest

from support.case_server import Quirks, case_server
from support.world import WHO, make_world
from tui_app.domain.describe import Verb
from tui_app.domain.items import Selection
from tui_app.domain.moments import read, stamp
from tui_app.domain.plan import PlanState
from tui_app.domain.rates import Rate
from tui_app.domain.records import Waiting
from tui_app.engine import patience
from tui_app.engine.planning import Planner

NAMES = tuple(f"CASE-{number}" for number in range(8))
MINUTE = timedelta(minutes=1)


def elsewhere(world):
    """The planner of another process, which has the same journal and makes nothing."""
    return Planner(world.store, world.systems, world.clock)


async def test_another_process_tells_of_a_limit_that_a_plan_waits_for(tmp_path):
    async with case_server(*NAMES, quirks=Quirks(reads=Rate(10, MINUTE))) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        other, told = elsewhere(world), []

        async def wait(seconds):
            [plan] = await world.store.plans.newest(1)
            told.append((other.waiting(plan), world.clock.now()))
            way.server.clock.forward(seconds)
            # The clock of this test leaps; the lease is kept meanwhile, as it is while real time passes.
            await world.planner._lease(plan.id)

        world.planner = Planner(world.store, world.systems, world.clock, wait)
        plan = await world.plan(Selection("cases", ids=NAMES))
        assert plan.state is PlanState.READY
        assert told
        for waiting, now in told:
            assert waiting is not None
            assert waiting.system == "cases"
            assert read(waiting.since) <= now < read(waiting.until)
        assert (await world.store.plans.get(plan.id)).waiting is None
        assert other.waiting(await world.store.plans.get(plan.id)) is None

        # So it is while it is read again.
        told.clear()
        way.server.clock.forward(60)
        await world.planner.check(plan.id)
        await world.planner.idle()
        assert told
        assert all(waiting is not None for waiting, _ in told)
        assert (await world.store.plans.get(plan.id)).waiting is None
        await world.close()


async def test_another_process_tells_of_a_system_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "SILENT", timedelta(milliseconds=2))
    monkeypatch.setattr(patience, "NOTED", timedelta(milliseconds=2))
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        other, answers, survey = elsewhere(world), asyncio.Event(), world.systems["cases"].survey

        async def silent(*given, **more):
            await answers.wait()
            return await survey(*given, **more)

        monkeypatch.setattr(world.systems["cases"], "survey", silent)
        plan = await world.planner.start([Selection("cases", ids=NAMES)], Verb.CANCEL, None, None, WHO)
        waiting = None
        for _ in range(10_000):
            waiting = other.waiting(await world.store.plans.get(plan.id))
            if waiting is not None:
                break
            await asyncio.sleep(0)
        assert (waiting.system, waiting.until) == ("cases", None)
        assert read(waiting.since) <= world.clock.now()
        answers.set()
        await world.planner.idle()
        assert other.waiting(await world.store.plans.get(plan.id)) is None
        await world.close()


@pytest.mark.parametrize("until", [None, 30])
async def test_a_note_of_a_process_that_was_killed_is_not_believed_for_long(until, tmp_path):
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        plan = await world.plan(Selection("cases", ids=NAMES))
        now = world.clock.now()
        over = None if until is None else stamp(now + timedelta(seconds=until))
        await world.store.plans.note_waiting(plan.id, Waiting("cases", stamp(now), over, stamp(now)))
        other = elsewhere(world)

        async def waits():
            return other.waiting(await world.store.plans.get(plan.id)) is not None

        assert await waits()
        world.clock.forward((until or 0) + patience.BELIEVED.total_seconds() - 1)
        assert await waits()
        world.clock.forward(2)
        assert not await waits()
        # Nor one that was noted while the clock was ahead.
        world.clock.forward(-86_400)
        assert not await waits()
        await world.close()
