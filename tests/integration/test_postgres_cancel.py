"""What cancelling does on a real command bus, read from the bus' own tables and through the library's own eyes."""

from datetime import datetime
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from support.command_bus import Generation
from support.orders import REASON, cancel, errand, key_of, named, orders
from tui_app.domain.describe import Verb
from tui_app.domain.errors import Conflict
from tui_app.domain.items import Seen
from tui_app.domain.plan import Options
from tui_app.domain.run import Errand, ItemState, Order, Verified
from tui_app.domain.verdict import YES, VerdictCode
from tui_app.systems.commands import rules
from tui_app.systems.commands.postgres import PostgresCommands

GENERATIONS = pytest.mark.parametrize("generation", list(Generation))
STATES = [ItemState.CANCELLED, ItemState.ALREADY_CANCELLED, ItemState.REFUSED, ItemState.SKIPPED]


def states(answers):
    return [answer.state for answer in answers]


@GENERATIONS
async def test_a_command_in_troubleshooting_is_cancelled_with_all_that_belongs_to_it(bus, commands):
    await bus.queues("payments__replies")
    correlation = uuid4()
    (own,) = await bus.waiting("payments", reply_to="payments__replies", correlation_id=correlation)

    (answer,) = await cancel(commands, named("payments", [own]))

    assert (answer.state, answer.before, answer.after) == (
        ItemState.CANCELLED,
        "IN_TROUBLESHOOTING_QUEUE",
        "CANCELED",
    )
    assert (await bus.command("payments", own))["status"] == "CANCELED"
    assert await bus.cancellations(own) == [
        {
            "operator": "jane@example.com",
            "reason": REASON,
            "reply_to": "payments__replies",
            "run_id": "run-1",
            "idempotency_key": key_of("run-1", f"payments/{own}"),
        }
    ]
    assert len(await bus.replies("payments__replies")) == 1


