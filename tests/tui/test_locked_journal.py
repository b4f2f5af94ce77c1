"""A journal that another process locks while a run is live, as the console shows it: it says so, and goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.backend import Service
from support.console import open_console, request
from support.locked_journal import locked
from support.world import WHO, fill
from tui_app.contract.runs import RunRequest
from tui_app.database import sqlite
from tui_app.engine.worker import Worker
from tui_app.store.sqlite import open_store
from tui_app.tui.screens.ledger import LedgerScreen
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.screens.runs import RunsScreen

HELD = "the journal is held by another process"


@asynccontextmanager
async def runner(service: Service, run_id: str) -> AsyncIterator[asyncio.Event]:
    """A runner with a store of its own, which waits; it begins when it is told."""
    world, begin = service.world, asyncio.Event()
    store = open_store(world.folder / "journal.db", waits=True)

    async def drive() -> None:
        await begin.wait()
        await Worker("w1", store, world.systems, world.clock, WHO, asyncio.sleep).drive(run_id)

    working = asyncio.create_task(drive())
    try:
        yield begin
        await asyncio.wait_for(working, 60)
    finally:
        working.cancel()
        await store.close()


@pytest.mark.parametrize("busy", [0.05, 60.0], ids=["beyond a writer's patience", "within it"])
async def test_a_console_says_that_the_journal_is_held_and_goes_on_when_it_is_free(
    backend: Service, monkeypatch: pytest.MonkeyPatch, busy: float
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", busy)
    fill(backend.world.records.path, 3)
    made = await backend.client.plan(request([f"payments/c{number:06}" for number in range(30, 33)]))
    body = RunRequest(hash=made.hash, reason="Bad deploy", expect_count=made.counts.items)
    run_id = (await backend.client.run(made.id, body, "key-1")).id
    backend.world.launcher.working = True
    async with open_console(backend) as operator, runner(backend, run_id) as begin:
        operator.app.push_screen(RunScreen(run_id))
        await operator.sees("3 left")
        with locked(backend.world.folder) as lock:
            begin.set()
            await operator.sees(HELD, "the run goes on when it is free")
            if busy < 1:
                await operator.press("space")
                await operator.sees("is held by another process", "Nothing was changed")
            await operator.press("escape")
            await operator.on(RunsScreen)
            await operator.sees("1 run", "queued")
            await operator.press("5")
            await operator.on(LedgerScreen)
            await operator.sees("confirmed")
            await operator.press("4")
            await operator.on(RunsScreen)
            await operator.press("enter")
            await operator.on(RunScreen)
            await operator.sees(HELD)
            assert operator.app.crash is None
            lock.end()
        await operator.sees("3 cancelled", "finished")
        assert HELD not in operator.text
    assert operator.app.crash is None
