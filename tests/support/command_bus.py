"""Real command buses to test on: databases that the library's own SQL made, filled through the library itself.

Every database is new, named so that parallel runs do not meet, and dropped afterwards. Making one is copying a
template, which is made once for each generation of the schema.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

import psycopg
from commandbus import BatchCommand, CommandBus, SendRequest, TroubleshootingQueue
from commandbus.exceptions import PermanentCommandError
from commandbus.models import Command, HandlerContext
from commandbus.process.models import ProcessMetadata
from commandbus.process.repository import PostgresProcessRepository
from commandbus.repositories.audit import PostgresAuditLogger
from commandbus.repositories.command import PostgresCommandRepository
from commandbus.worker import ReceivedCommand, Worker
from pgmq.install import install_pgmq_from_sql
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

# What the library's code of today writes and its packaged migrations do not make; deployments that use batches and
# processes have added it.
_LATEST = """
ALTER TABLE commandbus.batch ADD COLUMN batch_type text NOT NULL DEFAULT 'COMMAND';
CREATE TABLE commandbus.process (
    domain text, process_id uuid, process_type text NOT NULL, status text NOT NULL, current_step text, state jsonb,
    error_code text, error_message text, created_at timestamptz, updated_at timestamptz, completed_at timestamptz,
    batch_id uuid, PRIMARY KEY (domain, process_id)
);
"""

# A worker's receive and fail_permanent for many commands at once, by the procedures that it calls itself.
_RECEIVE = """
SELECT commandbus.sp_receive_command(domain, command_id, 'IN_PROGRESS', msg_id, max_attempts)
FROM commandbus.command WHERE status = 'PENDING' AND command_id = ANY(%s)
"""
_FAIL = """
SELECT commandbus.sp_finish_command(
    domain, command_id, 'IN_TROUBLESHOOTING_QUEUE', 'MOVED_TO_TSQ', 'PERMANENT', %(code)s, %(message)s,
    jsonb_build_object('msg_id', msg_id, 'attempt', attempts, 'error_code', %(code)s::text), batch_id)
FROM commandbus.command WHERE status = 'IN_PROGRESS' AND command_id = ANY(%(ids)s)
"""
_ARCHIVE = """
SELECT pgmq.archive(queue_name, array_agg(msg_id)) FROM commandbus.command
WHERE command_id = ANY(%s) GROUP BY queue_name
"""


class Generation(StrEnum):
    """The shapes of the library's schema that are in the wild; no database says which it has."""

    FIRST = "first"
    SECOND = "second"
    LATEST = "latest"


class Databases:
    """The databases of one server that tests make; ``server`` is the conninfo of a role that may create them."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._templates: dict[Generation, str] = {}
        self._undo = ExitStack()

    def close(self) -> None:
        """Drop the templates and the roles."""
        self._undo.close()

    @contextmanager
    def bus(self, generation: Generation = Generation.LATEST) -> Iterator[str]:
        """The conninfo of a new, empty command bus."""
        if generation not in self._templates:
            self._templates[generation] = self._undo.enter_context(self._template(generation))
        with self._database(template=self._templates[generation]) as name:
            yield self._conninfo(name)

    @contextmanager
    def bus_in(self, encoding: str) -> Iterator[str]:
        """The conninfo of a new, empty command bus in a database that keeps text in this encoding."""
        with self._template(Generation.LATEST, encoding) as name:
            yield self._conninfo(name)

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The conninfo of a new database that is no command bus."""
        with self._database() as name:
            yield self._conninfo(name)

    def role(self, url: str, *grants: str) -> str:
        """The conninfo of a new role on the database of ``url`` that may log in, and what ``grants`` let it do.

        Each grant is what stands between GRANT and TO.
        """
        name, password = f"quash_role_{secrets.token_hex(6)}", secrets.token_hex(16)
        self._admin(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
        self._undo.callback(self._admin, sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
        with psycopg.connect(url, autocommit=True) as connection:
            for grant in grants:
                connection.execute(sql.SQL(f"GRANT {grant} TO {{}}").format(sql.Identifier(name)))
        return make_conninfo(url, user=name, password=password)

    @contextmanager
    def _template(self, generation: Generation, encoding: str | None = None) -> Iterator[str]:
        with self._database(encoding=encoding) as name:
            with psycopg.connect(self._conninfo(name)) as connection:
                install_pgmq_from_sql(conn=connection)
                for file in sorted(f.name for f in files("commandbus.migrations").iterdir()):
                    if file.endswith(".sql") and (generation is not Generation.FIRST or file.startswith("V001")):
                        connection.execute(_migration(file))
                if generation is Generation.LATEST:
                    connection.execute(_LATEST)
            yield name

    @contextmanager
    def _database(self, template: str | None = None, encoding: str | None = None) -> Iterator[str]:
        name = f"quash_test_{secrets.token_hex(8)}"
        making = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            making += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        if encoding is not None:
            making += sql.SQL(" ENCODING {} LOCALE 'C' TEMPLATE template0").format(sql.Literal(encoding))
        self._admin(making)
        try:
            yield name
        finally:
            self._admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _conninfo(self, name: str) -> str:
        return make_conninfo(self.server, dbname=name)

    def _admin(self, statement: sql.Composable) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement)


def _migration(file: str) -> str:
    """One packaged migration, without the line that needs PGMQ as an extension."""
    text = files("commandbus.migrations").joinpath(file).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("CREATE EXTENSION"))


