"""What a system raises when it is read stays with that plan or that request; others go on, and nothing is changed."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.backend import serving
from support.faulty import ERRORS, SYSTEMS, effects_of
from support.mixed import fill_all, mixed_world, records
from support.world import WHO, World
from tui_app.domain.describe import Verb
from tui_app.domain.errors import QuashError, Unavailable
from tui_app.domain.filters import Filter
from tui_app.domain.items import Selection
from tui_app.domain.plan import PlanState
from tui_app.engine import planning
from tui_app.engine.containment import Caught, contained

PLAN = (Verb.CANCEL, None, None, WHO)
OTHER = {"commands": "cases", "cases": "schedules", "schedules": "commands"}
LASTING = [make for make in ERRORS if not isinstance(make(), Unavailable)]
"""What is unavailable is waited for, and covered by the tests of waiting."""


class Throwing:
    """A system of which one method raises."""

    def __init__(self, inner: Any, method: str, error: Exception) -> None:
        self._inner, self._method, self._error = inner, method, error

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name != self._method:
            return found

        async def throw(*given: Any, **named: Any) -> Any:
            raise self._error

        return throw


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose files cost no time to write, where there is one."""
    fast = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=fast if fast.is_dir() else None) as name:
        yield Path(name)


def unchanged(folder: Path) -> bool:
    return not any(effects_of(own) for own in records(folder).values())


async def planned(world: World, folder: Path, system: str, method: str, error: Exception) -> None:
    """Make a plan over a system that raises, and one over another system beside it."""
    ids = fill_all(folder, 3, system)[system]
    usual = world.systems[system]
    world.systems[system] = Throwing(usual, method, error)  # type: ignore[assignment, index]
    asked = Selection(system, ids=tuple(ids)) if method == "arrange" else Selection(system, filter=Filter())
    # What is raised before there is a plan goes to who asked for it.
    struck = await contained(world.planner.start([asked], *PLAN))
    other = await world.planner.start([Selection(OTHER[system], filter=Filter())], *PLAN)
    await world.planner.idle()
    world.systems[system] = usual  # type: ignore[index]
    assert (await world.store.plans.get(other.id)).state is PlanState.READY
    if isinstance(struck, Caught):
        assert struck.error is error or isinstance(struck.error, QuashError)
    else:
        found = await world.store.plans.get(struck.id)
        assert found.state in (PlanState.FAILED, PlanState.READY)
        assert found.state is PlanState.READY or found.error


@pytest.mark.parametrize("method", ["arrange", "page", "count", "survey"])
@pytest.mark.parametrize("system", SYSTEMS)
async def test_an_error_of_a_read_stays_with_its_plan(folder: Path, system: str, method: str) -> None:
    world = mixed_world(folder)
    fill_all(folder, 2)
    try:
        for make in LASTING:
            await planned(world, folder, system, method, make())
        assert unchanged(folder)
    finally:
        await world.close()


async def test_an_error_that_no_plan_contains_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = mixed_world(folder)
    fill_all(folder, 2)
    monkeypatch.setattr(planning, "contained", asyncio.ensure_future)
    try:
        with pytest.raises((AssertionError, KeyError)):
            await planned(world, folder, "cases", "page", KeyError("status"))
    finally:
        monkeypatch.undo()
        await world.close()


READS = {
    "page": lambda client, system, item: client.items.page(system),
    "count": lambda client, system, item: client.items.count(system),
    "item": lambda client, system, item: client.items.get(system, item),
    "preview": lambda client, system, item: client.items.preview(system, item),
    "trail": lambda client, system, item: client.items.trail(system, item),
}


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("system", SYSTEMS)
async def test_an_error_of_a_read_stays_with_its_request(folder: Path, system: str, method: str) -> None:
    world = mixed_world(folder)
    ids = fill_all(folder, 2)
    usual = world.systems[system]
    async with serving("embedded", folder, world=world) as service:
        for make in ERRORS:
            service.backend.systems[system] = Throwing(usual, method, make())  # type: ignore[assignment, index]
            with pytest.raises(QuashError):
                await READS[method](service.client, system, ids[system][0])
            other = OTHER[system]
            await READS[method](service.client, other, ids[other][0])
            service.backend.systems[system] = usual  # type: ignore[index]
            await READS[method](service.client, system, ids[system][0])
    assert unchanged(folder)
