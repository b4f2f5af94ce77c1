"""One reply queue that cannot be sent to, of whatever shape, and what a role may lack: each item alone, in its name."""

import re
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from support.command_bus import Generation
from support.orders import REASON, cancel, errand, named, orders
from support.pages import page
from support.schedule_service import ScheduleRows
from tui_app.domain.filters import Filter
from tui_app.domain.items import PageQuery
from tui_app.domain.rates import Rate
from tui_app.domain.run import ItemState, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.commands.postgres import PostgresCommands
from tui_app.systems.schedules.postgres import PostgresSchedules

GOOD, BAD = "good__replies", "bad__replies"
CANCELLED, REFUSED = ItemState.CANCELLED, ItemState.REFUSED
GRANT = re.compile(r"^\s*GRANT (.+?) TO (?:quash|\"?quash_role_\w+\"?)$")

COLUMNS = (
    "read_ct int DEFAULT 0 NOT NULL, enqueued_at timestamptz DEFAULT now() NOT NULL, last_read_at timestamptz,"
    " vt timestamptz NOT NULL, message jsonb, headers jsonb"
)
BY_HAND = f"CREATE TABLE pgmq.q_{BAD} (msg_id bigint GENERATED ALWAYS AS IDENTITY, {COLUMNS})"
SERIAL = f"CREATE TABLE pgmq.q_{BAD} (msg_id bigserial PRIMARY KEY, {COLUMNS})"
RAISES = """
CREATE FUNCTION pgmq.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed on sundays'; END $$
"""
DEFERRED = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
CREATE = f"SELECT pgmq.create('{BAD}')"

REFUSING = {
    "a trigger that raises": (
        [CREATE, RAISES, f"CREATE TRIGGER t BEFORE INSERT ON pgmq.q_{BAD} FOR EACH ROW EXECUTE FUNCTION pgmq.refuse()"],
        "closed on sundays",
    ),
    "a trigger that raises at the commit": (
        [
            CREATE,
            RAISES,
            f"CREATE CONSTRAINT TRIGGER t AFTER INSERT ON pgmq.q_{BAD} {DEFERRED} EXECUTE FUNCTION pgmq.refuse()",
        ],
        "closed on sundays",
    ),
    "a check": ([CREATE, f"ALTER TABLE pgmq.q_{BAD} ADD CHECK (message ->> 'outcome' <> 'CANCELED')"], "check"),
    "made by hand, without a column": (
        [BY_HAND.replace(", headers jsonb", "")],
        'column "headers" of relation "q_bad__replies" does not exist',
    ),
    "partitioned, without a partition": ([f"{BY_HAND} PARTITION BY RANGE (vt)"], "no partition"),
    "an index of one message": (
        [CREATE, f"CREATE UNIQUE INDEX ON pgmq.q_{BAD} ((message ->> 'outcome'))"],
        "duplicate key",
    ),
}
TAKING = {
    "unlogged": [f"SELECT pgmq.create_unlogged('{BAD}')"],
    "made by hand": [BY_HAND],
    "made by hand, with a serial": [SERIAL],
    "partitioned": [
        f"{BY_HAND} PARTITION BY RANGE (vt)",
        f"CREATE TABLE pgmq.bad_rest PARTITION OF pgmq.q_{BAD} DEFAULT",
    ],
}


@asynccontextmanager
async def as_role(url):
    system = PostgresCommands(url)
    try:
        yield system
    finally:
        await system.close()


def may_send_to_good(bus, databases):
    """A role that may do everything but send to the bad queue."""
    return databases.role(
        bus.url,
        "USAGE ON SCHEMA commandbus, pgmq",
        "ALL ON ALL TABLES IN SCHEMA commandbus",
        "ALL ON ALL SEQUENCES IN SCHEMA commandbus",
        f"INSERT, SELECT ON pgmq.q_{GOOD}",
    )


async def nine_of_three_kinds(bus):
    """Commands with a reply to the good queue, to the bad one, and without any; named, in turns."""
    good = await bus.waiting("payments", 3, reply_to=GOOD)
    bad = await bus.waiting("payments", 3, reply_to=GOOD)
    for own in bad:
        await bus.set(own, reply_queue=BAD)
    silent = await bus.waiting("payments", 3)
    return [one for three in zip(good, bad, silent, strict=True) for one in three]


def each_in_turn(answers):
    """What became of the commands of each kind."""
    return answers[0::3], answers[1::3], answers[2::3]


@pytest.mark.parametrize("shape", list(REFUSING))
async def test_a_queue_that_refuses_is_refused_alone_in_the_words_of_the_database(bus, commands, shape):
    making, words = REFUSING[shape]
    await bus.queues(GOOD)
    for statement in making:
        await bus.run(statement)
    chunk = await orders(commands, named("payments", await nine_of_three_kinds(bus)))

    good, bad, silent = each_in_turn(await commands.execute(chunk, errand()))

    refused = [answer for answer in bad if answer.state is REFUSED]
    assert [answer.state for answer in (*good, *silent)] == [CANCELLED] * 6
    assert len(refused) == (2 if shape == "an index of one message" else 3)
    assert all(answer.code == "REFUSED" and words in answer.message for answer in refused)
    assert all("rolled it back" in answer.message and "good" not in answer.message for answer in refused)
    assert len(await bus.replies(GOOD)) == 3
    assert len(await bus.run("SELECT FROM commandbus.audit WHERE event_type = 'OPERATOR_CANCEL'")) == 9 - len(refused)


