"""The schedule service on PostgreSQL and RabbitMQ: its tables, guards, native flow and runners."""

import asyncio
from collections import Counter

import psycopg
import pytest

from support.orders import REASON, cancel, errand, key_of, orders
from support.schedule_service import ScheduleRows, own_queue, schedule_database
from support.schedules_bench import OWNER
from tui_app.config.values import Address
from tui_app.domain.errors import CannotConnect
from tui_app.domain.rollback import RolledBack
from tui_app.domain.run import ItemState, Order, Verified
from tui_app.systems.schedules.postgres import PostgresSchedules
from tui_app.systems.schedules.postgres_runners import OutboxTable, PostgresStore
from tui_app.systems.schedules.rabbitmq import RabbitQueue
from tui_app.systems.schedules.requests import InvalidRequest, Listing, ScheduleRefused
from tui_app.systems.schedules.rules import STUCK_AFTER
from tui_app.systems.schedules.runners import Job, NotPublished, Passed, Publisher, Standing

SOON = "2099-01-01T09:00:00Z"


class Actor:
    def __init__(self, name=OWNER, *permissions):
        self.name, self._permissions = name, permissions

    def may(self, permission):
        return permission in self._permissions


@pytest.fixture
async def schedules(there):
    system = PostgresSchedules(there.url)
    yield system
    await system.close()


@pytest.fixture
async def queue(amqp_url):
    async with own_queue(amqp_url) as name:
        opened = RabbitQueue(Address(amqp_url), queue=name, put_off=0.2)
        yield opened
        await opened.close()


@pytest.fixture
def store(schedules, queue):
    return PostgresStore(schedules.database, queue)


@pytest.fixture
def publisher(schedules, store, queue):
    return Publisher(store, queue, OutboxTable(schedules.database))


async def drained(publisher):
    """Deal with everything that is in the queue; what became of each."""
    told = Counter()
    while (passed := await publisher.work_one()) is not None:
        told[passed] += 1
    return told


# Tables


async def test_many_that_open_a_new_database_at_once_make_its_tables_once(postgres_url):
    with schedule_database(postgres_url, durable=False) as url:
        systems = [PostgresSchedules(url, size=1) for _ in range(8)]
        assert len({await one for one in asyncio.as_completed([system.identity() for system in systems])}) == 1
        rows = ScheduleRows(url)
        await rows.add(2)
        assert await rows.one("SELECT count(*) FROM scheduler.meta") == 1
        for system in systems:
            await system.close()


async def test_who_may_not_make_tables_can_work_where_they_are(there, databases):
    [item] = await there.add(run_at=SOON)
    tables = "SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA scheduler"
    system = PostgresSchedules(databases.role(there.url, "USAGE ON SCHEMA scheduler", tables))
    [answer] = await cancel(system, [item])
    await system.close()
    assert answer.state is ItemState.CANCELLED


async def test_who_may_only_look_is_refused_and_told_why(there, databases):
    [item] = await there.add(run_at=SOON)
    reading = ("USAGE ON SCHEMA scheduler", "SELECT ON ALL TABLES IN SCHEMA scheduler")
    system = PostgresSchedules(databases.role(there.url, *reading))
    with pytest.raises(RolledBack, match="permission denied for table schedule") as caught:
        await cancel(system, [item])
    await system.close()
    assert caught.value.code == "FORBIDDEN"
    assert await there.status(item) == "pending"


async def test_owner_and_channel_follow_those_of_post_and_connection(there, schedules):
    [item] = await there.add()
    await there.run("UPDATE scheduler.post SET owner_id = 'ops2@example.com'")
    await there.run("UPDATE scheduler.channel_connection SET display_name = '@renamed'")
    found = await schedules.item(item)
    assert (found.fields["owner"], found.fields["channel"]) == ("ops2@example.com", "@renamed")


# The guarded write


async def test_a_cancellation_leaves_everything_that_proves_it(there, schedules):
    [item] = await there.add(status="queued", attempts=2)
    chunk = await orders(schedules, [item])
    [answer] = await schedules.execute(chunk, errand())

    assert (answer.state, answer.before, answer.after) == (ItemState.CANCELLED, "queued", "cancelled")
    [row] = await there.run("SELECT * FROM scheduler.schedule")
    assert (row["status"], row["cancellation_reason"], row["revision"]) == ("cancelled", REASON, 2)
    assert await there.post_status(item) == "ready"
    [told] = await there.events(item)
    assert (told["event"], told["principal"], told["at"]) == (
        "SCHEDULE_CANCELLED",
        "jane@example.com",
        row["cancelled_at"],
    )
    details = told["details"]
    assert (details["reason"], details["previous_status"], details["run_id"]) == (REASON, "queued", "run-1")
    assert details["idempotency_key"] == key_of("run-1", item)
    assert details["schedule"]["attempt_count"] == 2
    assert details["schedule"]["status"] == "queued"
    assert [one.verified for one in await schedules.verify(chunk, errand())] == [Verified.YES]


