"""The runners of schedules: what is due is queued, what is queued goes out once, what was cancelled does not."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from support.orders import cancel, errand, orders
from support.schedules_bench import ScheduleFile
from support.world import MovableClock
from tui_app.domain.errors import Busy, Unavailable
from tui_app.domain.moments import stamp
from tui_app.domain.run import ItemState
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.systems.schedules.embedded_runners import LEASE
from tui_app.systems.schedules.rules import STUCK_AFTER
from tui_app.systems.schedules.runners import (
    Delivery,
    Job,
    NotPublished,
    Passed,
    Published,
    Publisher,
    Runners,
    Standing,
    Unclaimed,
    publish,
    scan,
)

NOW = stamp(MovableClock().moment)
LATER = "2027-01-01T00:00:00.000000Z"


@dataclass
class Town:
    """A file of schedules with a scanner's store and a publisher."""

    file: ScheduleFile
    system: EmbeddedSchedules
    clock: MovableClock

    def __post_init__(self) -> None:
        self.store = self.system.runners.store
        self.publisher = self.system.runners.publisher

    async def scan(self, **options) -> int:
        return await scan(self.store, stop=asyncio.Event(), once=True, **options)

    async def publish(self, by: Publisher | None = None) -> Published:
        return await publish(by or self.publisher, stop=asyncio.Event(), once=True)

    def outbox(self) -> list[str]:
        return [row["schedule_id"] for row in self.file.rows("SELECT schedule_id FROM outbox ORDER BY outbox_id")]

    def messages(self) -> list[dict]:
        return [json.loads(row["body"]) for row in self.file.rows("SELECT body FROM message ORDER BY message_id")]

    def names(self, item_id: str) -> list[str]:
        return [one["event"] for one in self.file.events(item_id)]


@pytest.fixture
async def town(tmp_path):
    file, clock = ScheduleFile(tmp_path / "schedules.db"), MovableClock()
    system = EmbeddedSchedules(file.path, clock)
    yield Town(file, system, clock)
    await system.close()


async def test_what_is_due_is_queued_soonest_first(town):
    second = town.file.add(run_at=NOW)
    first = town.file.add(run_at="2026-01-01T00:00:00.000000Z")
    later = town.file.add(run_at=LATER)
    over = town.file.add(run_at=NOW, status="cancelled")
    assert await town.scan() == 2
    assert await town.scan() == 0
    assert town.messages() == [
        {
            "schedule_id": row["id"],
            "post_variant_id": row["post_variant_id"],
            "channel_connection_id": row["channel_connection_id"],
            "attempt_count": 0,
        }
        for row in (first, second)
    ]
    assert [town.file.status(row["id"]) for row in (first, second, later, over)] == [
        "queued", "queued", "pending", "cancelled"]  # fmt: skip
    assert town.names(first["id"]) == ["SCHEDULE_QUEUED"]
    queues = town.file.rows("SELECT DISTINCT queue FROM message")
    assert queues == [{"queue": "post_publish"}]


async def test_a_scanner_goes_on_in_batches(town):
    town.file.add_all([{"run_at": NOW} for _ in range(7)])
    assert await town.scan(batch=3) == 7
    assert len(town.messages()) == 7


