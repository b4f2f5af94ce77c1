"""Schedules in PostgreSQL, on the bench of the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from support.benches import BEGINNING, Given, State
from support.schedule_service import ScheduleRows
from support.schedules_bench import STATUSES, SchedulesBench
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.systems.schedules.postgres import PostgresSchedules


class PostgresSchedulesBench(SchedulesBench):
    """One database of schedules, with the words of the embedded ones."""

    def __init__(self, url: str) -> None:
        self.rows = ScheduleRows(url)
        self.opened: list[System] = []

    def open(self, *, server_rate: Rate | None = None) -> System:
        system = PostgresSchedules(self.rows.url, server_rate=server_rate)
        self.opened.append(system)
        return system

    def forward(self, seconds: float) -> None:
        """The database has its own clock, so what counts against a limit grows old instead."""
        with psycopg.connect(self.rows.url) as connection:
            connection.execute("UPDATE scheduler.request SET at = at - %s", (timedelta(seconds=seconds),))

    async def add(self, items: Sequence[Given]) -> list[str]:
        soon = datetime.now(UTC) + timedelta(hours=1)
        return await self.rows.add_all(
            [
                {
                    "status": STATUSES[item.state],
                    "channel": item.kind,
                    "content": item.text,
                    "attempts": item.tries,
                    "run_at": soon + timedelta(minutes=item.minute),
                    "updated_at": BEGINNING + timedelta(minutes=item.minute),
                }
                for item in items
            ]
        )

    async def _alter(self, item_id: str, columns: str, *values: Any) -> None:
        await self.rows.run(
            f"UPDATE scheduler.schedule SET {columns}, revision = revision + 1, updated_at = clock_timestamp()"
            " WHERE id = %s",
            *values,
            item_id,
        )

    async def touch(self, item_id: str) -> None:
        await self._alter(item_id, "run_at = run_at + interval '1 hour'")

    async def bring(self, item_id: str, state: State) -> None:
        await self._alter(item_id, "status = %s, claimed_at = clock_timestamp()", STATUSES[state])

    async def cancel_foreign(self, item_id: str, operator: str) -> None:
        await self.rows.run(
            "INSERT INTO scheduler.audit (id, event, principal, details) VALUES (%s, 'SCHEDULE_CANCELLED', %s, %s)",
            item_id,
            operator,
            Jsonb({"reason": "by hand", "previous_status": "pending"}),
        )

    async def cancelled(self, item_id: str) -> bool:
        return await self.rows.status(item_id) == "cancelled"

    async def effects(self, item_id: str) -> list[dict[str, Any]]:
        found = await self.rows.events(item_id, "SCHEDULE_CANCELLED")
        return [{"operator": row["principal"], **row["details"]} for row in found]


@asynccontextmanager
async def postgres_schedules_bench(url: str) -> AsyncIterator[PostgresSchedulesBench]:
    """An empty database of schedules on the bench."""
    bench = PostgresSchedulesBench(url)
    await bench.rows.prepare()
    try:
        yield bench
    finally:
        for system in bench.opened:
            await system.close()
