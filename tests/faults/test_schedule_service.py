"""A thousand schedules are cancelled while they are being published, and everything is killed in the middle.

The publisher is a process of its own, which is killed where it hurts and started again; RabbitMQ is a node of the
test's own, killed and started again; the scanner goes on by itself.
"""

import asyncio
import random
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.orders import cancel
from support.rabbit_node import own_node, server_program
from support.schedule_service import ScheduleRows, own_queue, schedule_database
from support.services import REQUIRED
from tui_app.config.values import Address
from tui_app.domain.run import ItemState
from tui_app.systems.schedules import postgres_at_work
from tui_app.systems.schedules.postgres import PostgresSchedules

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schedule-races")]

NUMBER = 1_000
TESTS = Path(__file__).parents[1]
CHUNK = 10


class Service:
    """A database, a queue, a scanner at work, and publishers that are processes."""

    def __init__(self, url, amqp, queue):
        self.rows, self.amqp, self.queue = ScheduleRows(url), amqp, queue
        self.processes = []
        self._scanning, self._stop = None, asyncio.Event()

    async def begin(self, number):
        await self.rows.prepare()
        self.ids = await self.rows.add(number)
        self._hands = postgres_at_work.ServiceHands(self.rows.url, Address(self.amqp), queue=self.queue)
        scan = self._hands.scan(self._stop, lambda _: None, once=False, interval=0.2, batch=100)
        self._scanning = asyncio.create_task(scan)

    async def end(self):
        for process in self.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._stop.set()
        if self._scanning is not None:
            await self._scanning
            await self._hands.close()

    async def publisher(self, point="never", nth=1):
        """A publisher that is started, and killed when it has come to a point for the nth time."""
        command = (sys.executable, "-m", "support.publishing", self.rows.url, self.amqp, self.queue, point, str(nth))
        process = await asyncio.create_subprocess_exec(*command, cwd=TESTS)
        self.processes.append(process)
        return process

    async def until(self, what, query, least):
        """Return when a number of the database is that large."""
        async with asyncio.timeout(120):
            while (number := await self.rows.one(query)) < least:
                assert self._scanning is not None
                done, _ = await asyncio.wait([self._scanning], timeout=0.05)
                assert not done, f"the scanner ended before {what}: {number}"

    async def until_published(self, least):
        await self.until("enough was published", "SELECT count(*) FROM scheduler.outbox", least)

    async def until_over(self, left=0):
        """Return when nothing is to go out any more, but so many that are stuck."""
        query = "SELECT -count(*) FROM scheduler.schedule WHERE status IN ('pending', 'queued', 'publishing')"
        await self.until("everything was over", query, -left)


@asynccontextmanager
async def a_service(url, amqp, queue, number):
    service = Service(url, amqp, queue)
    try:
        await service.begin(number)
        yield service
    finally:
        await service.end()


@pytest.fixture
def database(postgres_url):
    with schedule_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    program = server_program()
    if program is None:
        why = "RabbitMQ is not installed on this host, and the one that everybody uses cannot be killed"
        pytest.fail(why) if REQUIRED else pytest.skip(why)
    with own_node(program, tmp_path_factory.mktemp("rabbit") / "node") as running:
        yield running


async def cancelling(service, progress):
    """Cancel two thirds of them in an order of chance, so many at a time, while others go out."""
    system = PostgresSchedules(service.rows.url)
    ids = random.Random(7).sample(service.ids, len(service.ids))
    answers = []
    try:
        for start in range(0, 2 * len(ids) // 3, CHUNK):
            answers += await cancel(system, ids[start : start + CHUNK])
            progress.append(len(answers))
            # As many again are given the time to go out, so that neither side has it all.
            await service.until_published(min(start // 3, len(ids) // 6))
    finally:
        await system.close()
    return answers


async def test_a_thousand_with_publisher_and_broker_killed(database, node):
    async with a_service(database, node.url, "post_publish", NUMBER) as service:
        progress = []
        ours = asyncio.create_task(cancelling(service, progress))

        # The effect is there, and nobody has recorded it.
        first = await service.publisher("publish", 40)
        assert await first.wait() == -9
        # It is recorded, and the message is not acknowledged.
        second = await service.publisher("succeeded", 40)
        assert await second.wait() == -9
        assert not ours.done()

        await service.publisher()
        await service.until_published(110)
        assert not ours.done()
        node.kill()
        await asyncio.to_thread(node.start)

        answers = await ours
        await service.until_over()

        states = {state: sum(answer.state is state for answer in answers) for state in ItemState}
        assert await service.rows.violations() == []
        statuses = await service.rows.statuses()
        assert statuses["success"] + statuses["cancelled"] == NUMBER
        assert await service.rows.one("SELECT count(*) FROM scheduler.outbox") == statuses["success"]
        assert states[ItemState.CANCELLED] == statuses["cancelled"]
        assert min(statuses.values()) > NUMBER // 10, statuses


async def test_a_publisher_killed_between_claim_and_effect_leaves_what_is_stuck(database, amqp_url):
    async with own_queue(amqp_url) as queue, a_service(database, amqp_url, queue, 20) as service:
        killed = await service.publisher("claim", 5)
        assert await killed.wait() == -9
        await service.publisher()
        await service.until_over(left=1)

        [stuck] = await service.rows.run("SELECT id FROM scheduler.schedule WHERE status = 'publishing'")
        assert await service.rows.statuses() == {"success": 19, "publishing": 1}
        await service.rows.run("UPDATE scheduler.schedule SET claimed_at = claimed_at - interval '1 hour'")
        skipped = "SELECT count(*) FROM scheduler.audit WHERE event = 'PUBLISH_SKIPPED'"
        await service.until("it was passed over", skipped, 1)

        system = PostgresSchedules(database)
        [seen] = await system.survey([stuck["id"]])
        [answer] = await cancel(system, [stuck["id"]])
        await system.close()
        assert "stuck" in seen.verdict.reason
        assert (answer.state, answer.code) == (ItemState.REFUSED, "PUBLISHING")
        assert await service.rows.status(stuck["id"]) == "publishing"
        assert await service.rows.violations() == []
