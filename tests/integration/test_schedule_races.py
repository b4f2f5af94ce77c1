"""Cancel against publish on a real PostgreSQL, ten thousand times: never both, and each of them often enough.

Each schedule is raced for: a run cancels it in a chunk, while publishers come to its message. Who cancels and who
publishes have connections of their own. The outbox takes everything, so only the code under test can keep it right.
"""

import asyncio
import os
import random
from collections import Counter

import pytest

from support.broken_schedules import CheckingStore, unguarded_cancel
from support.orders import errand, key_of
from support.schedule_service import ScheduleRows, schedule_database
from tui_app.database.postgres import Postgres
from tui_app.domain.items import Seen
from tui_app.domain.run import ItemState, Order
from tui_app.domain.verdict import YES
from tui_app.systems.schedules.postgres import MISSING, PostgresSchedules
from tui_app.systems.schedules.postgres_rows import ScheduleDatabase
from tui_app.systems.schedules.postgres_runners import OutboxTable, PostgresStore
from tui_app.systems.schedules.runners import Delivery, Passed, Publisher

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schedule-races")]

RACES = 10_000
GROUP = 25
"""Schedules that are cancelled in one transaction, while publishers come to each of them."""
ABREAST = 4
SEED = int(os.environ.get("QUASH_TEST_SEED") or random.randrange(2**32))


class Handed:
    """A queue that hands out what it was given, once."""

    def __init__(self, ids):
        self._ids = list(ids)

    async def receive(self):
        return Delivery(self._ids.pop(), 0) if self._ids else None

    async def acknowledge(self, delivery):
        return None

    async def put_off(self, delivery):
        return None


class Track:
    """One database, with a pool for those that cancel and one for those that publish."""

    def __init__(self, url, store):
        self.rows = ScheduleRows(url)
        self.system = PostgresSchedules(url, size=ABREAST)
        self.theirs = ScheduleDatabase(Postgres(url, missing=MISSING, size=2 * ABREAST))
        self._store = store
        self.random = random.Random(SEED)
        self.told = Counter()

    async def close(self):
        await self.system.close()
        await self.theirs.close()

    async def race(self, number, cancel):
        """So many schedules, each raced for once."""
        await self.rows.prepare()
        for start in range(0, number, GROUP * 20):
            ids = await self.rows.add(min(GROUP * 20, number - start), status="queued")
            groups = [ids[place : place + GROUP] for place in range(0, len(ids), GROUP)]
            for place in range(0, len(groups), ABREAST):
                await asyncio.gather(*(self._one_group(group, cancel) for group in groups[place : place + ABREAST]))

    async def _one_group(self, ids, cancel):
        """A cancellation sets out while some of its schedules are being published, and others are not yet."""
        handed = self.random.sample(ids, len(ids))
        head_start = self.random.randrange(len(ids))
        started = asyncio.Event()
        left = len(ids)

        async def publish():
            nonlocal left
            publisher = Publisher(self._store(self.theirs, None), Handed(handed[0::2]), OutboxTable(self.theirs))
            other = Publisher(self._store(self.theirs, None), Handed(handed[1::2]), OutboxTable(self.theirs))

            async def work(one):
                nonlocal left
                while (passed := await one.work_one()) is not None:
                    self.told[passed] += 1
                    left -= 1
                    if left <= head_start:
                        started.set()

            await asyncio.gather(work(publisher), work(other))
            started.set()

        async def stop():
            await started.wait()
            await cancel(self, ids)

        await asyncio.gather(publish(), stop())


async def guarded(track, ids):
    """A run of ours, that saw all of them queued."""
    chunk = [Order(own, key_of("run-1", own), Seen(own, "queued", "1", YES)) for own in ids]
    for answer in await track.system.execute(chunk, errand()):
        track.told[answer.state] += 1


async def unguarded(track, ids):
    await asyncio.gather(*(unguarded_cancel(track.system.database, own) for own in ids))


@pytest.fixture
async def track(request, postgres_url):
    with schedule_database(postgres_url, durable=False) as url:
        opened = Track(url, getattr(request, "param", PostgresStore))
        yield opened
        await opened.close()


async def test_ten_thousand_races_have_one_winner_each(track):
    await track.race(RACES, guarded)
    statuses = await track.rows.statuses()
    assert await track.rows.violations() == [], f"QUASH_TEST_SEED={SEED}"
    assert statuses["cancelled"] + statuses["success"] == RACES
    assert min(statuses.values()) > RACES // 20, statuses
    # Each side was told what became of it.
    assert track.told[ItemState.CANCELLED] == track.told[Passed.SKIPPED] == statuses["cancelled"]
    assert track.told[ItemState.REFUSED] == track.told[Passed.PUBLISHED] == statuses["success"]


@pytest.mark.parametrize("track", [CheckingStore], indirect=True)
async def test_a_publisher_that_only_looks_loses_its_races(track):
    await track.race(500, guarded)
    assert "both cancelled and published" in await track.rows.violations()


async def test_a_cancel_that_only_looks_loses_its_races(track):
    await track.race(500, unguarded)
    assert "both cancelled and published" in await track.rows.violations()
