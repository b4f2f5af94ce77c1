"""What the runners work on where schedules are in PostgreSQL and their queue is in a broker.

Database and broker cannot be one transaction. A schedule is queued first, and its row is the note that a message has to
be sent; the note is struck out when the broker has confirmed. Whoever dies in between leaves a note, and the next
scanner sends the message, perhaps for the second time. A second message does no harm, since publishers claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from tui_app.database.postgres_rows import Connection, Row, rows
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.postgres_rows import ScheduleDatabase, listed, statements
from tui_app.systems.schedules.postgres_write import entry, record
from tui_app.systems.schedules.runners import GONE, Job, Standing, Unclaimed
from tui_app.systems.schedules.words import PUBLISHING

SQL = statements("postgres_runners.sql")

LEASE = timedelta(seconds=30)
"""How long a scanner takes at most to have a message confirmed; afterwards the next one sends it."""

AGAIN = timedelta(minutes=10)
"""After so long a confirmed message is missed, where its schedule is queued still and the broker has none waiting."""


class Sender(Protocol):
    """A broker, as the scanner needs it. Both raise ``Unavailable``."""

    async def waiting(self) -> int:
        """Messages that wait in the queue, and are in nobody's hands."""

    async def send(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Put messages into the queue; returns when the broker has confirmed that it keeps every one."""


class PostgresStore:
    """The schedules of one database, as the runners change them. Only a scanner needs the ``sender``."""

    def __init__(
        self,
        database: ScheduleDatabase,
        sender: Sender,
        *,
        lease: timedelta = LEASE,
        again: timedelta = AGAIN,
    ) -> None:
        self._database = database
        self._sender = sender
        self._lease = lease
        self._again = again

    async def queue_due(self, limit: int) -> int:
        """Queue what is due, soonest first, and send what is queued without a message; how many messages were sent.

        The broker is asked first: while it is away, nothing is moved.
        """
        drained = await self._sender.waiting() == 0
        values = {"limit": limit, "lease": self._lease, "again": self._again, "drained": drained}
        moved = await self._database.write(lambda connection: rows(connection, SQL["queue_due"], values))
        await self._send(moved)
        left = await self._database.write(lambda connection: rows(connection, SQL["to_send"], values))
        await self._send(left)
        return len(moved) + len(left)

    async def _send(self, queued: Sequence[Row]) -> None:
        if not queued:
            return
        await self._sender.send([shapes.message(one) for one in queued])
        values = {"ids": listed([one["id"] for one in queued]), "again": self._again}
        await self._database.write(lambda connection: rows(connection, SQL["sent"], values))

    async def claim(self, schedule_id: str) -> Job | Unclaimed:
        async def work(connection: Connection) -> Job | Unclaimed:
            values = {"id": schedule_id}
            claimed = await rows(connection, SQL["claim"], values)
            if claimed:
                return _job(claimed[0])
            # A statement of its own: whoever was first may have committed while ours waited for the row.
            await rows(connection, SQL["clamp_claim"], values)
            found = await rows(connection, SQL["job"], values)
            return _unclaimed(found[0]) if found else Unclaimed(GONE, Standing.OVER)

        return await self._database.write(work)

    async def succeeded(self, job: Job, at: str) -> None:
        values = {"id": job.schedule_id, "attempt": job.attempt, "at": at}
        await self._database.write(lambda connection: rows(connection, SQL["succeed"], values))

    async def failed(self, job: Job, why: str) -> None:
        values = {"id": job.schedule_id, "attempt": job.attempt, "why": why}
        await self._database.write(lambda connection: rows(connection, SQL["fail"], values))

    async def skipped(self, schedule_id: str, status: str) -> None:
        skip = entry(schedule_id, rules.SKIPPED_EVENT, {"status": status})
        await self._database.write(lambda connection: record(connection, [skip]))


class OutboxTable:
    """A channel whose public is a table: what stands there has gone out."""

    def __init__(self, database: ScheduleDatabase) -> None:
        self._database = database

    async def publish(self, job: Job) -> str:
        values = {
            "id": job.schedule_id,
            "attempt": job.attempt,
            "channel": job.channel,
            "content": job.content,
        }
        (gone,) = await self._database.write(lambda connection: rows(connection, SQL["publish"], values))
        return str(gone["at"])

    async def receipt(self, job: Job) -> str | None:
        values = {"id": job.schedule_id, "attempt": job.attempt}
        found = await self._database.read(lambda connection: rows(connection, SQL["receipt"], values))
        return str(found[0]["at"]) if found else None


def _job(found: Row) -> Job:
    return Job(found["id"], found["attempts"], found["channel"], found["content"])


def _unclaimed(found: Row) -> Unclaimed:
    if found["status"] != PUBLISHING:
        return Unclaimed(found["status"], Standing.OVER)
    return Unclaimed(found["status"], Standing.STUCK if found["stuck"] else Standing.IN_HAND, _job(found))
