"""Cancel against publisher on PostgreSQL: every order of their statements, and two broken variants that are caught.

Beside :mod:`test_interleavings`, where a step is a transaction and none ever waits. What went out stands in the outbox,
which takes everything that is put there: nothing but the code under test keeps a post from going out twice.
"""

from dataclasses import dataclass, field

import pytest

from support import violations
from support.broken_schedules import CheckingStore, unguarded_cancel
from support.orders import errand, key_of
from support.postgres_steps import Actor, Interleavings, SteppedDatabase, Turns, connect
from support.schedule_service import ScheduleRows, schedule_database
from support.schedules_bench import OWNER
from tui_app.domain.items import Seen
from tui_app.domain.run import Order
from tui_app.domain.verdict import YES
from tui_app.systems.schedules.desk import Desk
from tui_app.systems.schedules.postgres_desk import PostgresDeskStore
from tui_app.systems.schedules.postgres_runners import OutboxTable, PostgresStore
from tui_app.systems.schedules.postgres_write import cancel
from tui_app.systems.schedules.requests import ScheduleRefused
from tui_app.systems.schedules.runners import Delivery, Publisher

pytestmark = pytest.mark.xdist_group("schedule-races")


class Owner:
    name = OWNER

    def may(self, permission):
        return False


@dataclass
class Messages:
    """A queue that gives its first message to everybody who asks, until somebody acknowledges it."""

    waits: list[str] = field(default_factory=list)

    async def waiting(self):
        return len(self.waits)

    async def send(self, messages):
        self.waits += [message["schedule_id"] for message in messages]

    async def receive(self):
        return Delivery(self.waits[0], 0) if self.waits else None

    async def acknowledge(self, delivery):
        if delivery.schedule_id in self.waits:
            self.waits.remove(delivery.schedule_id)

    async def put_off(self, delivery):
        return None


class ReceivedInTurn(Messages):
    """The same, where receiving is a step too."""

    def __init__(self, inner, turns):
        self._inner, self._turns = inner, turns

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def receive(self):
        await self._turns.turn()
        return await self._inner.receive()

    async def send(self, messages):
        await self._inner.send(messages)

    async def waiting(self):
        return await self._inner.waiting()

    async def acknowledge(self, delivery):
        await self._inner.acknowledge(delivery)


class Stage:
    """One database, with a connection for each place on it; every world is one schedule more."""

    def __init__(self, url):
        self.rows = ScheduleRows(url)
        self._connections = {}

    async def open(self):
        await self.rows.prepare()
        self.watcher = await connect(self.rows.url)
        return self

    async def close(self):
        for connection in (self.watcher, *self._connections.values()):
            await connection.close()

    async def connection(self, place):
        if place not in self._connections or self._connections[place].closed:
            self._connections[place] = await connect(self.rows.url)
        return self._connections[place]

    async def world(self, status):
        """One schedule that is due: pending, or queued with its message."""
        [item] = await self.rows.add(status=status)
        if status == "queued":
            await self.rows.run("UPDATE scheduler.schedule SET confirmed = true, send_at = now() WHERE id = %s", item)
        return World(self, item, Messages([item] if status == "queued" else []))


@dataclass
class World:
    stage: Stage
    item: str
    messages: Messages

    def actor(self, name, place, connection, *, whole, receives):
        turns = Turns(whole=whole)
        database = SteppedDatabase(connection, turns)
        queue = ReceivedInTurn(self.messages, turns) if receives else self.messages
        return Actor(f"{name} {place}", connection, turns, lambda: getattr(self, name)(database, queue))

    # Those that act; a second word says what is broken in them.

    async def port(self, database, queue):
        """A run of ours, that saw it pending or queued."""
        order = Order(self.item, key_of("run-1", self.item), Seen(self.item, "queued", "1", YES))
        [answer] = await database.write(lambda connection: cancel(connection, [order], errand()))
        return answer.state.value

    async def desk(self, database, queue):
        """A native request of the owner."""
        try:
            await Desk(PostgresDeskStore(database)).cancel(Owner(), self.item, {})
        except ScheduleRefused as refused:
            return refused.refusal.code
        return "cancelled"

    async def scanner(self, database, queue):
        return await PostgresStore(database, self.messages).queue_due(10)

    async def publisher(self, database, queue, store=PostgresStore):
        return await Publisher(store(database, self.messages), queue, OutboxTable(database)).work_one()

    async def checking_publisher(self, database, queue):
        return await self.publisher(database, queue, CheckingStore)

    async def unguarded_cancel(self, database, queue):
        await unguarded_cancel(database, self.item)

    async def drain(self):
        """Let everything come to its end: time passes, and what is left in the queue comes again."""
        database = Plain(self.stage.watcher)
        for _ in range(2):
            await self.stage.watcher.execute(
                "UPDATE scheduler.schedule SET claimed_at = claimed_at - interval '1 hour',"
                " send_at = send_at - interval '1 hour' WHERE id = %s",
                (self.item,),
            )
            await self.scanner(database, self.messages)
            while await self.publisher(database, self.messages) is not None:
                pass

    async def violations(self, *, died):
        """What must not be, now that nothing happens any more. ``died``: a publisher was killed on the way."""
        query = (
            "SELECT s.status, p.status, (SELECT count(*) FROM scheduler.outbox AS o WHERE o.schedule_id = s.id),"
            " (SELECT count(*) FROM scheduler.audit AS a WHERE a.id = s.id AND a.event = 'SCHEDULE_CANCELLED')"
            " FROM scheduler.schedule AS s JOIN scheduler.post AS p ON p.id = s.post_id WHERE s.id = %s"
        )
        asked = await self.stage.watcher.execute(query, (self.item,))
        status, post, out, cancels = await asked.fetchone()
        found = violations.of_a_race(status, out, cancels, died=died)
        if status == "cancelled" and post != "ready":
            found.append(f"cancelled, its post {post}")
        if self.messages.waits:
            found.append("a message is left")
        return found


