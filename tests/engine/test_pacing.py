"""The pace of a profile: never more items in any window than its rate, whoever runs beside it and whatever dies."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.invariants import assert_invariants
from support.mixed import fill_all, mixed_world, records
from support.watched import Watched, drive, run_of, watching
from support.world import WHO, World
from tui_app.domain.errors import CannotConnect, OutcomeUnknown, QuashError
from tui_app.domain.items import Selection
from tui_app.domain.moments import read
from tui_app.domain.ports import Reply, System
from tui_app.domain.rates import Rate
from tui_app.domain.records import Grant, RunRecord
from tui_app.domain.run import Errand, ItemState, Order, PauseCause, RunState
from tui_app.engine.worker import LOOK, TRIES, Worker
from tui_app.store.sqlite import permits

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def at_once(times: Sequence[datetime], per: timedelta) -> int:
    """The most that any window of this length holds."""
    ordered = sorted(times)
    return max((sum(start <= one < start + per for one in ordered) for start in ordered), default=0)


def effects(folder: Path, system: str) -> list[datetime]:
    """When each effect came, as the system itself has written it down."""
    return [read(one.at or "") for one in records(folder)[system].effects()]


class Died(BaseException):
    """A runner is killed: nothing of it runs any more."""


@dataclass
class Bereaved:
    """The journal, to which a killed runner gives nothing back."""

    inner: Any
    killed: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def give_back(self, *given: Any) -> None:
        if not self.killed:
            await self.inner.give_back(*given)
        self.killed = False


@dataclass
class Mortal:
    """A system that takes its time, behind which runners die; ``fates`` are used up, one a sending."""

    inner: System
    world: World
    journal: Bereaved
    fates: list[tuple[float, float, str]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        before, after, death = self.fates.pop() if self.fates else (0.0, 0.0, "")
        # Others come to their turn before this one is sent.
        for _ in range(3):
            await asyncio.sleep(0)
        self.world.clock.forward(before)
        self.journal.killed = death == "before"
        if death == "before":
            raise Died
        replies = await self.inner.execute(orders, errand)
        self.world.clock.forward(after)
        self.journal.killed = death == "after"
        if death == "after":
            raise Died
        return replies


@dataclass
class Host:
    """A journal whose runs are all driven at the same time, each by workers of its own, until all are over."""

    world: World
    systems: dict[str, Any]
    rates: dict[str, Rate]
    workers: int = 0
    waited: list[float] = field(default_factory=list)

    async def work(self, *runs: RunRecord) -> list[RunRecord]:
        return await asyncio.gather(*(self._drive(run) for run in runs))

    async def _drive(self, run: RunRecord) -> RunRecord:
        while True:
            self.workers += 1
            name = f"w{self.workers}"
            worker = Worker(name, self.world.store, self.systems, self.world.clock, WHO, self._wait, rates=self.rates)
            try:
                return await worker.drive(run.id)
            except Died:
                continue

    async def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        await asyncio.sleep(0)
        self.world.clock.forward(max(seconds, 0.01))


async def two_runs(world: World, folder: Path, system: str) -> list[RunRecord]:
    """Two runs of four items each."""
    ids = fill_all(folder, 8, system)[system]
    plans = [await world.plan(Selection(system, ids=tuple(part))) for part in (ids[::2], ids[1::2])]
    return [await world.confirm(plan, key=f"k{number}") for number, plan in enumerate(plans)]


FATES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.3, 5.0]), st.sampled_from([0.0, 0.7, 40.0]), st.sampled_from(["", "before", "after"])
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fates=FATES,
    rate=st.builds(Rate, st.integers(1, 4), st.sampled_from([SECOND, MINUTE])),
    chunk=st.integers(1, 4),
    system=st.sampled_from(["commands", "schedules"]),
)
async def test_no_window_ever_holds_more_than_the_rate(
    fates: list[tuple[float, float, str]], rate: Rate, chunk: int, system: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = mixed_world(folder, chunk=chunk)
        try:
            runs = await two_runs(world, folder, system)
            journal = Bereaved(world.store.work)
            world.store.work = journal  # type: ignore[assignment]
            systems = {**world.systems, system: Mortal(world.systems[system], world, journal, list(fates))}
            done = await Host(world, systems, {system: rate}).work(*runs)
            assert [one.states for one in done] == [{ItemState.CANCELLED: 4}] * 2
            assert at_once(effects(folder, system), rate.per) <= rate.items
            await assert_invariants(world.store, *records(folder).values())
        finally:
            await world.close()


async def test_a_pace_that_is_not_shared_is_found(opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the property above counts is more than the rate, where nobody counts what others were granted."""
    world = opened(chunk=1)
    runs = await two_runs(world, tmp_path, "commands")
    monkeypatch.setattr(permits, "take", lambda connection, claim, wanted, rate, at: Grant(wanted))
    await Host(world, dict(world.systems), {"commands": Rate(1, MINUTE)}).work(*runs)
    assert at_once(effects(tmp_path, "commands"), MINUTE) > 1


async def test_a_run_at_a_rate_shows_its_countdown_and_takes_as_long_as_it_must(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=5)
    fill_all(tmp_path, 12, "cases")
    run = await run_of(world, "cases")
    began, gates, paced = world.clock.moment, [], []

    async def look(seconds: float) -> None:
        seen = await world.store.runs.get(run.id)
        gates.extend(seen.gates.values())
        paced.append(seen.paced)

    done = await drive(world, run, waiting=look, rates={"cases": Rate(5, MINUTE)})
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 12})
    assert 2 * MINUTE < world.clock.moment - began < 2.5 * MINUTE
    assert len(set(gates)) >= 2
    assert {"cases": "5/minute"} in paced
    assert max(world.waits) <= LOOK


