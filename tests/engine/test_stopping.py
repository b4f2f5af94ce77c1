"""Stopping a run: what was not sent is skipped at once, whatever its systems do, and nothing is sent after it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.mixed import fill_all, records
from support.watched import Watched, drive, run_of, watching
from support.world import WHO, World
from tui_app.domain.errors import CannotConnect, Conflict, NotSignedIn, RateLimited
from tui_app.domain.items import Seen
from tui_app.domain.ledger import Event
from tui_app.domain.ports import Reply
from tui_app.domain.rates import Rate
from tui_app.domain.records import LedgerQuery, RunRecord
from tui_app.domain.run import Errand, ItemState, Order, PauseCause, RunState, Verified, item_key
from tui_app.engine import stopping

CANCELLED, SKIPPED, ACCEPTED = (ItemState.CANCELLED, None), (ItemState.SKIPPED, "STOPPED"), (ItemState.ACCEPTED, None)


class Away:
    """A system that nobody can reach, not even to be told which it is."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self._error = error or CannotConnect("nobody answers")

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: object, **__: object) -> None:
            self.asked += 1
            raise self._error

        return fail


async def events(world: World, run: RunRecord) -> list[tuple[str, str]]:
    """Which entries the chain of a run has, and of whom."""
    lines = await world.store.ledger.lines(LedgerQuery(run=run.id, limit=1000))
    told = [one.facts for one in lines if one.position < 0]
    return [(facts["event"], facts["operator"]) for facts in told if facts["event"] != Event.HEAD]


async def taken_on(world: World, run: RunRecord) -> dict[str, Watched]:
    """Send the first chunk, and pause before the system is done with it."""
    world.launcher.working = True
    systems = watching(world, then=lambda: world.steering.pause(run.id, WHO))
    assert (await drive(world, run, systems)).state is RunState.PAUSED
    world.launcher.working = False
    return systems


async def test_a_stop_needs_no_system(opened: Any, tmp_path: Path) -> None:
    """Nothing was sent: nobody has to be asked, and no runner has to come."""
    world = opened()
    fill_all(tmp_path, 5)
    run = await run_of(world)
    world.steering._systems = dict.fromkeys(run.targets, Away())
    starts = world.launcher.starts
    stopped = await world.steering.stop(run.id, WHO)
    assert (stopped.state, stopped.codes, stopped.stopped_by) == (RunState.STOPPED, {SKIPPED: 15}, WHO.operator)
    assert stopped.head is not None
    assert world.launcher.starts == starts
    assert await events(world, run) == [
        (event, WHO.operator) for event in ("confirmed", "stopping", "chunk", "chunk", "chunk", "stopped")
    ]


async def test_a_runner_at_work_ends_a_stopped_run_without_its_systems(opened: Any, tmp_path: Path) -> None:
    world = opened()
    fill_all(tmp_path, 5, "commands")
    run = await run_of(world, "commands")
    world.launcher.working = True
    assert (await world.steering.stop(run.id, WHO)).state is RunState.QUEUED
    away = Away()
    done = await drive(world, run, {"commands": away})
    assert (done.state, done.codes, away.asked) == (RunState.STOPPED, {SKIPPED: 5}, 0)
    assert world.waits == []


async def test_what_cannot_be_settled_leaves_the_run_paused_and_says_that_it_is_stopping(
    opened: Any, tmp_path: Path
) -> None:
    world = opened(chunk=4)
    fill_all(tmp_path, 12, "cases")
    run = await run_of(world, "cases")
    before = await taken_on(world, run)
    stopped = await world.steering.stop(run.id, WHO)
    # before any runner comes: what was not sent never will be
    assert (stopped.codes, stopped.unsent, stopped.unsettled) == ({ACCEPTED: 4, SKIPPED: 8}, 0, 4)
    assert (stopped.wanted, stopped.stopped_by) == (RunState.STOPPED, WHO.operator)
    paused = await drive(world, run, {"cases": Away()})
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.BREAKER)
    assert (paused.wanted, paused.stopped_by, paused.unsettled) == (RunState.STOPPED, WHO.operator, 4)
    told = [event for event, _ in await events(world, run)]
    assert told[-3:] == ["stopping", "chunk", "paused"]
    assert "resumed" not in told
    # resuming settles
    await world.steering.resume(run.id, WHO)
    after = watching(world)
    done = await drive(world, run, after)
    assert (done.state, done.codes) == (RunState.STOPPED, {CANCELLED: 4, SKIPPED: 8})
    assert done.verified == {Verified.YES: 4}
    assert (len(before["cases"].sent), len(after["cases"].sent)) == (1, 0)


