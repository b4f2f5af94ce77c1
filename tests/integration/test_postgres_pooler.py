"""Behind a real PgBouncer in transaction mode: our settings end with our transactions, and nothing of ours is left."""

import asyncio
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.orders import REASON, cancel, errand, named, orders
from support.schedule_service import own_queue
from tui_app.config.values import Address
from tui_app.database.postgres import Patience, Postgres
from tui_app.domain.errors import Busy
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import PageQuery
from tui_app.domain.run import ItemState, Verified
from tui_app.systems.commands.postgres import PostgresCommands
from tui_app.systems.schedules.postgres import PostgresSchedules
from tui_app.systems.schedules.postgres_at_work import ServiceHands

LEFT = """
SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
       current_setting('TimeZone') AS zone, current_setting('transaction_read_only') AS reads,
       (SELECT count(*) FROM pg_prepared_statements) AS prepared,
       (SELECT count(*) FROM pg_listening_channels()) AS listening,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks
"""


@asynccontextmanager
async def closing(system):
    try:
        yield system
    finally:
        await system.close()


def neighbour(url):
    """What another client of the pooler finds on the one connection to the server that we share with it."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        return connection.execute(LEFT).fetchone()


async def look_everywhere(system, ids, text):
    """Everything that only reads."""
    query = PageQuery(parse(text), system.description.default_sort, limit=2)
    page = await system.page(query)
    assert len(page.items) == 2
    assert (await system.count(Filter())).value >= len(ids)
    assert (await system.item(ids[0])).verdict.cancellable
    assert (await system.preview(ids[0])).verdict.cancellable
    await system.trail(ids[0])
    await system.identity()
    await system.check_words("jane@example.com", REASON)
    await system.arrange(ids)


async def cancel_everything(system, ids):
    """Plan, cancel, settle once more, only look, verify: each order has its effect once."""
    chunk = await orders(system, ids)
    answers = await system.execute(chunk, errand())
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}
    for again in (errand(), errand(only_look=True)):
        settled = await system.reconcile(chunk, again)
        assert [(answer.state, answer.ours) for answer in settled] == [(ItemState.CANCELLED, True)] * len(ids)
    assert {found.verified for found in await system.verify(chunk, errand())} == {Verified.YES}


async def test_commands_behind_a_pooler_leave_nothing_on_its_connections(bus, pooled):
    await bus.queues("payments__replies")
    _, ids = await bus.send_batch("payments", ["payments__replies", None, "payments__replies"])
    await bus.fail_all(ids)
    with pooled(bus.url) as url:
        before = neighbour(url)
        async with closing(PostgresCommands(url)) as system:
            await look_everywhere(system, named("payments", ids), "type:DebitAccount updated>2020-01-01 such")
            assert neighbour(url) == before
            await cancel_everything(system, named("payments", ids))
            assert neighbour(url) == before
    assert len(await bus.replies("payments__replies")) == 2
    assert await bus.statuses(ids) == {"CANCELED": 3}


async def test_schedules_behind_a_pooler_leave_nothing_on_its_connections(there, pooled, amqp_url):
    ids = await there.add(3, status="pending", run_at="2099-01-01T00:00:00Z")
    (due,) = await there.add(1)
    with pooled(there.url) as url:
        before = neighbour(url)
        async with closing(PostgresSchedules(url)) as system:
            await look_everywhere(system, ids, "status:pending")
            await cancel_everything(system, ids)
        async with own_queue(amqp_url) as queue, closing(ServiceHands(url, Address(amqp_url), queue=queue)) as hands:
            stop = asyncio.Event()
            assert await hands.scan(stop, lambda _: None, once=True, interval=0.1, batch=10) == {"queued": 1}
            await hands.publish(stop, lambda _: None, once=True, interval=0.1)
        assert neighbour(url) == before
    assert await there.status(due) == "success"
    assert await there.violations() == []


async def test_several_operators_behind_a_pooler_have_each_effect_once(bus, pooled):
    await bus.queues("payments__replies")
    ids = await bus.waiting("payments", 60, reply_to="payments__replies")
    with pooled(bus.url, size=2) as url:
        systems = [PostgresCommands(url) for _ in range(3)]
        runs = await asyncio.gather(
            *(cancel(system, named("payments", ids), f"run-{n}") for n, system in enumerate(systems))
        )
        for system in systems:
            await system.close()
    states = [answer.state for run in runs for answer in run]
    assert states.count(ItemState.CANCELLED) == 60
    assert states.count(ItemState.ALREADY_CANCELLED) == 120
    assert len(await bus.replies("payments__replies")) == 60


async def test_a_pooler_without_a_free_connection_is_busy_and_nothing_hangs(bus, pooled):
    ids = await bus.waiting("payments", 1)
    with pooled(bus.url) as url, psycopg.connect(url) as taking:
        taking.execute("SELECT 1")  # in a transaction: the only connection to the server is taken
        async with closing(PostgresCommands(url, patience=Patience(connection=0.3))) as system:
            with pytest.raises(Busy):
                await system.survey(named("payments", ids))
            taking.rollback()
            (seen,) = await system.survey(named("payments", ids))
    assert seen.verdict.cancellable


@pytest.mark.parametrize(
    "leaky",
    [
        "SELECT set_config('statement_timeout', '30s', false)",
        "SELECT set_config('lock_timeout', '10s', false)",
        "PREPARE ours AS SELECT 1",
        "LISTEN ours",
        "SELECT pg_advisory_lock(42)",
    ],
)
async def test_what_a_session_leaves_behind_is_seen_by_its_neighbour(bus, pooled, leaky):
    with pooled(bus.url) as url:
        before = neighbour(url)
        database = Postgres(make_conninfo(url), missing="")
        await database.write(lambda connection: connection.execute(leaky))
        await database.close()
        assert neighbour(url) != before