async def test_a_system_at_a_rate_does_not_hold_up_another(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=2)
    fill_all(tmp_path, 4)
    run = await run_of(world)
    systems, began = watching(world), world.clock.moment
    done = await drive(world, run, systems, rates={"cases": Rate(1, MINUTE)})
    assert done.states == {ItemState.CANCELLED: 12}
    assert all(at - began < MINUTE for name in ("commands", "schedules") for at, _, _ in systems[name].sent)
    assert world.clock.moment - began > 3 * MINUTE


async def test_a_chunk_that_is_larger_than_the_rate_is_sent_in_turns(opened: Any, tmp_path: Path) -> None:
    """Its size was fixed when the run was confirmed; a profile may have got a rate since."""
    world = opened(chunk=50)
    fill_all(tmp_path, 50, "commands")
    run = await run_of(world, "commands")
    systems = watching(world)
    done = await drive(world, run, systems, rates={"commands": Rate(600, MINUTE)})
    assert done.states == {ItemState.CANCELLED: 50}
    # two seconds of work at a time
    assert [len(orders) for _, orders, _ in systems["commands"].sent] == [20, 20, 10]


async def test_a_pause_is_heard_and_a_permit_outlives_its_runner(opened: Any, tmp_path: Path) -> None:
    world, rates = opened(chunk=1), {"commands": Rate(1, MINUTE)}
    fill_all(tmp_path, 3, "commands")
    run = await run_of(world, "commands")
    world.launcher.working = True

    async def pause(seconds: float) -> None:
        if sum(world.waits) > 3 and (await world.store.runs.get(run.id)).wanted is None:
            await world.steering.pause(run.id, WHO)

    paused = await drive(world, run, waiting=pause, rates=rates)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.OPERATOR)
    assert sum(world.waits) < 6
    await world.steering.resume(run.id, WHO)
    again = World(**{**vars(world), "waits": []})
    assert (await drive(again, run, rates=rates)).states == {ItemState.CANCELLED: 3}
    assert at_once(effects(tmp_path, "commands"), MINUTE) == 1


@pytest.mark.parametrize(
    ("rate", "turn"),
    [(Rate(5, MINUTE), 1), (Rate(600, MINUTE), 20), (Rate(10, SECOND), 10), (Rate(1, timedelta(hours=1)), 1)],
    ids=str,
)
def test_a_turn_is_about_two_seconds_of_work_and_at_least_one_item(rate: Rate, turn: int) -> None:
    assert rate.turn == turn


class Endless(BaseException):
    """A run has waited for longer than any test does."""


@pytest.mark.parametrize("error", [CannotConnect("nobody answers"), OutcomeUnknown("the answer was lost")])
async def test_a_dead_service_is_noticed_at_a_rate_and_is_the_cause_that_is_said(
    opened: Any, tmp_path: Path, error: QuashError
) -> None:
    world = opened(chunk=1)
    fill_all(tmp_path, 20, "cases")
    run = await run_of(world, "cases")
    paced = []

    class Dead(Watched):
        async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
            raise CannotConnect("nobody answers")

    def reply(orders: Sequence[Order]) -> Sequence[Reply] | None:
        raise error

    async def look(seconds: float) -> None:
        paced.append((await world.store.runs.get(run.id)).paced)
        if len(paced) > 300:
            raise Endless

    systems = {"cases": Dead(world.systems["cases"], world, reply)}
    done = await drive(world, run, systems, look, {"cases": Rate(5, MINUTE)})
    assert (done.state, done.pause and done.pause.cause) == (RunState.PAUSED, PauseCause.BREAKER)
    assert done.pause is not None
    assert done.pause.message == "nobody answers"
    if isinstance(error, CannotConnect):
        # Nothing was sent, so nothing has to be waited for but the service itself.
        assert set(map(str, paced)) == {"{}"}
        assert len(world.waits) == TRIES - 1


async def test_turns_that_only_wait_for_our_own_rate_count_as_no_success(opened: Any, tmp_path: Path) -> None:
    """Every answer is lost, and what may have arrived needs a permit: between two of them turns ask for nothing."""
    world = opened(chunk=1)
    fill_all(tmp_path, 20, "cases")
    run = await run_of(world, "cases")
    asked: list[str] = []

    class Lost(Watched):
        async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
            asked.append("what became of it")
            raise OutcomeUnknown("the answer was lost")

    def reply(orders: Sequence[Order]) -> Sequence[Reply] | None:
        asked.append("to cancel it")
        raise OutcomeUnknown("the answer was lost")

    async def look(seconds: float) -> None:
        if len(world.waits) > 1000:
            raise Endless

    systems = {"cases": Lost(world.systems["cases"], world, reply)}
    done = await drive(world, run, systems, look, {"cases": Rate(1, MINUTE)})
    assert (done.state, done.pause and done.pause.cause) == (RunState.PAUSED, PauseCause.BREAKER)
    assert sum(world.waits) > 60 * (TRIES - 2)
    assert asked.count("to cancel it") == TRIES


async def test_what_was_not_sent_uses_no_permit(opened: Any, tmp_path: Path) -> None:
    world = opened(chunk=5)
    fill_all(tmp_path, 5, "commands")
    run = await run_of(world, "commands")
    away = [CannotConnect("nobody answers")] * 3

    def reply(orders: Sequence[Order]) -> Sequence[Reply] | None:
        if away:
            raise away.pop()
        return None

    done = await drive(world, run, watching(world, reply=reply), rates={"commands": Rate(5, MINUTE)})
    assert done.states == {ItemState.CANCELLED: 5}
    assert sum(world.waits) < 5
