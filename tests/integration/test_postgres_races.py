"""Several hands on the same commands at once, and connections that die at the worst moment, on real connections."""

import asyncio
import random
from collections import Counter
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from support.orders import cancel, errand, named, orders
from tui_app.database.postgres import Patience
from tui_app.domain.errors import Busy, CannotConnect, OutcomeUnknown
from tui_app.domain.run import ItemState, Verified
from tui_app.systems.commands.postgres import PostgresCommands

SETTLED = {ItemState.CANCELLED, ItemState.ALREADY_CANCELLED}

# Makes COMMIT itself wait, for whoever holds the advisory lock.
SLOW_COMMIT = """
CREATE FUNCTION commandbus.wait_for_it() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON commandbus.audit
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION commandbus.wait_for_it();
"""


@asynccontextmanager
async def operators(url, number, **how):
    """As many operators, each with an adapter and connections of their own."""
    systems = [PostgresCommands(url, **how) for _ in range(number)]
    try:
        yield systems
    finally:
        for system in systems:
            await system.close()


async def test_operators_at_once_on_the_same_commands_send_one_reply_each_and_never_deadlock(bus, one_try):
    await bus.queues("a__replies", "b__replies")
    ids = []
    for _ in range(6):
        _, made = await bus.send_batch("payments", ["a__replies", "b__replies", None] * 20)
        ids += made
    await bus.fail_all(ids)
    chance = random.Random(7)

    async def work(system, run_id):
        mine = chance.sample(named("payments", ids), 300)
        answers = []
        for chunk in (mine[:100], mine[100:200], mine[200:]):
            answers += await system.execute(await orders(system, chunk, run_id), errand(run_id))
        return answers

    async with operators(bus.url, 4) as systems:
        answers = await asyncio.gather(*(work(system, f"run-{n}") for n, system in enumerate(systems)))

    states = Counter(answer.state for run in answers for answer in run)
    cancelled = [own for own in ids if (await bus.command("payments", own))["status"] == "CANCELED"]
    replies = [*await bus.replies("a__replies"), *await bus.replies("b__replies")]
    told = Counter(reply["command_id"] for reply in replies)
    events = await bus.run("SELECT command_id FROM commandbus.audit WHERE event_type = 'OPERATOR_CANCEL'")
    assert set(states) == SETTLED
    assert states[ItemState.CANCELLED] == len(cancelled)
    assert set(told.values()) == {1}
    assert len(told) == len([own for own in cancelled if (await bus.command("payments", own))["reply_queue"]])
    assert sorted(row["command_id"] for row in events) == sorted(cancelled)
    lying = await bus.run(
        "SELECT b.batch_id FROM commandbus.batch b WHERE b.canceled_count <> (SELECT count(*) FROM"
        " commandbus.command c WHERE c.batch_id = b.batch_id AND c.status = 'CANCELED')"
    )
    assert lying == []


async def look_up_one_by_one(bus):
    """Rows are then met in the order of asking, as in a large table, and not in the order of a small one."""
    for setting in ("enable_hashjoin", "enable_mergejoin"):
        await bus.run(
            f"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting} = off', current_database()); END $$"
        )


@pytest.fixture
def one_try(monkeypatch):
    """A deadlock is otherwise tried again, and nobody would notice that there was one."""
    monkeypatch.setattr("tui_app.database.postgres.TRIES", 1)


async def test_the_same_chunk_in_two_orders_at_once_does_not_deadlock(bus, one_try):
    ids = sorted(await bus.waiting("payments", 40))
    await look_up_one_by_one(bus)
    async with operators(bus.url, 2) as (forwards, backwards):
        there = await orders(forwards, named("payments", ids), "run-1")
        back = (await orders(backwards, named("payments", ids), "run-2"))[::-1]
        async with bus.holding(ids[0]):
            first = asyncio.create_task(forwards.execute(there, errand("run-1")))
            await bus.until_blocked(1)
            second = asyncio.create_task(backwards.execute(back, errand("run-2")))
            await bus.until_blocked(2)
        answers = [*await first, *await second]
    states = Counter(answer.state for answer in answers)
    assert states == {ItemState.CANCELLED: 40, ItemState.ALREADY_CANCELLED: 40}


