"""Whatever is thrown for one item, chunk, run or plan stays there; the systems' own records show one effect an item."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.faulty import (
    ERRORS,
    FOREVER,
    ITEMS,
    SYSTEMS,
    Case,
    FaultyStore,
    Strange,
    arm,
    assert_contained,
    assert_sent_once,
    cases,
    effects_of,
    faulty_world,
)
from support.invariants import assert_invariants
from support.killing import Site
from support.mixed import fill_all, mixed_world, records
from support.world import WHO, MovableClock, World
from tui_app.domain.describe import Verb
from tui_app.domain.errors import Busy
from tui_app.domain.items import Selection
from tui_app.domain.moments import stamp
from tui_app.domain.plan import Options, PlanState
from tui_app.domain.records import RunRecord
from tui_app.domain.run import ItemState, PauseCause, RunState
from tui_app.engine import calls, containment, local, planning, worker
from tui_app.engine.worker import Worker

PLAN = (Verb.CANCEL, None, None, WHO)

BATCH = 80
"""Cases of one test: each is a run of its own in one journal."""

BATCHES = 9
"""Tests of each system."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose files cost no time to write, where there is one."""
    fast = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=fast if fast.is_dir() else None) as name:
        yield Path(name)


async def confirmed(world: World, folder: Path, thrown: Sequence[Case]) -> list[tuple[Case, RunRecord, list[str]]]:
    """A run for each case, with items of its own, confirmed and not begun."""
    made = []
    for one in thrown:
        ids = fill_all(folder, ITEMS, one.system)[one.system]
        plan = await world.plan(Selection(one.system, ids=tuple(ids)))
        run = await world.steering.confirm(
            plan.id,
            plan_hash=plan.hash or "",
            reason=f"case {one.number}",
            options=Options(),
            phrase=None,
            expect_count=ITEMS,
            key=f"k{one.number}",
            who=WHO,
        )
        made.append((one, run, [item.item.seen.id for item in await world.items(run.id)]))
    return made


async def hold(world: World, folder: Path, made: Sequence[tuple[Case, RunRecord, list[str]]]) -> None:
    """Hold each run against its system's own record."""
    effects = {name: effects_of(own) for name, own in records(folder).items()}
    for one, run, _ in made:
        assert_contained(await world.store.runs.get(run.id), one, await world.items(run.id), effects[one.system])


async def throw(folder: Path, thrown: Sequence[Case]) -> None:
    """Drive a run for each case, hold it against the system's own records, and end the paused ones without errors."""
    clock = MovableClock()
    fill_all(folder, 0)
    world = faulty_world(folder, clock)
    try:
        made = await confirmed(world, folder, thrown)
        arm(world, [(one, ids) for one, _, ids in made])
        for one, run, _ in made:
            world.systems[one.system].striking = one  # type: ignore[attr-defined]
            await world.worker().drive(run.id)
        await hold(world, folder, made)
        for system in world.systems.values():
            system.armed = False  # type: ignore[attr-defined]
        for one, run, _ in made:
            await world.steering.resume(run.id, WHO)
            done = await world.worker("next").drive(run.id)
            assert done.state is RunState.FINISHED, f"{one}: {done.pause}"
        await hold(world, folder, made)
        assert_sent_once(world)
        await assert_invariants(world.store, *records(folder).values(), unknown=True)
    finally:
        await world.close()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("batch", range(BATCHES))
async def test_an_error_for_one_item_stays_with_that_item(folder: Path, system: str, batch: int) -> None:
    await throw(folder, cases(batch * 1_000, BATCH, system))


def test_the_cases_are_enough_and_of_every_kind() -> None:
    thrown = [one for system in SYSTEMS for batch in range(BATCHES) for one in cases(batch * 1_000, BATCH, system)]
    assert len(thrown) >= 2_000
    assert {one.when for one in thrown} == {"before", "during", "after"}
    assert {type(one.make()) for one in thrown} == {type(make()) for make in ERRORS}
    assert len({(one.system, one.method, one.when) for one in thrown}) == 3 * 5 * 3