async def test_one_of_several_schedules_of_a_post_leaves_it_scheduled(there, schedules):
    shared = {"post_id": "00000000-0000-4000-8000-00000000000a"}
    first, second = await there.add_all([shared, {**shared, "status": "publishing"}])
    await cancel(schedules, [first])
    assert await there.post_status(first) == "scheduled"
    await there.run("UPDATE scheduler.schedule SET status = 'pending' WHERE id = %s", second)
    await cancel(schedules, [second], "run-2")
    assert await there.post_status(first) == "ready"


async def test_the_last_two_of_a_post_cancelled_at_once_put_it_back(there):
    """Neither sees what the other has not committed; whoever is second at the post looks again."""
    systems = [PostgresSchedules(there.url, size=1) for _ in range(2)]
    for number in range(20):
        shared = {"post_id": f"00000000-0000-4000-8000-{number:012}"}
        pair = await there.add_all([shared, shared])
        both = zip(systems, pair, strict=True)
        await asyncio.gather(*(cancel(system, [item]) for system, item in both))
        assert await there.post_status(pair[0]) == "ready"
    for system in systems:
        await system.close()


async def test_operators_at_once_on_the_same_schedules_never_deadlock(there):
    ids = await there.add(120)
    systems = [PostgresSchedules(there.url, size=2) for _ in range(3)]
    chunks = [await orders(system, ids, f"run-{n}") for n, system in enumerate(systems)]
    told = await asyncio.gather(
        *(
            system.execute(chunk if n % 2 else chunk[::-1], errand(f"run-{n}"))
            for n, (system, chunk) in enumerate(zip(systems, chunks, strict=True))
        )
    )
    states = Counter(answer.state for answers in told for answer in answers)
    assert states == {ItemState.CANCELLED: 120, ItemState.ALREADY_CANCELLED: 240}
    assert await there.violations() == []
    for system in systems:
        await system.close()


async def test_a_chunk_of_five_hundred_takes_a_handful_of_statements(there, schedules, monkeypatch):
    ids = await there.add(500)
    chunk = await orders(schedules, ids)
    sent = []
    execute = psycopg.AsyncCursor.execute

    async def counted(self, *given, **named):
        sent.append(given[0])
        return await execute(self, *given, **named)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)
    answers = await schedules.execute(chunk, errand())
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}
    assert len(sent) <= 6


async def test_a_version_of_another_kind_is_drift(there, schedules):
    [item] = await there.add()
    [order] = await orders(schedules, [item])
    odd = Order(order.id, order.key, type(order.seen)(item, "pending", "not a number", order.seen.verdict))
    [answer] = await schedules.execute([odd], errand())
    assert (answer.state, answer.code) == (ItemState.SKIPPED, "DRIFTED")


# The native flow, where it differs in how it is stored


async def test_the_desk_cancels_shows_lists_and_tells(there, schedules):
    ids = await there.add_all([{"run_at": f"2099-01-0{day}T09:00:00Z"} for day in range(1, 6)])
    shown = await schedules.desk.cancel(Actor(), ids[0], {"reason": "Changed marketing strategy"})
    assert shown == await schedules.desk.show(ids[0])
    assert (shown["status"], shown["cancellation_reason"]) == ("cancelled", "Changed marketing strategy")
    assert (shown["run_at"], shown["run_at_local"]) == ("2099-01-01T09:00:00Z", "2026-01-02T04:00:00")

    page = await schedules.desk.list(Listing(page=2, limit=2, sort="run_at", order="desc", from_date="2099-01-02"))
    assert [one["id"] for one in page["data"]] == [ids[2], ids[1]]
    assert page["pagination"]["total"] == 4
    waiting = await schedules.desk.list(
        Listing(status="cancelled", post_id=(await there.run(POST_OF, ids[0]))[0]["post_id"])
    )
    assert [one["id"] for one in waiting["data"]] == [ids[0]]

    log = await schedules.desk.audit_log(ids[0])
    assert [entry["event"] for entry in log["audit_entries"]] == ["SCHEDULE_CANCELLED"]


