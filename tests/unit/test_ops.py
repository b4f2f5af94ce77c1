"""Cancelling one command as an operator: each scenario of the specification, read from the bus' own tables."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.embedded_bus import FAILURE, CommandBus, command_bus
from tui_app.domain.errors import Busy, InvalidReason, MalformedId, OutcomeUnknown, Refused
from tui_app.systems.commands.operator import (
    ATTEMPTS,
    CommandNotFoundError,
    InvalidOperationError,
    TroubleshootingQueue,
)

REASON = "Invalid account"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CommandBus]:
    async with command_bus(tmp_path / "commands.db") as opened:
        yield opened


async def test_cancel_sets_status(world):
    # Given a command is in troubleshooting with command_id "abc-123"
    item = await world.troubled("abc-123")
    assert world.status(item) == "IN_TROUBLESHOOTING_QUEUE"
    # When I call operator_cancel
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    # Then command status is set to "CANCELED"
    assert world.status(item) == "CANCELED"


async def test_cancel_sends_reply(world):
    await world.troubled("abc-123", correlation_id="order-7")
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    # Then a reply message is sent with outcome="CANCELED"
    [reply] = world.replies()
    assert reply["outcome"] == "CANCELED"
    assert reply["command_id"] == "abc-123"
    assert reply["correlation_id"] == "order-7"
    assert reply["domain"] == "payments"
    assert reply["type"] == "DebitAccountResponse"
    [cancelled] = world.rows("SELECT updated_at FROM command")
    assert reply["completed_at"] == cancelled["updated_at"]


async def test_cancel_includes_reason(world):
    item = await world.troubled("abc-123")
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=f"  {REASON} ")
    # Then the reply includes the cancellation reason, under every key that a reader may look at
    [reply] = world.replies()
    assert reply["reason"] == REASON
    assert reply["error"] == {"code": "OPERATOR_CANCELED", "message": REASON, "class": "PERMANENT"}
    assert (reply["error_code"], reply["error_message"]) == ("OPERATOR_CANCELED", REASON)
    # And an audit event "OPERATOR_CANCEL" is recorded with the reason
    [event] = world.events(item, "OPERATOR_CANCEL")
    assert event["reason"] == REASON
    assert event["reply_to"] == "payments__replies"


async def test_cancel_records_operator(world):
    item = await world.troubled("abc-123")
    # When I call operator_cancel with operator="jane@example.com"
    await world.operator.operator_cancel(
        domain="payments", command_id="abc-123", reason=REASON, operator="jane@example.com"
    )
    # Then the audit event includes operator="jane@example.com"
    [event] = world.events(item, "OPERATOR_CANCEL")
    assert event["operator"] == "jane@example.com"


async def test_cancel(world):
    item = await world.troubled("abc-123")
    other = await world.troubled("abc-124")
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    assert world.status(item) == "CANCELED"
    assert len(world.replies()) == 1
    assert len(world.events(item, "OPERATOR_CANCEL")) == 1
    # and nothing happened to its neighbour
    assert world.status(other) == "IN_TROUBLESHOOTING_QUEUE"
    assert world.events(other, "OPERATOR_CANCEL") == []


async def test_cancel_without_operator_records_none(world):
    item = await world.troubled("abc-123")
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    [event] = world.events(item, "OPERATOR_CANCEL")
    assert event["operator"] is None


async def _to_pending(world, item):
    await world.bus.retry(item)


async def _to_in_progress(world, item):
    await world.bus.retry(item)
    await world.bus.receive(item)


async def _to_completed(world, item):
    await world.bus.complete(item)


async def _to_failed(world, item):
    await _to_in_progress(world, item)
    await world.bus.fail(item, FAILURE)


async def _to_cancelled(world, item):
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)


@pytest.mark.parametrize(
    ("bring", "status", "says"),
    [
        (_to_pending, "PENDING", "not in troubleshooting"),
        (_to_in_progress, "IN_PROGRESS", "not in troubleshooting"),
        (_to_completed, "COMPLETED", "COMPLETED"),
        (_to_failed, "FAILED", "FAILED"),
        (_to_cancelled, "CANCELED", "already cancelled"),
    ],
    ids=["PENDING", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELED"],
)
async def test_cancel_fails_unless_in_troubleshooting(world, bring, status, says):
    # Given a command has status "PENDING" (and every other one)
    item = await world.troubled("abc-123")
    await bring(world, item)
    assert world.status(item) == status
    before = world.dump()
    # When I call operator_cancel, then an InvalidOperationError is raised
    with pytest.raises(InvalidOperationError, match=says):
        await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason="once more")
    # and nothing changed
    assert world.dump() == before


async def test_reply_goes_to_the_configured_queue(world):
    await world.bus.create_queue("orders__replies")
    await world.troubled("abc-123", reply_to="payments__replies")
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    assert len(world.replies("payments__replies")) == 1
    assert world.rows("SELECT DISTINCT queue FROM message") == [{"queue": "payments__replies"}]


async def test_no_reply_where_none_is_wanted(world):
    item = await world.troubled("abc-123", reply_to="")
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    assert world.status(item) == "CANCELED"
    assert world.rows("SELECT * FROM message") == []
    [event] = world.events(item, "OPERATOR_CANCEL")
    assert event["reply_to"] is None


@pytest.mark.parametrize("reason", ["", "   ", "no", "x" * 501, "line\nbreak", "\x1b[2Jwiped"])
async def test_a_reason_is_required(world, reason):
    await world.troubled("abc-123")
    before = world.dump()
    with pytest.raises(InvalidReason) as refused:
        await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=reason)
    assert refused.value.hint
    assert world.dump() == before


async def test_an_unknown_command_is_said_to_be_unknown(world):
    await world.troubled("abc-123")
    before = world.dump()
    with pytest.raises(CommandNotFoundError, match="orders/abc-123"):
        await world.operator.operator_cancel(domain="orders", command_id="abc-123", reason=REASON)
    assert world.dump() == before


async def test_a_malformed_id_is_not_looked_up(world):
    with pytest.raises(MalformedId):
        await world.operator.operator_cancel(domain="payments", command_id="", reason=REASON)


async def test_a_vanished_reply_queue_is_named(world):
    item = await world.troubled("abc-123")
    await world.bus.drop_queue("payments__replies")
    with pytest.raises(InvalidOperationError, match="payments__replies"):
        await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    assert world.status(item) == "IN_TROUBLESHOOTING_QUEUE"


def test_the_errors_are_answers_and_not_faults():
    assert issubclass(InvalidOperationError, Refused)
    assert issubclass(CommandNotFoundError, Refused)


class _Meddling:
    """A store on which something happens between reading and writing."""

    def __init__(self, world, meddle, times):
        self._world, self._meddle, self._times = world, meddle, times
        self.check_id, self.survey = world.store.check_id, world.store.survey
        self.reconcile = world.store.reconcile

    async def execute(self, orders, errand):
        if self._times:
            self._times -= 1
            await self._meddle(orders[0].id)
        return await self._world.store.execute(orders, errand)


def _fail_again(world):
    async def meddle(item):
        await world.bus.retry(item)
        await world.bus.receive(item)
        await world.bus.move_to_troubleshooting(item, FAILURE)

    return meddle


async def test_a_command_that_fails_again_meanwhile_is_cancelled_as_it_is_now(world):
    item = await world.troubled("abc-123")
    store = _Meddling(world, _fail_again(world), times=1)
    await TroubleshootingQueue(store).operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    assert world.status(item) == "CANCELED"
    assert len(world.replies()) == 1


async def test_a_command_that_never_stands_still_is_left_alone(world):
    item = await world.troubled("abc-123")
    store = _Meddling(world, _fail_again(world), times=ATTEMPTS)
    with pytest.raises(Busy):
        await TroubleshootingQueue(store).operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    assert world.status(item) == "IN_TROUBLESHOOTING_QUEUE"
    assert world.replies() == []


async def test_a_lost_answer_is_settled_by_asking_again(world):
    item = await world.troubled("abc-123")

    class Losing(_Meddling):
        async def execute(self, orders, errand):
            await world.store.execute(orders, errand)
            raise OutcomeUnknown("the connection was lost")

    await TroubleshootingQueue(Losing(world, None, 0)).operator_cancel(
        domain="payments", command_id="abc-123", reason=REASON
    )
    assert world.status(item) == "CANCELED"
    assert len(world.replies()) == 1
    assert len(world.events(item, "OPERATOR_CANCEL")) == 1
