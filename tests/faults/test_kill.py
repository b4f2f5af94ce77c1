"""kill -9 of the runner in the middle of a run, then the ordinary resume: nothing lost, nothing twice."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command_bus import Databases, open_bus
from support.dying import POINTS, system_of
from support.invariants import assert_invariants
from support.postgres_records import PostgresRecords
from support.records import CommandRecords as Records
from support.world import TROUBLED, World, commands, fill, make_world
from tui_app.domain.filters import parse
from tui_app.domain.items import Selection
from tui_app.domain.run import ItemState, RunState, Verified

ITEMS = 2000


@dataclass
class Site:
    """Where a run is killed: a folder, and the bus in it or beside it."""

    folder: Path
    records: Records | PostgresRecords
    conninfo: str | None = None

    def world(self) -> World:
        return make_world(self.folder, {"commands": system_of(self.folder, self.conninfo)})

    def kill(self, run_id: str, point: str, nth: int) -> int:
        """Drive a run in a process of its own that kills itself; its exit code."""
        where = [self.conninfo] if self.conninfo else []
        command = [sys.executable, "-m", "support.dying", str(self.folder), run_id, point, str(nth), *where]
        return subprocess.run(
            command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=120
        ).returncode


@pytest.fixture
def embedded(tmp_path: Path) -> Site:
    fill(tmp_path / "commands.db", ITEMS)
    return Site(tmp_path, Records(tmp_path / "commands.db"))


@pytest.fixture
async def postgres(tmp_path: Path, databases: Databases) -> AsyncIterator[Site]:
    with databases.bus() as url:
        async with open_bus(url) as bus:
            await bus.queues("payments__replies")
            await bus.waiting("payments", ITEMS, reply_to="payments__replies")
        yield Site(tmp_path, PostgresRecords(url), url)


@pytest.fixture(params=["embedded", "postgres"])
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(request.param)
    return found


async def confirmed(world: World) -> str:
    plan = await world.plan(Selection("commands", filter=parse(f"status:{TROUBLED}")))
    return (await world.confirm(plan)).id


async def finish(site: Site, run_id: str) -> Mapping[ItemState, int]:
    """Resume by the ordinary claim, and hold everything against the bus' own records."""
    world = site.world()
    done = await world.worker("next").drive(run_id)
    assert (done.state, done.verified) == (RunState.FINISHED, {Verified.YES: done.states[ItemState.CANCELLED]})
    await assert_invariants(world.store, site.records)
    await world.close()
    return done.states


@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_runner_loses_nothing_and_repeats_nothing(site: Site, point: str) -> None:
    world = site.world()
    run_id = await confirmed(world)
    await world.close()
    assert site.kill(run_id, point, nth=2) == -signal.SIGKILL
    assert 0 < site.records.cancels().total() < ITEMS
    assert await finish(site, run_id) == {ItemState.CANCELLED: ITEMS}
    assert site.records.cancels().total() == ITEMS
    assert len(site.records.replies()) == ITEMS


async def test_a_runner_that_is_killed_again_and_again(embedded: Site) -> None:
    world = embedded.world()
    run_id = await confirmed(world)
    await world.close()
    for point in POINTS:
        assert embedded.kill(run_id, point, nth=1) == -signal.SIGKILL
    assert await finish(embedded, run_id) == {ItemState.CANCELLED: ITEMS}


async def test_what_another_operator_did_meanwhile_is_not_ours(embedded: Site) -> None:
    world = embedded.world()
    run_id = await confirmed(world)
    taken = [one.item.seen.id for one in await world.items(run_id)][-3:]
    await world.close()
    assert embedded.kill(run_id, "after_record", nth=1) == -signal.SIGKILL
    other = make_world(embedded.folder / "other", {"commands": system_of(embedded.folder, None)})
    plan = await other.plan(commands(*taken))
    await other.worker("other").drive((await other.confirm(plan)).id)
    await other.close()
    world = embedded.world()
    done = await world.worker("next").drive(run_id)
    assert done.states == {ItemState.CANCELLED: ITEMS - 3, ItemState.ALREADY_CANCELLED: 3}
    assert max(embedded.records.cancels().values()) == 1
    await world.close()
