"""A post whose time comes between plan and run: the scanner moves it on, and it is still the one that was meant."""

import asyncio

from support.schedules_bench import ScheduleFile
from support.world import MovableClock, make_world
from tui_app.domain.drift import DriftKind, drift
from tui_app.domain.filters import parse
from tui_app.domain.items import Seen, Selection
from tui_app.domain.moments import stamp
from tui_app.domain.run import ItemState, Verified
from tui_app.domain.verdict import YES
from tui_app.systems.schedules.embedded import EmbeddedSchedules


async def test_what_the_scanner_queued_since_the_plan_is_cancelled(tmp_path):
    file, clock = ScheduleFile(tmp_path / "schedules.db"), MovableClock()
    world = make_world(tmp_path, {"schedules": EmbeddedSchedules(file.path, clock)})
    due = file.add(run_at="2026-01-02T03:05:00.000000Z")
    plan = await world.plan(Selection("schedules", ids=(due["id"],)))
    clock.forward(3600)
    system = EmbeddedSchedules(file.path, clock)
    assert await system.runners.scan(stop=asyncio.Event(), once=True) == 1
    assert file.status(due["id"]) == "queued"
    run = await world.worker().drive((await world.confirm(plan)).id)
    assert run.states == {ItemState.CANCELLED: 1}
    assert run.verified == {Verified.YES: 1}
    assert file.status(due["id"]) == "cancelled"
    await system.close()
    await world.close()


async def test_what_the_scanner_queued_since_the_rows_were_read_is_still_selected(tmp_path):
    file, clock = ScheduleFile(tmp_path / "schedules.db"), MovableClock()
    world = make_world(tmp_path, {"schedules": EmbeddedSchedules(file.path, clock)})
    due = file.add(run_at="2026-01-02T03:05:00.000000Z")
    read = stamp(clock.now())
    clock.forward(3600)
    system = EmbeddedSchedules(file.path, clock)
    assert await system.runners.scan(stop=asyncio.Event(), once=True) == 1
    late = file.add(run_at="2026-01-02T09:00:00.000000Z", created_at=stamp(clock.now()), updated_at=stamp(clock.now()))
    plan = await world.plan(Selection("schedules", filter=parse("status:pending,queued"), as_of=read))
    frozen = [one.seen.id for one in await world.store.plans.items(plan.id)]
    assert (frozen, late["id"] in frozen) == ([due["id"]], False)
    await system.close()
    await world.close()


def test_a_version_alone_says_whether_an_item_changed():
    assert drift(Seen("a", "pending", "7", YES), Seen("a", "queued", "7", YES)) is DriftKind.UNCHANGED
    assert drift(Seen("a", "pending", "7", YES), Seen("a", "pending", "8", YES)) is DriftKind.CHANGED
    assert drift(Seen("a", "pending", "", YES), Seen("a", "queued", "", YES)) is DriftKind.CHANGED


async def test_what_went_out_meanwhile_is_a_lost_race_that_the_system_tells_of(tmp_path):
    file, clock = ScheduleFile(tmp_path / "schedules.db"), MovableClock()
    world = make_world(tmp_path, {"schedules": EmbeddedSchedules(file.path, clock)})
    due = file.add(run_at="2026-01-02T03:05:00.000000Z")
    plan = await world.plan(Selection("schedules", ids=(due["id"],)))
    clock.forward(3600)
    system = EmbeddedSchedules(file.path, clock)
    await system.runners.scan(stop=asyncio.Event(), once=True)
    assert (await system.runners.publish(stop=asyncio.Event(), once=True)).published == 1
    run = await world.worker().drive((await world.confirm(plan)).id)
    assert run.codes == {(ItemState.REFUSED, "PUBLISHED"): 1}
    assert file.status(due["id"]) == "success"
    await system.close()
    await world.close()
