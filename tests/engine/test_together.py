"""Several runs at a time: one that waits for its system does not hold up another."""

from datetime import timedelta
from pathlib import Path

from support.mixed import fill_all, mixed_world, records
from support.world import WHO
from tui_app.domain.items import Selection
from tui_app.domain.rates import Rate
from tui_app.domain.run import ItemState, RunState
from tui_app.engine import local
from tui_app.engine.worker import Worker


async def test_urgent_posts_go_while_another_run_waits_for_its_limit(tmp_path: Path) -> None:
    world = mixed_world(tmp_path, rates={"cases": Rate(1, timedelta(minutes=1))})
    ids = fill_all(tmp_path, 4)
    slow = await world.confirm(await world.plan(Selection("cases", ids=tuple(ids["cases"]))))
    urgent = await world.confirm(await world.plan(Selection("schedules", ids=tuple(ids["schedules"]))), key="k2")
    done_when: list[int] = []

    async def wait(seconds: float) -> None:
        if (await world.store.runs.get(urgent.id)).state is RunState.FINISHED and not done_when:
            done_when.append((await world.store.runs.get(slow.id)).states.get(ItemState.CANCELLED, 0))
        world.clock.forward(seconds)

    async def worker() -> Worker:
        return Worker("w1", world.store, world.systems, world.clock, WHO, wait)

    assert await local.work(tmp_path, world.store, worker) == 2
    assert done_when[0] < 4
    assert len(records(tmp_path)["schedules"].cancelled()) == 4
    assert len(records(tmp_path)["cases"].cancelled()) == 4
    await world.close()
