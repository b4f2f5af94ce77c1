"""What drifted is told with the field, and with what it was and is: by a plan that is read again, and by a run."""

from datetime import timedelta

import pytest

from support.case_server import case_server
from support.raw_server import raw_server
from support.schedule_servers import KINDS, adapter, told
from support.world import make_world
from tui_app.domain.items import Selection
from tui_app.domain.run import ItemState
from tui_app.domain.versions import changes, version_of

NAMES = ("CASE-1", "CASE-2", "CASE-3")


async def drifted(world, plan):
    """What reading a plan again says of each item that moved, and what its run says of each that was skipped."""
    await world.planner.check(plan.id)
    await world.planner.idle()
    examples = (await world.store.plans.get(plan.id)).drift["examples"]
    run = await world.confirm(plan)
    await world.worker().drive(run.id)
    skipped = {
        one.item.seen.id: one.outcome.answer.message
        for one in await world.items(run.id)
        if one.state is ItemState.SKIPPED
    }
    return {one["id"]: one["reason"] for one in examples}, skipped


@pytest.mark.parametrize("name", KINDS)
async def test_a_schedule_that_moved_is_told_with_its_field_and_both_values(name, tmp_path):
    posts = KINDS[name]()
    same, later, tried, ended = (posts.add() for _ in range(4))
    async with raw_server(posts.handle) as server:
        system = adapter(server, posts)
        world = make_world(tmp_path, {"schedules": system}, posts.clock)
        plan = await world.plan(Selection("schedules", ids=(same, later, tried, ended)))
        was, new = posts.rows[later]["run_at"], told(posts.clock.now() + timedelta(hours=3))
        posts.change(later, run_at=new)
        sent_to = posts.rows[tried]["channel_connection_id"]
        posts.change(tried, attempt_count=2, channel_connection_id="19")
        posts.change(ended, status="failed")
        examples, skipped = await drifted(world, plan)
        assert set(examples) == set(skipped) == {later, tried, ended}
        for said in (examples, skipped):
            assert f"run_at was {was[:19]}" in said[later]
            assert f"and is {new[:19]}" in said[later]
            assert "attempts was 0 and is 2" in said[tried]
            assert f"channel_connection was {sent_to} and is 19" in said[tried]
            assert "failed" in said[ended]
        await world.close()
        await system.close()


async def test_a_case_that_moved_is_told_with_its_field_and_both_values(tmp_path):
    async with case_server(*NAMES) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        plan = await world.plan(Selection("cases", ids=NAMES))
        way.server.cases[NAMES[1]].status = "staining"
        way.server.cases[NAMES[2]].updated = "2026-01-03T00:00:00Z"
        examples, skipped = await drifted(world, plan)
        assert set(examples) == set(skipped) == set(NAMES[1:])
        for said in (examples, skipped):
            assert "status was in_progress and is staining" in said[NAMES[1]]
            assert "updated was 2026-01-02T00:00:00" in said[NAMES[2]]
            assert "and is 2026-01-03T00:00:00" in said[NAMES[2]]
        await world.close()


def test_versions_that_are_counted_say_nothing_of_fields():
    assert changes("7", "8") == ""
    assert changes("", version_of({"a": 1})) == ""
    assert changes("{", "{no json") == ""


def test_a_long_fact_is_kept_short_and_still_differs():
    long = "x" * 10_000
    before, now = version_of({"reason": f"{long}1"}), version_of({"reason": f"{long}2"})
    assert before != now
    assert len(before) < 100
    assert changes(before, now).startswith("reason was xxx")
