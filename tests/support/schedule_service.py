"""A schedule service on real servers: a database of its own, a queue of its own, and plain reads of both."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aio_pika
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from support.schedules_bench import a_schedule
from tui_app.database.postgres import Postgres
from tui_app.systems.schedules.postgres import MISSING
from tui_app.systems.schedules.postgres_rows import ScheduleDatabase
from tui_app.systems.schedules.rabbitmq import LATER, REJECTED

_INSERTS = (
    (
        "INSERT INTO scheduler.post (id, owner_id, title, status) VALUES (%(post_id)s, %(owner)s, %(title)s,"
        " %(post_status)s) ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO scheduler.channel_connection (id, channel_id, display_name)"
        " VALUES (%(channel_connection_id)s, %(channel_id)s, %(channel)s) ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO scheduler.post_variant (id, post_id, channel_id, content)"
        " VALUES (%(post_variant_id)s, %(post_id)s, %(channel_id)s, %(content)s) ON CONFLICT DO NOTHING"
    ),
    (
        "INSERT INTO scheduler.schedule (id, post_variant_id, channel_connection_id, post_id, owner, channel, run_at,"
        " timezone, run_at_local, status, attempts, created_at, updated_at, claimed_at) VALUES (%(id)s,"
        " %(post_variant_id)s, %(channel_connection_id)s, %(post_id)s, %(owner)s, %(channel)s, %(run_at)s,"
        " %(timezone)s, %(run_at_local)s, %(status)s, %(attempts)s, %(created_at)s, %(updated_at)s, %(claimed_at)s)"
    ),
)
LONG_AGO = "2025-06-01T09:00:00Z"


@contextmanager
def schedule_database(server: str, *, durable: bool = True) -> Iterator[str]:
    """The conninfo of a new, empty database; one that is not durable does not wait for the disk."""
    name = f"quash_test_{secrets.token_hex(8)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if not durable:
            connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)))
    try:
        yield make_conninfo(server, dbname=name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@asynccontextmanager
async def own_queue(url: str) -> AsyncIterator[str]:
    """The name of a queue that nobody else uses; it and what stands beside it are deleted."""
    name = f"quash_test_{secrets.token_hex(8)}"
    try:
        yield name
    finally:
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            for queue in (name, name + LATER, name + REJECTED):
                await channel.queue_delete(queue)


class ScheduleRows:
    """The rows of one database, read and changed with a plain connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made = 0

    async def prepare(self) -> None:
        """Make the tables, as whoever comes first does."""
        database = ScheduleDatabase(Postgres(self.url, missing=MISSING, size=1))

        async def nothing(_: Any) -> None:
            return None

        await database.read(nothing)
        await database.close()

    async def run(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of one statement, by column name."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = await connection.execute(statement, values or None)  # type: ignore[arg-type]
            return [] if cursor.description is None else await cursor.fetchall()

    async def one(self, statement: str, *values: Any) -> Any:
        """The one value of the one row."""
        (found,) = await self.run(statement, *values)
        return next(iter(found.values()))

    async def add_all(self, wanted: Sequence[dict[str, Any]]) -> list[str]:
        """Schedules with what is said of each; their ids, in order."""
        rows = []
        for more in wanted:
            self._made += 1
            rows.append(a_schedule(self._made, **more))
        async with await psycopg.AsyncConnection.connect(self.url) as connection, connection.cursor() as cursor:
            for statement in _INSERTS:
                await cursor.executemany(statement, rows)
        return [row["id"] for row in rows]

    async def add(self, number: int = 1, **more: Any) -> list[str]:
        """So many schedules of one kind; due unless it is said otherwise."""
        return await self.add_all([{"run_at": LONG_AGO, **more}] * number)

    async def status(self, item_id: str) -> str:
        return str(await self.one("SELECT status FROM scheduler.schedule WHERE id = %s", item_id))

    async def statuses(self) -> dict[str, int]:
        found = await self.run("SELECT status, count(*) AS n FROM scheduler.schedule GROUP BY status")
        return {row["status"]: row["n"] for row in found}

    async def post_status(self, item_id: str) -> str:
        query = (
            "SELECT p.status FROM scheduler.post AS p JOIN scheduler.schedule AS s ON s.post_id = p.id WHERE s.id = %s"
        )
        return str(await self.one(query, item_id))

    async def events(self, item_id: str, event: str | None = None) -> list[dict[str, Any]]:
        """The audit of one schedule, oldest first; of one kind of event where one is named."""
        query = "SELECT event, at, principal, details FROM scheduler.audit WHERE id = %s ORDER BY audit_id"
        return [row for row in await self.run(query, item_id) if event is None or row["event"] == event]

    async def violations(self) -> list[str]:
        """What must never be, said of the whole database: both, twice, or an end without its traces."""
        return [row["what"] for row in await self.run(_VIOLATIONS)]


_VIOLATIONS = """
WITH seen AS (
    SELECT s.id, s.status,
           (SELECT count(*) FROM scheduler.outbox AS o WHERE o.schedule_id = s.id) AS outs,
           (SELECT count(*) FROM scheduler.audit AS a WHERE a.id = s.id AND a.event = 'SCHEDULE_CANCELLED') AS cancels
    FROM scheduler.schedule AS s
)
SELECT DISTINCT what FROM seen CROSS JOIN LATERAL (VALUES
    (outs > 0 AND (cancels > 0 OR status = 'cancelled'), 'both cancelled and published'),
    (outs > 1, 'published twice'),
    (cancels > 1, 'cancelled twice'),
    ((status = 'cancelled') <> (cancels = 1), 'the audit tells otherwise than the status'),
    (status = 'success' AND outs = 0, 'said to be published, and is not'),
    (outs > 0 AND status NOT IN ('success', 'publishing'), 'published, and nobody says so')
) AS v (broken, what)
WHERE broken ORDER BY what
"""