async def test_batches_shared_by_two_chunks_do_not_deadlock(bus, one_try):
    made = [await bus.send_batch("payments", [None] * 2) for _ in range(2)]
    await bus.fail_all([own for _, ids in made for own in ids])
    (low, in_low), (high, in_high) = sorted(made)
    # Two chunks without a common command that meet the two batches in opposite orders.
    wanted = {UUID(int=1): in_low[0], UUID(int=2): in_high[0], UUID(int=3): in_high[1], UUID(int=4): in_low[1]}
    for new, old in wanted.items():
        await bus.set(old, command_id=new)
    await bus.run("CLUSTER commandbus.command USING uq_command_domain_cmdid")
    one, two, three, four = wanted
    async with operators(bus.url, 2) as (first, second):
        async with await psycopg.AsyncConnection.connect(bus.url) as holder:
            await holder.execute("SELECT FROM commandbus.batch WHERE batch_id = %s FOR UPDATE", (low,))
            tasks = [asyncio.create_task(cancel(first, named("payments", [one, two])))]
            await bus.until_blocked(1)
            tasks.append(asyncio.create_task(cancel(second, named("payments", [three, four]), "run-2")))
            await bus.until_blocked(2)
        answers = [answer for task in tasks for answer in await task]
    assert [answer.state for answer in answers] == [ItemState.CANCELLED] * 4
    assert [(await bus.batch("payments", own))["canceled_count"] for own in (low, high)] == [2, 2]


async def test_drift_that_commits_while_we_wait_for_the_lock_is_seen(bus, commands):
    await bus.queues("payments__replies")
    ids = await bus.waiting("payments", 2, reply_to="payments__replies")
    chunk = await orders(commands, named("payments", ids))
    async with await psycopg.AsyncConnection.connect(bus.url) as other:
        await other.execute(
            "UPDATE commandbus.command SET attempts = attempts + 1, updated_at = now() WHERE command_id = %s",
            (ids[0],),
        )
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(1)
        await other.commit()
    drifted, cancelled = await ours
    assert (drifted.state, drifted.code) == (ItemState.SKIPPED, "DRIFTED")
    assert cancelled.state is ItemState.CANCELLED
    assert await bus.statuses(ids) == {"IN_TROUBLESHOOTING_QUEUE": 1, "CANCELED": 1}


