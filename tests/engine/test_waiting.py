"""What a run does while a system works on something, or limits who asks: the others go on, nothing is sent twice."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.mixed import fill_all, put_on_hold, records
from support.watched import Watched, drive, run_of, watching
from support.world import WHO
from tui_app.domain.errors import CannotConnect, RateLimited
from tui_app.domain.items import Selection
from tui_app.domain.moments import read, stamp
from tui_app.domain.ports import Reply
from tui_app.domain.rates import Rate
from tui_app.domain.records import LedgerQuery, RunRecord
from tui_app.domain.run import Errand, ItemState, Order, PauseCause, RunState, Verified, item_key
from tui_app.engine.worker import FIRST_WAIT, LIMITED, LONGEST, LOOK, SHORTEST, TRIES

MINUTE = timedelta(minutes=1)


async def test_what_is_accepted_is_put_aside_and_asked_for_until_it_is_final(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=10)
    ids = fill_all(tmp_path, 20, "cases", "commands")
    plan = await world.plan(*(Selection(name, ids=tuple(ids[name])) for name in ("cases", "commands")))
    run = await world.confirm(plan)
    seen: list[RunRecord] = []

    async def look(seconds: float) -> None:
        seen.append(await world.store.runs.get(run.id))

    done = await drive(world, run, waiting=look)
    # by the time there was nothing to do but wait, the commands behind the cases were done
    assert seen[0].state is RunState.RUNNING
    assert seen[0].states == {ItemState.ACCEPTED: 20, ItemState.CANCELLED: 20}
    assert max(world.waits) <= LOOK
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 40})
    assert done.verified == {Verified.YES: 40}
    # what is accepted is no outcome: the ledger has one line an item, and only of what is final
    lines = await world.store.ledger.lines(LedgerQuery(run=run.id, limit=1000))
    assert sum(row.position >= 0 for row in lines) == 40
    assert {row.facts["event"] for row in lines if row.position >= 0} == {"cancelled"}


async def test_a_slow_system_is_asked_again_and_again(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=10)
    fill_all(tmp_path, 5, "cases")
    slow: Any = world.systems["cases"]
    slow.times = type(slow.times)(timedelta(seconds=20), slow.times.window)
    slow._port = type(slow._port)(slow.times, None)
    run = await run_of(world, "cases")
    systems = watching(world)
    asked = []

    async def reconcile(orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        asked.append(world.clock.moment)
        return await slow.reconcile(orders, errand)

    systems["cases"].reconcile = reconcile  # type: ignore[attr-defined]
    done = await drive(world, run, systems)
    assert done.states == {ItemState.CANCELLED: 5}
    assert len(systems["cases"].sent) == 1
    assert 15 <= len(asked) <= 25
    assert all(late - early >= timedelta(seconds=1) for early, late in pairwise(asked))


async def test_what_comes_in_the_way_after_it_was_accepted_is_told_as_refused(opened: Any, tmp_path: Path) -> None:
    world = opened()
    ids = fill_all(tmp_path, 6, "cases")["cases"]
    run = await run_of(world, "cases")
    held: list[str] = []

    async def hold(seconds: float) -> None:
        if not held:
            held.extend(ids[:2])
            put_on_hold(tmp_path, held)

    done = await drive(world, run, waiting=hold)
    assert done.codes == {(ItemState.CANCELLED, None): 4, (ItemState.REFUSED, "ACTIVE_HOLD"): 2}
    assert records(tmp_path)["cases"].cancelled() == set(ids[2:])
    told = {one.item.seen.id: one.outcome for one in await world.items(run.id) if one.state is ItemState.REFUSED}
    assert set(told) == set(held)
    assert all("hold" in (outcome.answer.message or "") for outcome in told.values() if outcome)


async def test_stopping_settles_what_was_accepted_and_sends_nothing_more(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=4)
    fill_all(tmp_path, 12, "cases")
    run = await run_of(world, "cases")
    systems = watching(world, then=lambda: world.steering.stop(run.id, WHO))
    done = await drive(world, run, systems)
    assert done.state is RunState.STOPPED
    assert done.codes == {(ItemState.CANCELLED, None): 4, (ItemState.SKIPPED, "STOPPED"): 8}
    assert done.verified == {Verified.YES: 4}
    assert len(systems["cases"].sent) == 1


async def test_pausing_leaves_what_was_accepted_for_later(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=4)
    fill_all(tmp_path, 8, "cases")
    run = await run_of(world, "cases")
    world.launcher.working = True
    systems = watching(world, then=lambda: world.steering.pause(run.id, WHO))
    paused = await drive(world, run, systems)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.OPERATOR)
    assert paused.states == {ItemState.ACCEPTED: 4}
    await world.steering.resume(run.id, WHO)
    assert (await drive(world, run)).states == {ItemState.CANCELLED: 8}


async def test_a_system_that_limits_us_waits_and_the_others_go_on(opened: Any, tmp_path: Path) -> None:
    world = opened(rates={"cases": Rate(2, MINUTE)})
    ids = fill_all(tmp_path, 5)
    plan = await world.plan(*(Selection(name, ids=tuple(ids[name])) for name in ("cases", "commands", "schedules")))
    run = await world.confirm(plan)
    systems, began = watching(world), world.clock.moment
    states: list[dict[ItemState, int]] = []

    async def look(seconds: float) -> None:
        states.append(dict((await world.store.runs.get(run.id)).states))

    done = await drive(world, run, systems, waiting=look)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 15})
    # nobody waited for the cases: when the first wait came, everything else was done
    assert states[0][ItemState.CANCELLED] >= 10
    for name in ("commands", "schedules"):
        assert all(at - began < MINUTE for at, _ in systems[name].answered)
    times = [at for at, _ in systems["cases"].answered]
    assert len(times) == 5
    assert all(late - early >= MINUTE for early, late in zip(times, times[2:], strict=False))
    # a window is tried once: each refusal is followed by what was asked for, not by another refusal
    assert len(systems["cases"].sent) - len(times) == 2
    assert max(world.waits) <= LOOK


async def test_however_often_it_is_limited_the_run_goes_on(opened: Any, tmp_path: Path) -> None:
    """Waiting for a limit is no failure: what pauses a run by itself counts failures."""
    world = opened(rates={"cases": Rate(1, MINUTE)})
    fill_all(tmp_path, TRIES + 3, "cases")
    run = await run_of(world, "cases")
    systems = watching(world)
    done = await drive(world, run, systems)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: TRIES + 3})
    limited = len(systems["cases"].sent) - len(systems["cases"].answered)
    assert limited == TRIES + 2
    keys = [orders[0].key for _, orders in systems["cases"].answered]
    assert len(set(keys)) == TRIES + 3


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(None, LIMITED), (0.0, SHORTEST), (90.0, timedelta(seconds=90)), (1e6, LONGEST)],
    ids=["not said", "no time", "a time", "for ever"],
)
async def test_a_limit_is_waited_for_as_long_as_it_says_within_reason(
    opened: Any, tmp_path: Path, asked: float | None, waited: timedelta
) -> None:
    world = opened()
    fill_all(tmp_path, 3, "commands")
    run = await run_of(world, "commands")
    limits = [RateLimited("slowly", retry_after=asked)]

    def reply(orders: Sequence[Order]) -> Sequence[Reply] | None:
        return [limits.pop()] * len(orders) if limits else None

    systems = watching(world, reply=reply)
    done = await drive(world, run, systems)
    assert done.states == {ItemState.CANCELLED: 3}
    (first, before, _), (second, after, _) = systems["commands"].sent
    assert waited <= second - first <= waited + timedelta(seconds=LOOK + 0.5)
    assert [order.key for order in before] == [order.key for order in after]


async def test_a_pause_is_heard_while_a_limit_is_waited_for(opened: Any, tmp_path: Path) -> None:
    world = opened(rates={"cases": Rate(1, MINUTE)})
    fill_all(tmp_path, 4, "cases")
    run = await run_of(world, "cases")
    world.launcher.working = True

    async def pause(seconds: float) -> None:
        if sum(world.waits) > 5 and (await world.store.runs.get(run.id)).wanted is None:
            await world.steering.pause(run.id, WHO)

    paused = await drive(world, run, waiting=pause)
    assert paused.state is RunState.PAUSED
    assert sum(world.waits) < 10
    world.launcher.working = False
    await world.steering.resume(run.id, WHO)
    assert (await drive(world, run)).states == {ItemState.CANCELLED: 4}


async def test_a_part_of_a_chunk_that_is_held_back_is_planned_again_and_sent_alone(opened: Any, tmp_path: Path) -> None:
    world = opened()
    ids = fill_all(tmp_path, 6, "commands")["commands"]
    run = await run_of(world, "commands")
    inner = world.systems["commands"]

    class HalfLimited(Watched):
        async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
            if self.sent:
                return await super().execute(orders, errand)
            done = await self.inner.execute(orders[:4], errand)
            self.sent.append((self.world.clock.now(), orders, done))
            return [*done, *[RateLimited("slowly", retry_after=30)] * 2]

    half = HalfLimited(inner, world)
    states: list[dict[ItemState, int]] = []

    async def look(seconds: float) -> None:
        states.append(dict((await world.store.runs.get(run.id)).states))

    done = await drive(world, run, {"commands": half}, waiting=look)
    # what was not sent is neither sending nor unknown meanwhile: it is planned, as if it had never been asked for
    assert states[0] == {ItemState.CANCELLED: 4}
    assert done.states == {ItemState.CANCELLED: 6}
    assert done.verified == {Verified.YES: 6}
    (_, first, _), (_, second, _) = half.sent
    assert len(first) == 6
    assert [order.key for order in second] == [order.key for order in first[4:]]
    assert records(tmp_path)["commands"].cancelled() == set(ids)
    at = [read(one.sent_at or "") for one in await world.items(run.id)]
    assert max(at) - min(at) >= timedelta(seconds=30)


async def test_what_was_accepted_is_asked_for_while_the_rest_of_its_chunk_is_held_back(
    opened: Any, tmp_path: Path
) -> None:
    world = opened()
    fill_all(tmp_path, 6, "cases")
    run = await run_of(world, "cases")

    class HalfLimited(Watched):
        async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
            if self.sent:
                return await super().execute(orders, errand)
            done = await self.inner.execute(orders[:4], errand)
            self.sent.append((self.world.clock.now(), orders, done))
            return [*done, *[RateLimited("slowly", retry_after=30)] * 2]

    half = HalfLimited(world.systems["cases"], world)
    began, settled = world.clock.moment, []

    async def look(seconds: float) -> None:
        if (await world.store.runs.get(run.id)).states.get(ItemState.CANCELLED) == 4:
            settled.append(world.clock.moment)

    done = await drive(world, run, {"cases": half}, waiting=look)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 6})
    assert settled[0] - began < timedelta(seconds=5)
    # the closed system got nothing before its time: one sending of four, one of the two that were left
    (first, _, _), (second, late, _) = half.sent
    assert second - first >= timedelta(seconds=30)
    assert len(late) == 2


async def test_what_cannot_be_reached_is_tried_again_after_longer_and_longer_waits(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full jitter: each wait is anything up to a bound, and the bounds double. Here all of it is taken."""
    monkeypatch.setattr("tui_app.engine.worker.random.uniform", lambda least, most: most)
    world = opened()
    fill_all(tmp_path, 3, "cases")
    run = await run_of(world, "cases")
    away = [CannotConnect("nobody answers")] * (TRIES - 1)

    def reply(orders: Sequence[Order]) -> Sequence[Reply] | None:
        if away:
            raise away.pop()
        return None

    done = await drive(world, run, watching(world, reply=reply))
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 3})
    assert world.waits[: TRIES - 1] == [FIRST_WAIT * 2**n for n in range(TRIES - 1)]