POST_OF = "SELECT post_id FROM scheduler.schedule WHERE id = %s"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("cancelled", "SCHEDULE_ALREADY_CANCELLED"),
        ("success", "SCHEDULE_CANNOT_BE_CANCELLED"),
        ("failed", "SCHEDULE_CANNOT_BE_CANCELLED"),
        ("publishing", "SCHEDULE_CANNOT_BE_CANCELLED"),
    ],
)
async def test_the_desk_refuses_and_records_it(there, schedules, status, code):
    [item] = await there.add(status=status)
    with pytest.raises(ScheduleRefused) as refused:
        await schedules.desk.cancel(Actor(), item, {"reason": "no"})
    assert refused.value.refusal.code == code
    [told] = await there.events(item)
    assert (told["event"], told["principal"]) == ("SCHEDULE_CANCEL_REFUSED", OWNER)
    assert told["details"] == {"reason": "no", "code": code}
    assert await there.status(item) == status


async def test_the_desk_lets_only_those_cancel_who_may(there, schedules):
    [item] = await there.add()
    post = (await there.run(POST_OF, item))[0]["post_id"]
    for actor in (Actor("ops2@example.com"), Actor("ops2@example.com", "cancel_schedule:another")):
        with pytest.raises(ScheduleRefused) as refused:
            await schedules.desk.cancel(actor, item, {})
        assert refused.value.refusal.code == "SCHEDULE_ACCESS_DENIED"
    assert (await schedules.desk.cancel(Actor("ops2@example.com", f"cancel_schedule:{post}"), item, {}))[
        "status"
    ] == "cancelled"


async def test_a_bulk_request_says_of_each_why_not(there, schedules):
    mine = await there.add_all(
        [{"status": status} for status in ("pending", "queued", "success", "publishing", "cancelled")]
    )
    [foreign] = await there.add(owner="ops2@example.com")
    missing = "00000000-0000-4000-8000-0000000000ff"
    told = await schedules.desk.bulk_cancel(
        Actor(), {"schedule_ids": [*mine, mine[0], foreign, missing], "reason": "x y z"}
    )
    assert (told["cancelled"], told["failed"]) == (2, 5)
    assert {error["schedule_id"]: error["error_code"] for error in told["errors"]} == {
        mine[2]: "SCHEDULE_ALREADY_PUBLISHED",
        mine[3]: "SCHEDULE_CANNOT_BE_CANCELLED",
        mine[4]: "SCHEDULE_ALREADY_CANCELLED",
        foreign: "SCHEDULE_ACCESS_DENIED",
        missing: "SCHEDULE_NOT_FOUND",
    }
    with pytest.raises(InvalidRequest):
        await schedules.desk.bulk_cancel(Actor(), {"schedule_ids": [mine[0], "not-a-uuid"]})


# Scanner and publisher


async def test_what_is_due_is_queued_once_published_once_and_told(there, store, publisher, queue):
    ids = await there.add_all([{"run_at": f"2025-01-0{day}T09:00:00Z"} for day in (3, 1, 2)])
    later = await there.add(run_at=SOON)
    assert await store.queue_due(10) == 3
    assert await store.queue_due(10) == 0
    assert await queue.waiting() == 3
    assert await drained(publisher) == {Passed.PUBLISHED: 3}
    gone = await there.run("SELECT schedule_id FROM scheduler.outbox ORDER BY outbox_id")
    assert [row["schedule_id"] for row in gone] == [ids[1], ids[2], ids[0]]
    events = [row["event"] for row in await there.events(ids[0])]
    assert events == ["SCHEDULE_QUEUED", "PUBLISH_STARTED", "PUBLISH_SUCCEEDED"]
    assert await there.post_status(ids[0]) == "published"
    assert await there.status(later[0]) == "pending"


async def test_scanners_at_once_queue_each_once(there, schedules, amqp_url):
    await there.add(60)
    async with own_queue(amqp_url) as name:
        queues = [RabbitQueue(Address(amqp_url), queue=name) for _ in range(3)]
        told = await asyncio.gather(*(PostgresStore(schedules.database, queue).queue_due(100) for queue in queues))
        assert sum(told) == await queues[0].waiting() == 60
        for queue in queues:
            await queue.close()


