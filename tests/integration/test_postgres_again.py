"""A command that a late worker of the library puts back after a cancellation: cancelled again where that is meant."""

from uuid import uuid4

import pytest
from commandbus.exceptions import PermanentCommandError
from commandbus.worker import Worker

from support.command_bus import Generation
from support.orders import REASON, cancel, errand, key_of, named, orders
from support.world import WHO, MovableClock, make_world
from support.world import commands as chosen
from tui_app.domain.items import PageQuery
from tui_app.domain.plan import Options
from tui_app.domain.run import Errand, ItemState, Order, Verified
from tui_app.domain.verdict import Effect, VerdictCode
from tui_app.systems.commands.operator import InvalidOperationError, TroubleshootingQueue

QUEUE = "payments__replies"
GENERATIONS = pytest.mark.parametrize("generation", list(Generation))


async def put_back(bus, system, *, how="ours", **more):
    """A command that was cancelled, and that a worker which had it in hand gives up afterwards; its id."""
    await bus.queues(QUEUE)
    (own,) = await bus.send("payments", reply_to=QUEUE, **more)
    in_hand = await bus.receive("payments", own)
    worker, error = Worker(bus.pool, "payments"), PermanentCommandError("INVALID_ACCOUNT", "no such account")
    await worker.fail_permanent(in_hand, error)
    if how == "ours":
        (answer,) = await cancel(system, named("payments", [own]), "run-0")
        assert answer.state is ItemState.CANCELLED
    else:
        await bus.operators.operator_cancel("payments", own, "by the library", operator="joe@example.com")
    await worker.fail_permanent(in_hand, error)
    assert await bus.statuses([own]) == {"IN_TROUBLESHOOTING_QUEUE": 1}
    assert len(await bus.replies(QUEUE)) == 1
    return own


@GENERATIONS
@pytest.mark.parametrize("how", ["ours", "the library's"])
async def test_what_was_cancelled_before_is_blocked_with_a_code_of_its_own(bus, commands, generation, how):
    own = await put_back(bus, commands, how=how)
    item = f"payments/{own}"
    (seen,) = await commands.survey([item])
    page = await commands.page(PageQuery(commands.description.default_filter, commands.description.default_sort))
    assert (seen.verdict.cancellable, seen.verdict.code) == (False, VerdictCode.CANCELLED_BEFORE)
    assert seen.verdict.needs_again
    assert QUEUE in seen.verdict.reason
    assert [one.verdict.code for one in page.items] == [VerdictCode.CANCELLED_BEFORE]
    assert (await commands.preview(item)).verdict.code is VerdictCode.CANCELLED_BEFORE


async def test_a_command_whose_sender_wanted_no_reply_needs_nothing_of_the_kind(bus, commands):
    (own,) = await bus.waiting("payments")
    await cancel(commands, named("payments", [own]))
    await bus.set(own, status="IN_TROUBLESHOOTING_QUEUE")
    (seen,) = await commands.survey(named("payments", [own]))
    assert seen.verdict.cancellable


async def test_a_plan_holds_it_only_where_it_is_meant_and_is_another_plan(bus, commands, tmp_path):
    process = uuid4()
    await bus.process("shipping", process, "ShipOrder")
    own = await put_back(bus, commands, correlation_id=process)
    clock = MovableClock()
    world = make_world(tmp_path, {"commands": commands}, clock)
    wanted = [chosen(f"payments/{own}")]

    blocked = await world.plan(*wanted)
    started = await world.planner.start(wanted, blocked.head.verb, None, None, WHO, again=True)
    meant = await world.made(started.id)

    assert blocked.totals["blocked"] == {"CANCELLED_BEFORE": 1}
    assert (meant.totals["blocked"], meant.totals["counts"]["cancellable"]) == ({}, 1)
    assert meant.hash != blocked.hash
    codes = {code for code, _, _ in meant.totals["impact"]}
    assert {"SECOND_REPLY", "COMPENSATION", "REPLY"} <= codes

    # Without meaning it nothing is sent, whatever else is accepted.
    run = await world.confirm(blocked, options=Options(accept_drift=True))
    await world.worker().drive(run.id)
    assert len(await bus.replies(QUEUE)) == 1
    run = await world.confirm(meant, key="k2")
    await world.worker().drive(run.id)
    (item,) = await world.items(run.id)
    assert item.state is ItemState.CANCELLED
    assert (item.verification.verified, item.verification.note) == (Verified.YES, None)
    assert len(await bus.replies(QUEUE)) == 2
    await world.planner.close()
    await world.store.close()


async def test_a_cancellation_that_follows_ours_contradicts_it_also_where_one_before_was_meant(bus, commands):
    own = await put_back(bus, commands)
    item = f"payments/{own}"
    (seen,) = await commands.survey([item])
    order = Order(item, key_of("run-1", item), seen)
    again = Errand("run-1", 0, errand().verb, "jane@example.com", REASON, Options(), again=True)
    (answer,) = await commands.execute([order], again)
    assert answer.state is ItemState.CANCELLED
    (fine,) = await commands.verify([order], again)
    (unmeant,) = await commands.verify([order], errand())
    await bus.set(own, status="IN_TROUBLESHOOTING_QUEUE")
    await bus.operators.operator_cancel("payments", own, "mine too", operator="joe@example.com")
    (later,) = await commands.verify([order], again)
    assert fine.verified is Verified.YES
    assert unmeant.verified is Verified.CONTRADICTED
    assert later.verified is Verified.CONTRADICTED
    assert "joe@example.com" in later.note


async def test_the_python_call_needs_it_to_be_meant_too(bus, commands):
    own = await put_back(bus, commands)
    queue = TroubleshootingQueue(commands)
    with pytest.raises(InvalidOperationError, match="cancelled before") as told:
        await queue.operator_cancel("payments", own, REASON)
    assert (told.value.domain, told.value.command_id) == ("payments", str(own))
    assert len(await bus.replies(QUEUE)) == 1
    await queue.operator_cancel("payments", own, REASON, "jane@example.com", again=True)
    assert len(await bus.replies(QUEUE)) == 2


async def test_drift_still_guards_what_is_meant_again(bus, commands):
    own = await put_back(bus, commands)
    chunk = await orders(commands, named("payments", [own]))
    assert Effect("SECOND_REPLY", QUEUE) in chunk[0].seen.effects
    await bus.set(own, attempts=7)
    (answer,) = await commands.execute(chunk, errand())
    assert (answer.state, answer.code) == (ItemState.SKIPPED, "DRIFTED")
