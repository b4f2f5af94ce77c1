"""A primary that is one no longer: the connections that were kept to it are given up, and the new one is found."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.forwarder import cluster
from support.orders import cancel, errand, named, orders
from tui_app.config.values import address
from tui_app.database.postgres import Postgres
from tui_app.domain.errors import CannotConnect
from tui_app.domain.run import ItemState
from tui_app.systems.commands.postgres import PostgresCommands
from tui_app.systems.schedules.postgres import PostgresSchedules

SIZE = 4
WRITABLE = "-c default_transaction_read_only=off"


@asynccontextmanager
async def closing(system):
    try:
        yield system
    finally:
        await system.close()


def reads_only(url, value):
    """Whether sessions that begin from now on are as those of a standby."""
    name = sql.Identifier(conninfo_to_dict(url)["dbname"])
    with psycopg.connect(url, autocommit=True, options=WRITABLE) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(name, sql.SQL(value))
        )


async def fill(system, ids):
    """As many connections as the pool may have, each begun now."""
    await asyncio.gather(*(system.survey(ids) for _ in range(3 * SIZE)))


def as_url(conninfo, **more):
    """A conninfo as a URL, with all its hosts."""
    given = conninfo_to_dict(conninfo, **more)
    hosts = ",".join(
        ":".join(place) for place in zip(given.pop("host").split(","), given.pop("port").split(","), strict=True)
    )
    secret = f":{given.pop('password')}" if "password" in given else ""
    who, name = given.pop("user"), given.pop("dbname")
    return f"postgresql://{who}{secret}@{hosts}/{name}?{urlencode(given)}"


async def test_commands_give_up_the_connections_to_a_demoted_primary_and_go_on(bus):
    ids = named("payments", await bus.waiting("payments", 3))
    async with closing(PostgresCommands(bus.url, size=SIZE)) as system:
        reads_only(bus.url, "on")
        await fill(system, ids)
        reads_only(bus.url, "off")
        answers = await cancel(system, ids)
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}


async def test_schedules_give_up_the_connections_to_a_demoted_primary_and_go_on(there):
    ids = await there.add(3, status="pending", run_at="2099-01-01T00:00:00Z")
    async with closing(PostgresSchedules(there.url, size=SIZE)) as system:
        reads_only(there.url, "on")
        await fill(system, ids)
        reads_only(there.url, "off")
        answers = await cancel(system, ids)
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}


async def test_a_server_that_stays_a_standby_is_told_of_and_nothing_is_sent(bus):
    own = await bus.waiting("payments", 2)
    async with closing(PostgresCommands(make_conninfo(bus.url, options=WRITABLE.replace("off", "on")))) as system:
        chunk = await orders(system, named("payments", own))
        with pytest.raises(CannotConnect, match="only takes reads") as told:
            await system.execute(chunk, errand())
    assert "target_session_attrs=read-write" in told.value.hint
    assert await bus.statuses(own) == {"IN_TROUBLESHOOTING_QUEUE": 2}


async def test_the_host_that_takes_writes_is_found_before_and_after_a_failover(bus):
    ids = named("payments", await bus.waiting("payments", 4))
    async with cluster(bus.url) as (url, (first, second)):
        first.standby = True
        # As a profile says it.
        said = address("postgresql")(as_url(url, target_session_attrs="read-write")).reveal()
        async with closing(PostgresCommands(said)) as system:
            before = await cancel(system, ids[:2])
            met = second.met
            first.standby = False
            await second.go_away()
            after = await cancel(system, ids[2:])
    assert met > 0
    assert {answer.state for answer in (*before, *after)} == {ItemState.CANCELLED}


async def test_every_connection_that_was_cut_while_idle_is_replaced(bus):
    ids = named("payments", await bus.waiting("payments", 3))
    async with closing(PostgresCommands(bus.url, size=SIZE)) as system:
        await fill(system, ids)
        await bus.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'quash' AND datname = current_database()"
        )
        answers = await cancel(system, ids)
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}


async def test_a_pool_that_keeps_its_connections_never_finds_the_new_primary(bus, monkeypatch):
    async def keep(self):
        return None

    monkeypatch.setattr(Postgres, "_replace_connections", keep)
    own = await bus.waiting("payments", 1)
    async with closing(PostgresCommands(bus.url, size=1)) as system:
        reads_only(bus.url, "on")
        await fill(system, named("payments", own))
        reads_only(bus.url, "off")
        with pytest.raises(CannotConnect):
            await cancel(system, named("payments", own))