async def not_contained(work: Awaitable[Any]) -> Any:
    return await work


async def halves_whatever_was_sent(self: Any, orders: Sequence[Any], error: Exception) -> list[Any]:
    return [None for _ in orders]


def everywhere(patch: pytest.MonkeyPatch, broken: Callable[..., Any]) -> None:
    for module in (calls, containment, local, planning, worker):
        patch.setattr(module, "contained", broken)


async def test_an_error_that_nothing_contains_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere(monkeypatch, not_contained)
    thrown = [one for one in cases(0, 40, "schedules") if isinstance(one.make(), KeyError | ValueError)]
    with pytest.raises((KeyError, ValueError)):
        await throw(folder, thrown)


async def test_what_is_sent_again_although_it_may_have_been_sent_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls.Calls, "_after", halves_whatever_was_sent)
    with pytest.raises(AssertionError, match=r"had its effect|were sent again"):
        await throw(folder, cases(0, 40, "schedules"))


def test_errors_stay_with_their_items_in_a_detached_runner(folder: Path) -> None:
    """One runner process drives sixty runs, each with an error of its own, and ends by itself with nothing left."""
    thrown = cases(50_000, 60)
    clock = MovableClock()
    fill_all(folder, 0)

    async def prepare() -> list[tuple[Case, RunRecord, list[str]]]:
        world = faulty_world(folder, clock)
        made = await confirmed(world, folder, thrown)
        await world.close()
        return made

    made = asyncio.run(prepare())
    clock.forward(60)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "support.faulty", str(folder), stamp(clock.now())]
    ended = subprocess.run(command, env=env, timeout=120, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-3_000:]

    async def check() -> None:
        world = faulty_world(folder, clock)
        await hold(world, folder, made)
        await assert_invariants(world.store, *records(folder).values(), unknown=True)
        await world.close()

    asyncio.run(check())


STORE_METHODS = (
    ("work", "claim"),
    ("work", "intend"),
    ("work", "record"),
    ("work", "verify"),
    ("work", "complete"),
    ("work", "accept"),
    ("work", "next_due"),
    ("work", "halted"),
    ("work", "release"),
    ("runs", "get"),
    ("runs", "move"),
)


