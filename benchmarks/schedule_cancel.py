"""How fast schedules are cancelled on PostgreSQL, against a bare set-based statement and against one by one.

    python benchmarks/schedule_cancel.py [--schedules 5000] [--rounds 3]

Needs the test dependencies and a PostgreSQL server (QUASH_TEST_POSTGRES) where databases may be created. The machine
steals time, so each way runs once a round on data of its own, the best round counts, and only ratios of one run say
something. Ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.schedule_service import ScheduleRows, schedule_database  # noqa: E402
from tui_app.domain.describe import Verb  # noqa: E402
from tui_app.domain.plan import Options  # noqa: E402
from tui_app.domain.run import Errand, ItemState, Order  # noqa: E402
from tui_app.systems.schedules.postgres import PostgresSchedules  # noqa: E402

CHUNK = 500
REASON = "campaign postponed"
OF_BARE, TIMES_SINGLE = 0.5, 10.0

# The same end state with nothing around it: no version, no order of locks, no look at the posts' other schedules.
BARE = """
WITH done AS (
    UPDATE scheduler.schedule SET status = 'cancelled', cancelled_at = now(), cancellation_reason = %(reason)s,
        updated_at = now(), revision = revision + 1
    WHERE id = ANY(%(ids)s) AND status IN ('pending', 'queued')
    RETURNING id, post_id, run_at, timezone, run_at_local, attempts, created_at
), posts AS (
    UPDATE scheduler.post AS p SET status = 'ready', updated_at = now() FROM done AS d WHERE p.id = d.post_id
)
INSERT INTO scheduler.audit (id, event, principal, details)
SELECT id, 'SCHEDULE_CANCELLED', 'bench', jsonb_build_object('reason', %(reason)s::text, 'schedule', to_jsonb(done))
FROM done
"""


async def fill(url: str, number: int) -> list[str]:
    """Schedules of as many posts, all queued; statistics as a settled database has them."""
    rows = ScheduleRows(url)
    await rows.prepare()
    ids = await rows.add(number, status="queued")
    await rows.run("ANALYZE")
    return ids


async def adapter(url: str, ids: Sequence[str], chunk: int) -> tuple[float, float]:
    """Schedules a second that are cancelled, and that are verified, in chunks of one size."""
    system = PostgresSchedules(url)
    errand = Errand("bench", 0, Verb.CANCEL, "bench", REASON, Options())
    chunks = []
    for start in range(0, len(ids), chunk):
        seen = await system.survey(ids[start : start + chunk])
        chunks.append([Order(one.id, f"key of {one.id}", one) for one in seen])
    begun = time.perf_counter()
    for one in chunks:
        answers = await system.execute(one, errand)
        assert all(answer.state is ItemState.CANCELLED for answer in answers)  # type: ignore[union-attr]
    cancelled = time.perf_counter()
    for one in chunks:
        assert all(each.verified == "yes" for each in await system.verify(one, errand))
    verified = time.perf_counter()
    await system.close()
    return len(ids) / (cancelled - begun), len(ids) / (verified - cancelled)


async def bare(url: str, ids: Sequence[str]) -> float:
    """Schedules a second by the statement alone."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        begun = time.perf_counter()
        for start in range(0, len(ids), CHUNK):
            await connection.execute(BARE, {"ids": list(ids[start : start + CHUNK]), "reason": REASON})
        rate = len(ids) / (time.perf_counter() - begun)
    assert await ScheduleRows(url).statuses() == {"cancelled": len(ids)}
    return rate


async def one_round(server: str, number: int, sample: int) -> tuple[float, float, float, float]:
    """Each way once, on a database of its own."""
    with schedule_database(server) as url:
        ours, verified = await adapter(url, await fill(url, number), CHUNK)
    with schedule_database(server) as url:
        plain = await bare(url, await fill(url, number))
    with schedule_database(server) as url:
        single, _ = await adapter(url, await fill(url, sample), 1)
    return ours, verified, plain, single


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=5_000)
    parser.add_argument("--sample", type=int, default=300, help="schedules that are cancelled one by one")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = os.environ.get("QUASH_TEST_POSTGRES") or "postgresql://postgres@127.0.0.1:5432/postgres"
    rounds = [await one_round(server, options.schedules, options.sample) for _ in range(options.rounds)]
    ours, verified, plain, single = (max(column) for column in zip(*rounds, strict=True))
    print(f"{options.schedules:,} schedules, chunks of {CHUNK}, best of {options.rounds} rounds, a second")
    print(f"  ours, execute                   {ours:>10,.0f}")
    print(f"  ours, verify                    {verified:>10,.0f}")
    print(f"  bare set-based statement        {plain:>10,.0f}")
    print(f"  ours, one by one ({options.sample:>5})        {single:>10,.0f}")
    met = [ours / plain >= OF_BARE, ours / single >= TIMES_SINGLE]
    print(f"  ours / bare       {ours / plain:6.2f}   target >= {OF_BARE:g}   {'met' if met[0] else 'MISSED'}")
    print(f"  ours / one by one {ours / single:6.1f}   target >= {TIMES_SINGLE:g}   {'met' if met[1] else 'MISSED'}")


if __name__ == "__main__":
    asyncio.run(main())
