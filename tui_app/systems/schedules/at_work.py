"""The scanner and the publisher at work on embedded schedules, telling what they do as they do it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from tui_app.clock import SystemClock
from tui_app.database.sqlite import SqliteFile
from tui_app.systems.plug import Tell
from tui_app.systems.schedules import runners
from tui_app.systems.schedules.embedded_runners import EmbeddedStore
from tui_app.systems.schedules.embedded_runners import runners as runners_of
from tui_app.systems.schedules.runners import Job, Store, Unclaimed
from tui_app.systems.schedules.schema import prepare


class TellingStore:
    """A store that tells of each change once it is made."""

    def __init__(self, store: Store, tell: Tell) -> None:
        self._store = store
        self._tell = tell

    async def queue_due(self, limit: int) -> int:
        moved = await self._store.queue_due(limit)
        if moved:
            self._tell({"event": "queued", "count": moved})
        return moved

    async def claim(self, schedule_id: str) -> Job | Unclaimed:
        return await self._store.claim(schedule_id)

    async def succeeded(self, job: Job, at: str) -> None:
        await self._store.succeeded(job, at)
        self._tell({"event": "published", "schedule": job.schedule_id, "channel": job.channel, "at": at})

    async def failed(self, job: Job, why: str) -> None:
        await self._store.failed(job, why)
        self._tell({"event": "failed", "schedule": job.schedule_id, "channel": job.channel, "error": why})

    async def skipped(self, schedule_id: str, status: str) -> None:
        await self._store.skipped(schedule_id, status)
        self._tell({"event": "skipped", "schedule": schedule_id, "status": status})


class EmbeddedHands:
    """Both of them on one file."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, prepare)
        self._clock = SystemClock()

    async def scan(
        self, stop: asyncio.Event, tell: Tell, *, once: bool, interval: float, batch: int
    ) -> Mapping[str, int]:
        """Queue what is due."""
        store = TellingStore(EmbeddedStore(self._file, self._clock), tell)
        return {"queued": await runners.scan(store, stop=stop, once=once, batch=batch, interval=interval)}

    async def publish(self, stop: asyncio.Event, tell: Tell, *, once: bool, interval: float) -> Mapping[str, int]:
        """Publish what is queued."""
        one = runners_of(self._file, self._clock).publisher
        one = replace(one, store=TellingStore(one.store, tell))
        return asdict(await runners.publish(one, stop=stop, once=once, interval=interval))

    async def close(self) -> None:
        """Give back the file."""
        await self._file.close()
