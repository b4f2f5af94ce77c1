"""What a plan has frozen of an item is read back whole, so that its hash can be computed again."""

from dataclasses import replace

import pytest

from support.case_server import Quirks, case_server
from support.world import WHO, commands, fill, make_world
from tui_app.domain.items import Selection
from tui_app.domain.plan import PlanState
from tui_app.domain.run import ItemState
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.engine import planfile
from tui_app.systems.commands.embedded import EmbeddedCommands

CASES = ("CASE-1", "CASE-2")


class Reserved(EmbeddedCommands):
    """A command bus that says of what may be cancelled what it has not read."""

    async def survey(self, ids, *given, **named):
        told = "the archive was not read"
        read = await super().survey(ids, *given, **named)
        return [
            replace(one, verdict=replace(one.verdict, reason=told)) if one.verdict.cancellable else one for one in read
        ]


@pytest.mark.parametrize("code", [None, *VerdictCode])
@pytest.mark.parametrize("reason", [None, "", "a sentence – with “signs”"])
def test_a_verdict_is_frozen_and_read_back_whole(code, reason):
    verdict = Verdict(code is None, code, reason)
    assert Verdict.frozen(None if code is None else code.value, reason) == verdict


@pytest.fixture
async def world(tmp_path):
    fill(tmp_path / "commands.db", 2)
    made = make_world(tmp_path)
    made.systems["commands"] = Reserved(tmp_path / "commands.db", made.clock)
    yield made
    await made.close()


async def ran(world, selection):
    """A plan that was run, and what the ledger says then."""
    plan = await world.plan(selection)
    run = await world.confirm(plan)
    done = await world.worker().drive(run.id)
    assert done.states == {ItemState.CANCELLED: len(selection.ids)}
    return plan, (await world.store.ledger.check()).problem


async def test_a_ledger_holds_where_items_were_planned_with_a_reservation(world):
    plan, problem = await ran(world, commands("payments/c000000", "payments/c000001"))
    assert problem is None
    frozen = await world.store.plans.items(plan.head.id)
    assert [one.seen.verdict for one in frozen] == [Verdict(True, None, "the archive was not read")] * 2


async def test_a_ledger_holds_where_the_server_of_cases_does_not_tell_what_is_in_the_way(tmp_path):
    async with case_server(*CASES, quirks=Quirks(without=("dependencies",))) as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        plan, problem = await ran(world, Selection("cases", ids=CASES))
        assert problem is None
        assert sorted(one for one, _ in way.server.effects) == sorted(CASES)
        reasons = {one.seen.verdict.reason for one in await world.store.plans.items(plan.head.id)}
        assert reasons == {"dependencies not read: the server answered 404, no such route"}
        await world.close()


async def test_a_file_of_such_a_plan_is_taken_for_what_was_made(world, tmp_path):
    plan = await world.plan(commands("payments/c000000", "payments/nobody"))
    document = b"".join([line async for line in planfile.write(world.store, plan.head.id)])
    elsewhere = make_world_of(tmp_path / "there", world)
    brought = await planfile.load(elsewhere.store, document, plan.hash, WHO, elsewhere.systems, world.clock.now())
    await elsewhere.planner.bring(brought, WHO)
    assert (await elsewhere.made(brought.head.id)).state is PlanState.READY
    assert (await elsewhere.store.ledger.check()).problem is None
    await elsewhere.planner.close()
    await elsewhere.store.close()


def make_world_of(folder, world):
    """Another journal over the same systems."""
    folder.mkdir()
    return make_world(folder, world.systems, world.clock)


async def test_a_reason_that_is_forgotten_is_found(world, monkeypatch):
    """The check is worth something: a store that keeps no sentence of what may be cancelled is told apart."""
    read = Verdict.frozen
    monkeypatch.setattr(Verdict, "frozen", lambda code, reason: read(code, reason if code else None))
    _, problem = await ran(world, commands("payments/c000000"))
    assert "is not the one it was written for" in problem
