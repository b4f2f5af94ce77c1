"""That a system does not answer is said in the run while it waits, and no longer than that."""

import asyncio
from types import SimpleNamespace

import pytest

from support.case_server import case_server
from support.raw_server import Answered, raw_server
from support.schedule_servers import KINDS, adapter
from support.world import make_world
from tui_app.domain.errors import Unavailable
from tui_app.domain.items import Selection
from tui_app.domain.ledger import Event
from tui_app.domain.ports import TellsSilence
from tui_app.domain.run import RunState
from tui_app.engine.silence import SILENT, Silence
from tui_app.outbound.http import HttpService

ONE = "CASE-1"


async def until(condition):
    for _ in range(10_000):
        if await condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come")


async def running(folder, way):
    """A run that has begun, as the journal has it."""
    world = make_world(folder, {"cases": way.open()}, way.server.clock)
    run = await world.confirm(await world.plan(Selection("cases", ids=(ONE,))))
    await world.store.runs.move(run.id, RunState.RUNNING, Event.STARTED, {"at": "2026-01-02T03:04:05.000000Z"})
    return world, run


async def test_a_system_that_does_not_answer_is_named_in_the_run_until_it_does(tmp_path):
    async with case_server(ONE) as way:
        world, run = await running(tmp_path, way)
        hanging = SimpleNamespace(silent_since=world.clock.moment)
        silence = Silence(world.store.work, world.clock, run.id, every=0.001)

        async def said():
            return dict((await world.store.runs.get(run.id)).silent)

        async with silence.watched("cases", hanging):
            assert await said() == {}, "a moment is nothing"
            world.clock.forward(SILENT.total_seconds())
            await until(said)
            assert set(await said()) == {"cases"}
            hanging.silent_since = None

            async def nothing_said():
                return await said() == {}

            await until(nothing_said)
        await world.close()


async def test_what_a_killed_runner_left_is_cleared_by_the_next(tmp_path):
    async with case_server(ONE) as way:
        world, run = await running(tmp_path, way)
        await world.store.work.note_silence(run.id, "cases", "2026-01-02T03:04:05.000000Z")
        assert (await world.store.runs.get(run.id)).silent
        done = await world.worker().drive(run.id)
        assert (done.state, dict(done.silent)) == (RunState.FINISHED, {})
        await world.close()


async def test_a_service_knows_since_when_it_has_not_answered():
    async def ask(service):
        return await service.read("there")

    async with raw_server(lambda asked: Answered(200, {})) as server:
        service = HttpService(server.url, patience=0.2, connect=0.2)
        assert service.silent_since is None
        await ask(service)
        assert service.silent_since is None
        await server.arm("silent after the effect")
        with pytest.raises(Unavailable, match="gave no answer"):
            await ask(service)
        since = service.silent_since
        assert since is not None
        with pytest.raises(Unavailable, match="gave no answer"):
            await ask(service)
        assert service.silent_since == since, "the first one counts"
        await server.mend()
        await ask(service)
        assert service.silent_since is None
        await service.close()


@pytest.mark.parametrize("name", KINDS)
async def test_schedules_of_others_tell_since_when_nobody_answers_also_while_it_is_waited_for(name):
    posts = KINDS[name]()
    item_id = posts.add()
    async with raw_server(posts.handle) as server:
        system = adapter(server, posts, dialect=name)
        assert isinstance(system, TellsSilence)
        await system.item(item_id)
        assert system.silent_since is None
        await server.arm("silent after the effect")
        asking = asyncio.ensure_future(system.survey([item_id]))

        async def said():
            return system.silent_since

        await until(said)
        assert not asking.done()
        asking.cancel()
        await asyncio.wait([asking])
        await system.close()