async def test_a_cancelled_schedule_stays_in_the_queue_and_is_passed_over(there, schedules, store, publisher, queue):
    first, second = await there.add(2)
    await store.queue_due(10)
    await cancel(schedules, [first])
    assert await queue.waiting() == 2
    assert await drained(publisher) == {Passed.SKIPPED: 1, Passed.PUBLISHED: 1}
    assert (await there.events(first, "PUBLISH_SKIPPED"))[0]["details"] == {"status": "cancelled"}
    assert await there.statuses() == {"cancelled": 1, "success": 1}
    assert await there.violations() == []
    assert await there.status(second) == "success"


async def test_while_the_broker_is_away_nothing_is_queued(there, schedules):
    await there.add(3)
    away = RabbitQueue(Address("amqp://guest:guest@127.0.0.1:1/"))
    with pytest.raises(CannotConnect):
        await PostgresStore(schedules.database, away).queue_due(10)
    assert await there.statuses() == {"pending": 3}


class Failing:
    """A broker that goes away while messages are being sent."""

    async def waiting(self):
        return 0

    async def send(self, messages):
        raise CannotConnect("the connection was lost")


async def test_what_was_queued_and_not_sent_is_sent_by_the_next_one(there, schedules, store, publisher, queue):
    ids = await there.add(3)
    with pytest.raises(CannotConnect):
        await PostgresStore(schedules.database, Failing()).queue_due(10)
    assert await there.statuses() == {"queued": 3}
    assert await store.queue_due(10) == 0
    await there.run("UPDATE scheduler.schedule SET send_at = now() WHERE id <> %s", ids[0])
    assert await store.queue_due(10) == 2
    assert await drained(publisher) == {Passed.PUBLISHED: 2}
    await there.run("UPDATE scheduler.schedule SET send_at = now()")
    assert await store.queue_due(10) == 1
    assert await drained(publisher) == {Passed.PUBLISHED: 1}


async def test_what_the_broker_has_lost_is_sent_again_and_what_only_waits_is_not(
    there, store, publisher, queue, schedules
):
    ids = await there.add(2)
    await store.queue_due(10)
    await there.run("UPDATE scheduler.schedule SET send_at = now()")
    # Both wait in the queue still: that they wait for long is no loss.
    assert await store.queue_due(10) == 0
    for _ in ids:
        await queue.acknowledge(await queue.receive())
    assert await store.queue_due(10) == 2
    assert await drained(publisher) == {Passed.PUBLISHED: 2}


async def test_what_was_put_off_or_claimed_while_the_clock_was_ahead_counts_for_its_own_span(there, schedules, store):
    ids = await there.add(2)
    with pytest.raises(CannotConnect):
        await PostgresStore(schedules.database, Failing()).queue_due(10)
    await there.run("UPDATE scheduler.schedule SET send_at = now() + interval '1 day'")
    assert await store.queue_due(10) == 2
    assert isinstance(await store.claim(ids[0]), Job)
    await there.run("UPDATE scheduler.schedule SET claimed_at = now() + interval '1 day' WHERE id = %s", ids[0])
    assert (await store.claim(ids[0])).standing is Standing.IN_HAND
    await there.run("UPDATE scheduler.schedule SET claimed_at = claimed_at - %s WHERE id = %s", STUCK_AFTER, ids[0])
    assert (await store.claim(ids[0])).standing is Standing.STUCK


async def test_a_message_that_comes_twice_or_for_nothing_does_no_harm(there, store, publisher, queue):
    [due] = await there.add()
    [early] = await there.add(run_at=SOON)
    await store.queue_due(10)
    unknown = "00000000-0000-4000-8000-0000000000ff"
    await queue.send([{"schedule_id": item} for item in (due, due, early, unknown)])
    assert await drained(publisher) == {Passed.PUBLISHED: 1, Passed.SKIPPED: 4}
    assert await there.violations() == []
    assert await there.status(early) == "pending"


class Refusing:
    """A channel that does not take it."""

    async def publish(self, job):
        raise NotPublished("the account is locked")

    async def receipt(self, job):
        return None


async def test_what_a_channel_does_not_take_has_failed(there, store, queue):
    [item] = await there.add()
    await store.queue_due(10)
    assert await drained(Publisher(store, queue, Refusing())) == {Passed.FAILED: 1}
    assert await there.status(item) == "failed"
    assert (await there.events(item, "PUBLISH_FAILED"))[0]["details"] == {
        "attempt": 1,
        "error": "the account is locked",
    }
