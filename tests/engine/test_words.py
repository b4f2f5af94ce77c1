"""Words that a system cannot keep are refused before a plan is noted, and before one is confirmed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.invariants import assert_invariants
from support.world import WHO, MovableClock, World, commands, fill, make_world
from tui_app.database.encodings import check_words
from tui_app.domain.describe import Verb
from tui_app.domain.errors import InvalidReason, UsageProblem
from tui_app.domain.plan import Options
from tui_app.domain.records import Who
from tui_app.systems.commands.embedded import EmbeddedCommands

DASH = "caused by – the deploy"


class PlainCommands(EmbeddedCommands):
    """A bus that keeps ASCII alone."""

    async def check_words(self, operator: str, reason: str) -> None:
        check_words(operator, reason, "SQL_ASCII")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = MovableClock()
    made = make_world(tmp_path, {"commands": PlainCommands(tmp_path / "commands.db", clock)}, clock)
    yield made
    await assert_invariants(made.store, made.records)
    await made.close()


async def start(world: World, ids: list[str], reason: str | None, who: Who) -> None:
    await world.planner.start([commands(*ids)], Verb.CANCEL, reason, None, who)


async def test_a_proposed_reason_or_a_name_that_cannot_be_kept_makes_no_plan(world, tmp_path):
    ids = fill(tmp_path / "commands.db", 2)
    with pytest.raises(InvalidReason, match="the reason holds –"):
        await start(world, ids, DASH, WHO)
    with pytest.raises(UsageProblem, match="the name of the operator holds ë"):
        await start(world, ids, None, Who("zoë@example.com", "zoe", "ops1", "local", "local"))
    assert await world.store.plans.newest(10) == []


async def test_a_reason_that_cannot_be_kept_confirms_nothing(world, tmp_path):
    plan = await world.plan(commands(*fill(tmp_path / "commands.db", 2)))
    with pytest.raises(InvalidReason, match="the reason holds –"):
        await world.steering.confirm(
            plan.id,
            plan_hash=plan.hash or "",
            reason=DASH,
            options=Options(),
            phrase=None,
            expect_count=2,
            key="k1",
            who=WHO,
        )
    assert await world.store.runs.newest(10) == []
    await world.confirm(plan)