class Bus:
    """One command bus with the library's own hands on it, and plain reads of its tables."""

    def __init__(self, url: str, pool: AsyncConnectionPool[Any]) -> None:
        self.url = url
        self.pool = pool
        self.sender = CommandBus(pool)
        self.operators = TroubleshootingQueue(pool)
        self.audit = PostgresAuditLogger(pool)
        self.repository = PostgresCommandRepository(pool)
        self.processes = PostgresProcessRepository(pool)

    async def run(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of one statement, by column name."""
        async with self.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(statement, values or None)  # type: ignore[arg-type]
            return [] if cursor.description is None else await cursor.fetchall()

    async def queues(self, *names: str) -> None:
        """Create queues, as the library's users do."""
        for name in names:
            await self.run("SELECT pgmq.create(%s)", name)

    async def drop_queue(self, name: str) -> None:
        await self.run("SELECT pgmq.drop_queue(%s)", name)

    async def send(
        self,
        domain: str,
        number: int = 1,
        *,
        reply_to: str | None = None,
        command_type: str = "DebitAccount",
        correlation_id: UUID | None = None,
        data: dict[str, Any] | None = None,
    ) -> list[UUID]:
        """Send commands that no worker has seen yet; the domain's own queue is made when it is missing."""
        await self.queues(f"{domain}__commands")
        ids = [uuid4() for _ in range(number)]
        requests = [
            SendRequest(domain, command_type, command_id, data or {"account": n}, correlation_id, reply_to)
            for n, command_id in enumerate(ids)
        ]
        await self.sender.send_batch(requests)
        return ids

    async def send_batch(
        self, domain: str, replies: Sequence[str | None], *, command_type: str = "DebitAccount"
    ) -> tuple[UUID, list[UUID]]:
        """Send one batch with a command for each reply queue given.

        The library's own batches need its latest schema; on an older one the batch is written as it was then.
        """
        await self.queues(f"{domain}__commands")
        commands = [BatchCommand(command_type, uuid4(), {"n": n}, None, to) for n, to in enumerate(replies)]
        ids = [command.command_id for command in commands]
        if await self._has_batch_type():
            return (await self.sender.create_batch(domain, commands)).batch_id, ids
        batch_id = uuid4()
        await self.run(
            "INSERT INTO commandbus.batch (domain, batch_id, total_count) VALUES (%s, %s, %s)",
            domain,
            batch_id,
            len(ids),
        )
        for one in commands:
            await self.sender.send(domain, command_type, one.command_id, one.data, reply_to=one.reply_to)
        await self.run("UPDATE commandbus.command SET batch_id = %s WHERE command_id = ANY(%s)", batch_id, ids)
        return batch_id, ids

    async def _has_batch_type(self) -> bool:
        columns = await self.run(
            "SELECT 1 FROM information_schema.columns"
            " WHERE (table_schema, table_name, column_name) = ('commandbus', 'batch', 'batch_type')"
        )
        return bool(columns)

    async def fail(
        self, domain: str, command_id: UUID, *, code: str = "INVALID_ACCOUNT", message: str = "no such account"
    ) -> None:
        """Let the library's worker fail one command for good, so that it waits in troubleshooting."""
        received = await self.receive(domain, command_id)
        await Worker(self.pool, domain).fail_permanent(received, PermanentCommandError(code, message))

    async def receive(self, domain: str, command_id: UUID) -> ReceivedCommand:
        """Take a command in hand, as a worker does; the library's own reading of PGMQ breaks on its later versions."""
        found = await self.repository.sp_receive_command(domain, command_id)
        assert found is not None, f"{domain}/{command_id} cannot be received"
        metadata, attempt = found
        command = Command(
            domain=domain,
            command_type=metadata.command_type,
            command_id=command_id,
            data={},
            correlation_id=metadata.correlation_id,
            reply_to=metadata.reply_to,
            created_at=datetime.now(UTC),
        )
        context = HandlerContext(command, attempt, metadata.max_attempts, metadata.msg_id or 0)
        return ReceivedCommand(command, context, metadata.msg_id or 0, metadata)

    async def complete(self, received: ReceivedCommand) -> None:
        """Let a worker report success, however late."""
        await Worker(self.pool, received.command.domain).complete(received)

    async def fail_all(
        self, ids: Sequence[UUID], *, code: str = "INVALID_ACCOUNT", message: str = "no such account"
    ) -> None:
        """What :meth:`fail` does, for thousands."""
        listed = list(ids)
        await self.run(_RECEIVE, listed)
        async with self.pool.connection() as connection:
            await connection.execute(_FAIL, {"ids": listed, "code": code, "message": message})
        await self.run(_ARCHIVE, listed)

    async def waiting(self, domain: str, number: int = 1, **how: Any) -> list[UUID]:
        """Commands that are sent and wait in troubleshooting."""
        ids = await self.send(domain, number, **how)
        await self.fail_all(ids)
        return ids

    async def process(self, domain: str, process_id: UUID, process_type: str) -> None:
        """A process whose manager knows the correlation id ``process_id``."""
        await self.processes.save(ProcessMetadata(domain, process_id, process_type, state={}))

    async def command(self, domain: str, command_id: UUID) -> dict[str, Any]:
        """The row of one command."""
        (row,) = await self.run(
            "SELECT * FROM commandbus.command WHERE domain = %s AND command_id = %s", domain, command_id
        )
        return row

    async def statuses(self, ids: Sequence[UUID]) -> dict[str, int]:
        """How many of these commands have each status."""
        rows = await self.run("SELECT status FROM commandbus.command WHERE command_id = ANY(%s)", list(ids))
        return {status: len(list(group)) for status, group in groupby(sorted(row["status"] for row in rows))}

    async def batch(self, domain: str, batch_id: UUID) -> dict[str, Any]:
        """The stored row of one batch."""
        (row,) = await self.run("SELECT * FROM commandbus.batch WHERE domain = %s AND batch_id = %s", domain, batch_id)
        return row

    async def replies(self, queue: str) -> list[dict[str, Any]]:
        """The messages in a queue, oldest first; they stay there."""
        table = sql.SQL("SELECT message FROM pgmq.{} ORDER BY msg_id").format(sql.Identifier(f"q_{queue.lower()}"))
        async with self.pool.connection() as connection:
            return [row[0] for row in await (await connection.execute(table)).fetchall()]

    async def until_blocked(self, number: int) -> None:
        """Return when that many sessions of this database wait for a lock."""
        async with asyncio.timeout(20):
            while True:
                (row,) = await self.run(
                    "SELECT count(*) AS n FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if row["n"] >= number:
                    return

    @asynccontextmanager
    async def holding(self, *command_ids: UUID) -> AsyncIterator[None]:
        """Hold the rows of these commands, so that whoever wants to write them waits in turn."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute(
                "SELECT FROM commandbus.command WHERE command_id = ANY(%s) FOR UPDATE", (list(command_ids),)
            )
            yield

    async def cancellations(self, command_id: UUID) -> list[dict[str, Any]]:
        """Details of the cancellations in the audit of one command, oldest first."""
        rows = await self.run(
            "SELECT details_json FROM commandbus.audit"
            " WHERE command_id = %s AND event_type = 'OPERATOR_CANCEL' ORDER BY audit_id",
            command_id,
        )
        return [row["details_json"] for row in rows]

    async def set(self, command_id: UUID, /, **columns: Any) -> None:
        """Change columns of one command behind the library's back."""
        names = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
        statement = sql.SQL("UPDATE commandbus.command SET {} WHERE command_id = %s").format(names)
        values = [Jsonb(value) if isinstance(value, dict) else value for value in columns.values()]
        async with self.pool.connection() as connection:
            await connection.execute(statement, [*values, command_id])


@asynccontextmanager
async def open_bus(url: str) -> AsyncIterator[Bus]:
    """The library's hands on the database of ``url``."""
    async with AsyncConnectionPool(url, min_size=1, max_size=4, open=False) as pool:
        yield Bus(url, pool)
