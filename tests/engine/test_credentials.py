"""A token that ends in the middle of a run: one pause, nothing lost, nothing sent twice."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.raw_server import NOBODY, Answered, Asked, raw_server
from support.world import WHO, World, commands, fill, make_world
from tui_app.domain.errors import NotSignedIn
from tui_app.domain.ports import Reply
from tui_app.domain.run import Errand, ItemState, Order, PauseCause, RunState, Verified
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.cases.dialects import error_of

VARIABLE = "QUASH_COMMANDS_TOKEN"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = make_world(tmp_path)
    yield made
    await assert_invariants(made.store, made.records)
    await made.close()


class Gate:
    """A server in front of the bus that lets a token through so many times."""

    def __init__(self, **lasts: int) -> None:
        self.lasts = Counter(lasts)
        self.passed: list[str] = []

    def handle(self, asked: Asked) -> Answered:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if self.lasts[token] == 0:
            return Answered(401, NOBODY)
        self.lasts[token] -= 1
        self.passed.append(asked.json["key"])
        return Answered(200, {})


class Behind:
    """The bus behind a gate that is asked before each order, in chunks of four.

    ``whole`` lets the first refusal end the chunk in place of being told of its order alone.
    """

    chunk_size = 4

    def __init__(
        self,
        inner: Any,
        url: str,
        environment: dict[str, str],
        *,
        whole: bool,
        command: tuple[str, ...] | None = None,
    ) -> None:
        self.inner, self.whole = inner, whole
        self.http = HttpService(url, shape=error_of, tokens=TokenSource(command, None, VARIABLE, environment))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Reply]:
        replies: list[Reply] = []
        for order in orders:
            try:
                await self.http.write("cancel", json={"key": order.key})
            except NotSignedIn as reason:
                if self.whole:
                    raise
                replies.append(reason)
            else:
                replies += await self.inner.execute([order], errand)
        return replies

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> list[Reply]:
        seen = await self.inner.survey([order.id for order in orders])
        again = [order for order, now in zip(orders, seen, strict=True) if now.verdict.cancellable]
        for order in again:
            await self.http.write("cancel", json={"key": order.key})
        return list(await self.inner.reconcile(orders, errand))


@pytest.mark.parametrize("whole", [False, True], ids=["order by order", "the chunk as a whole"])
async def test_a_token_that_ends_in_the_middle_pauses_once_and_a_new_one_goes_on(world: World, whole: bool) -> None:
    ids = fill(world.records.path, 10)
    gate, environment = Gate(old=6, new=100), {VARIABLE: "old"}
    async with raw_server(gate.handle) as server:
        behind = Behind(world.systems["commands"], server.url, environment, whole=whole)
        world.systems = {"commands": behind}  # type: ignore[dict-item]
        run = await world.confirm(await world.plan(commands(*ids)))
        paused = await world.worker().drive(run.id)
        assert paused.state is RunState.PAUSED
        assert paused.pause is not None
        assert paused.pause.cause is PauseCause.CREDENTIALS
        assert VARIABLE in (paused.pause.message or "")
        assert len(world.records.cancels()) == 6
        assert world.waits == [], "it tried again, or waited for nothing"

        # Resumed without another token it says the same, and sends nothing.
        assert (await world.steering.resume(run.id, WHO)).state is RunState.QUEUED
        again = await world.worker().drive(run.id)
        assert (again.state, again.pause and again.pause.cause) == (RunState.PAUSED, PauseCause.CREDENTIALS)
        assert len(world.records.cancels()) == 6

        environment[VARIABLE] = "new"
        await world.steering.resume(run.id, WHO)
        done = await world.worker().drive(run.id)
        await behind.http.close()
    assert (done.state, done.states) == (RunState.FINISHED, {ItemState.CANCELLED: 10})
    assert done.verified == {Verified.YES: 10}
    assert world.records.cancels() == Counter(ids)
    assert len(set(gate.passed)) == len(gate.passed) == 10


@pytest.mark.parametrize("whole", [False, True], ids=["order by order", "the chunk as a whole"])
async def test_a_command_that_hangs_is_waited_for_once_and_the_pause_names_it(
    world: World, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_app.config.credentials.COMMAND_SECONDS", 3.0)
    count = tmp_path / "count"
    script = f"echo x >> {count}; test $(wc -l < {count}) = 1 && echo old || sleep 1000"
    async with raw_server(Gate(old=6).handle) as server:
        behind = Behind(world.systems["commands"], server.url, {}, whole=whole, command=("/bin/sh", "-c", script))
        world.systems = {"commands": behind}  # type: ignore[dict-item]
        run = await world.confirm(await world.plan(commands(*fill(world.records.path, 10))))
        paused = await world.worker().drive(run.id)
        await behind.http.close()
    assert paused.pause is not None
    assert (paused.pause.cause, paused.pause.message) == (
        PauseCause.CREDENTIALS,
        "`/bin/sh` gave no token within 3 s",
    )
    assert count.read_text() == "x\nx\n", "it was asked for the first token, and once for another"
    assert len(world.records.cancels()) == 6


async def test_a_run_whose_token_is_gone_names_the_variable_that_is_missing(world: World) -> None:
    ids = fill(world.records.path, 2)
    behind = Behind(world.systems["commands"], "http://127.0.0.1:1", {}, whole=False)
    world.systems = {"commands": behind}  # type: ignore[dict-item]
    run = await world.confirm(await world.plan(commands(*ids)))
    paused = await world.worker().drive(run.id)
    assert paused.pause is not None
    assert paused.pause.cause is PauseCause.CREDENTIALS
    assert VARIABLE in (paused.pause.message or "")
    assert world.records.cancels().total() == 0
