"""The scanner and the publisher at work on schedules in PostgreSQL, with their queue in RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict

from tui_app.config.values import Address
from tui_app.database.postgres import Postgres
from tui_app.systems.plug import Tell
from tui_app.systems.schedules import runners
from tui_app.systems.schedules.at_work import TellingStore
from tui_app.systems.schedules.plug import QUEUE
from tui_app.systems.schedules.postgres import MISSING
from tui_app.systems.schedules.postgres_rows import ScheduleDatabase
from tui_app.systems.schedules.postgres_runners import OutboxTable, PostgresStore
from tui_app.systems.schedules.rabbitmq import RabbitQueue
from tui_app.systems.schedules.runners import Publisher


class ServiceHands:
    """One of them on one database and one queue; any number may be at work, on any host."""

    def __init__(self, url: str, amqp: Address, *, queue: str = QUEUE, ca_file: str | None = None) -> None:
        self._database = ScheduleDatabase(Postgres(url, missing=MISSING, size=2))
        self._queue = RabbitQueue(amqp, queue=queue, ca_file=ca_file)

    async def scan(
        self, stop: asyncio.Event, tell: Tell, *, once: bool, interval: float, batch: int
    ) -> Mapping[str, int]:
        """Queue what is due, and what is queued and has no message."""
        store = TellingStore(PostgresStore(self._database, self._queue), tell)
        return {"queued": await runners.scan(store, stop=stop, once=once, batch=batch, interval=interval)}

    async def publish(self, stop: asyncio.Event, tell: Tell, *, once: bool, interval: float) -> Mapping[str, int]:
        """Publish what is queued."""
        store = TellingStore(PostgresStore(self._database, self._queue), tell)
        publisher = Publisher(store, self._queue, OutboxTable(self._database))
        return asdict(await runners.publish(publisher, stop=stop, once=once, interval=interval))

    async def close(self) -> None:
        """Give back the connections; what was delivered and not acknowledged comes again to another publisher."""
        await self._queue.close()
        await self._database.close()
