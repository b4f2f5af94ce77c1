"""The whole way of a cancelled command through an embedded bus: sender, worker, operator, batch, and those who race."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.embedded_bus import FAILURE, CommandBus, command_bus
from tui_app.systems.commands.operator import InvalidOperationError, TroubleshootingQueue

REASON = "Invalid account"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CommandBus]:
    async with command_bus(tmp_path / "commands.db") as opened:
        yield opened


async def test_operator_cancel_flow(world):
    # Given a command was sent with reply_to="payments__replies", taken by a worker, and moved to troubleshooting
    await world.bus.open_batch("payments", "b1", total=1)
    item = await world.troubled("abc-123", correlation_id="order-7", batch_id="b1")
    # When I cancel the command
    await world.operator.operator_cancel(
        domain="payments", command_id="abc-123", reason=REASON, operator="jane@example.com"
    )
    # Then its status is terminal, its sender is told, its audit tells the story, and its batch is over
    assert world.status(item) == "CANCELED"
    [reply] = world.replies("payments__replies")
    assert (reply["outcome"], reply["error"]["message"]) == ("CANCELED", REASON)
    story = world.rows("SELECT event FROM audit WHERE id = ? ORDER BY audit_id", item)
    assert [row["event"] for row in story] == ["SENT", "RECEIVED", "MOVED_TO_TSQ", "OPERATOR_CANCEL"]
    [event] = world.events(item, "OPERATOR_CANCEL")
    assert event["operator"] == "jane@example.com"
    assert event["reason"] == REASON
    [batch] = world.rows("SELECT * FROM batch")
    assert batch["status"] == "COMPLETED_WITH_FAILURES"
    assert (batch["canceled_count"], batch["in_troubleshooting_count"]) == (1, 0)
    assert len(world.events("payments/b1", "BATCH_COMPLETED")) == 1


async def test_cancel(world):
    # Given a hundred commands in troubleshooting, of which one is cancelled
    items = [await world.troubled(f"c{number}") for number in range(100)]
    await world.operator.operator_cancel(domain="payments", command_id="c42", reason=REASON)
    # Then exactly that one has ended, and exactly one reply was sent
    ended = world.rows("SELECT id FROM command WHERE status = 'CANCELED'")
    assert ended == [{"id": items[42]}]
    assert [reply["command_id"] for reply in world.replies()] == ["c42"]


async def test_a_late_worker_cannot_bring_it_back(world):
    item = await world.troubled("abc-123")
    await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)
    # When the worker that was given up comes back with a result, a failure, or gives up again
    assert await world.bus.complete(item, {"done": True}) is False
    assert await world.bus.fail(item, FAILURE) is False
    assert await world.bus.move_to_troubleshooting(item, FAILURE) is False
    # Then the command stays cancelled, its sender gets no second reply, and each attempt is recorded
    assert world.status(item) == "CANCELED"
    assert len(world.replies()) == 1
    refused = world.events(item, "LATE_WORKER_REFUSED")
    assert [event["wanted"] for event in refused] == ["COMPLETED", "FAILED", "IN_TROUBLESHOOTING_QUEUE"]
    # and neither a retry nor a worker gets hold of it
    assert await world.bus.retry(item) is False
    assert await world.bus.receive(item) is False
    assert world.status(item) == "CANCELED"


async def test_a_worker_that_completes_a_command_in_troubleshooting_is_in_time(world):
    await world.bus.open_batch("payments", "b1", total=1)
    item = await world.troubled("abc-123", batch_id="b1")
    assert await world.bus.complete(item, {"done": True}) is True
    assert world.status(item) == "COMPLETED"
    [batch] = world.rows("SELECT * FROM batch")
    assert (batch["status"], batch["completed_count"], batch["in_troubleshooting_count"]) == ("COMPLETED", 1, 0)
    with pytest.raises(InvalidOperationError):
        await world.operator.operator_cancel(domain="payments", command_id="abc-123", reason=REASON)


async def test_batch_counts(world):
    # Given a batch of four: one completed, one failed for good, two in troubleshooting
    await world.bus.open_batch("payments", "b1", total=4)
    completed, failed = [await world.pending(name, batch_id="b1") for name in ("done", "bad")]
    for item in (completed, failed):
        await world.bus.receive(item)
    await world.bus.complete(completed)
    await world.bus.fail(failed, FAILURE)
    for name in ("t1", "t2"):
        await world.troubled(name, batch_id="b1")

    async def cancel(name: str) -> dict[str, object]:
        await world.operator.operator_cancel(domain="payments", command_id=name, reason=REASON)
        [batch] = world.rows("SELECT * FROM batch")
        return batch

    # When the first is cancelled, then the batch goes on
    batch = await cancel("t1")
    assert (batch["canceled_count"], batch["in_troubleshooting_count"]) == (1, 1)
    assert (batch["status"], batch["completed_at"]) == ("IN_PROGRESS", None)
    assert world.events("payments/b1", "BATCH_COMPLETED") == []
    # When the last is cancelled, then the batch has ended, with failures, once
    batch = await cancel("t2")
    assert (batch["canceled_count"], batch["in_troubleshooting_count"]) == (2, 0)
    assert batch["status"] == "COMPLETED_WITH_FAILURES"
    [event] = world.events("payments/b1", "BATCH_COMPLETED")
    assert (event["total_count"], event["completed_count"], event["canceled_count"]) == (4, 1, 2)


async def test_two_operators_at_once_send_one_reply_each(world):
    items = [await world.troubled(f"c{number}") for number in range(30)]
    async with command_bus(world.path) as elsewhere:

        async def both(name: str) -> list[BaseException | None]:
            calls = [
                TroubleshootingQueue(store).operator_cancel(
                    domain="payments", command_id=name, reason=REASON, operator=operator
                )
                for store, operator in ((world.store, "jane@example.com"), (elsewhere.store, "ops2@example.com"))
            ]
            return await asyncio.gather(*calls, return_exceptions=True)

        answers = [await both(item.partition("/")[2]) for item in items]
    for pair in answers:
        # one succeeds, and the other one is told
        assert sorted(type(answer) for answer in pair if answer is not None) == [InvalidOperationError]
    assert {world.status(item) for item in items} == {"CANCELED"}
    assert sorted(reply["command_id"] for reply in world.replies()) == sorted(i.partition("/")[2] for i in items)
    assert all(len(world.events(item, "OPERATOR_CANCEL")) == 1 for item in items)


async def test_cancel_against_retry_has_one_winner(world):
    items = [await world.troubled(f"c{number}") for number in range(30)]
    async with command_bus(world.path) as elsewhere:
        for item in items:
            cancelled, retried = await asyncio.gather(
                world.operator.operator_cancel(domain="payments", command_id=item.partition("/")[2], reason=REASON),
                elsewhere.bus.retry(item),
                return_exceptions=True,
            )
            # exactly one of both happened, and the bus shows that one
            won = cancelled is None
            assert won is not retried
            assert isinstance(cancelled, InvalidOperationError) is not won
            assert world.status(item) == ("CANCELED" if won else "PENDING")
            assert len(world.events(item, "OPERATOR_CANCEL")) == int(won)
    assert len(world.replies()) == len(world.rows("SELECT 1 FROM command WHERE status = 'CANCELED'"))
