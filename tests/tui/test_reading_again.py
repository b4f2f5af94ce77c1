"""Every place is read again when it is opened, says as of when, and writes nothing where nothing is new."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.screen import Screen

from support.backend import Service
from support.console import request
from support.operator import Desk, desk_over, whole_demo
from tui_app.contract.runs import RunRequest
from tui_app.tui.screens.runs import RunsScreen

PLACES = ("commands", "cases", "schedules", "runs", "ledger")


@pytest.fixture
async def desk(tmp_path):
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, (100, 30)) as opened:
        yield opened


@contextmanager
def written(desk: Desk) -> Iterator[list[object]]:
    """What is handed to the terminal meanwhile: the updates that the compositor draws."""
    drawn: list[object] = []
    display = desk.app._display

    def counting(screen: Screen[object], renderable: object) -> None:
        drawn.append(renderable)
        display(screen, renderable)

    desk.app._display = counting  # type: ignore[method-assign, assignment]
    yield drawn
    desk.app._display = display  # type: ignore[method-assign]


async def cancelled_elsewhere(service: Service, number: int) -> str:
    """A run that another console or a script made."""
    rows = (await service.client.items.page("commands", filter="status:IN_TROUBLESHOOTING_QUEUE", limit=500)).items
    ids = [row.id for row in rows if row.verdict.cancellable][:number]
    plan = await service.client.plan(request(ids))
    body = RunRequest(hash=plan.hash, reason="Bad deploy", expect_count=plan.counts.items)
    run = await service.client.run(plan.id, body, f"key-{plan.id}")
    await service.work(run.id)
    return run.id


async def again(desk: Desk) -> None:
    """What this place does by itself every few seconds."""
    screen = desk.app.screen
    if not isinstance(screen, RunsScreen):
        desk.items.read_by_itself()
        await desk.settled()
        return
    asked, lists = [0], desk.app.client.runs.listed

    async def counted() -> object:
        asked[0] += 1
        return await lists()

    desk.app.client.runs.listed = counted  # type: ignore[method-assign, assignment]
    await desk.until(lambda: asked[0] == 2, "two reads")
    desk.app.client.runs.listed = lists  # type: ignore[method-assign]


async def test_every_place_is_read_again_when_it_is_opened(desk: Desk) -> None:
    for place in PLACES:
        await desk.on(place)
    await desk.sees("The ledger is empty")
    await desk.on("commands")
    before = desk.table.window.total
    await desk.on("ledger")
    run = await cancelled_elsewhere(desk.service, 2)
    await desk.on("commands")
    await desk.until(lambda: desk.table.window.total == before - 2, "two fewer")
    await desk.on("runs")
    await desk.sees("Bad deploy", "as of", "every 1 s")
    await desk.on("ledger")
    await desk.sees(run, "finished", "as of")
    assert "The ledger is empty" not in desk.text


@pytest.mark.parametrize("place", ["commands", "cases", "schedules", "runs"])
async def test_a_read_that_finds_nothing_new_writes_nothing(desk: Desk, place: str) -> None:
    await cancelled_elsewhere(desk.service, 1)
    await desk.on("ledger").on(place).does("down")
    if place != "runs":
        await desk.mark(1)
    await desk.settled()
    with written(desk) as drawn:
        await again(desk)
    assert drawn == []


async def test_a_table_that_draws_what_it_drew_before_is_found(desk: Desk) -> None:
    table = desk.table
    table._redraw_unless = lambda _: bool(table.refresh())  # type: ignore[method-assign]
    with written(desk) as drawn:
        await again(desk)
    assert drawn


async def test_a_read_that_finds_something_moves_neither_cursor_nor_marks(desk: Desk) -> None:
    await desk.does("down", "down", "down", "down").mark(1)
    here, marks, before = desk.here, desk.table.marks, desk.table.window.total
    await cancelled_elsewhere(desk.service, 2)
    with written(desk) as drawn:
        await again(desk)
        await desk.until(lambda: drawn, "the rows")
    assert desk.table.window.total == before - 2
    assert (desk.here, desk.table.marks) == (here, marks)


async def test_the_cursor_of_the_ledger_stays_on_its_line_unless_that_is_the_first(desk: Desk) -> None:
    await cancelled_elsewhere(desk.service, 1)
    await desk.on("ledger").does("down")
    rows, line, before = desk.app.screen.rows, desk.app.screen.line, desk.app.screen.rows.count
    assert (rows.cursor, line.event) == (1, "finished")
    await cancelled_elsewhere(desk.service, 1)
    await desk.does("refresh")
    added = rows.count - before
    assert added > 2
    assert (rows.cursor, desk.app.screen.line) == (1 + added, line)
    await desk.does("first")
    await cancelled_elsewhere(desk.service, 1)
    await desk.does("refresh")
    assert rows.cursor == 0
    assert desk.app.screen.line != line


async def test_what_is_due_is_read_by_itself_and_what_is_not_waits_to_be_asked(desk: Desk) -> None:
    assert "every" not in desk.numbers
    await desk.on("schedules")
    assert "every 5 s" in desk.numbers
    await desk.does("auto")
    assert "every" not in desk.numbers


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40)])
async def test_the_key_of_automatic_refresh_stands_below_at_every_width(tmp_path: Path, size: tuple[int, int]) -> None:
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, size) as desk:
        for place in ("commands", "schedules", "runs"):
            await desk.on(place)
            assert " . auto " in desk.text.splitlines()[-1]
