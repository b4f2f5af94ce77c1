"""The two runners of schedules: a scanner that queues what is due, a publisher that publishes what is queued.

They know their store, their queue and their channels by what these can do. The rules here hold for all of them: a
publisher claims before it publishes and acknowledges after the effect, so that a message may come twice and a post
does not go out twice.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tui_app.domain.errors import OutcomeUnknown, Unavailable

log = logging.getLogger("quash.runner")

BATCH = 500
"""Schedules that are queued in one transaction."""

INTERVAL = 1.0
"""Seconds between two looks where there was nothing to do."""

LONGEST_PAUSE = 30.0
"""Seconds between two tries at most, while the store or the queue is away."""

REJECTED = ".rejected"
"""The ending of the queue in which is kept what is no message of ours."""


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at publishing, which whoever claimed it owns. ``channel`` is the display name."""

    schedule_id: str
    attempt: int
    channel: str
    content: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that this consumer has under a lease; ``token`` is the queue's own name for it."""

    schedule_id: str
    token: int
    deliveries: int = 1


class NotPublished(Exception):
    """The channel says that it did not publish, and will not: the attempt has failed."""


GONE = "gone"
"""In place of the status of a schedule that is not there any more."""


class Standing(StrEnum):
    """How a schedule stands that could not be claimed."""

    OVER = "over"
    IN_HAND = "in hand"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """Why there is no job: the status, and whether somebody is at it. ``job`` is theirs, while it is publishing."""

    status: str
    standing: Standing
    job: Job | None = None


class Store(Protocol):
    """The schedules, as the runners change them. Every method is one transaction."""

    async def queue_due(self, limit: int) -> int:
        """Move what is due from pending to queued, each with its message, or neither; how many were moved."""

    async def claim(self, schedule_id: str) -> Job | Unclaimed:
        """Take a queued schedule in hand, by one guarded write; or say how it stands."""

    async def succeeded(self, job: Job, at: str) -> None:
        """Record that it went out at a moment; nothing where that attempt is recorded already."""

    async def failed(self, job: Job, why: str) -> None:
        """Record that it did not go out; nothing where that attempt is recorded already."""

    async def skipped(self, schedule_id: str, status: str) -> None:
        """Record that a message was passed over, and at which status."""


class Queue(Protocol):
    """Where queued schedules wait: durable, and each message comes again until it is acknowledged."""

    async def receive(self) -> Delivery | None:
        """The next message under a lease; none where there is nothing."""

    async def acknowledge(self, delivery: Delivery) -> None:
        """It is dealt with."""

    async def put_off(self, delivery: Delivery) -> None:
        """Let it come again, when its lease ends at the latest."""


class Channel(Protocol):
    """Where posts go out. ``publish`` is the effect."""

    async def publish(self, job: Job) -> str:
        """Publish; the moment at which it went out.

        Raises:
            NotPublished, Unavailable: it did not go out.
        """

    async def receipt(self, job: Job) -> str | None:
        """When that attempt went out; none where the channel does not know of it."""


class Passed(StrEnum):
    """What became of one message."""

    PUBLISHED = "published"
    FAILED = "failed"
    SKIPPED = "skipped"
    PUT_OFF = "put off"


@dataclass(slots=True)
class Published:
    """Messages that were dealt with, by what became of them."""

    published: int = 0
    failed: int = 0
    skipped: int = 0
    put_off: int = 0

    def add(self, passed: Passed) -> None:
        """Count one."""
        name = passed.name.lower()
        setattr(self, name, getattr(self, name) + 1)