async def test_what_stays_away_pauses_the_run_by_itself_with_nothing_sent(opened: Any, tmp_path: Path) -> None:
    world = opened()
    fill_all(tmp_path, 3, "cases")
    run = await run_of(world, "cases")

    def reply(orders: Sequence[Order]) -> Sequence[Reply] | None:
        raise CannotConnect("nobody answers")

    systems = watching(world, reply=reply)
    paused = await drive(world, run, systems)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.BREAKER)
    assert paused.states == {}
    assert records(tmp_path)["cases"].taken().total() == 0
    await world.steering.resume(run.id, WHO)
    assert (await drive(world, run)).states == {ItemState.CANCELLED: 3}


async def test_a_gate_holds_for_every_run_and_outlives_whoever_closed_it(opened: Any, tmp_path: Path) -> None:
    world = opened(rates={"cases": Rate(2, MINUTE)})
    ids = fill_all(tmp_path, 6, "cases")["cases"]
    first = await world.confirm(await world.plan(Selection("cases", ids=tuple(ids[:3]))))
    second = await world.confirm(await world.plan(Selection("cases", ids=tuple(ids[3:]))), key="k2")

    class Killed(BaseException):
        """The runner dies while it waits."""

    async def die(seconds: float) -> None:
        if (await world.store.runs.get(first.id)).gates and seconds >= LOOK:
            raise Killed

    with pytest.raises(Killed):
        await drive(world, first, waiting=die)
    until = read((await world.store.runs.get(second.id)).gates["cases"])
    systems = watching(world)
    done = [await drive(world, one, systems) for one in (second, first)]
    assert [one.states for one in done] == [{ItemState.CANCELLED: 3}] * 2
    # neither the other run nor the runner that came after asked before its time
    assert systems["cases"].sent[0][0] >= until
    assert [one.gates for one in done] == [{}, {}]


