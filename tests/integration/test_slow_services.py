"""Services that take their time: a pause and a stop are heard while a chunk is being sent, and its numbers move."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest

from support.case_server import case_server
from support.raw_server import raw_server
from support.schedule_servers import ALL, LuxarisPosts, SeedPosts, adapter
from support.world import WHO, NoLauncher, make_world
from tui_app.domain.items import Selection
from tui_app.domain.run import ItemState, PauseCause, RunState, Verified
from tui_app.engine.steering import Steering
from tui_app.store.sqlite import open_store

NUMBER = 40
SECONDS = 0.4
"""How long a cancellation takes, one after another."""

SLICE = 12
"""More of them than are reached in about two seconds."""


class Slow:
    """A run over a service that takes one cancellation after another; somebody may ask for something at one of them."""

    def __init__(self, world, run, effects):
        self.world, self.run, self._effects = world, run, effects
        self._at = (0, "")
        self.seen = self.answered = 0

    @property
    def effects(self):
        return len(self._effects)

    def ask(self, what: str, number: int) -> None:
        """Pause, stop or look at an effect, from another process: that is done before the service goes on."""
        self._at = (number, what)

    def met(self):
        number, what = self._at
        if self.effects == number:
            asker = threading.Thread(target=lambda: asyncio.run(self._asked(what)))
            asker.start()
            asker.join(30)
            self.seen = self.effects

    async def _asked(self, what: str) -> None:
        world = self.world
        store = open_store(world.folder / "journal.db")
        there = NoLauncher(working=True)
        steering = Steering(store, {}, there, world.clock, environment="local", cap=None, read_only=False)
        match what:
            case "pause":
                await steering.pause(self.run.id, WHO)
            case "stop":
                await steering.stop(self.run.id, WHO)
            case "look":
                told = (await store.runs.get(self.run.id)).states
                self.answered = told.get(ItemState.CANCELLED, 0) + told.get(ItemState.ACCEPTED, 0)
        await store.close()

    async def drive(self):
        return await self.world.worker().drive(self.run.id)

    async def states(self):
        return [one.state for one in await self.world.items(self.run.id)]


@asynccontextmanager
async def posts_that(kind, folder, *quirks):
    posts = kind(quirks=quirks)
    ids = [posts.add() for _ in range(NUMBER)]
    cancel = posts.cancel

    def slowly(*given):
        posts.clock.forward(SECONDS)
        answer = cancel(*given)
        slow.met()
        return answer

    posts.cancel = slowly
    async with raw_server(posts.handle) as server:
        world = make_world(folder, {"schedules": adapter(server, posts)}, posts.clock)
        run = await world.confirm(await world.plan(Selection("schedules", ids=tuple(ids))))
        slow = Slow(world, run, posts.effects)
        yield slow
        # Each is read for the plan, and about twice before it is sent, and once or twice to verify it.
        reads = [one for one in posts.asked if one.method == "GET" and one.path.removeprefix(f"{ALL}/") in posts.rows]
        assert len(reads) <= 5 * NUMBER
        assert (await world.store.ledger.check()).problem is None
        await world.close()


@asynccontextmanager
async def cases_that(folder):
    names = tuple(f"CASE-{n}" for n in range(1, NUMBER + 1))
    async with case_server(*names) as way:
        server = way.server
        cancel = server._cancel

        def slowly(*given):
            server.clock.forward(SECONDS)
            answer = cancel(*given)
            slow.met()
            return answer

        server._cancel = slowly
        world = make_world(folder, {"cases": way.open()}, server.clock)
        run = await world.confirm(await world.plan(Selection("cases", ids=names)))
        slow = Slow(world, run, server.effects)
        yield slow
        assert (await world.store.ledger.check()).problem is None
        await world.close()


@pytest.fixture(params=["cases", "luxaris", "seed"])
async def slow(request, tmp_path):
    ways = {
        "cases": lambda: cases_that(tmp_path),
        "luxaris": lambda: posts_that(LuxarisPosts, tmp_path),
        "seed": lambda: posts_that(SeedPosts, tmp_path, "no bulk"),
    }
    async with ways[request.param]() as made:
        yield made


async def test_the_numbers_move_every_few_seconds_and_nothing_is_taken_for_a_failure(slow):
    slow.ask("look", SLICE)
    done = await slow.drive()
    assert done.state is RunState.FINISHED
    assert set(await slow.states()) == {ItemState.CANCELLED}
    assert slow.effects == NUMBER
    assert done.verified == {Verified.YES: NUMBER}
    assert slow.answered > 0
    # It was waited for what cases work on, and for no backoff.
    assert all(one <= 1 for one in slow.world.waits)


async def test_a_pause_is_heard_while_a_chunk_is_sent_and_the_rest_of_it_goes_out_after(slow):
    slow.ask("pause", 5)
    paused = await slow.drive()
    assert (paused.state, paused.pause.cause) == (RunState.PAUSED, PauseCause.OPERATOR)
    # What was on its way, and no more: what is not answered within two seconds is never on its way together.
    assert slow.seen == 5
    assert slow.effects - slow.seen <= 2 / SECONDS
    assert paused.unsent == NUMBER - slow.effects
    assert ItemState.SENDING not in await slow.states()
    await slow.world.steering.resume(slow.run.id, WHO)
    assert (await slow.drive()).state is RunState.FINISHED
    assert slow.effects == NUMBER


async def test_a_stop_is_heard_while_a_chunk_is_sent(slow):
    slow.ask("stop", 5)
    stopped = await slow.drive()
    assert stopped.state is RunState.STOPPED
    assert slow.seen == 5
    assert slow.effects - slow.seen <= 2 / SECONDS
    states = await slow.states()
    assert states.count(ItemState.CANCELLED) == slow.effects
    assert states.count(ItemState.SKIPPED) == NUMBER - slow.effects
