"""Plans at servers that take few requests in a long time: they end, ask nothing twice, and use lists where they can.

The limit is that of a server in use: 100 requests in a quarter of an hour, for reads and writes together.
"""

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import pytest

from support.case_server import Quirks, case_server
from support.raw_server import Answered, raw_server
from support.schedule_servers import KINDS, adapter
from support.world import MovableClock, make_world
from tui_app.domain.errors import RateLimited
from tui_app.domain.items import Selection
from tui_app.domain.plan import PlanState
from tui_app.domain.rates import Rate
from tui_app.engine import patience
from tui_app.engine.patience import Patience
from tui_app.outbound.begun import Begun

QUARTER = timedelta(minutes=15)
NUMBER = 118


async def planned(world, system, ids):
    return await world.plan(Selection(system, ids=tuple(ids)))


def limited(posts, most=100):
    """The handler of a service that takes so many requests in a quarter of an hour, and does not say when to come."""
    taken = []

    def handle(asked):
        now = posts.clock.moment
        taken[:] = [one for one in taken if now - one < QUARTER]
        if len(taken) >= most:
            error = {"error_code": "RATE_LIMIT_EXCEEDED", "error_description": "no", "error_severity": "error"}
            return Answered(429, {"errors": [error]})
        taken.append(now)
        return posts.handle(asked)

    return handle


@pytest.mark.parametrize("name", KINDS)
async def test_a_list_tells_of_many_schedules_with_few_requests(name, tmp_path):
    posts = KINDS[name]()
    ids = [posts.add() for _ in range(NUMBER)]
    async with raw_server(limited(posts)) as server:
        system = adapter(server, posts)
        world = make_world(tmp_path, {"schedules": system}, posts.clock)
        plan = await planned(world, "schedules", ids)
        assert (plan.state, plan.read) == (PlanState.READY, NUMBER)
        assert len(posts.asked) <= 12
        assert world.waits == []
        await world.close()
        await system.close()


@pytest.mark.parametrize("name", KINDS)
async def test_a_list_tells_of_what_does_not_wait_any_more_too(name, tmp_path):
    posts = KINDS[name]()
    ids = [posts.add(status=("failed", "success", "cancelled")[number % 3]) for number in range(NUMBER)]
    async with raw_server(limited(posts)) as server:
        system = adapter(server, posts)
        world = make_world(tmp_path, {"schedules": system}, posts.clock)
        plan = await planned(world, "schedules", ids)
        assert (plan.state, plan.read) == (PlanState.READY, NUMBER)
        assert len(posts.asked) <= 20
        assert world.waits == []
        await world.close()
        await system.close()


@pytest.mark.parametrize("name", KINDS)
async def test_what_no_list_tells_of_is_read_in_as_many_windows_as_it_takes(name, tmp_path):
    posts = KINDS[name]()
    ids = [posts.add(status="in a status of its own") for _ in range(NUMBER)]
    async with raw_server(limited(posts)) as server:
        system = adapter(server, posts)
        world = make_world(tmp_path, {"schedules": system}, posts.clock)
        plan = await planned(world, "schedules", ids)
        assert (plan.state, plan.read) == (PlanState.READY, NUMBER)
        shown = Counter(one.path for one in posts.asked if one.path.rsplit("/", 1)[-1] in posts.rows)
        assert shown.total() == len(shown) == NUMBER, "each is read once"
        await world.close()
        await system.close()


async def cases_planned(folder, reads, number=40):
    names = [f"CASE-{one}" for one in range(number)]
    quirks = Quirks(reads=Rate(reads, QUARTER), retry_after="900")
    async with case_server(*names, quirks=quirks) as way:
        world = make_world(folder, {"cases": way.open()}, way.server.clock)
        plan = await planned(world, "cases", names)
        steps = Counter(way.server.steps)
        await world.close()
        return plan, steps, list(world.waits)


async def test_cases_are_read_through_windows_of_a_quarter_of_an_hour(tmp_path):
    """One step of the plan needs three windows, and the plan a dozen: it waits for each, and reads nothing twice."""
    plan, steps, waits = await cases_planned(tmp_path, 20)
    assert (plan.state, plan.read) == (PlanState.READY, 40)
    assert {step: steps[step] for step in ("case", "status", "dependencies", "cancel/preview")} == {
        "case": 40,
        "status": 40,
        "dependencies": 40,
        "cancel/preview": 40,
    }
    assert waits
    assert max(waits) <= QUARTER.total_seconds()


def keeps_nothing(monkeypatch):
    monkeypatch.setattr(Begun, "keep", lambda *given: None)


def waits_ten_minutes(monkeypatch):
    monkeypatch.setattr(patience, "BUDGET", timedelta(minutes=10))
    monkeypatch.setattr(patience._Step, "met", lambda step, limited, now: now - step.since)


@pytest.mark.parametrize("broken", [keeps_nothing, waits_ten_minutes])
async def test_without_what_was_read_or_without_waiting_such_a_plan_is_never_made(broken, monkeypatch, tmp_path):
    broken(monkeypatch)
    plan, _, _ = await cases_planned(tmp_path, 20)
    assert plan.state is PlanState.FAILED


@pytest.fixture
def waiting():
    """Somebody who waits for a system, with a clock that goes forward by each wait."""
    clock, waits = MovableClock(), []

    async def wait(seconds):
        waits.append(seconds)
        clock.forward(seconds)

    async def noted(_plan_id, _waiting):
        return None

    return SimpleNamespace(patience=Patience(clock, wait, SimpleNamespace(note_waiting=noted)), waits=waits)


def answering(*reads, seconds=900.0):
    """Work that is limited so often, with so much read by then, and ends."""
    left = list(reads)

    async def work():
        if not left:
            return "done"
        error = RateLimited("slowly", retry_after=seconds)
        error.read = left.pop(0)
        raise error

    return work


async def test_a_step_that_gets_on_is_waited_for_however_long_it_takes(waiting):
    assert await waiting.patience.ask("p1", "cases", answering(*range(1, 50))) == "done"
    assert len(waiting.waits) == 49


async def test_a_step_that_does_not_get_on_is_given_up_after_two_windows(waiting):
    with pytest.raises(RateLimited, match="nothing more could be read"):
        await waiting.patience.ask("p1", "cases", answering(*[7] * 50))
    assert 2 <= len(waiting.waits) <= 4


async def test_a_long_wait_is_kept_a_quarter_of_an_hour_at_a_time(waiting):
    assert await waiting.patience.ask("p1", "cases", answering(0, 0, 0, 0, seconds=3600.0)) == "done"
    assert waiting.waits == [900.0] * 4