async def test_a_gate_is_that_of_a_run_for_as_long_as_it_has_work_left_there(opened: Any, tmp_path: Path) -> None:
    world = opened()
    fill_all(tmp_path, 3, "cases", "commands")
    run = await run_of(world, "cases", "commands")
    until = world.clock.now() + MINUTE
    for system in ("cases", "commands", "schedules"):
        await world.store.work.close_gate(system, until)
    seen: list[RunRecord] = [await world.store.runs.get(run.id)]
    await world.store.work.close_gate("cases", until, Rate(5, MINUTE))
    assert (await world.store.runs.get(run.id)).paced == {}
    await world.store.work.close_gate("cases", until + MINUTE, Rate(5, MINUTE))
    assert (await world.store.runs.get(run.id)).paced == {"cases": "5/minute"}

    async def look(seconds: float) -> None:
        seen.append(await world.store.runs.get(run.id))

    done = await drive(world, run, waiting=look)
    assert done.states == {ItemState.CANCELLED: 6}
    named = [frozenset(one.gates) for one in (*seen, done)]
    # First both hold it back, then only the one that opens later; what was accepted by then waits for none.
    assert list(dict.fromkeys(named)) == [{"cases", "commands"}, {"cases"}, set()]
    assert any(not one.gates and one.state is RunState.RUNNING for one in seen)


