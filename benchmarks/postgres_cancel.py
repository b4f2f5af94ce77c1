"""How fast commands are cancelled on PostgreSQL, against the library's own loop and a bare set-based statement.

    python benchmarks/postgres_cancel.py [--commands 20000] [--rounds 3]

Needs the test dependencies and a PostgreSQL server (QUASH_TEST_POSTGRES) where databases may be created. The machine
steals time, so each way runs once a round on data of its own, the best round counts, and only ratios of one run say
something. Ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.command_bus import Bus, Databases, open_bus  # noqa: E402
from tui_app.domain.describe import Verb  # noqa: E402
from tui_app.domain.plan import Options  # noqa: E402
from tui_app.domain.run import Errand, ItemState, Order  # noqa: E402
from tui_app.systems.commands.postgres import PostgresCommands  # noqa: E402

CHUNK = 500
BATCHES = 20
QUEUES = ("billing__replies", "ledger__replies", "Audit-Replies", None)
LIBRARY_QUEUES = tuple(queue for queue in QUEUES if queue is None or "-" not in queue)
REASON = "caused by a faulty deploy"
TIMES_LIBRARY, OF_BARE = 15.0, 0.5

# The same end state with nothing around it: no version guard, no order of locks, no look at the queues, no keys.
BARE = """
WITH done AS (
    UPDATE commandbus.command SET status = 'CANCELED', updated_at = now()
    WHERE domain = 'payments' AND command_id = ANY(%(ids)s) AND status = 'IN_TROUBLESHOOTING_QUEUE'
    RETURNING domain, command_id, correlation_id, reply_queue, batch_id
), audited AS (
    INSERT INTO commandbus.audit (domain, command_id, event_type, details_json)
    SELECT domain, command_id, 'OPERATOR_CANCEL',
           jsonb_build_object('operator', 'bench', 'reason', %(reason)s::text, 'reply_to', reply_queue)
    FROM done
), sent AS MATERIALIZED (
    SELECT pgmq.send_batch(queue, messages) FROM (
        SELECT reply_queue AS queue, array_agg(jsonb_build_object(
            'command_id', command_id, 'correlation_id', correlation_id, 'outcome', 'CANCELED',
            'reason', %(reason)s::text)) AS messages
        FROM done WHERE reply_queue <> '' GROUP BY reply_queue) AS grouped
), counted AS MATERIALIZED (
    SELECT commandbus.sp_tsq_cancel(domain, batch_id) FROM done WHERE batch_id IS NOT NULL
)
SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM sent), (SELECT count(*) FROM counted)
"""


async def fill(bus: Bus, commands: int, queues: Sequence[str | None]) -> list[UUID]:
    """Commands in twenty batches, all of them in troubleshooting; statistics as a settled database has them."""
    await bus.queues(*(queue for queue in queues if queue is not None))
    ids: list[UUID] = []
    for start in range(0, commands, max(1, commands // BATCHES)):
        size = min(max(1, commands // BATCHES), commands - start)
        _, made = await bus.send_batch("payments", [queues[n % len(queues)] for n in range(size)])
        ids += made
    await bus.fail_all(ids)
    await bus.run("ANALYZE")
    return ids


async def adapter(bus: Bus, ids: Sequence[UUID]) -> tuple[float, float]:
    """Commands a second that are cancelled, and that are verified."""
    system = PostgresCommands(bus.url)
    errand = Errand("bench", 0, Verb.CANCEL, "bench", REASON, Options())
    chunks = []
    for start in range(0, len(ids), CHUNK):
        seen = await system.survey([f"payments/{own}" for own in ids[start : start + CHUNK]])
        chunks.append([Order(one.id, f"key of {one.id}", one) for one in seen])
    begun = time.perf_counter()
    for chunk in chunks:
        answers = await system.execute(chunk, errand)
        assert all(answer.state is ItemState.CANCELLED for answer in answers)
    cancelled = time.perf_counter()
    for chunk in chunks:
        assert all(one.verified == "yes" for one in await system.verify(chunk, errand))
    verified = time.perf_counter()
    await system.close()
    return len(ids) / (cancelled - begun), len(ids) / (verified - cancelled)


async def bare(bus: Bus, ids: Sequence[UUID]) -> float:
    begun = time.perf_counter()
    for start in range(0, len(ids), CHUNK):
        async with bus.pool.connection() as connection:
            values = {"ids": list(ids[start : start + CHUNK]), "reason": REASON}
            await connection.execute(BARE, values)
    rate = len(ids) / (time.perf_counter() - begun)
    assert await bus.statuses(ids) == {"CANCELED": len(ids)}
    return rate


async def library(bus: Bus, ids: Sequence[UUID]) -> float:
    begun = time.perf_counter()
    for own in ids:
        await bus.operators.operator_cancel("payments", own, REASON, operator="bench")
    return len(ids) / (time.perf_counter() - begun)


async def one_round(databases: Databases, commands: int, sample: int) -> tuple[float, float, float, float]:
    with databases.bus() as url:
        async with open_bus(url) as bus:
            ours, verified = await adapter(bus, await fill(bus, commands, QUEUES))
    with databases.bus() as url:
        async with open_bus(url) as bus:
            plain = await bare(bus, await fill(bus, commands, QUEUES))
    with databases.bus() as url:
        async with open_bus(url) as bus:
            loop = await library(bus, await fill(bus, sample, LIBRARY_QUEUES))
    return ours, verified, plain, loop


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=2_000)
    parser.add_argument("--sample", type=int, default=300, help="commands of the library's loop")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    databases = Databases(os.environ.get("QUASH_TEST_POSTGRES") or "postgresql://postgres@127.0.0.1:5432/postgres")
    try:
        rounds = [await one_round(databases, options.commands, options.sample) for _ in range(options.rounds)]
    finally:
        databases.close()
    ours, verified, plain, loop = (max(column) for column in zip(*rounds, strict=True))
    print(f"{options.commands:,} commands, chunks of {CHUNK}, best of {options.rounds} rounds, a second")
    print(f"  ours, execute                   {ours:>10,.0f}")
    print(f"  ours, verify                    {verified:>10,.0f}")
    print(f"  bare set-based statement        {plain:>10,.0f}")
    print(f"  the library's loop ({options.sample:>5})      {loop:>10,.0f}")
    met = [ours / loop >= TIMES_LIBRARY, ours / plain >= OF_BARE]
    print(f"  ours / library  {ours / loop:6.1f}   target >= {TIMES_LIBRARY:g}   {'met' if met[0] else 'MISSED'}")
    print(f"  ours / bare     {ours / plain:6.2f}   target >= {OF_BARE:g}   {'met' if met[1] else 'MISSED'}")


if __name__ == "__main__":
    asyncio.run(main())