async def test_a_stopped_run_whose_token_has_ended_waits_for_one(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=4)
    fill_all(tmp_path, 8, "cases")
    run = await run_of(world, "cases")
    await taken_on(world, run)
    await world.steering.stop(run.id, WHO)
    systems = watching(world)
    systems["cases"].reconcile = Away(NotSignedIn("the token has ended")).reconcile  # type: ignore[attr-defined]
    paused = await drive(world, run, systems)
    assert (paused.pause and paused.pause.cause, paused.wanted) == (PauseCause.CREDENTIALS, RunState.STOPPED)
    assert paused.codes == {ACCEPTED: 4, SKIPPED: 4}


async def test_a_closed_gate_holds_up_no_stop(opened: Any, tmp_path: Path) -> None:
    world = opened(rates={"cases": Rate(1, timedelta(hours=1))})
    fill_all(tmp_path, 4, "cases")
    run = await run_of(world, "cases")
    world.launcher.working = True

    async def stop(seconds: float) -> None:
        asked = (await world.store.runs.get(run.id)).wanted
        if sum(world.waits) > 5 and asked is None:
            await world.steering.stop(run.id, WHO)

    done = await drive(world, run, waiting=stop)
    assert (done.state, done.codes) == (RunState.STOPPED, {CANCELLED: 1, SKIPPED: 3})
    assert sum(world.waits) < 10


async def test_a_stop_that_comes_while_items_are_read_is_heard_before_they_are_sent(
    opened: Any, tmp_path: Path
) -> None:
    world = opened()
    fill_all(tmp_path, 4, "commands")
    run = await run_of(world, "commands")
    world.launcher.working = True
    systems = watching(world)
    inner = systems["commands"].inner

    async def survey(*asked: Any) -> list[Seen]:
        await world.steering.stop(run.id, WHO)
        return await inner.survey(*asked)

    systems["commands"].survey = survey  # type: ignore[attr-defined]
    done = await drive(world, run, systems)
    assert (done.state, done.codes) == (RunState.STOPPED, {SKIPPED: 4})
    assert systems["commands"].sent == []


async def test_what_turns_out_not_to_have_been_sent_before_the_stop_is_not_sent_after_it(
    opened: Any, tmp_path: Path
) -> None:
    """A runner dies between its intents and their answers; two of four had arrived."""
    world = opened()
    ids = fill_all(tmp_path, 4)
    run = await run_of(world)
    for name in run.targets:
        claim = await world.store.work.claim(run.id, "dead", world.clock.read())
        assert claim is not None
        system = world.systems[claim.system]
        keys = {one.item.position: item_key(run.secret, run.id, claim.system, one.item.seen.id) for one in claim.items}
        await world.store.work.intend(claim, keys, "2026-01-02T00:00:00.000000Z")
        sent = [Order(one.item.seen.id, keys[one.item.position], one.item.seen) for one in claim.items[:2]]
        why = Errand(run.id, claim.chunk, run.plan.verb, run.principal, run.confirmed.reason, run.confirmed.options)
        await system.execute(sent, why)
        assert len(ids[name]) == 4
    await world.steering.stop(run.id, WHO)
    systems = watching(world)
    done = await drive(world, run, systems)
    assert (done.state, done.codes) == (RunState.STOPPED, {CANCELLED: 6, SKIPPED: 6})
    assert done.verified == {Verified.YES: 6}
    assert {name: len(one.cancelled()) for name, one in records(tmp_path).items()} == dict.fromkeys(run.targets, 2)


