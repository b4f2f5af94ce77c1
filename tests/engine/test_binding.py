"""Whose token a run was confirmed with: with somebody else's nothing is sent until an operator accepts it."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.world import WHO, MovableClock, World, commands, fill, make_world
from tui_app.domain.errors import NeedsTakeover, NotSignedIn
from tui_app.domain.ledger import Event
from tui_app.domain.records import LedgerQuery, RunRecord
from tui_app.domain.run import ItemState, PauseCause, RunState
from tui_app.systems.commands.embedded import EmbeddedCommands


class Tokened:
    """The bus, reached with the token of whoever is ``bearer``; ``gone`` where nobody gives one."""

    def __init__(self, inner: Any, bearer: str | None) -> None:
        self.inner, self.bearer, self.gone = inner, bearer, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def credentials_expire(self) -> datetime | None:
        return None

    @property
    def signed_in_as(self) -> str | None:
        return self.bearer

    async def sign_in(self) -> None:
        if self.gone:
            raise NotSignedIn("nobody gives a token")


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def bus(tmp_path: Path, clock: MovableClock) -> Tokened:
    return Tokened(EmbeddedCommands(tmp_path / "commands.db", clock), "jane")


@pytest.fixture
async def world(tmp_path: Path, bus: Tokened, clock: MovableClock) -> AsyncIterator[World]:
    made = make_world(tmp_path, {"commands": bus}, clock)  # type: ignore[dict-item]
    yield made
    await assert_invariants(made.store, made.records)
    await made.close()


async def confirmed(world: World) -> tuple[list[str], RunRecord]:
    ids = fill(world.records.path, 3)
    return ids, await world.confirm(await world.plan(commands(*ids)))


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("jane", "bob", "confirmed with a token of jane, and this one is of bob"),
        ("jane", None, "confirmed with a token of jane, and this one is of somebody it does not name"),
        (None, "bob", "confirmed with a token of somebody it does not name, and this one is of bob"),
    ],
)
async def test_with_somebody_elses_token_nothing_is_sent_until_it_is_taken_over(
    world: World, bus: Tokened, before: str | None, now: str | None, said: str
) -> None:
    bus.bearer = before
    ids, run = await confirmed(world)
    bus.bearer = now
    paused = await world.worker().drive(run.id)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.PRINCIPAL)
    assert paused.pause is not None
    assert said in (paused.pause.message or "")
    with pytest.raises(NeedsTakeover, match=said):
        await world.steering.resume(run.id, WHO)
    assert world.records.cancels() == {}

    await world.steering.resume(run.id, WHO, take_over=True)
    done = await world.worker().drive(run.id)
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 3})
    assert world.records.cancels() == Counter(ids)
    [taken] = await world.store.ledger.lines(LedgerQuery(run=run.id, event=Event.TAKEN_OVER.value))
    names = {} if now is None else {"commands": now}
    assert taken.facts["bearers"] == names


async def test_the_same_token_holder_goes_on_without_a_word(world: World, bus: Tokened) -> None:
    ids, run = await confirmed(world)
    assert run.bearers == {"commands": "jane"}
    assert (await world.worker().drive(run.id)).state is RunState.FINISHED
    assert world.records.cancels() == Counter(ids)


async def test_without_a_token_no_run_begins(world: World, bus: Tokened) -> None:
    ids = fill(world.records.path, 2)
    plan = await world.plan(commands(*ids))
    bus.gone = True
    with pytest.raises(NotSignedIn):
        await world.confirm(plan)
    assert await world.store.runs.newest(5) == []


async def test_a_token_that_is_gone_when_the_runner_comes_pauses_for_credentials(world: World, bus: Tokened) -> None:
    _, run = await confirmed(world)
    bus.gone = True
    paused = await world.worker().drive(run.id)
    assert (paused.state, paused.pause and paused.pause.cause) == (RunState.PAUSED, PauseCause.CREDENTIALS)
    assert world.records.cancels() == {}