@pytest.mark.parametrize("shape", list(TAKING))
async def test_a_queue_of_another_make_is_sent_to(bus, commands, shape):
    await bus.queues(GOOD)
    for statement in TAKING[shape]:
        await bus.run(statement)
    answers = await cancel(commands, named("payments", await nine_of_three_kinds(bus)))
    assert {answer.state for answer in answers} == {CANCELLED}
    assert len(await bus.replies(BAD)) == 3


@pytest.mark.parametrize("making", [CREATE, SERIAL])
async def test_a_queue_without_rights_blocks_its_items_before_the_plan_and_names_the_grant(
    bus, commands, databases, making
):
    await bus.queues(GOOD)
    await bus.run(making)
    ids = named("payments", await nine_of_three_kinds(bus))
    async with as_role(may_send_to_good(bus, databases)) as system:
        good, bad, silent = each_in_turn(await system.survey(ids))
        shown = {item.id: item.verdict.code for item in (await system.page(_everything(system))).items}
        answers = each_in_turn(await system.execute(await orders(system, ids), errand()))

        assert all(seen.verdict.cancellable for seen in (*good, *silent))
        assert {seen.verdict.code for seen in bad} == {VerdictCode.FORBIDDEN}
        assert {shown[seen.id] for seen in bad} == {VerdictCode.FORBIDDEN}
        assert all(BAD in seen.verdict.reason and GOOD not in seen.verdict.reason for seen in bad)
        assert [answer.state for answer in (*answers[0], *answers[2])] == [CANCELLED] * 6
        assert {(answer.state, answer.code) for answer in answers[1]} == {(REFUSED, "FORBIDDEN")}
        assert all(BAD in answer.message for answer in answers[1])

        # The sentence is all that its owner needs.
        for grant in grants_in(bad[0].verdict.reason):
            await bus.run(grant)
        again = await cancel(system, [seen.id for seen in bad], "run-2")
    assert {answer.state for answer in again} == {CANCELLED}


def grants_in(reason):
    return [one.strip() for one in reason.partition("allows it with: ")[2].split(";")]


def _everything(system):
    return PageQuery(Filter(), system.description.default_sort)


LOSSES = {
    f"REVOKE ALL ON pgmq.q_{BAD} FROM {{role}}": CANCELLED,
    # Without these nothing at all can be sent, and each is refused with the words of the database.
    "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgmq FROM PUBLIC": REFUSED,
    "REVOKE ALL ON SCHEMA pgmq FROM {role}": REFUSED,
}


@pytest.mark.parametrize("loss", list(LOSSES))
async def test_rights_that_are_lost_after_the_plan_refuse_what_needs_them(bus, databases, loss):
    await bus.queues(GOOD, BAD)
    role = may_send_to_good(bus, databases)
    name = conninfo_to_dict(role)["user"]
    await bus.run(f"GRANT INSERT, SELECT ON pgmq.q_{BAD} TO {name}")
    ids = named("payments", await nine_of_three_kinds(bus))
    async with as_role(role) as system:
        chunk = await orders(system, ids)
        assert all(order.seen.verdict.cancellable for order in chunk)
        await bus.run(loss.format(role=name))
        good, bad, silent = each_in_turn(await system.execute(chunk, errand()))

    assert {(answer.state, answer.code) for answer in bad} == {(REFUSED, "FORBIDDEN")}
    assert all("GRANT" in answer.message and GOOD not in answer.message for answer in bad)
    assert {answer.state for answer in (*good, *silent)} == {LOSSES[loss]}
    assert all("permission denied" in answer.message for answer in silent if answer.state is REFUSED)


async def test_a_queue_that_wakes_its_listeners_without_a_right_to_is_refused_alone(bus, databases):
    await bus.queues(GOOD, BAD)
    await bus.run("SELECT pgmq.enable_notify_insert(%s)", BAD)
    role = may_send_to_good(bus, databases)
    await bus.run(f"GRANT INSERT, SELECT ON pgmq.q_{BAD} TO {conninfo_to_dict(role)['user']}")
    ids = named("payments", await nine_of_three_kinds(bus))
    async with as_role(role) as system:
        good, bad, silent = each_in_turn(await cancel(system, ids))
    assert {answer.state for answer in (*good, *silent)} == {CANCELLED}
    assert {(answer.state, answer.code) for answer in bad} == {(REFUSED, "FORBIDDEN")}
    assert all("notify_insert_throttle" in answer.message for answer in bad)


