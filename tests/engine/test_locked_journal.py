"""A journal that another process locks, as a backup does: whoever works on it waits and says so, and nothing ends."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.mixed import everything, fill_all, mixed_world, records
from support.world import WHO, MovableClock, World
from tui_app.database import sqlite
from tui_app.domain.describe import Verb
from tui_app.domain.errors import Busy
from tui_app.domain.plan import PlanState
from tui_app.domain.rates import Rate
from tui_app.domain.run import ItemState, RunState
from tui_app.engine import local
from tui_app.engine.worker import Worker
from tui_app.store.sqlite import open_store


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(sqlite, "BUSY_PAUSE", 0.01)


class Said(logging.Handler):
    """Sets an event when the log says something."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words, self.heard, self.lines = words, asyncio.Event(), list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if self.words in record.getMessage():
            self.heard.set()


@asynccontextmanager
async def listening(name: str, words: str) -> AsyncIterator[Said]:
    said, log = Said(words), logging.getLogger(name)
    log.addHandler(said)
    before = log.level
    log.setLevel(logging.INFO)
    try:
        yield said
    finally:
        log.removeHandler(said)
        log.setLevel(before)


def waiting_world(folder: Path, **more: Any) -> World:
    world = mixed_world(folder, **more)
    world.store._file._waits = True
    return world


@pytest.mark.parametrize("rates", [{}, {"cases": Rate(1, timedelta(minutes=1))}], ids=["at work", "paced"])
async def test_a_runner_waits_for_a_locked_journal_and_says_so(tmp_path: Path, rates: dict[str, Rate]) -> None:
    world = waiting_world(tmp_path, chunk=1)
    fill_all(tmp_path, 4, "cases")
    run = await world.confirm(await world.plan(*everything("cases")))
    begun = asyncio.Event()

    async def wait(seconds: float) -> None:
        begun.set()
        world.clock.forward(seconds)
        await asyncio.sleep(0)

    async def worker() -> Worker:
        return Worker("w1", world.store, world.systems, world.clock, WHO, wait, rates=rates)

    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None, timeout=10)) as backup:
        async with listening("quash.journal", "waiting until it is free") as said:
            working = asyncio.create_task(local.work(tmp_path, world.store, worker))
            await asyncio.wait_for(begun.wait(), 30)
            backup.execute("BEGIN IMMEDIATE")
            await asyncio.wait_for(said.heard.wait(), 30)
            assert not working.done()
            backup.execute("ROLLBACK")
            assert await asyncio.wait_for(working, 60) == 1
    assert any("is free again" in line for line in said.lines)
    done = await world.store.runs.get(run.id)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 4})
    await assert_invariants(world.store, *records(tmp_path).values())
    await world.close()


async def test_a_run_goes_on_where_a_store_is_busy_again_and_again(tmp_path: Path) -> None:
    """Also where the store itself does not wait: a lock pauses no run, however long it lasts."""
    world = mixed_world(tmp_path, chunk=1)
    fill_all(tmp_path, 3, "commands")
    run = await world.confirm(await world.plan(*everything("commands")))
    left = 40

    class Locked:
        def __getattr__(self, name: str) -> Any:
            return getattr(usual, name)

        async def claim(self, *given: Any) -> Any:
            nonlocal left
            left -= 1
            if left > 0:
                raise Busy("journal.db is held by another process")
            return await usual.claim(*given)

    usual = world.store.work
    world.store.work = Locked()  # type: ignore[assignment]
    done = await world.worker().drive(run.id)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 3})
    await world.close()


async def test_a_store_that_does_not_wait_is_busy(tmp_path: Path) -> None:
    """The test above can fail: without waiting the lock is an error of whoever meets it."""
    store = open_store(tmp_path / "journal.db")
    assert await store.work.unfinished() == []
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as backup:
        backup.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="held by another process"):
            await store.work.claim("r1", "w1", MovableClock().read())
        backup.execute("ROLLBACK")
    await store.close()


async def test_a_plan_waits_for_a_locked_journal_and_says_so(tmp_path: Path) -> None:
    world = mixed_world(tmp_path)
    fill_all(tmp_path, 3, "commands")
    waited = asyncio.Event()

    async def wait(seconds: float) -> None:
        world.clock.forward(seconds)
        waited.set()
        await asyncio.sleep(0)

    world.planner._patience._wait = wait
    survey, backup = world.systems["commands"].survey, sqlite3.connect(tmp_path / "journal.db", isolation_level=None)

    async def locking(*given: Any) -> Any:
        if not waited.is_set():
            backup.execute("BEGIN IMMEDIATE")
        return await survey(*given)

    world.systems["commands"].survey = locking  # type: ignore[method-assign]
    plan = await world.planner.start(everything("commands"), Verb.CANCEL, None, None, WHO)
    await asyncio.wait_for(waited.wait(), 30)
    told = world.planner.waiting(plan)
    assert told is not None
    assert told.system == "journal"
    backup.execute("ROLLBACK")
    backup.close()
    await world.planner.idle()
    made = await world.store.plans.get(plan.id)
    assert (made.state, made.read) == (PlanState.READY, 3)
    assert world.planner.waiting(plan) is None
    await world.close()
