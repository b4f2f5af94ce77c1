"""Texts that would act, hide or break, on every screen: they are shown, they do nothing, and nothing falls over."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from textual.strip import Strip

from support.backend import Service, serving
from support.operator import LARGE, SMALL, Desk, desk_over
from support.wire import Wire, poison
from tui_app.domain.errors import Fault, OutcomeUnknown, Refused, Unavailable
from tui_app.domain.visible import visible
from tui_app.tui.screens.detail import DetailScreen
from tui_app.tui.screens.items import ItemsScreen
from tui_app.tui.screens.run import RunScreen

TEXTS = {
    "a link that quits": "[@click=app.quit]x[/]",
    "markup that does not close": "a[/]b",
    "markup that does not open": "[bold red",
    "escape sequences": "\x1b[2J\x1b]52;c;ZXZpbA==\x07\x9b31m",
    "right to left": "abc\u202egpj.exe\u2066",
    "lines": "one\ntwo\r\nthree\tfour",
    "a megabyte": "m" * 1_000_000,
}


@pytest.fixture(params=TEXTS, ids=str)
def text(request: pytest.FixtureRequest) -> str:
    return TEXTS[request.param]


@pytest.fixture
async def three(tmp_path) -> Service:
    """Few rows, since each of them carries a megabyte."""
    async with serving("embedded", tmp_path, rows=3) as service:
        yield service


def drawn(desk: Desk) -> Iterator[Strip]:
    yield from desk.app.screen._compositor.render_strips()


def assert_inert(desk: Desk) -> None:
    for strip in drawn(desk):
        assert visible(strip.text, 10_000) == strip.text
        for segment in strip:
            meta = segment.style.meta if segment.style else {}
            assert "@click" not in meta, segment
    assert desk.app.is_running
    assert desk.app.return_code is None
    assert desk.app.crash is None, desk.app.crash.read_text()


def begins(text: str) -> str:
    return re.sub(r"\s.*", "", visible(text))[:8]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
async def test_every_screen_shows_it_and_it_does_nothing(three: Service, text: str, size: tuple[int, int]) -> None:
    async with desk_over(three, size, client=Wire(three, poison(text)).client) as desk:
        assert begins(text) in desk.text
        assert_inert(desk)
        for screen in ("detail", "help", "copy"):
            await desk.does(screen)
            await desk.settled_keys()
            assert_inert(desk)
            if screen == "detail":
                assert isinstance(desk.app.screen, DetailScreen)
                assert begins(text) in desk.text
            await desk.press("escape")
            await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen))
        await desk.mark(2).does("quit")
        assert_inert(desk)
        await desk.press("n")
        await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen))
        await desk.settled_keys()
        await desk.cancel("duplicate request")
        await desk.until(lambda: isinstance(desk.app.screen, RunScreen))
        await desk.sees("2 cancelled")
        assert_inert(desk)
        await desk.on("runs")
        assert begins(text) in desk.text
        assert_inert(desk)
        await desk.on("ledger")
        assert begins(text) in desk.text
        assert_inert(desk)


async def test_a_poisoned_error_is_told_and_does_nothing(three: Service, text: str) -> None:
    async with desk_over(three, messages=True) as desk:
        for kind in (Refused, Unavailable, OutcomeUnknown, Fault):
            desk.app.present(kind(text, hint=text))
            # The first letter of a sentence is made a capital.
            await desk.until(lambda: begins(text)[1:] in desk.text)
            assert_inert(desk)
            desk.app.notice = None
            desk.app.clear_notifications()
            await desk.until(lambda: begins(text)[1:] not in desk.text)


async def test_hostile_rows_of_the_system_itself(small: Desk) -> None:
    await small.filters("a[/]b").does("preview")
    assert "a[/]b" in small.text
    assert_inert(small)
    await small.does("detail")
    assert "a[/]b" in small.text
    assert_inert(small)