class Plain:
    """A database without turns."""

    def __init__(self, connection):
        self._connection = connection

    async def read(self, work):
        return await work(self._connection)

    async def write(self, work):
        async with self._connection.transaction():
            return await work(self._connection)


@pytest.fixture
async def stage(postgres_url):
    with schedule_database(postgres_url, durable=False) as url:
        opened = await Stage(url).open()
        yield opened
        await opened.close()


def interleavings(stage, status, *names, whole=False, dies=None):
    """All orders of these, each an actor; ``dies``: the actor at that place takes so many steps."""

    async def scene():
        world = await stage.world(status)
        actors = []
        for place, name in enumerate(names):
            actor = world.actor(name, place, await stage.connection(place), whole=whole, receives=status == "pending")
            actors.append(actor)
        if dies is not None:
            actors[dies[0]].dies = dies[1]
        return world, actors

    return Interleavings(scene, stage.watcher)


async def caught(found, *, died=False):
    """Each violation, with the first order that shows it."""
    seen = {}
    async for order, world, _ in found:
        await world.drain()
        for violation in await world.violations(died=died):
            seen.setdefault(violation, order)
    return seen


PAIRS = {
    "a run": (("queued", "port", "publisher"), 30, 20),
    "redelivery": (("queued", "publisher", "publisher"), 300, 200),
    "two operators": (("queued", "port", "desk"), 20, 15),
    "a scanner": (("pending", "port", "scanner"), 200, 60),
}


@pytest.mark.parametrize("name", PAIRS)
async def test_every_order_of_the_statements_of_two(stage, name):
    """Each statement and each commit is a step, and some have to wait for the other's lock."""
    scene, least, waits = PAIRS[name]
    found = interleavings(stage, *scene)
    assert await caught(found) == {}
    assert found.tried >= least
    assert found.waits >= waits


@pytest.mark.slow
async def test_every_order_of_the_statements_of_a_native_request_and_a_publisher(stage):
    found = interleavings(stage, "queued", "desk", "publisher")
    assert await caught(found) == {}
    assert found.waits


SCENES = {
    "scanner": ("pending", "port", "scanner", "publisher"),
    "two scanners": ("pending", "port", "scanner", "scanner"),
    "two publishers": ("queued", "port", "publisher", "publisher"),
    "two operators": ("queued", "port", "desk", "publisher"),
}


@pytest.mark.parametrize("name", SCENES)
async def test_every_order_of_the_transactions_of_several(stage, name):
    found = interleavings(stage, *SCENES[name], whole=True)
    assert await caught(found) == {}
    assert found.tried >= 10


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
async def test_a_publisher_that_dies_at_any_statement(stage, after):
    """Between its claim and the effect it leaves ``publishing``; anywhere else another one brings it to an end."""
    found = interleavings(stage, "queued", "publisher", "port", dies=(0, after))
    assert await caught(found, died=after in (2, 3)) == {}
    assert found.tried >= 5


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
async def test_a_scanner_that_dies_at_any_statement_loses_nothing(stage, after):
    found = interleavings(stage, "pending", "scanner", dies=(0, after))
    async for order, world, _ in found:
        await world.drain()
        assert await world.stage.rows.status(world.item) == "success", order
        assert await world.violations(died=False) == []


# The harness can fail: what others have built is broken in it


async def test_a_publisher_that_only_looks_is_caught(stage):
    broken = await caught(interleavings(stage, "queued", "port", "checking_publisher"))
    assert "both cancelled and published" in broken
    twice = await caught(interleavings(stage, "queued", "checking_publisher", "checking_publisher"))
    assert "published twice" in twice


async def test_a_cancel_that_only_looks_is_caught(stage):
    broken = await caught(interleavings(stage, "queued", "unguarded_cancel", "publisher"))
    assert "both cancelled and published" in broken


async def test_the_harness_lets_one_wait_for_the_lock_of_another(stage):
    """Whoever commits first is seen by whoever waited."""
    results = set()
    async for _, _, actors in interleavings(stage, "queued", "port", "publisher"):
        results.add((actors["port 0"].result, actors["publisher 1"].result.value))
    assert results == {("cancelled", "skipped"), ("refused", "published")}