async def test_a_library_operator_who_was_first_is_seen_under_the_lock(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    chunk = await orders(commands, named("payments", [own]))
    async with bus.holding(own):
        theirs = asyncio.create_task(bus.operators.operator_cancel("payments", own, "mine", "joe"))
        await bus.until_blocked(1)
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(2)
    await theirs
    (answer,) = await ours
    assert (answer.state, answer.ours, answer.by) == (ItemState.ALREADY_CANCELLED, False, "joe")
    assert len(await bus.replies("payments__replies")) == 1


async def test_a_retry_that_was_first_leaves_nothing_to_cancel(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    chunk = await orders(commands, named("payments", [own]))
    async with bus.holding(own):
        theirs = asyncio.create_task(bus.operators.operator_retry("payments", own, "joe"))
        await bus.until_blocked(1)
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(2)
    await theirs
    (answer,) = await ours
    assert (answer.state, answer.code) == (ItemState.REFUSED, "NOT_IN_TROUBLESHOOTING")
    assert await bus.replies("payments__replies") == []
    assert (await bus.command("payments", own))["status"] == "PENDING"


async def test_the_double_reply_of_an_unguarded_library_operator_is_found_and_told(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    chunk = await orders(commands, named("payments", [own]))
    async with bus.holding(own):
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(1)
        theirs = asyncio.create_task(bus.operators.operator_cancel("payments", own, "mine", "joe"))
        await bus.until_blocked(2)
    (answer,) = await ours
    await theirs

    (verification,) = await commands.verify(chunk, errand())

    assert answer.state is ItemState.CANCELLED
    assert len(await bus.replies("payments__replies")) == 2
    assert verification.verified is Verified.CONTRADICTED
    assert "joe" in verification.note


async def test_a_worker_that_completes_late_is_found_by_verification(bus, commands):
    (own,) = await bus.send("payments")
    in_hand = await bus.receive("payments", own)
    await bus.set(own, status="IN_TROUBLESHOOTING_QUEUE")
    chunk = await orders(commands, named("payments", [own]))
    (answer,) = await commands.execute(chunk, errand())
    await bus.complete(in_hand)

    (verification,) = await commands.verify(chunk, errand())
    (again,) = await commands.reconcile(chunk, errand())

    assert answer.state is ItemState.CANCELLED
    assert verification.verified is Verified.CONTRADICTED
    assert "COMPLETED" in verification.note
    assert (again.state, again.after) == (ItemState.CANCELLED, "COMPLETED")


async def test_a_queue_dropped_between_the_look_and_the_sending_is_refused_alone(bus, commands):
    await bus.queues("here__replies", "gone__replies")
    (staying,) = await bus.waiting("payments", reply_to="here__replies")
    (leaving,) = await bus.waiting("payments", reply_to="gone__replies")
    chunk = await orders(commands, named("payments", [staying, leaving]))
    async with await psycopg.AsyncConnection.connect(bus.url) as dropping:
        # Uncommitted: the queue is still there for everybody who looks, and the send waits for the drop.
        await dropping.execute("SELECT pgmq.drop_queue('gone__replies')")
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(1)
        await dropping.commit()
    first, second = await ours
    assert first.state is ItemState.CANCELLED
    assert (second.state, second.code) == (ItemState.REFUSED, "REPLY_QUEUE_MISSING")
    assert len(await bus.replies("here__replies")) == 1
    assert len(await bus.cancellations(staying)) == 1


@pytest.mark.parametrize("patience", [Patience(lock=0.2), Patience(statement=0.2)])
async def test_a_lock_that_is_not_to_be_had_in_time_is_busy_and_changes_nothing(bus, patience):
    ids = await bus.waiting("payments", 3)
    async with operators(bus.url, 1, patience=patience) as (system,):
        chunk = await orders(system, named("payments", ids))
        async with bus.holding(ids[1]):
            with pytest.raises(Busy):
                await system.execute(chunk, errand())
        assert await bus.statuses(ids) == {"IN_TROUBLESHOOTING_QUEUE": 3}
        answers = await system.execute(chunk, errand())
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}


async def test_a_deadlock_of_somebody_elses_making_is_tried_again(bus, commands):
    ids = sorted(await bus.waiting("payments", 2))
    chunk = await orders(commands, named("payments", ids))
    async with await psycopg.AsyncConnection.connect(bus.url) as rude:
        # The server ends the transaction that notices first: let it be ours.
        await rude.execute("SET deadlock_timeout = '1min'")
        lock = "SELECT FROM commandbus.command WHERE command_id = %s FOR UPDATE"
        await rude.execute(lock, (ids[1],))
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(1)
        await rude.execute(lock, (ids[0],))
        await rude.rollback()
    answers = await ours
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}
    assert [len(await bus.cancellations(own)) for own in ids] == [1, 1]


async def test_a_connection_lost_before_the_commit_has_changed_nothing(bus, commands):
    ids = await bus.waiting("payments", 2)
    chunk = await orders(commands, named("payments", ids))
    async with bus.holding(ids[0]):
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(1)
        await bus.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'quash' AND datname = current_database()"
        )
        with pytest.raises(CannotConnect):
            await ours
    assert await bus.statuses(ids) == {"IN_TROUBLESHOOTING_QUEUE": 2}
    answers = await commands.execute(chunk, errand())
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}


