"""While a text is typed letters are that text, and the line of keys names those that act."""

from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from support.operator import Desk, desk_over, whole_demo
from tui_app.tui.actions import BY_ID
from tui_app.tui.screens.help import HelpScreen
from tui_app.tui.screens.items import ItemsScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.widgets.fields import Field, typed
from tui_app.tui.widgets.footer import Footer

SIZES = [(80, 24), (100, 30), (120, 40)]


def keys(desk: Desk) -> str:
    return str(desk.app.screen.query_one(Footer).render())


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "100x30", "120x40"])
async def test_the_line_of_keys_names_only_keys_that_act_while_a_text_is_typed(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, size) as desk:
        assert " ? help " in keys(desk)
        assert " Q quit " in keys(desk)
        fields = 0
        for opened, on in (
            (["slash"], ItemsScreen),
            (["escape", "question_mark"], HelpScreen),
            (["escape", "space", "x"], ReviewScreen),
        ):
            for key in opened:
                await desk.settled_keys()
                await desk.press(key)
                await desk.settled()
            if on is ReviewScreen:
                await desk.settled_review()
            await desk.until(lambda on=on: isinstance(desk.app.screen, on), on.__name__)
            focused = desk.app.screen.focused
            assert isinstance(focused, Input)
            fields += 1
            shown = [part.strip() for part in keys(desk).split("  ")]
            assert shown[-3:] == ["esc back", "F1 help", "ctrl+q quit"], (on, shown)
            assert not [part for part in shown if typed(part.partition(" ")[0])], (on, shown)
        assert fields == 3
        await desk.press("escape")
        await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen), "the commands")
        assert " Q quit " in keys(desk)


def test_a_field_takes_the_keys_that_are_said_to_be_typed() -> None:
    field = Field()
    for action in BY_ID.values():
        for key in action.keys:
            event = events.Key(key, " " if key == "space" else key if len(key) == 1 else None)
            assert typed(key) == field.types(event), (action.id, key)


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "100x30", "120x40"])
@pytest.mark.parametrize("down", ["j", "down", "pagedown"])
async def test_what_is_longer_than_its_screen_is_read_to_its_end_with_keys(
    tmp_path: Path, size: tuple[int, int], down: str
) -> None:
    async with whole_demo("embedded", tmp_path) as service, desk_over(service, size) as desk:
        for opened, view in ((["enter"], "#detail"), (["escape", "question_mark"], "#help-scroll")):
            for key in opened:
                await desk.settled_keys()
                await desk.press(key)
                await desk.settled()
            if view == "#help-scroll" and down == "j":
                continue
            scroll = desk.app.screen.query_one(view)
            await desk.settled_keys()
            assert scroll.max_scroll_y > 0
            for _ in range(scroll.max_scroll_y):
                await desk.press(down)
            await desk.until(lambda scroll=scroll: scroll.scroll_y == scroll.max_scroll_y, f"the end of {view}")
