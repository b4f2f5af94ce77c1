"""A clock that was wrong: what was noted while it was ahead counts for no longer than it ever may, once it is right."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.case_server import case_server
from support.mixed import everything, fill_all, mixed_world
from support.orders import errand, key_of, orders
from support.world import WHO, MovableClock, commands, fill, make_world
from tui_app.cli.telling import run_lines
from tui_app.clock import BOOT, SystemClock
from tui_app.domain import moments
from tui_app.domain.clocks import Look, Reading
from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotSignedIn, PlanExpired, RateLimited
from tui_app.domain.items import Seen
from tui_app.domain.moments import EARLIEST, LATEST, clamped, recent
from tui_app.domain.plan import PlanState
from tui_app.domain.rates import ASKED, Rate
from tui_app.domain.run import ItemState, Order, RunState
from tui_app.domain.verdict import YES, VerdictCode
from tui_app.outbound.tokens import TokenSource
from tui_app.service.native.idempotency import KEPT, Answers, Kept, Scope
from tui_app.service.native.limits import Limiter
from tui_app.service.words import run_model
from tui_app.store.sqlite import permits, work
from tui_app.systems.cases import embedded
from tui_app.systems.cases.waits import Waits

DAY = timedelta(days=1)
JUMPS = [DAY, timedelta(hours=5), timedelta(minutes=20), -timedelta(hours=5), -DAY]
MINUTE = timedelta(minutes=1)
MOMENTS = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)).map(
    lambda one: one.replace(tzinfo=EARLIEST.tzinfo)
)


class NeverEnds(BaseException):
    """It was waited for longer than anything may last; no worker contains it."""


@dataclass
class Waiting:
    """Waits by moving the clock, and no longer than so much in all."""

    clock: MovableClock
    most: timedelta
    waited: timedelta = timedelta(0)

    async def __call__(self, seconds: float) -> None:
        self.waited += timedelta(seconds=max(seconds, 0.01))
        if self.waited > self.most:
            raise NeverEnds
        self.clock.forward(max(seconds, 0.01))


def set_right(clock: MovableClock, ahead: timedelta) -> None:
    """The clock was ahead by so much until now; behind, where that is less than nothing."""
    clock.jump(-ahead)


async def finish(world: Any, run_id: str, most: timedelta, rates: dict[str, Rate] | None = None) -> Waiting:
    waiting = Waiting(world.clock, most)
    run = await replace(world.worker(), wait=waiting, rates=rates or {}).drive(run_id)
    assert run.state is RunState.FINISHED
    return waiting


@given(MOMENTS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_nothing_counts_for_longer_than_its_span(until, now, longest):
    found = clamped(until, now, longest)
    assert found <= moments.later(now, longest)
    assert found == until or until > found
    assert recent(until, now, longest) == (now - longest < until <= now)


@pytest.mark.parametrize("ahead", JUMPS, ids=str)
async def test_permits_hold_the_rate_for_one_unit_whichever_way_the_clock_was_set(tmp_path, ahead):
    world, rates = make_world(tmp_path), {"commands": Rate(2, MINUTE)}
    ids = fill(tmp_path / "commands.db", 4)
    try:
        first = await world.confirm(await world.plan(commands(*ids[:2])))
        second = await world.confirm(await world.plan(commands(*ids[2:])), key="k2")
        await finish(world, first.id, MINUTE, rates)
        set_right(world.clock, ahead)
        waiting = await finish(world, second.id, 2 * MINUTE, rates)
        assert waiting.waited > MINUTE - timedelta(seconds=5)
        assert {one.state for one in await world.items(second.id)} == {ItemState.CANCELLED}
    finally:
        await world.close()


@pytest.mark.parametrize("ahead", JUMPS, ids=str)
async def test_a_jump_while_the_host_is_started_anew_costs_one_turn_and_one_unit_at_most(tmp_path, ahead):
    world, rates = make_world(tmp_path), {"commands": Rate(2, MINUTE)}
    ids = fill(tmp_path / "commands.db", 6)
    try:
        first = await world.confirm(await world.plan(commands(*ids[:2])))
        second = await world.confirm(await world.plan(commands(*ids[2:])), key="k2")
        await finish(world, first.id, MINUTE, rates)
        set_right(world.clock, ahead)
        world.clock.start_anew()
        waiting = await finish(world, second.id, permits.LONGEST_TURN + 3 * MINUTE, rates)
        # The first two may go at once where the clock was set forward meanwhile; the next two may not.
        assert waiting.waited > MINUTE - timedelta(seconds=5)
    finally:
        await world.close()


@pytest.mark.parametrize("ahead", JUMPS, ids=str)
async def test_a_permit_of_a_dead_worker_holds_the_rate_for_one_turn_and_one_unit_at_most(tmp_path, ahead):
    world, rate = make_world(tmp_path), Rate(2, MINUTE)
    ids = fill(tmp_path / "commands.db", 4)
    try:
        first = await world.confirm(await world.plan(commands(*ids[:2])))
        second = await world.confirm(await world.plan(commands(*ids[2:])), key="k2")
        claim = await world.store.work.claim(first.id, "dead", world.clock.read())
        assert (await world.store.work.take(claim, 2, rate, world.clock.read())).items == 2
        set_right(world.clock, ahead)
        waiting = await finish(world, second.id, permits.LONGEST_TURN + 2 * MINUTE, {"commands": rate})
        assert waiting.waited > permits.LONGEST_TURN
    finally:
        await world.close()


@pytest.mark.parametrize("rate", [None, Rate(2, MINUTE)], ids=str)
@pytest.mark.parametrize("ahead", JUMPS, ids=str)
async def test_a_gate_is_closed_for_as_long_as_a_system_may_ask_at_most(tmp_path, ahead, rate):
    world = make_world(tmp_path)
    ids = fill(tmp_path / "commands.db", 2)
    try:
        run = await world.confirm(await world.plan(commands(*ids)))
        await world.store.work.close_gate("commands", world.clock.now() + MINUTE, rate)
        set_right(world.clock, ahead)
        waiting = await finish(world, run.id, ASKED + MINUTE)
        assert rate is None or waiting.waited <= 2 * MINUTE
    finally:
        await world.close()


@pytest.mark.parametrize("ahead", JUMPS, ids=str)
async def test_what_a_system_has_accepted_is_asked_for_soon(tmp_path, ahead):
    world = mixed_world(tmp_path)
    fill_all(tmp_path, 3, "cases")
    try:
        run = await world.confirm(await world.plan(*everything("cases")))

        async def stop(_: float) -> None:
            raise NeverEnds

        with pytest.raises(NeverEnds):
            await replace(world.worker(), wait=stop).drive(run.id)
        states = {one.state for one in await world.items(run.id)}
        assert states == {ItemState.ACCEPTED}
        world.clock.forward(2)
        # The case management has its own clock, which is right; ours was wrong when the chunk was set aside.
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            due = moments.stamp(world.clock.now() + ahead)
            connection.execute("UPDATE chunk SET due_at = ? WHERE state = 'aside'", (due,))
        await finish(world, run.id, work.ASIDE + MINUTE)
    finally:
        await world.close()


@pytest.mark.parametrize("ahead", JUMPS, ids=str)
async def test_a_plan_whose_maker_died_is_taken_up(tmp_path, ahead):
    world = make_world(tmp_path)
    ids = fill(tmp_path / "commands.db", 2)
    try:
        now = world.clock.now()
        plan = await world.planner.start((commands(*ids),), Verb.CANCEL, None, None, WHO)
        await world.planner.close()
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            connection.execute(
                "UPDATE plan SET state = 'building', hash = NULL, holder = 'dead', lease_until = ?",
                (moments.stamp(now + timedelta(seconds=15)),),
            )
        set_right(world.clock, ahead)
        if ahead < timedelta(0):
            world.clock.forward(1)
        stored = await world.store.plans.get(plan.id)
        assert world.planner.interrupted(stored)
        later = world.clock.now()
        assert await world.store.plans.lease(plan.id, "living", later, later + timedelta(seconds=15))
        assert not await world.store.plans.lease(plan.id, "third", later, later + timedelta(seconds=15))
    finally:
        await world.close()


@pytest.mark.parametrize("ahead", [one for one in JUMPS if abs(one) > timedelta(minutes=10)], ids=str)
async def test_a_plan_lives_no_longer_for_a_clock_that_was_ahead(tmp_path, ahead):
    world = make_world(tmp_path)
    ids = fill(tmp_path / "commands.db", 2)
    try:
        plan = await world.plan(commands(*ids))
        assert plan.state is PlanState.READY
        set_right(world.clock, ahead)
        with pytest.raises(PlanExpired, match="a clock was or is wrong" if ahead > timedelta(0) else "expired at"):
            await world.confirm(plan)
    finally:
        await world.close()


async def test_a_token_command_is_run_again_though_the_clock_was_ahead(tmp_path):
    clock, count = MovableClock(), tmp_path / "count"
    command = (sys.executable, "-c", f"open({str(count)!r}, 'a').write('x'); raise SystemExit(3)")
    source = TokenSource(command, None, "TOKEN", {}, clock=clock)
    for jump in (timedelta(0), DAY):
        set_right(clock, jump)
        with pytest.raises(NotSignedIn):
            await source.current()
    clock.forward(6)
    with pytest.raises(NotSignedIn):
        await source.current()
    assert count.read_text() == "xx"


async def test_a_case_server_is_asked_again_though_the_clock_was_ahead():
    async with case_server("CASE-1") as way:
        system = way.open()
        clock = way.server.clock
        way.server.quirks.reads = Rate(1, MINUTE)
        with pytest.raises(RateLimited):
            await system.survey(["CASE-1"])
        way.server.quirks.reads = None
        set_right(clock, DAY)
        with pytest.raises(RateLimited) as limited:
            await system.survey(["CASE-1"])
        assert limited.value.retry_after <= 900
        clock.forward(limited.value.retry_after)
        (seen,) = await system.survey(["CASE-1"])
        assert seen.verdict.cancellable


def test_what_waits_for_a_case_server_is_asked_for_again_though_the_clock_was_ahead():
    clock, waits = MovableClock(), Waits()
    order = Order("CASE-1", key_of("run-1", "CASE-1"), Seen("CASE-1", "pending", "1", YES))
    waits.take(order, None, clock.now())
    waits.still_busy(order, timedelta(0), clock.now())
    set_right(clock, DAY)
    assert waits.wait(order, clock.now())
    clock.forward(16 * 60)
    assert not waits.wait(order, clock.now())


async def test_a_key_is_held_for_no_longer_though_the_clock_was_ahead(tmp_path):
    clock, scope = MovableClock(), Scope("jane", "cancel", "1", "k")
    dead, living = Answers(tmp_path / "native.db"), Answers(tmp_path / "native.db")
    try:
        assert not isinstance(await dead.claim(scope, "hash", clock.now()), Kept)
        set_right(clock, DAY + KEPT)
        await living.claim(replace(scope, key="other"), "hash", clock.now())
        clock.forward(31)
        assert not isinstance(await living.claim(scope, "hash", clock.now()), Kept)
    finally:
        await dead.close()
        await living.close()


@pytest.mark.parametrize("name", ["cases", "schedules"])
async def test_a_limit_of_an_embedded_system_is_over_after_its_window_though_the_clock_was_ahead(tmp_path, name):
    world = mixed_world(tmp_path, rates={name: Rate(1, MINUTE)})
    ids = fill_all(tmp_path, 2, name)[name]
    system = world.systems[name]
    try:
        for item_id, jump in ((ids[0], timedelta(0)), (ids[1], DAY)):
            set_right(world.clock, jump)
            sent = await orders(system, [item_id])
            try:
                (reply,) = await system.execute(sent, errand())
            except RateLimited as limited:
                reply = limited
        assert isinstance(reply, RateLimited)
        assert reply.retry_after <= 60
        world.clock.forward(61)
        (reply,) = await system.execute(await orders(system, [ids[1]]), errand())
        assert not isinstance(reply, RateLimited)
    finally:
        await world.close()


async def undo_windows_end(folder: Any, ahead: timedelta, *, seen_before: bool) -> None:
    """A case that was cancelled while the clock was ahead is complete, and can be brought back, for its own spans."""
    world = mixed_world(folder)
    ids = fill_all(folder, 2, "cases")["cases"]
    cases = world.systems["cases"]
    try:
        sent = await orders(cases, ids)
        await cases.execute(sent, errand())
        if seen_before:
            world.clock.forward(2)
            await cases.item(ids[0])
        set_right(world.clock, ahead)
        await cases.item(ids[0])
        world.clock.forward(2)
        assert {one.state for one in await cases.reconcile(sent, errand())} == {ItemState.CANCELLED}
        seen = await cases.survey(ids, Verb.REINSTATE)
        assert {one.verdict.code for one in seen} == {None}
        [due] = {one.due for one in seen}
        left = moments.read(due) - world.clock.now()
        assert timedelta(hours=2) - MINUTE < left <= timedelta(hours=2)
        # The answer of the run bears the same moment, and so does the table.
        assert {one.undo_until for one in await cases.reconcile(sent, errand())} == {due}
        assert (await cases.item(ids[0])).fields["rollback_deadline"] == due
        world.clock.forward(7_201)
        back = await orders(cases, ids, "run-2", verb=Verb.REINSTATE)
        assert {one.seen.verdict.code for one in back} == {VerdictCode.WINDOW_CLOSED}
        told = await cases.execute(back, errand("run-2", verb=Verb.REINSTATE))
        assert {one.code for one in told} == {VerdictCode.WINDOW_CLOSED}
    finally:
        await world.close()


@pytest.mark.parametrize("seen_before", [True, False], ids=["complete", "not complete"])
@pytest.mark.parametrize("ahead", [one for one in JUMPS if one > timedelta(0)], ids=str)
async def test_an_undo_window_is_open_for_no_longer_though_the_clock_was_ahead(tmp_path, ahead, seen_before):
    await undo_windows_end(tmp_path, ahead, seen_before=seen_before)


async def test_a_case_management_that_believes_every_window_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "clamp", lambda connection, now: None)
    with pytest.raises(AssertionError):
        await undo_windows_end(tmp_path, DAY, seen_before=True)


def test_the_limit_of_the_native_routes_locks_nobody_out():
    clock, limiter = MovableClock(), Limiter({"read": Rate(1, MINUTE)})
    assert limiter.take("jane", "read", clock.now())[1] is None
    set_right(clock, DAY)
    assert limiter.take("jane", "read", clock.now())[1] is None


@pytest.mark.parametrize(
    ("jump", "said"), [(DAY, "set forward by 1 d 00 h"), (-DAY, "set back by 1 d 00 h"), (timedelta(seconds=3), None)]
)
async def test_a_clock_that_is_set_is_logged_and_stands_in_the_ledger_of_the_run(tmp_path, caplog, jump, said):
    world = make_world(tmp_path)
    ids = fill(tmp_path / "commands.db", 2)
    try:
        run = await world.confirm(await world.plan(commands(*ids)))
        await world.store.work.close_gate("commands", world.clock.now() + MINUTE)
        jumps = [jump]

        async def wait(seconds: float) -> None:
            world.clock.forward(max(seconds, 0.01))
            if jumps:
                world.clock.jump(jumps.pop())

        done = await replace(world.worker(), wait=wait).drive(run.id)
        assert done.state is RunState.FINISHED
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            bodies = "".join(row[0] for row in connection.execute("SELECT body FROM ledger"))
        assert ("the clock was" in bodies, "the clock was" in caplog.text) == (said is not None, said is not None)
        assert said is None or (said in bodies and said in caplog.text)
        assert done.clock == (None if said is None else f"the clock was {said}")
        assert (await world.store.ledger.check()).problems == ()
        told = "\n".join(run_lines(run_model(done, at_work=False)))
        assert ("while this run was under way" in told) == (said is not None)
    finally:
        await world.close()


@pytest.mark.parametrize(
    ("jump", "anew", "said"),
    [
        (DAY, False, "set forward by 1 d 00 h"),
        (-DAY, False, "set back by 1 d 00 h"),
        (timedelta(seconds=3), False, None),
        (-DAY, True, "set back by at least 23 h 59 min"),
        (DAY, True, None),
    ],
)
async def test_a_clock_that_is_set_between_two_runners_stands_in_the_ledger_of_the_run(
    tmp_path, caplog, jump, anew, said
):
    world = make_world(tmp_path)
    ids = fill(tmp_path / "commands.db", 2)
    try:
        run = await world.confirm(await world.plan(commands(*ids)))
        await world.store.work.close_gate("commands", world.clock.now() + timedelta(seconds=30))

        async def die(seconds: float) -> None:
            raise NeverEnds

        with pytest.raises(NeverEnds):
            await replace(world.worker(), wait=die).drive(run.id)
        world.clock.forward(20)
        world.clock.jump(jump)
        if anew:
            world.clock.start_anew()
        # The next one dies, too, before it has told anybody what it has seen.
        await world.store.work.close_gate("commands", world.clock.now() + timedelta(seconds=30))
        with pytest.raises(NeverEnds):
            await replace(world.worker(), wait=die).drive(run.id)
        world.clock.forward(3600)
        done = await replace(world.worker(), wait=die).drive(run.id)
        assert done.state is RunState.FINISHED
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            bodies = [row[0] for row in connection.execute("SELECT body FROM ledger")]
        assert any("the clock was" in body for body in bodies) == (said is not None)
        assert done.clock == (None if said is None else f"the clock was {said}")
        assert caplog.text.count("the clock was") == (said is not None)
        assert (await world.store.ledger.check()).problems == ()
    finally:
        await world.close()


@pytest.mark.parametrize("column", ["now = 'never'", "steady = 'long'"])
async def test_a_look_that_cannot_be_read_keeps_no_run_from_going_on(tmp_path, column):
    world = make_world(tmp_path)
    ids = fill(tmp_path / "commands.db", 1)
    try:
        run = await world.confirm(await world.plan(commands(*ids)))
        await world.store.work.keep_look(run.id, Look(Reading.of(world.clock)))
        with sqlite3.connect(tmp_path / "journal.db") as connection:
            connection.execute(f"UPDATE clock_look SET {column}")
        done = await world.worker().drive(run.id)
        assert (done.state, done.clock) == (RunState.FINISHED, None)
    finally:
        await world.close()


BROKEN: list[Callable[[datetime, datetime, timedelta], datetime]] = [
    lambda until, now, longest: until,
    lambda until, now, longest: max(until, now + longest),
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_store_that_believes_every_moment_is_found(tmp_path, monkeypatch, broken):
    for module in (permits, work):
        monkeypatch.setattr(module, "clamped", broken)
    with pytest.raises(NeverEnds):
        await test_a_gate_is_closed_for_as_long_as_a_system_may_ask_at_most(tmp_path, DAY, None)


async def test_a_rate_that_counts_by_the_clock_that_is_set_is_found(tmp_path, monkeypatch):
    usual = permits.take
    monkeypatch.setattr(permits, "take", lambda *given: usual(*given[:-1], replace(given[-1], boot=str(uuid4()))))
    with pytest.raises(AssertionError):
        await test_permits_hold_the_rate_for_one_unit_whichever_way_the_clock_was_set(tmp_path, -DAY)


async def test_a_runner_that_knows_nothing_of_the_one_before_is_found(tmp_path, monkeypatch, caplog):
    async def forget(work, run_id):
        return None

    monkeypatch.setattr(work.SqliteWork, "last_look", forget)
    with pytest.raises(AssertionError):
        await test_a_clock_that_is_set_between_two_runners_stands_in_the_ledger_of_the_run(
            tmp_path, caplog, DAY, False, "set forward by 1 d 00 h"
        )


@pytest.mark.skipif(not BOOT.exists(), reason="this host does not name its starts")
def test_two_processes_of_one_start_of_the_host_can_compare_their_seconds():
    code = "from tui_app.clock import SystemClock as C; print(C().steady(), C().boot())"
    here = SystemClock()
    before = here.steady()
    seconds, boot = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert boot == here.boot() != ""
    assert before <= float(seconds) <= here.steady()