async def test_what_is_queued_goes_out_and_is_recorded(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    assert await town.publish() == Published(published=1)
    assert town.outbox() == [row["id"]]
    assert town.messages() == []
    assert town.names(row["id"]) == ["SCHEDULE_QUEUED", "PUBLISH_STARTED", "PUBLISH_SUCCEEDED"]
    [stored] = town.file.rows("SELECT status, attempts, published_at FROM schedule")
    assert (stored["status"], stored["attempts"]) == ("success", 1)
    assert stored["published_at"].endswith("Z")
    assert town.file.post_status(row["post_id"]) == "published"
    [sent] = town.file.rows("SELECT channel, content FROM outbox")
    assert sent == {"channel": row["channel"], "content": row["content"]}


async def test_what_was_cancelled_in_the_queue_is_passed_over(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    [answer] = await cancel(town.system, [row["id"]])
    assert answer.state is ItemState.CANCELLED
    assert len(town.messages()) == 1, "nothing is taken off the queue"
    assert await town.publish() == Published(skipped=1)
    assert town.outbox() == town.messages() == []
    assert town.names(row["id"]) == ["SCHEDULE_QUEUED", "SCHEDULE_CANCELLED", "PUBLISH_SKIPPED"]
    assert town.file.events(row["id"])[-1]["details"] == {"status": "cancelled"}
    assert town.file.post_status(row["post_id"]) == "ready"


async def test_a_message_of_nothing_is_passed_over(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    town.file.change("DELETE FROM schedule WHERE id = ?", row["id"])
    assert await town.publish() == Published(skipped=1)
    assert town.file.events(row["id"])[-1]["details"] == {"status": "gone"}


async def test_two_publishers_publish_each_once(town):
    rows = town.file.add_all([{"run_at": NOW} for _ in range(30)])
    await town.scan()
    other = EmbeddedSchedules(town.file.path, town.clock)
    done = await asyncio.gather(town.publish(), town.publish(other.runners.publisher))
    await other.close()
    assert sum(one.published for one in done) == 30
    assert sorted(town.outbox()) == sorted(row["id"] for row in rows)


async def test_a_message_comes_again_when_its_lease_is_over(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    first = await town.publisher.queue.receive()
    assert first == Delivery(row["id"], first.token, 1)
    assert await town.publisher.queue.receive() is None
    town.clock.forward(LEASE.total_seconds())
    assert await town.publisher.queue.receive() == Delivery(row["id"], first.token, 2)


async def test_a_redelivered_message_of_what_went_out_is_passed_over(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    delivery = await town.publisher.queue.receive()
    job = await town.store.claim(row["id"])
    await town.store.succeeded(job, await town.publisher.channel.publish(job))
    await town.publisher.queue.put_off(delivery)
    town.clock.forward(LEASE.total_seconds() + 1)
    assert await town.publish() == Published(skipped=1)
    assert town.outbox() == [row["id"]]


async def test_an_effect_whose_record_was_lost_is_recorded_later(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    await town.publisher.queue.receive()
    job = await town.store.claim(row["id"])
    at = await town.publisher.channel.publish(job)
    assert town.file.status(row["id"]) == "publishing"
    town.clock.forward(LEASE.total_seconds() + 1)
    assert await town.publish() == Published(published=1)
    assert town.file.rows("SELECT status, published_at FROM schedule") == [{"status": "success", "published_at": at}]
    assert town.outbox() == [row["id"]]


async def test_a_claim_without_an_effect_is_shown_as_stuck(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    await town.publisher.queue.receive()
    assert isinstance(await town.store.claim(row["id"]), Job)
    assert (await town.store.claim(row["id"])).standing is Standing.IN_HAND
    before = await town.system.item(row["id"])
    town.clock.forward(LEASE.total_seconds() + 1)
    assert await town.publish() == Published(put_off=1), "its publisher may still be at it"
    town.clock.forward(STUCK_AFTER.total_seconds())
    assert isinstance(await town.store.claim(row["id"]), Unclaimed)
    assert await town.publish() == Published(skipped=1)
    after = await town.system.item(row["id"])
    assert before.verdict.code is after.verdict.code is VerdictCode.PUBLISHING
    assert "stuck" in after.verdict.reason
    assert "stuck" not in before.verdict.reason
    assert town.file.status(row["id"]) == "publishing"
    assert (town.outbox(), town.messages()) == ([], [])


async def test_a_message_and_a_claim_count_for_their_own_span_though_the_clock_was_ahead(town):
    sent, claimed = town.file.add(run_at=NOW), town.file.add(run_at=NOW)
    town.clock.jump(timedelta(days=1))
    await town.scan()
    assert isinstance(await town.store.claim(claimed["id"]), Job)
    town.clock.jump(-timedelta(days=1))
    await town.publish()
    town.clock.forward(LEASE.total_seconds() + 1)
    await town.publish()
    assert town.outbox() == [sent["id"]]
    town.clock.forward(STUCK_AFTER.total_seconds())
    assert (await town.store.claim(claimed["id"])).standing is Standing.STUCK
    assert "stuck" in (await town.system.item(claimed["id"])).verdict.reason


async def test_the_lost_race_is_told_as_one(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    [seen] = await town.system.survey([row["id"]])
    assert seen.verdict.cancellable
    chunk = await orders(town.system, [row["id"]])
    await town.store.claim(row["id"])
    [answer] = await town.system.execute(chunk, errand())
    assert (answer.state, answer.code) == (ItemState.REFUSED, "PUBLISHING")
    assert "the race is lost" in answer.message


@dataclass
class Deaf:
    """A channel that never publishes."""

    error: Exception
    asked: list[Job] = field(default_factory=list)

    async def publish(self, job):
        self.asked.append(job)
        raise self.error

    async def receipt(self, job):
        return None


@pytest.mark.parametrize("error", [NotPublished("403: no such account"), Busy("later")])
async def test_what_the_channel_refuses_has_failed(town, error):
    row = town.file.add(run_at=NOW)
    await town.scan()
    channel = Deaf(error)
    deaf = Publisher(town.store, town.publisher.queue, channel)
    assert await town.publish(deaf) == Published(failed=1)
    assert town.file.status(row["id"]) == "failed"
    assert town.file.events(row["id"], "PUBLISH_FAILED")[0]["details"] == {"attempt": 1, "error": str(error)}
    assert town.messages() == []
    assert [job.channel for job in channel.asked] == [row["channel"]]
    await town.store.succeeded(channel.asked[0], NOW)
    assert town.file.status(row["id"]) == "failed", "an attempt has one end"


async def test_a_defect_of_a_channel_leaves_it_publishing(town):
    row = town.file.add(run_at=NOW)
    await town.scan()
    with pytest.raises(ZeroDivisionError):
        await town.publish(Publisher(town.store, town.publisher.queue, Deaf(ZeroDivisionError())))
    assert town.file.status(row["id"]) == "publishing"
    assert len(town.messages()) == 1


class Moody:
    """A store that cannot be used at first."""

    def __init__(self, stop, troubles):
        self.stop, self.troubles, self.asked = stop, troubles, 0

    async def queue_due(self, limit):
        self.asked += 1
        if self.asked <= self.troubles:
            raise Busy("the file is held")
        self.stop.set()
        return 0


async def test_a_runner_outlives_what_passes(caplog):
    stop = asyncio.Event()
    store = Moody(stop, troubles=2)
    assert await asyncio.wait_for(scan(store, stop=stop, interval=0.001), 20) == 0
    assert store.asked == 3
    assert "the file is held" in caplog.text
    with pytest.raises(Unavailable):
        await scan(Moody(asyncio.Event(), troubles=1), stop=asyncio.Event(), once=True)


class Fickle:
    """A store that is away, comes back for a while, and is away again."""

    def __init__(self, stop):
        self.stop, self.turns = stop, iter([False] * 9 + [True] + [False] * 2)

    async def queue_due(self, limit):
        there = next(self.turns, None)
        if there is None:
            self.stop.set()
        if there is False:
            raise Busy("the broker is away")
        return 0


async def test_what_is_away_is_asked_less_and_less_until_it_is_there_again(monkeypatch, caplog):
    stop, pauses = asyncio.Event(), []

    async def noted(_, seconds):
        pauses.append(seconds)

    monkeypatch.setattr("tui_app.systems.schedules.runners._stopped", noted)
    await asyncio.wait_for(scan(Fickle(stop), stop=stop, interval=1.0), 20)
    wanted = [1, 2, 4, 8, 16, 30, 30, 30, 30, 1, 1, 2]
    assert len(pauses) == len(wanted) + 1, "and one more, at which it is told to stop"
    for pause, most in zip(pauses, wanted, strict=False):
        assert most / 2 <= pause <= most
    assert pauses[9] == 1, "where nothing is wrong the interval is kept"
    assert len(set(pauses)) > 5, "not all that lost one broker are to come back at once"
    told = [record.getMessage() for record in caplog.records]
    assert told[8] == f"the broker is away; tried again in {pauses[8]:.1f} s"


@dataclass
class Last:
    """The town's channel, at which the runners are told to stop in the middle of the effect."""

    town: Town
    stop: asyncio.Event

    async def publish(self, job):
        self.stop.set()
        return await self.town.publisher.channel.publish(job)

    async def receipt(self, job):
        return None


async def test_a_runner_that_is_told_to_stop_finishes_what_it_began(town):
    stop = asyncio.Event()
    row = town.file.add(run_at=NOW)
    last = Publisher(town.store, town.publisher.queue, Last(town, stop))
    runners = Runners(town.store, last)
    both = asyncio.gather(runners.scan(stop=stop, interval=0.001), runners.publish(stop=stop, interval=0.001))
    assert await asyncio.wait_for(both, 20) == [1, Published(published=1)]
    assert town.file.status(row["id"]) == "success"
    assert town.messages() == []


def test_counts_are_by_what_became_of_each():
    done = Published()
    for passed in (*Passed, Passed.SKIPPED):
        done.add(passed)
    assert done == Published(1, 1, 2, 1)


@pytest.mark.parametrize(
    "body", ["it was me", "[]", '{"schedule_id": 7}', '{"schedule_id": "a/b"}', '{"a":' * 3_000, "7" * 5_000]
)
async def test_a_message_that_names_no_schedule_is_set_aside_and_the_next_goes_out(town, body, caplog):
    row = town.file.add(run_at=NOW)
    town.file.change(
        "INSERT INTO message (queue, body, enqueued_at, visible_at) VALUES ('post_publish', ?, ?, ?)", body, NOW, NOW
    )
    await town.scan()
    assert (await town.publish()).published == 1
    assert town.outbox() == [row["id"]]
    assert town.file.rows("SELECT queue, body FROM message") == [{"queue": "post_publish.rejected", "body": body}]
    assert "is set aside" in caplog.text
