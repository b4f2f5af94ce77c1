"""What the runners work on where everything is one SQLite file: schedules, their queue as a table, an outbox."""

from __future__ import annotations

import logging
import sqlite3
from datetime import timedelta
from typing import Any

from tui_app.database.bound import ascii_json
from tui_app.database.sqlite import SqliteFile
from tui_app.database.statements import load
from tui_app.domain import moments
from tui_app.domain.ports import Clock
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.embedded_read import SQL as READ
from tui_app.systems.schedules.embedded_write import entry
from tui_app.systems.schedules.plug import QUEUE
from tui_app.systems.schedules.runners import GONE, REJECTED, Delivery, Job, Publisher, Runners, Standing, Unclaimed
from tui_app.systems.schedules.words import PUBLISHING

SQL = load("tui_app.systems.schedules", "runners.sql")

log = logging.getLogger("quash.runner")

LEASE = timedelta(seconds=30)
"""How long a message is one consumer's alone; it comes again afterwards, unless it was acknowledged."""


class EmbeddedStore:
    """The schedules of one file, as the runners change them."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    async def queue_due(self, limit: int) -> int:
        """See :class:`tui_app.systems.schedules.runners.Store`: statuses, messages and audit in one transaction."""

        def work(connection: sqlite3.Connection) -> int:
            now = moments.stamp(self._clock.now())
            due = {row["id"]: row for row in connection.execute(SQL["due"], {"now": now, "limit": limit})}
            moved = connection.execute(SQL["queue"], {"ids": ascii_json(list(due)), "now": now}).fetchall()
            # The order of a RETURNING is anyone's guess; what goes out first is queued first.
            ids = {row[0] for row in moved}
            rows = [row for item_id, row in due.items() if item_id in ids]
            connection.executemany(
                SQL["send"], ({"queue": QUEUE, "body": ascii_json(shapes.message(row)), "now": now} for row in rows)
            )
            connection.executemany(READ["audit"], (entry(row["id"], rules.QUEUED_EVENT, now, {}) for row in rows))
            return len(rows)

        return await self._file.write(work)

    async def claim(self, schedule_id: str) -> Job | Unclaimed:
        def work(connection: sqlite3.Connection) -> Job | Unclaimed:
            now = self._clock.now()
            values = {"id": schedule_id, "now": moments.stamp(now)}
            claimed = connection.execute(SQL["claim"], values).fetchone()
            if claimed is None:
                connection.execute(SQL["clamp_claim"], values)
            row = connection.execute(SQL["job"], (ascii_json([schedule_id]),)).fetchone()
            if claimed is None:
                return _unclaimed(row, rules.stuck_before(now))
            job = _job(row)
            details = {"attempt": job.attempt}
            connection.execute(READ["audit"], entry(schedule_id, rules.STARTED_EVENT, values["now"], details))
            return job

        return await self._file.write(work)

    async def succeeded(self, job: Job, at: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            values = {"id": job.schedule_id, "attempt": job.attempt, "now": self._now(), "at": at}
            if connection.execute(SQL["succeed"], values).fetchone() is not None:
                connection.execute(SQL["post_published"], values)
                self._record(connection, job, rules.SUCCEEDED_EVENT, {"published_at": at})

        await self._file.write(work)

    async def failed(self, job: Job, why: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            values = {"id": job.schedule_id, "attempt": job.attempt, "now": self._now()}
            if connection.execute(SQL["fail"], values).fetchone() is not None:
                self._record(connection, job, rules.FAILED_EVENT, {"error": why})

        await self._file.write(work)

    async def skipped(self, schedule_id: str, status: str) -> None:
        skip = entry(schedule_id, rules.SKIPPED_EVENT, self._now(), {"status": status})
        await self._file.write(lambda connection: connection.execute(READ["audit"], skip))

    def _record(self, connection: sqlite3.Connection, job: Job, event: str, details: dict[str, Any]) -> None:
        told = entry(job.schedule_id, event, self._now(), {"attempt": job.attempt, **details})
        connection.execute(READ["audit"], told)

    def _now(self) -> str:
        return moments.stamp(self._clock.now())


class EmbeddedQueue:
    """The queue of one file: a table, whose messages are leased and not taken away."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    async def receive(self) -> Delivery | None:
        def work(connection: sqlite3.Connection) -> Delivery | None:
            now = self._clock.now()
            values = {"queue": QUEUE, "now": moments.stamp(now), "until": moments.stamp(now + LEASE)}
            connection.execute(SQL["clamp_messages"], values)
            while (row := connection.execute(SQL["receive"], values).fetchone()) is not None:
                try:
                    return Delivery(rules.schedule_id_in(row["body"]), row["message_id"], row["deliveries"])
                except ValueError as error:
                    log.warning("a message in %s is set aside in %s: %s", QUEUE, QUEUE + REJECTED, error)
                    aside = {"queue": QUEUE + REJECTED, "message_id": row["message_id"]}
                    connection.execute(SQL["reject"], aside)
            return None

        return await self._file.write(work)

    async def acknowledge(self, delivery: Delivery) -> None:
        await self._file.write(lambda connection: connection.execute(SQL["acknowledge"], (delivery.token,)))

    async def put_off(self, delivery: Delivery) -> None:
        values = {"message_id": delivery.token, "until": moments.stamp(self._clock.now() + LEASE)}
        await self._file.write(lambda connection: connection.execute(SQL["put_off"], values))


class OutboxChannel:
    """A channel whose public is a table: what stands there has gone out."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    async def publish(self, job: Job) -> str:
        at = moments.stamp(self._clock.now())
        values = {"id": job.schedule_id, "attempt": job.attempt, "at": at}
        values |= {"channel": job.channel, "content": job.content}
        await self._file.write(lambda connection: connection.execute(SQL["publish"], values))
        return at

    async def receipt(self, job: Job) -> str | None:
        values = {"id": ascii_json([job.schedule_id]), "attempt": job.attempt}
        row = await self._file.read(lambda connection: connection.execute(SQL["receipt"], values).fetchone())
        return None if row is None else str(row["at"])


def runners(file: SqliteFile, clock: Clock) -> Runners:
    """Scanner and publisher on one file."""
    store = EmbeddedStore(file, clock)
    return Runners(store, Publisher(store, EmbeddedQueue(file, clock), OutboxChannel(file, clock)))


def _job(row: sqlite3.Row) -> Job:
    return Job(row["id"], row["attempts"], row["channel"], row["content"])


def _unclaimed(row: sqlite3.Row | None, stuck_before: str) -> Unclaimed:
    if row is None:
        return Unclaimed(GONE, Standing.OVER)
    if row["status"] != PUBLISHING:
        return Unclaimed(row["status"], Standing.OVER)
    stuck = row["claimed_at"] < stuck_before
    return Unclaimed(row["status"], Standing.STUCK if stuck else Standing.IN_HAND, _job(row))