async def test_one_item_that_hangs_does_not_keep_the_others_from_their_turn(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=1)
    fill_all(tmp_path, 8, "cases")
    run = await run_of(world, "cases")
    ids = [one.item.seen.id for one in await world.items(run.id)]
    hangs, asked = ids[1], []

    def reply(orders: Sequence[Order]) -> Sequence[Reply] | None:
        asked.append(orders[0].id)
        if orders[0].id == hangs:
            raise CannotConnect("no answer within 30 s")
        return None

    paused = await drive(world, run, watching(world, reply=reply))
    assert asked[:8] == ids
    # what is left in the end is what hangs, and that is tried as often as a system that is away
    assert asked.count(hangs) == len(asked) - 7
    assert asked[-TRIES + 1 :] == [hangs] * (TRIES - 1)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.BREAKER)
    assert paused.states == {ItemState.CANCELLED: 7}
    await world.steering.resume(run.id, WHO)
    assert (await drive(world, run)).states == {ItemState.CANCELLED: 8}


async def test_what_cannot_be_settled_does_not_keep_the_others_from_their_turn(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=1)
    ids = fill_all(tmp_path, 6, "cases")["cases"]
    run = await run_of(world, "cases")
    systems, inner = watching(world), world.systems["cases"]

    async def reconcile(orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        if orders[0].id == ids[0]:
            return [CannotConnect("no answer within 30 s")]
        return await inner.reconcile(orders, errand)

    systems["cases"].reconcile = reconcile  # type: ignore[attr-defined]
    paused = await drive(world, run, systems)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.BREAKER)
    assert paused.states == {ItemState.ACCEPTED: 1, ItemState.CANCELLED: 5}
    await world.steering.resume(run.id, WHO)
    assert (await drive(world, run)).states == {ItemState.CANCELLED: 6}


