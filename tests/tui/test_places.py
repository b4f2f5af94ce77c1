"""A system beyond the three has a place without code of its own: by its name, in the palette and in the help."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.widgets import Input

from support.canned import AT, COMMANDS, Canned
from support.console import Operator, open_canned
from tui_app.contract.models import ColumnModel, CountModel, ItemModel, PageModel, SystemModel, VerdictModel
from tui_app.tui.app import QuashApp
from tui_app.tui.screens.help import HelpScreen
from tui_app.tui.screens.items import ItemsScreen

HOSTILE = "[@click=app.quit]x[/]"


def _column(field: str, kind: str) -> ColumnModel:
    return ColumnModel(
        field=field, title=field, kind=kind, width=16, flexible=False, priority=1, sortable=True, groupable=False
    )


PARCELS = SystemModel(
    **{
        **COMMANDS.model_dump(exclude={"columns"}),
        "system": "parcels",
        "title": f"Parcels {HOSTILE}",
        "one": "parcel",
        "many": "parcels",
        "columns": [_column("id", "id"), _column("leaves", "deadline")],
        "default_filter": "",
        "default_sort": "id",
    }
)
CASES = PARCELS.model_copy(update={"system": "cases", "title": "Cases", "one": "case", "many": "cases"})
STRANGE = PARCELS.model_copy(update={"system": "No Name!"})


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    canned = Canned(systems=[COMMANDS, PARCELS, STRANGE])
    item = ItemModel(
        system="parcels", id="P-1", status="waiting", verdict=VerdictModel(cancellable=True), fields={"leaves": AT}
    )
    canned.answers["GET", "/v1/systems/parcels/items"] = PageModel(
        system="parcels", items=[item], total=1, position=1, as_of=AT
    )
    canned.answers["GET", "/v1/systems/parcels/count"] = CountModel(value=1, exact=True)
    async with open_canned(canned, (80, 24)) as opened:
        yield opened


async def _enter(operator: Operator, text: str) -> None:
    await operator.press("colon")
    await operator.until(lambda: operator.app.screen.query("#command-text"), "the command line")
    operator.app.screen.query_one("#command-text", Input).value = text
    await operator.press("enter")


def _said(operator: Operator) -> str:
    return " ".join(one.message for one in operator.app._notifications)


async def test_its_name_opens_it_and_its_items_can_be_marked(operator: Operator) -> None:
    await _enter(operator, "parcels")
    await operator.on(ItemsScreen)
    await operator.sees("P-1", "d ago", "1–1 of 1")
    assert HOSTILE in operator.text.splitlines()[0], "the header names the place, as its system calls itself"
    await operator.press("space")
    await operator.sees("1 marked")


async def test_the_help_lists_it_after_the_five(operator: Operator) -> None:
    await operator.press("question_mark")
    await operator.on(HelpScreen)
    await operator.type("go to")
    await operator.sees("Go to Ledger.", ":parcels Go to Parcels")
    assert "No Name" not in operator.text


async def test_the_palette_opens_it(operator: Operator) -> None:
    commands = [one for one in operator.app.get_system_commands(operator.app.screen) if ":parcels" in one.title]
    assert [one.title for one in commands] == ["Go to Parcels (:parcels)"]
    commands[0].callback()
    await operator.on(ItemsScreen)


async def test_a_misspelt_place_is_answered_with_the_near_one(operator: Operator) -> None:
    await _enter(operator, "parcel")
    await operator.until(lambda: "Did you mean :parcels?" in _said(operator), "the hint")


async def test_the_numbers_of_the_three_stay_where_their_systems_are_absent(operator: Operator) -> None:
    await operator.press("3")
    await operator.until(lambda: "This profile has no schedules" in _said(operator), "the sentence")


async def test_it_opens_at_the_first_place_whose_system_is_there() -> None:
    canned = Canned(systems=[PARCELS, CASES])
    async with _opened(canned) as operator:
        await operator.until(lambda: operator.app.current_mode == "cases", "the cases")
        await operator.sees("2 Cases")
        await operator.press("1")
        await operator.until(lambda: "This profile has no commands" in _said(operator), "the sentence")
        assert operator.app.current_mode == "cases"


async def test_it_opens_at_a_further_system_where_there_is_none_of_the_three() -> None:
    async with _opened(Canned(systems=[PARCELS])) as operator:
        await operator.until(lambda: operator.app.current_mode == "parcels", "the parcels")


@pytest.mark.parametrize("systems", [[], [PARCELS, PARCELS.model_copy(update={"system": "commands"})]])
async def test_it_stays_where_it_opened_while_there_is_a_reason_to(systems: list[SystemModel]) -> None:
    async with _opened(Canned(systems=systems)) as operator:
        await operator.until(lambda: operator.app.about is not None, "an answer")
        await operator.pilot.pause()
        assert operator.app.current_mode == "commands"


@asynccontextmanager
async def _opened(canned: Canned) -> AsyncIterator[Operator]:
    app = QuashApp(canned.client, utf8=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        yield Operator(app, pilot)
