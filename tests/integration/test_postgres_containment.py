"""What PostgreSQL raises for one item of a run stays with that item: nothing is sent twice, and the others are done."""

from pathlib import Path
from typing import Any

from support.command_bus import Bus
from support.schedule_service import ScheduleRows
from support.world import make_world
from tui_app.domain.items import Selection
from tui_app.domain.run import ItemState, RunState
from tui_app.systems.commands.postgres import PostgresCommands
from tui_app.systems.schedules import postgres as schedules
from tui_app.systems.schedules.postgres import PostgresSchedules

FORBID = """
CREATE FUNCTION scheduler.forbid() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF new.status = 'cancelled' THEN RAISE EXCEPTION 'this one is on hold'; END IF; RETURN new; END $$
"""
FORBIDDEN = """
CREATE TRIGGER forbidden BEFORE UPDATE ON scheduler.schedule FOR EACH ROW WHEN (new.id = '{id}')
EXECUTE FUNCTION scheduler.forbid()
"""


async def driven(folder: Path, name: str, system: Any, ids: list[str]) -> Any:
    world = make_world(folder, {name: system})
    run = await world.confirm(await world.plan(Selection(name, ids=tuple(ids))))
    done = await world.worker().drive(run.id)
    others = [one for one in await world.items(run.id) if one.state is not ItemState.CANCELLED]
    assert (await world.store.ledger.check()).problem is None
    await world.close()
    assert done.state is RunState.FINISHED
    return others


async def test_a_schedule_that_a_trigger_holds_is_refused_in_its_words(there: ScheduleRows, tmp_path: Path) -> None:
    ids = await there.add(9)
    await there.run(FORBID)
    await there.run(FORBIDDEN.format(id=ids[4]))
    (other,) = await driven(tmp_path, "schedules", PostgresSchedules(there.url), ids)
    assert (other.item.seen.id, other.state) == (ids[4], ItemState.REFUSED)
    assert "this one is on hold" in other.outcome.answer.message
    assert await there.statuses() == {"cancelled": 8, "pending": 1}
    assert [len(await there.events(one, "SCHEDULE_CANCELLED")) for one in ids] == [1] * 4 + [0] + [1] * 4


async def test_an_error_of_ours_inside_the_transaction_of_schedules_skips_one(
    there: ScheduleRows, tmp_path: Path, monkeypatch: Any
) -> None:
    ids = await there.add(9)
    cancel = schedules.cancel

    async def broken(connection: Any, orders: Any, errand: Any) -> Any:
        told = await cancel(connection, orders, errand)
        if any(order.id == ids[4] for order in orders):
            raise KeyError("status")
        return told

    monkeypatch.setattr(schedules, "cancel", broken)
    (other,) = await driven(tmp_path, "schedules", PostgresSchedules(there.url), ids)
    assert (other.item.seen.id, other.outcome.answer.code) == (ids[4], "FAULT")
    assert await there.statuses() == {"cancelled": 8, "pending": 1}


async def test_an_error_of_ours_after_the_commit_of_commands_is_settled_by_looking(
    bus: Bus, tmp_path: Path, monkeypatch: Any
) -> None:
    await bus.queues("payments__replies")
    waiting = await bus.waiting("payments", 9, reply_to="payments__replies")
    ids = [f"payments/{one}" for one in waiting]
    execute = PostgresCommands.execute

    async def broken(self: Any, orders: Any, errand: Any) -> Any:
        told = await execute(self, orders, errand)
        if any(order.id == ids[4] for order in orders):
            raise KeyError("status")
        return told

    monkeypatch.setattr(PostgresCommands, "execute", broken)
    assert await driven(tmp_path, "commands", PostgresCommands(bus.url), ids) == []
    assert await bus.statuses(waiting) == {"CANCELED": 9}