async def test_the_reply_is_the_union_of_both_formats_with_the_reason_in_every_key_that_holds_one(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting(
        "payments", reply_to="payments__replies", command_type="DebitAccount", correlation_id=uuid4()
    )
    correlation = (await bus.command("payments", own))["correlation_id"]
    await cancel(commands, named("payments", [own]))

    (reply,) = await bus.replies("payments__replies")
    completed_at = reply["completed_at"]

    assert reply == {
        "command_id": str(own),
        "correlation_id": str(correlation),
        "domain": "payments",
        "type": "DebitAccountResponse",
        "outcome": "CANCELED",
        "reason": REASON,
        "completed_at": completed_at,
        "data": None,
        "error": {"code": "OPERATOR_CANCELED", "message": REASON, "class": "PERMANENT"},
        "error_code": "OPERATOR_CANCELED",
        "error_message": REASON,
    }
    row = await bus.command("payments", own)
    assert datetime.fromisoformat(completed_at) == row["updated_at"]


async def test_the_reply_is_the_one_that_the_rules_write(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    row = await bus.command("payments", own)
    await cancel(commands, named("payments", [own]))

    (reply,) = await bus.replies("payments__replies")
    facts = rules.Command(
        "payments", str(own), row["command_type"], "", 1, 3, "payments__replies", str(row["correlation_id"])
    )
    assert reply == rules.reply(facts, REASON, reply["completed_at"])


async def test_a_command_without_a_correlation_id_gets_a_reply_that_says_so(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    await bus.set(own, correlation_id=None)
    await cancel(commands, named("payments", [own]))
    (reply,) = await bus.replies("payments__replies")
    assert reply["correlation_id"] is None


async def test_each_reply_goes_to_its_own_queue_and_without_one_nobody_is_told(bus, commands):
    await bus.queues("a__replies", "b__replies")
    to_a = await bus.waiting("payments", 3, reply_to="a__replies")
    to_b = await bus.waiting("payments", 2, reply_to="b__replies")
    silent = await bus.waiting("payments", 2)
    assert {(await bus.command("payments", own))["reply_queue"] for own in silent} == {""}

    answers = await cancel(commands, named("payments", [*silent, *to_b, *to_a]))

    assert set(states(answers)) == {ItemState.CANCELLED}
    assert {reply["command_id"] for reply in await bus.replies("a__replies")} == set(map(str, to_a))
    assert {reply["command_id"] for reply in await bus.replies("b__replies")} == set(map(str, to_b))
    assert [(await bus.cancellations(own))[0]["reply_to"] for own in silent] == [None, None]


@pytest.mark.parametrize(
    "queue", ["reply-queue", "Payments_Replies", "Reply-Queue.of payments", 'say "hi"', "réponses"]
)
async def test_a_queue_of_any_name_is_told_and_its_listeners_are_woken(bus, commands, queue):
    await bus.queues(queue)
    ids = await bus.waiting("payments", 2, reply_to="payments__later")
    for own in ids:
        await bus.set(own, reply_queue=queue)

    async with await psycopg.AsyncConnection.connect(bus.url, autocommit=True) as listener:
        channel = sql.Identifier(f"pgmq_notify_{queue.lower()}")
        await listener.execute(sql.SQL("LISTEN {}").format(channel))
        answers = await cancel(commands, named("payments", ids))
        woken = [notice.payload async for notice in listener.notifies(timeout=10, stop_after=1)]

    assert states(answers) == [ItemState.CANCELLED] * 2
    assert len(await bus.replies(queue)) == 2
    assert woken == [""]


async def test_the_library_reads_our_audit_back(bus, commands):
    (own,) = await bus.waiting("payments")
    await cancel(commands, named("payments", [own]))

    events = await bus.audit.get_events(own, "payments")
    trail = await bus.sender.get_audit_trail(own)

    assert [event.event_type for event in events][-1] == "OPERATOR_CANCEL"
    assert events[-1].details["operator"] == "jane@example.com"
    assert events[-1].details["reason"] == REASON
    assert [event.audit_id for event in trail] == [event.audit_id for event in events]
    metadata = await bus.sender.get_command("payments", own)
    assert metadata.status.value == "CANCELED"


@GENERATIONS
async def test_batches_count_each_cancelled_command_and_complete_with_the_last(bus, commands):
    batch, ids = await bus.send_batch("payments", [None] * 4)
    other, others = await bus.send_batch("payments", [None] * 2)
    await bus.fail_all([*ids, *others])

    await cancel(commands, named("payments", [*ids[:3], others[0]]))
    row = await bus.batch("payments", batch)
    assert (row["canceled_count"], row["in_troubleshooting_count"]) == (3, 1)
    assert (row["status"], row["completed_at"]) == ("IN_PROGRESS", None)

    await cancel(commands, named("payments", ids[3:]), "run-2")
    row = await bus.batch("payments", batch)
    assert (row["canceled_count"], row["in_troubleshooting_count"]) == (4, 0)
    assert row["status"] == "COMPLETED_WITH_FAILURES"
    assert row["completed_at"] is not None
    assert (await bus.batch("payments", other))["canceled_count"] == 1


async def test_a_batch_whose_stored_counters_lie_does_not_stop_a_cancellation(bus, commands):
    batch, ids = await bus.send_batch("payments", [None] * 2)
    await bus.fail_all(ids)
    await bus.run("UPDATE commandbus.batch SET in_troubleshooting_count = -3 WHERE batch_id = %s", batch)

    answers = await cancel(commands, named("payments", ids))
    preview = await commands.preview(f"payments/{ids[0]}")

    assert states(answers) == [ItemState.CANCELLED] * 2
    (section,) = [part for part in preview.sections if part.title.startswith("Batch")]
    assert "cancelled: 2" in section.lines
    assert "in troubleshooting: 0" in section.lines


async def test_a_missing_reply_queue_blocks_the_plan(bus, commands):
    (own,) = await bus.waiting("payments", reply_to="nobody__listens")
    (seen,) = await commands.survey(named("payments", [own]))
    assert (seen.verdict.cancellable, seen.verdict.code) == (False, VerdictCode.REPLY_QUEUE_MISSING)
    assert "nobody__listens" in seen.verdict.reason
    assert seen.effects == ()


async def test_a_queue_that_vanished_since_the_plan_is_refused_alone_and_its_chunk_goes_on(bus, commands):
    await bus.queues("here__replies", "gone__replies")
    staying = await bus.waiting("payments", 3, reply_to="here__replies")
    (leaving,) = await bus.waiting("payments", reply_to="gone__replies")
    chunk = await orders(commands, named("payments", [*staying[:2], leaving, staying[2]]))
    assert all(order.seen.verdict.cancellable for order in chunk)
    await bus.drop_queue("gone__replies")

    answers = await commands.execute(chunk, errand())

    cancelled, refused = ItemState.CANCELLED, ItemState.REFUSED
    assert states(answers) == [cancelled, cancelled, refused, cancelled]
    assert answers[2].code == "REPLY_QUEUE_MISSING"
    assert (await bus.command("payments", leaving))["status"] == "IN_TROUBLESHOOTING_QUEUE"
    assert await bus.cancellations(leaving) == []
    assert len(await bus.replies("here__replies")) == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("PENDING", "NOT_IN_TROUBLESHOOTING"),
        ("IN_PROGRESS", "NOT_IN_TROUBLESHOOTING"),
        ("COMPLETED", "TERMINAL"),
        ("FAILED", "TERMINAL"),
        ("SOMETHING_NEW", "NOT_IN_TROUBLESHOOTING"),
    ],
)
async def test_nothing_but_troubleshooting_is_ever_cancelled(bus, commands, status, code):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    chunk = await orders(commands, named("payments", [own]))
    await bus.set(own, status=status)

    (answer,) = await commands.execute(chunk, errand())

    assert (answer.state, answer.code, answer.after) == (ItemState.REFUSED, code, status)
    assert (await bus.command("payments", own))["status"] == status
    assert await bus.replies("payments__replies") == []
    assert await bus.cancellations(own) == []


async def test_a_command_retried_and_failed_again_since_the_plan_is_drift_not_prey(bus, commands):
    (own,) = await bus.waiting("payments")
    chunk = await orders(commands, named("payments", [own]))
    await bus.operators.operator_retry("payments", own, operator="joe@example.com")
    await bus.fail("payments", own)

    (answer,) = await commands.execute(chunk, errand())

    assert (answer.state, answer.code) == (ItemState.SKIPPED, "DRIFTED")
    assert (await bus.command("payments", own))["status"] == "IN_TROUBLESHOOTING_QUEUE"


@pytest.mark.parametrize(
    "change", [{"attempts": 2}, {"updated_at": datetime.fromisoformat("2030-01-01T00:00:00.000001Z")}]
)
async def test_the_version_guard_sees_the_attempts_and_the_last_microsecond(bus, commands, change):
    (own,) = await bus.waiting("payments")
    await bus.set(own, updated_at=datetime.fromisoformat("2030-01-01T00:00:00Z"))
    chunk = await orders(commands, named("payments", [own]))
    await bus.set(own, **change)
    (answer,) = await commands.execute(chunk, errand())
    assert (answer.state, answer.code) == (ItemState.SKIPPED, "DRIFTED")


async def test_an_order_under_a_version_of_no_ones_making_touches_nothing(bus, commands):
    (own,) = await bus.waiting("payments")
    item = f"payments/{own}"
    seen = Seen(item, "IN_TROUBLESHOOTING_QUEUE", "17", YES)
    (answer,) = await commands.execute([Order(item, "k", seen)], errand())
    assert answer.state is ItemState.SKIPPED
    assert await bus.statuses([own]) == {"IN_TROUBLESHOOTING_QUEUE": 1}


async def test_only_the_command_of_the_named_domain_is_cancelled(bus, commands):
    (own,) = await bus.waiting("payments")
    await bus.queues("ledger__commands")
    await bus.sender.send("ledger", "DebitAccount", own, {})
    await bus.run("UPDATE commandbus.command SET status = 'IN_TROUBLESHOOTING_QUEUE' WHERE domain = 'ledger'")

    await cancel(commands, [f"ledger/{own}"])

    assert (await bus.command("ledger", own))["status"] == "CANCELED"
    assert (await bus.command("payments", own))["status"] == "IN_TROUBLESHOOTING_QUEUE"
    trail = await commands.trail(f"payments/{own}")
    assert "OPERATOR_CANCEL" not in [entry.event for entry in trail]


async def test_a_command_that_is_not_there_is_refused_and_the_rest_goes_on(bus, commands):
    (own,) = await bus.waiting("payments")
    ids = [f"payments/{uuid4()}", f"payments/{own}"]
    unknown, known = await cancel(commands, ids)
    assert (unknown.state, unknown.code) == (ItemState.REFUSED, "NOT_FOUND")
    assert known.state is ItemState.CANCELLED


async def test_the_same_orders_again_are_recognised_by_their_keys_and_have_no_second_effect(bus, commands):
    await bus.queues("payments__replies")
    ids = await bus.waiting("payments", 3, reply_to="payments__replies")
    chunk = await orders(commands, named("payments", ids))
    await commands.execute(chunk[:2], errand())

    answers = await commands.reconcile(chunk, errand())

    assert states(answers) == [ItemState.CANCELLED] * 3
    assert [answer.ours for answer in answers] == [True, True, None]
    assert len(await bus.replies("payments__replies")) == 3


async def test_what_somebody_else_cancelled_is_already_cancelled_by_them(bus, commands):
    ids = await bus.waiting("payments", 2)
    chunk = await orders(commands, named("payments", ids))
    await bus.operators.operator_cancel("payments", ids[0], "mine first", operator="joe@example.com")
    await bus.set(ids[1], status="CANCELED")

    library, nobody = await commands.execute(chunk, errand())

    assert (library.state, library.ours, library.by) == (ItemState.ALREADY_CANCELLED, False, "joe@example.com")
    assert (nobody.state, nobody.ours, nobody.by) == (ItemState.ALREADY_CANCELLED, None, None)


async def test_an_order_given_twice_has_one_effect_and_two_answers(bus, commands):
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies")
    (order,) = await orders(commands, named("payments", [own]))
    answers = await commands.execute([order, order], errand())
    assert states(answers) == [ItemState.CANCELLED] * 2
    assert len(await bus.replies("payments__replies")) == 1


async def test_no_orders_are_no_statement(commands):
    assert await commands.execute([], errand()) == []
    assert await commands.survey([]) == []
    assert await commands.verify([], errand()) == []


async def test_a_cancelled_command_cannot_be_brought_back(bus, commands):
    (own,) = await bus.waiting("payments")
    chunk = await orders(commands, named("payments", [own]))
    with pytest.raises(Conflict):
        await commands.execute(chunk, Errand("run-1", 0, Verb.REINSTATE, "jane", REASON, Options()))


async def test_verification_reads_status_and_audit(bus, commands):
    ids = await bus.waiting("payments", 4)
    chunk = await orders(commands, named("payments", ids))
    await commands.execute(chunk, errand())
    await bus.set(ids[1], status="COMPLETED")
    await bus.run("DELETE FROM commandbus.audit WHERE command_id = %s", ids[2])
    await bus.run("DELETE FROM commandbus.command WHERE command_id = %s", ids[3])

    fine, late, unaudited, gone = await commands.verify(chunk, errand())

    assert (fine.verified, fine.note) == (Verified.YES, None)
    assert late.verified is Verified.CONTRADICTED
    assert "COMPLETED" in late.note
    assert unaudited.verified is Verified.CONTRADICTED
    assert gone.verified is Verified.CONTRADICTED


async def test_hostile_words_arrive_as_they_are(bus, commands):
    reason = "[@click=app.quit]x[/] a[/]b \u202egnp.exe \u200b 100% {0} '); DROP TABLE commandbus.command; --"
    await bus.queues("payments__replies")
    (own,) = await bus.waiting("payments", reply_to="payments__replies", command_type="De\x1b[31mbit%s{x}")
    await commands.execute(
        await orders(commands, named("payments", [own])), errand(operator="o'Neil \u202e", reason=reason)
    )
    (reply,) = await bus.replies("payments__replies")
    (details,) = await bus.cancellations(own)
    assert (reply["reason"], reply["error"]["message"], reply["error_message"]) == (reason,) * 3
    assert reply["type"] == "De\x1b[31mbit%s{x}Response"
    assert (details["operator"], details["reason"]) == ("o'Neil \u202e", reason)


async def test_who_may_not_write_is_refused_row_by_row_and_nothing_changes(bus, commands, databases):
    ids = await bus.waiting("payments", 2)
    reader = PostgresCommands(
        databases.role(
            bus.url,
            "USAGE ON SCHEMA commandbus, pgmq",
            "SELECT ON ALL TABLES IN SCHEMA commandbus, pgmq",
        )
    )
    answers = await cancel(reader, named("payments", ids))
    await reader.close()

    assert {(answer.state, answer.code) for answer in answers} == {(ItemState.REFUSED, "FORBIDDEN")}
    assert await bus.statuses(ids) == {"IN_TROUBLESHOOTING_QUEUE": 2}
