"""What the journal costs an item: plan, run, intents, outcomes and verification of chunks of 50, synchronous=FULL.

Run alone: ``python benchmarks/journal.py [ITEMS]``. The system answers at once, so that what is left is ours. The bare
figure is one fsync'd transaction a chunk that writes each item once: what any journal on this disk pays at least.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tui_app.clock import SystemClock
from tui_app.domain.describe import Verb
from tui_app.domain.items import Seen, Selection
from tui_app.domain.plan import Options
from tui_app.domain.records import Who
from tui_app.domain.run import Answer, Errand, ItemState, Order, Verification, Verified
from tui_app.domain.verdict import YES
from tui_app.engine.planning import Planner
from tui_app.engine.steering import Steering
from tui_app.engine.worker import Worker
from tui_app.store.sqlite import open_store
from tui_app.systems.commands.rules import DESCRIPTION

CHUNK = 50
WHO = Who("bench", "bench", "bench", "local", "local")


class Instant:
    """A system that agrees with everything at no cost."""

    description = DESCRIPTION
    chunk_size = CHUNK

    def check_id(self, text: str) -> str:
        return text

    async def identity(self) -> str:
        return "instant"

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        return [Seen(one, "IN_TROUBLESHOOTING_QUEUE", "1", YES) for one in ids]

    async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        return [Answer(ItemState.CANCELLED, before="IN_TROUBLESHOOTING_QUEUE", after="CANCELED")] * len(orders)

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        return [Verification(Verified.YES)] * len(orders)


class NoLauncher:
    def start(self) -> None:
        """The benchmark is the runner."""

    def at_work(self) -> bool:
        return False


def bare(folder: Path, items: int) -> float:
    """Seconds for one durable transaction a chunk that writes each item once."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE outcome (position INTEGER PRIMARY KEY, record TEXT)")
    began = time.perf_counter()
    for start in range(0, items, CHUNK):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO outcome VALUES (?, ?)", ((start + n, "x" * 200) for n in range(CHUNK)))
        connection.execute("COMMIT")
    return time.perf_counter() - began


async def ours(folder: Path, items: int) -> tuple[float, float]:
    """Seconds for the plan, and for the run from confirming it to its end."""
    store, clock = open_store(folder / "journal.db"), SystemClock()
    systems: dict[str, Any] = {"commands": Instant()}
    planner = Planner(store, systems, clock)
    steering = Steering(store, systems, NoLauncher(), clock, environment="local", cap=None, read_only=False)
    began = time.perf_counter()
    selection = Selection("commands", ids=tuple(f"bench/{number:08}" for number in range(items)))
    record = await planner.start([selection], Verb.CANCEL, None, None, WHO)
    await planner.idle()
    plan = await store.plans.get(record.id)
    planned = time.perf_counter() - began
    began = time.perf_counter()
    confirmed = {"plan_hash": plan.hash or "", "reason": "benchmark", "options": Options(), "key": "bench", "who": WHO}
    run = await steering.confirm(plan.id, phrase=None, expect_count=items, **confirmed)  # type: ignore[arg-type]
    done = await Worker("bench", store, systems, clock, WHO).drive(run.id)
    took = time.perf_counter() - began
    assert done.states == {ItemState.CANCELLED: items}, done.states
    await planner.close()
    await store.close()
    return planned, took


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        least = bare(Path(folder), items)
        planned, took = asyncio.run(ours(Path(folder), items))
    each = 1e6 / items
    print(f"plan      {planned * each:7.1f} us an item")
    print(f"run       {took * each:7.1f} us an item, confirmed to finished and verified, ledger included")
    print(f"bare      {least * each:7.1f} us an item, one row each in the same chunks")
    print(f"ratio     {took / least:7.1f}")


if __name__ == "__main__":
    main()