@dataclass(frozen=True, slots=True)
class Publisher:
    """One consumer of the queue. Any number of them may work side by side."""

    store: Store
    queue: Queue
    channel: Channel

    async def work_one(self) -> Passed | None:
        """Deal with one message; none where there is nothing.

        Raises:
            Unavailable, OutcomeUnknown: the store or the queue cannot be used; the message comes again.
        """
        delivery = await self.queue.receive()
        if delivery is None:
            return None
        claimed = await self.store.claim(delivery.schedule_id)
        passed = await (self._publish(claimed) if isinstance(claimed, Job) else self._pass_over(delivery, claimed))
        if passed is Passed.PUT_OFF:
            await self.queue.put_off(delivery)
        else:
            await self.queue.acknowledge(delivery)
        return passed

    async def _publish(self, job: Job) -> Passed:
        """A publisher that dies in here leaves ``publishing``: whether it went out, only the channel can tell."""
        try:
            at = await self.channel.publish(job)
        except (NotPublished, Unavailable) as error:
            await self.store.failed(job, str(error))
            return Passed.FAILED
        await self.store.succeeded(job, at)
        return Passed.PUBLISHED

    async def _pass_over(self, delivery: Delivery, found: Unclaimed) -> Passed:
        """What was not queued is never published from here. An attempt whose effect is there is brought to its end."""
        at = None if found.job is None else await self.channel.receipt(found.job)
        if found.job is not None and at is not None:
            await self.store.succeeded(found.job, at)
            return Passed.PUBLISHED
        if found.standing is Standing.IN_HAND:
            return Passed.PUT_OFF
        await self.store.skipped(delivery.schedule_id, found.status)
        return Passed.SKIPPED


async def scan(
    store: Store, *, stop: asyncio.Event, once: bool = False, batch: int = BATCH, interval: float = INTERVAL
) -> int:
    """Queue what is due until ``stop`` is set, or with ``once`` until nothing is due; how many were queued.

    Raises:
        Unavailable, OutcomeUnknown: with ``once``; without, it is logged and tried again.
    """
    moved = 0

    async def step() -> bool:
        nonlocal moved
        now = await store.queue_due(batch)
        moved += now
        return now > 0

    await _work(step, stop=stop, once=once, interval=interval)
    return moved


async def publish(
    publisher: Publisher, *, stop: asyncio.Event, once: bool = False, interval: float = INTERVAL
) -> Published:
    """Publish what is queued until ``stop`` is set, or with ``once`` until the queue is empty; what became of it.

    Raises:
        Unavailable, OutcomeUnknown: with ``once``; without, it is logged and tried again.
    """
    done = Published()

    async def step() -> bool:
        passed = await publisher.work_one()
        if passed is not None:
            done.add(passed)
        return passed is not None

    await _work(step, stop=stop, once=once, interval=interval)
    return done


@dataclass(frozen=True, slots=True)
class Runners:
    """Both runners of one place, ready to be started."""

    store: Store
    publisher: Publisher

    async def scan(self, *, stop: asyncio.Event, once: bool = False, interval: float = INTERVAL) -> int:
        """See :func:`scan`."""
        return await scan(self.store, stop=stop, once=once, interval=interval)

    async def publish(self, *, stop: asyncio.Event, once: bool = False, interval: float = INTERVAL) -> Published:
        """See :func:`publish`."""
        return await publish(self.publisher, stop=stop, once=once, interval=interval)


async def _work(step: Callable[[], Awaitable[bool]], *, stop: asyncio.Event, once: bool, interval: float) -> None:
    """Take steps while there is something to do; a step that has begun is finished.

    After each failure in a row the pause is twice as long, from ``interval`` up.
    """
    failures = 0
    while not stop.is_set():
        try:
            more, pause, failures = await step(), interval, 0
        except (Unavailable, OutcomeUnknown) as error:
            if once:
                raise
            more, pause, failures = False, _pause(interval, failures), failures + 1
            log.warning("%s; tried again in %.1f s", error, pause)
        if more:
            continue
        if once:
            return
        await _stopped(stop, pause)


def _pause(interval: float, failures: int) -> float:
    """Between a half and the whole of what was doubled, so that not all who lost one broker come back at once."""
    longest = max(LONGEST_PAUSE, interval)
    return min(longest, interval * 2.0 ** min(failures, 30)) * random.uniform(0.5, 1)  # noqa: S311


async def _stopped(stop: asyncio.Event, seconds: float) -> None:
    """Return when work is to stop, or so many seconds have passed."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