async def test_a_large_run_is_skipped_in_pages(opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "AT_ONCE", 7)
    world = opened(chunk=4)
    fill_all(tmp_path, 10)
    run = await run_of(world)
    stopped = await world.steering.stop(run.id, WHO)
    assert (stopped.state, stopped.codes) == (RunState.STOPPED, {SKIPPED: 30})
    lines = await world.store.ledger.lines(LedgerQuery(run=run.id, limit=1000))
    assert sum(one.position >= 0 for one in lines) == 30
    assert max(one.facts["items"] for one in lines if one.facts["event"] == Event.CHUNK) <= 7


async def test_a_stop_cannot_be_taken_back_nor_is_it_asked_twice(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=4)
    fill_all(tmp_path, 8, "cases")
    run = await run_of(world, "cases")
    await taken_on(world, run)
    await world.steering.stop(run.id, WHO)
    await world.steering.stop(run.id, WHO)
    with pytest.raises(Conflict, match="being stopped"):
        await world.steering.pause(run.id, WHO)
    assert [event for event, _ in await events(world, run)].count("stopping") == 1
    done = await drive(world, run)
    assert (done.state, done.codes) == (RunState.STOPPED, {CANCELLED: 4, SKIPPED: 4})
    with pytest.raises(Conflict):
        await world.steering.stop(run.id, WHO)


async def test_a_run_that_is_being_stopped_can_be_undone(opened: Any, tmp_path: Path) -> None:
    world = opened(rates={"cases": Rate(1, timedelta(hours=1))})
    fill_all(tmp_path, 3, "cases")
    run = await run_of(world, "cases")
    done: list[str] = []

    async def stop_later(seconds: float) -> None:
        if (await world.store.runs.get(run.id)).states.get(ItemState.CANCELLED, 0) and not done:
            world.launcher.working = True
            await world.steering.stop(run.id, WHO)
            world.launcher.working = False
            back = await world.confirm(await world.undo(run.id), key="k2")
            done.append(back.id)

    await drive(world, run, waiting=stop_later)
    [back] = done
    assert (await drive(world, await world.store.runs.get(back))).state is RunState.FINISHED


class Interrupting:
    """The journal as a runner uses it, which is told to stop before one of its calls."""

    def __init__(self, inner: Any, world: World, run: RunRecord, at: int) -> None:
        self._inner, self._world, self._run = inner, world, run
        self.left = at
        self.sent_before = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*args: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                await self._world.steering.stop(self._run.id, WHO)
            return await method(*args, **more)

        return call


@pytest.mark.parametrize("at", range(1, 36))
async def test_wherever_the_stop_comes_nothing_more_is_sent(opened: Any, tmp_path: Path, at: int) -> None:
    world = opened(chunk=2)
    fill_all(tmp_path, 4)
    run = await run_of(world)
    world.launcher.working = True
    journal = Interrupting(world.store.work, world, run, at)
    late: list[Sequence[Order]] = []

    class Late(Watched):
        async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
            if (await world.store.runs.get(run.id)).stopped_by is not None:
                late.append(orders)
            if not self.sent:
                self.sent.append((world.clock.now(), orders, ()))
                return [RateLimited("slowly", retry_after=2)] * len(orders)
            return await super().execute(orders, errand)

    world.store.work = journal
    done = await drive(world, run, {name: Late(one, world) for name, one in world.systems.items()})
    world.store.work = journal._inner
    assert done.state is RunState.STOPPED if journal.left <= 0 else RunState.FINISHED
    assert sum(done.states.values()) == 12
    # one chunk may have been on its way
    assert len(late) <= 1
    assert done.gates == {}
    await assert_invariants(world.store, *records(tmp_path).values())
