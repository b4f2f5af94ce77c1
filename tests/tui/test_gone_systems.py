"""The console over a journal with plans and runs whose system has left the profile: it opens, and says so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.backend import WAYS, serving
from support.console import Operator, open_console
from support.gone import GONE, Left, without_cases
from tui_app.tui.screens.ledger import LedgerScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.screens.runs import RunsScreen


@pytest.fixture(params=[(way, size) for way in WAYS for size in ((80, 24), (120, 40))], ids=str)
async def left(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Operator, Left]]:
    way, size = request.param
    made = await without_cases(tmp_path)
    async with serving(way, tmp_path, world=made.world) as service, open_console(service, size) as operator:
        yield operator, made


async def opened(operator: Operator, named: str) -> None:
    """Open the run or plan of a name from the list of runs."""
    if not isinstance(operator.app.screen, RunsScreen):
        await operator.press("escape")
    await operator.on(RunsScreen)
    screen = operator.app.screen
    assert isinstance(screen, RunsScreen)
    await operator.until(lambda: named in [entry.id for entry in screen._shown], named)
    screen.rows.cursor = [entry.id for entry in screen._shown].index(named)
    await operator.press("enter")


async def test_lists_runs_reviews_and_the_ledger_open_and_say_what_is_gone(left: tuple[Operator, Left]) -> None:
    operator, made = left
    await operator.on(RunsScreen)
    await operator.sees("3 runs")
    await opened(operator, made.over)
    await operator.on(RunScreen)
    await operator.sees(GONE, "3 cancelled", "finished")
    await operator.press("V")
    await operator.sees("Put it back")
    await opened(operator, made.waiting)
    await operator.sees(GONE, "nobody works on it")
    await operator.press("space")
    await operator.sees("Put it back")
    await opened(operator, made.other)
    await operator.meanwhile(operator.service.work(made.other))
    await operator.sees("3 cancelled", "verified: 3 yes")
    assert GONE not in operator.text
    await opened(operator, made.plan)
    await operator.on(ReviewScreen)
    await operator.sees("could not be read again", GONE)
    await operator.press("escape")
    await operator.press("5")
    await operator.on(LedgerScreen)
    await operator.sees("finished", "confirmed")
    assert operator.app.crash is None
    assert not (made.world.folder / "faults.log").exists()
