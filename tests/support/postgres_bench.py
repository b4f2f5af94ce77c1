"""Commands on a database that the reference library made, on the conformance bench."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from support.benches import NO_QUEUE, QUEUE, STATUSES, CommandWords, Given, State
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.systems.commands.postgres import PostgresCommands


class PostgresBench(CommandWords):
    """Commands in PostgreSQL; the domain is always ``payments``."""

    malformed = (*CommandWords.malformed, "payments/abc-123", "payments/{7d7e7c6a-0000-4000-8000-000000000000}")

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.opened: list[System] = []

    def open(self, *, server_rate: Rate | None = None) -> System:
        assert server_rate is None, "a command bus limits nobody"
        system = PostgresCommands(self._url)
        self.opened.append(system)
        return system

    async def _run(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, row_factory=dict_row
        ) as connection:
            cursor = await connection.execute(statement, values)  # type: ignore[arg-type]
            return [] if cursor.description is None else await cursor.fetchall()

    async def prepare(self) -> None:
        """The queues that every scene uses."""
        await self._run("SELECT pgmq.create(%s)", QUEUE)

    async def add(self, items: Sequence[Given]) -> list[str]:
        rows = self.rows(items)
        async with await psycopg.AsyncConnection.connect(self._url) as connection, connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO commandbus.command (domain, queue_name, command_id, command_type, status, attempts,"
                " max_attempts, last_error_type, last_error_code, last_error_msg, created_at, updated_at, reply_queue)"
                " VALUES ('payments', 'payments__commands', %(command_id)s, 'DebitAccount', %(status)s, %(attempts)s,"
                " 3, 'PERMANENT', %(code)s, %(message)s, %(updated)s, %(updated)s, %(reply_queue)s)",
                rows,
            )
        return [f"payments/{row['command_id']}" for row in rows]

    async def _change(self, item_id: str, columns: str, *values: Any) -> None:
        await self._run(
            f"UPDATE commandbus.command SET {columns} WHERE domain || '/' || command_id = %s", *values, item_id
        )

    async def touch(self, item_id: str) -> None:
        await self._change(item_id, "attempts = attempts + 1, updated_at = clock_timestamp()")

    async def bring(self, item_id: str, state: State) -> None:
        if state is State.BLOCKED:
            await self._change(item_id, "reply_queue = %s", NO_QUEUE)
            return
        await self._change(item_id, "status = %s, updated_at = clock_timestamp()", STATUSES[state])

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        details = Jsonb({"operator": operator, "reason": "by hand", "reply_to": QUEUE})
        await self._run(
            "INSERT INTO commandbus.audit (domain, command_id, event_type, details_json)"
            " VALUES ('payments', %s, 'OPERATOR_CANCEL', %s)",
            item_id.partition("/")[2],
            details,
        )

    async def cancelled(self, item_id: str) -> bool:
        (row,) = await self._run(
            "SELECT status FROM commandbus.command WHERE domain || '/' || command_id = %s", item_id
        )
        return bool(row["status"] == "CANCELED")

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        rows = await self._run(
            "SELECT details_json FROM commandbus.audit WHERE domain || '/' || command_id = %s"
            " AND event_type = 'OPERATOR_CANCEL' ORDER BY audit_id",
            item_id,
        )
        return [row["details_json"] for row in rows]

    async def notices(self, item_id: str) -> list[dict[str, Any]]:
        rows = await self._run(f"SELECT message FROM pgmq.q_{QUEUE} ORDER BY msg_id")
        bodies = [row["message"] for row in rows]
        return [body for body in bodies if f"{body['domain']}/{body['command_id']}" == item_id]


@asynccontextmanager
async def postgres_bench(url: str) -> AsyncIterator[PostgresBench]:
    """A command bus that the reference library made, on the bench."""
    bench = PostgresBench(url)
    await bench.prepare()
    try:
        yield bench
    finally:
        for system in bench.opened:
            await system.close()