@pytest.mark.parametrize("queue", ["x" * 62, "é" * 40], ids=["a byte too many in letters", "letters of two bytes"])
async def test_a_name_that_the_database_cuts_blocks_the_item_and_reaches_no_other_queue(bus, commands, queue):
    await bus.queues(GOOD)
    with psycopg.connect(bus.url, autocommit=True) as connection:
        # As it is cut: whoever asks for the whole name finds this one.
        connection.execute(
            sql.SQL("CREATE TABLE pgmq.{} (LIKE pgmq.q_good__replies INCLUDING ALL)").format(
                sql.Identifier(f"q_{queue}".encode()[:63].decode(errors="ignore"))
            )
        )
    ids = await nine_of_three_kinds(bus)
    for own in ids[1::3]:
        await bus.set(own, reply_queue=queue)
    good, bad, silent = each_in_turn(await commands.survey(named("payments", ids)))
    answers = await commands.execute(await orders(commands, named("payments", ids)), errand())
    assert all(seen.verdict.cancellable for seen in (*good, *silent))
    assert {seen.verdict.code for seen in bad} == {VerdictCode.REPLY_QUEUE_MISSING}
    assert all("too long" in seen.verdict.reason for seen in bad)
    assert [answer.state for answer in each_in_turn(answers)[1]] == [REFUSED] * 3
    assert [answer.state for answer in each_in_turn(answers)[0]] == [CANCELLED] * 3


def granted(heading):
    """What the guide's own lines grant, as far as they are about these schemas."""
    fences = [fence for fence in page("docs/guide.md").fences if fence.language == "sql"]
    lines = [line.strip().removesuffix(";") for fence in fences for line in fence.lines]
    return [found[1] for line in lines if (found := GRANT.match(line)) and heading in found[1]]


COMMANDS = [*granted("commandbus"), *granted("pgmq.q_")]


async def whole_job(bus, url):
    """List, plan, cancel with a batch, verify, read the trail, as a role: what was seen, and what became of it."""
    batch, ids = await bus.send_batch("payments", ["payments__replies", None])
    await bus.fail_all(ids)
    items = named("payments", ids)
    async with as_role(url) as system:
        assert {item.id for item in (await system.page(_everything(system))).items} >= set(items)
        assert (await system.count(Filter())).value >= 2
        assert (await system.preview(items[0])).sections
        assert (await system.item(items[0])).id == items[0]
        await system.check_words("jane@example.com", REASON)
        chunk = await orders(system, items)
        answers = await system.execute(chunk, errand())
        verified = await system.verify(chunk, errand())
        trail = [entry.event for entry in await system.trail(items[0])]
    return chunk, answers, verified, trail, batch


@pytest.mark.parametrize("generation", list(Generation))
async def test_a_role_with_the_rights_of_the_guide_does_the_whole_job(bus, databases):
    await bus.queues("payments__replies", "payments__commands")
    chunk, answers, verified, trail, batch = await whole_job(bus, databases.role(bus.url, *COMMANDS))
    assert all(order.seen.verdict.cancellable for order in chunk)
    assert [answer.state for answer in answers] == [CANCELLED] * 2
    assert {found.verified for found in verified} == {Verified.YES}
    assert trail[-1] == "OPERATOR_CANCEL"
    assert (await bus.batch("payments", batch))["status"] == "COMPLETED_WITH_FAILURES"
    assert len(await bus.replies("payments__replies")) == 1


WRITING = [line for line in COMMANDS if not line.startswith(("USAGE ON SCHEMA", "SELECT"))]


@pytest.mark.parametrize("left_out", WRITING)
async def test_each_right_of_the_guide_is_needed_and_named_where_it_is_missing(bus, databases, left_out):
    await bus.queues("payments__replies", "payments__commands")
    url = databases.role(bus.url, *(line for line in COMMANDS if line != left_out))
    chunk, answers, _, _, _ = await whole_job(bus, url)
    privilege, _, objects = left_out.partition(" ON ")
    blocked = [order.seen.verdict for order in chunk if not order.seen.verdict.cancellable]
    assert {verdict.code for verdict in blocked} == {VerdictCode.FORBIDDEN}
    for name in objects.removeprefix("SEQUENCE ").split(", "):
        assert all(privilege in verdict.reason and name in verdict.reason for verdict in blocked)
    assert {(answer.state, answer.code) for answer in answers[: len(blocked)]} == {(REFUSED, "FORBIDDEN")}


async def test_a_role_with_the_rights_of_the_guide_works_on_schedules(there, databases):
    with psycopg.connect(there.url) as connection:
        assert connection.execute("SELECT to_regclass('scheduler.schedule')").fetchone()
    ids = await there.add(2, status="pending", run_at="2099-01-01T00:00:00Z")
    url = databases.role(there.url, *granted("scheduler"))
    limited = Rate(5, timedelta(minutes=1))
    for rate, run_id in ((None, "run-1"), (limited, "run-1")):
        system = PostgresSchedules(url, server_rate=rate)
        try:
            assert len((await system.page(_everything(system))).items) == 2
            chunk = await orders(system, ids, run_id)
            answers = await system.execute(chunk, errand(run_id))
            assert {found.verified for found in await system.verify(chunk, errand(run_id))} == {Verified.YES}
        finally:
            await system.close()
        assert {answer.state for answer in answers} == {CANCELLED}
    assert await ScheduleRows(there.url).violations() == []