async def test_a_system_that_does_not_even_tell_which_it_is_pauses_the_run(opened: Any, tmp_path: Path) -> None:
    world = opened()
    fill_all(tmp_path, 3, "cases")
    run = await run_of(world, "cases")
    systems = watching(world)
    asked = []

    async def identity() -> str:
        asked.append(world.clock.moment)
        raise CannotConnect("nobody answers")

    systems["cases"].identity = identity  # type: ignore[attr-defined]
    paused = await drive(world, run, systems)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.BREAKER)
    assert len(asked) == TRIES
    await world.steering.resume(run.id, WHO)
    assert (await drive(world, run)).states == {ItemState.CANCELLED: 3}


async def test_a_gate_that_opens_while_a_runner_looks_for_work_ends_no_run(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between finding nothing to claim and asking when there will be something, time passes."""
    world = opened(rates={"cases": Rate(1, MINUTE)})
    fill_all(tmp_path, 3, "cases")
    run = await run_of(world, "cases")
    next_due = world.store.work.next_due

    async def late(*asked: Any) -> str | None:
        world.clock.forward(3600)
        return await next_due(asked[0], world.clock.now())

    monkeypatch.setattr(world.store.work, "next_due", late)
    done = await drive(world, run)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 3})


async def test_a_closed_system_is_not_sent_what_a_dead_runner_may_have_sent(opened: Any, tmp_path: Path) -> None:
    """Of a chunk one was accepted and one has an intent alone: that is asked for, and this waits for the gate."""
    world = opened(chunk=2)
    fill_all(tmp_path, 2, "cases")
    run = await run_of(world, "cases")
    claim = await world.store.work.claim(run.id, "dead", world.clock.read())
    assert claim is not None
    keys = {one.item.position: item_key(run.secret, run.id, "cases", one.item.seen.id) for one in claim.items}
    await world.store.work.intend(claim, keys, stamp(world.clock.now()))
    why = Errand(run.id, claim.chunk, run.plan.verb, run.principal, run.confirmed.reason, run.confirmed.options)
    first = claim.items[0]
    await world.systems["cases"].execute([Order(first.item.seen.id, keys[0], first.item.seen)], why)
    await world.store.work.accept(claim, [0], stamp(world.clock.now()))
    opens = world.clock.moment + MINUTE
    await world.store.work.close_gate("cases", opens)
    taken: list[tuple[datetime, int]] = []

    async def look(seconds: float) -> None:
        taken.append((world.clock.moment, records(tmp_path)["cases"].taken().total()))

    done = await drive(world, run, waiting=look)
    assert done.states == {ItemState.CANCELLED: 2}
    assert {number for at, number in taken if at < opens} == {1}
    assert taken[-1][1] == 2