@pytest.mark.parametrize(("part", "method"), STORE_METHODS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_error_of_the_journal_stays_with_its_run(folder: Path, part: str, method: str, when: str) -> None:
    """Of three runs one meets it, from each kind of error and as often as it likes; the runner ends the others."""
    fill_all(folder, 0)
    clock = MovableClock()
    world = faulty_world(folder, clock)
    one = cases(0, 1)[0]

    async def wait(seconds: float) -> None:
        clock.forward(seconds)

    try:
        for number, make in enumerate([*ERRORS[::5], Strange]):
            times = (1, 2, FOREVER)[number % 3]
            if isinstance(make(), Busy) and times == FOREVER:
                continue
            made = await confirmed(
                world, folder, [Case(3 * number + n, "cases", "none", "", one.make, 0, 0) for n in range(3)]
            )
            struck = made[1][1].id
            usual = getattr(world.store, part)
            faulty = FaultyStore(usual, struck, method, when, make, times)
            setattr(world.store, part, faulty)

            async def at_work() -> Worker:
                return Worker("w1", world.store, world.systems, clock, WHO, wait)

            await local.work(folder, world.store, at_work)
            setattr(world.store, part, usual)
            for _, run, _ in made:
                found = await world.store.runs.get(run.id)
                if run.id != struck:
                    assert (found.state, found.states) == (RunState.FINISHED, {ItemState.CANCELLED: ITEMS})
                elif found.state is RunState.PAUSED:
                    assert found.pause is not None
                    assert found.pause.cause is PauseCause.FAULT
                    assert found.pause.message
                    await world.steering.resume(run.id, WHO)
                elif part != "runs" or times != FOREVER:
                    # One that could not even be paused is left as it is.
                    assert found.state is RunState.FINISHED
            await local.work(folder, world.store, at_work)
            assert (await world.store.runs.get(struck)).states == {ItemState.CANCELLED: ITEMS}
        assert_sent_once(world)
        await assert_invariants(world.store, *records(folder).values())
    finally:
        await world.close()


@pytest.mark.parametrize("method", ["lease", "append", "finish", "items", "fail"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_error_of_the_journal_stays_with_its_plan(folder: Path, method: str, when: str) -> None:
    fill_all(folder, 0)
    ids = fill_all(folder, 4, "commands")["commands"]
    world = faulty_world(folder, MovableClock())
    usual = world.store.plans
    try:
        for number, make in enumerate([*ERRORS[::4], Strange]):
            meets = await world.planner.start([Selection("commands", ids=tuple(ids))], *PLAN)
            world.store.plans = FaultyStore(usual, meets.id, method, when, make, (1, FOREVER)[number % 2])  # type: ignore[assignment]
            other = await world.planner.start([Selection("commands", ids=tuple(ids))], *PLAN)
            await world.planner.idle()
            world.store.plans = usual
            assert (await usual.get(other.id)).state is PlanState.READY
            struck = await usual.get(meets.id)
            if struck.state is PlanState.FAILED:
                assert struck.error
    finally:
        await world.close()


TRIGGERS = {
    "commands": ("command", "new.status = 'CANCELED'"),
    "cases": ("cases", "new.status = 'cancelling'"),
    "schedules": ("schedule", "new.status = 'cancelled'"),
}


def forbid(folder: Path, system: str, item_id: str) -> None:
    """A trigger of the system that lets one of its items not be cancelled."""
    table, when = TRIGGERS[system]
    with closing(sqlite3.connect(folder / f"{system}.db", isolation_level=None)) as connection:
        (own,) = connection.execute(
            f"SELECT id FROM {table} WHERE replace(id, '-', '') = replace(?, '-', '')", (item_id,)
        ).fetchone()
        connection.execute(
            f"CREATE TRIGGER forbidden BEFORE UPDATE ON {table} WHEN {when} AND new.id = '{own}'"
            " BEGIN SELECT RAISE(ABORT, 'this one is on hold'); END"
        )


@pytest.mark.parametrize("system", SYSTEMS)
async def test_a_trigger_that_raises_refuses_its_item_in_its_own_words(folder: Path, system: str) -> None:
    world = mixed_world(folder)
    ids = fill_all(folder, 9, system)[system]
    forbid(folder, system, ids[4])
    run = await world.confirm(await world.plan(Selection(system, ids=tuple(ids))))
    done = await world.worker().drive(run.id)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 8, ItemState.REFUSED: 1})
    (told,) = [one.outcome for one in await world.items(run.id) if one.state is ItemState.REFUSED]
    assert told is not None
    assert (told.id, told.answer.message) == (ids[4], "this one is on hold")
    await assert_invariants(world.store, *records(folder).values())
    await world.close()


@pytest.mark.parametrize("nth", [2, 3, 5])
@pytest.mark.parametrize("system", SYSTEMS)
async def test_a_runner_that_dies_while_a_chunk_is_halved_is_resumed(folder: Path, system: str, nth: int) -> None:
    fill_all(folder, 0)
    ids = fill_all(folder, 8, system)[system]
    site = Site(folder, (system,), 8, 8)
    run_id = await site.confirmed()
    forbid(folder, system, ids[5])
    site.kill(run_id, "before_execute", nth)
    await site.check()
    world = site.world()
    done = await world.worker("next").drive(run_id)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 7, ItemState.REFUSED: 1})
    await assert_invariants(world.store, *site.own.values())
    await world.close()
