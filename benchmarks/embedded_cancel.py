"""A bulk cancel on the embedded bus, from confirming it to finished and verified, against bare set-based SQL.

Run alone: ``python benchmarks/embedded_cancel.py [COMMANDS]``. Both work on a copy of the same file with the same
durability; the bare one is one transaction a chunk that changes statuses and writes replies and audit events, no more.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from journal import WHO, NoLauncher

from tui_app.clock import SystemClock
from tui_app.domain.describe import Verb
from tui_app.domain.filters import parse
from tui_app.domain.items import Selection
from tui_app.domain.plan import Options
from tui_app.domain.run import ItemState
from tui_app.engine.planning import Planner
from tui_app.engine.steering import Steering
from tui_app.engine.worker import Worker
from tui_app.store.sqlite import open_store
from tui_app.systems.commands.embedded import CHUNK_SIZE, EmbeddedCommands
from tui_app.systems.commands.schema import prepare

TROUBLED = "IN_TROUBLESHOOTING_QUEUE"
AT = "2026-01-01T00:00:00.000000Z"

_FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO command (id, domain, command_id, type, queue, status, attempts, error_code, error, created_at, updated_at,
                     reply_queue)
SELECT printf('payments/c%08d', i), 'payments', printf('c%08d', i), 'DebitAccount', 'payments__commands', ?, 3, 'E1',
       'account is closed', ?, ?, 'payments__replies'
FROM n
"""
_BARE = (
    "CREATE TEMP TABLE hit AS SELECT id FROM command WHERE +status = :status LIMIT :size",
    """
    UPDATE command SET status = 'CANCELED', updated_at = :at, revision = revision + 1
    WHERE id IN (SELECT id FROM hit) AND +status = :status
    """,
    """
    INSERT INTO message (queue, body, enqueued_at)
    SELECT reply_queue, json_object('command_id', command_id, 'domain', domain, 'outcome', 'CANCELED', 'reason', 'x'),
           :at
    FROM command WHERE id IN (SELECT id FROM hit)
    """,
    """
    INSERT INTO audit (id, event, at, details)
    SELECT id, 'OPERATOR_CANCEL', :at, json_object('reason', 'x') FROM hit
    """,
    "DROP TABLE hit",
)


def fill(path: Path, number: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    prepare(connection)
    connection.execute("INSERT INTO queue (name) VALUES ('payments__replies')")
    connection.execute(_FILL, (number, TROUBLED, AT, AT))
    connection.close()


def bare(path: Path, number: int) -> float:
    """Seconds."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    values = {"status": TROUBLED, "at": AT, "size": CHUNK_SIZE}
    began = time.perf_counter()
    for _ in range(0, number, CHUNK_SIZE):
        connection.execute("BEGIN IMMEDIATE")
        for statement in _BARE:
            connection.execute(statement, values if ":" in statement else ())
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    assert connection.execute("SELECT count(*) FROM command WHERE status = ?", (TROUBLED,)).fetchone()[0] == 0
    return took


async def ours(folder: Path, number: int) -> tuple[float, float]:
    """Seconds for the plan, and from confirming to finished and verified."""
    store, clock = open_store(folder / "journal.db"), SystemClock()
    systems = {"commands": EmbeddedCommands(folder / "commands.db")}
    planner = Planner(store, systems, clock)
    steering = Steering(store, systems, NoLauncher(), clock, environment="local", cap=None, read_only=False)
    began = time.perf_counter()
    chosen = Selection("commands", filter=parse(f"status:{TROUBLED}"))
    record = await planner.start([chosen], Verb.CANCEL, None, None, WHO)
    await planner.idle()
    plan = await store.plans.get(record.id)
    planned = time.perf_counter() - began
    began = time.perf_counter()
    run = await steering.confirm(
        plan.id,
        plan_hash=plan.hash or "",
        reason="benchmark",
        options=Options(),
        phrase=None,
        expect_count=number,
        key="bench",
        who=WHO,
    )
    done = await Worker("bench", store, systems, clock, WHO).drive(run.id)
    took = time.perf_counter() - began
    assert done.states == {ItemState.CANCELLED: number}, done.states
    await planner.close()
    await store.close()
    await systems["commands"].close()
    return planned, took


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "commands.db", number)
        shutil.copy(folder / "commands.db", folder / "bare.db")
        least = bare(folder / "bare.db", number)
        planned, took = asyncio.run(ours(folder, number))
    print(f"plan      {planned:7.2f} s, {number / planned:9,.0f} commands a second")
    print(f"run       {took:7.2f} s, {number / took:9,.0f} commands a second, confirmed to finished and verified")
    print(f"bare      {least:7.2f} s, {number / least:9,.0f} commands a second")
    print(f"of bare   {least / took:7.2f}")


if __name__ == "__main__":
    main()