async def test_a_connection_lost_while_committing_is_an_unknown_outcome(bus, commands):
    await bus.queues("payments__replies")
    ids = await bus.waiting("payments", 2, reply_to="payments__replies")
    chunk = await orders(commands, named("payments", ids))
    await bus.run(SLOW_COMMIT)
    async with await psycopg.AsyncConnection.connect(bus.url) as holder:
        await holder.execute("SELECT pg_advisory_xact_lock(42)")
        ours = asyncio.create_task(commands.execute(chunk, errand()))
        await bus.until_blocked(1)
        await bus.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'quash' AND datname = current_database()"
        )
        with pytest.raises(OutcomeUnknown):
            await ours
    answers = await commands.reconcile(chunk, errand())
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}
    assert len(await bus.replies("payments__replies")) == 2


async def test_reconciling_waits_for_a_lost_transaction_that_is_still_committing(bus, commands):
    await bus.queues("payments__replies")
    ids = await bus.waiting("payments", 2, reply_to="payments__replies")
    chunk = await orders(commands, named("payments", ids))
    await bus.run(SLOW_COMMIT)
    async with operators(bus.url, 1) as (lost,):
        async with await psycopg.AsyncConnection.connect(bus.url) as holder:
            await holder.execute("SELECT pg_advisory_xact_lock(42)")
            first = asyncio.create_task(lost.execute(chunk, errand()))
            await bus.until_blocked(1)
            settling = asyncio.create_task(commands.reconcile(chunk, errand()))
            await bus.until_blocked(2)
        await first
        answers = await settling
    assert [(answer.state, answer.ours) for answer in answers] == [(ItemState.CANCELLED, True)] * 2
    assert len(await bus.replies("payments__replies")) == 2


async def test_a_commit_that_the_server_refuses_is_no_unknown_outcome(bus, commands):
    (own,) = await bus.waiting("payments")
    chunk = await orders(commands, named("payments", [own]))
    await bus.run(SLOW_COMMIT.replace("PERFORM pg_advisory_xact_lock(42)", "RAISE EXCEPTION 'not today'"))
    (answer,) = await commands.execute(chunk, errand())
    assert (answer.state, answer.code) == (ItemState.REFUSED, "REFUSED")
    assert "not today" in answer.message
    assert await bus.statuses([own]) == {"IN_TROUBLESHOOTING_QUEUE": 1}


@asynccontextmanager
async def cut_after_commit(url):
    """A way to the database that lets COMMIT through, and hangs up when the server has answered it."""
    there = conninfo_to_dict(url)
    host, port = str(there.get("host") or "127.0.0.1"), int(there.get("port") or 5432)

    async def serve(client, answer):
        if host.startswith("/"):
            server, send = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            server, send = await asyncio.open_connection(host, port)
        committing = asyncio.Event()

        async def pump(source, sink, *, upwards):
            while data := await source.read(65_536):
                if upwards and b"COMMIT\0" in data:
                    committing.set()
                elif not upwards and committing.is_set():
                    break
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(client, send, upwards=True), pump(server, answer, upwards=False))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as proxy:
        here = proxy.sockets[0].getsockname()[1]
        yield make_conninfo(url, host="127.0.0.1", port=here, sslmode="disable", gssencmode="disable")


async def test_an_answer_lost_after_the_commit_is_unknown_and_found_to_be_ours(bus, commands):
    await bus.queues("payments__replies")
    ids = await bus.waiting("payments", 3, reply_to="payments__replies")
    async with cut_after_commit(bus.url) as way, operators(way, 1) as (cut,):
        chunk = await orders(cut, named("payments", ids))
        with pytest.raises(OutcomeUnknown):
            await cut.execute(chunk, errand())

    assert await bus.statuses(ids) == {"CANCELED": 3}
    answers = await commands.reconcile(chunk, errand())
    assert [(answer.state, answer.ours) for answer in answers] == [(ItemState.CANCELLED, True)] * 3
    assert len(await bus.replies("payments__replies")) == 3


async def test_connections_that_went_stale_are_replaced_unnoticed(bus, commands):
    ids = await bus.waiting("payments", 2)
    await commands.survey(named("payments", ids))
    await bus.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'quash' AND datname = current_database()"
    )
    answers = await cancel(commands, named("payments", ids))
    assert {answer.state for answer in answers} == {ItemState.CANCELLED}
