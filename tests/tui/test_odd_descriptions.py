"""The items screen over systems that describe themselves oddly: it draws what can be drawn, and the id in any case."""

import pytest

from support.backend import serving
from support.odd_descriptions import ODD
from support.operator import LARGE, SMALL, desk_over
from support.wire import Wire
from tui_app.domain.visible import visible
from tui_app.tui.screens.detail import DetailScreen
from tui_app.tui.screens.items import ItemsScreen


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
@pytest.mark.parametrize("name", ODD)
async def test_an_odd_description_is_drawn(tmp_path, name, size):
    def described(path, body):
        return {**body, "systems": [{**body["systems"][0], "columns": ODD[name]}]} if path == "/v1" else body

    async with (
        serving("embedded", tmp_path, rows=3) as service,
        desk_over(service, size, client=Wire(service, described).client) as desk,
    ):
        await desk.until(lambda: len(desk.table.rows) == 3, "the rows")
        for _ in range(4):
            await desk.does("right")
        for _ in range(4):
            await desk.does("left")
        await desk.does("sort", "refresh", "copy")
        await desk.press("escape")
        await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen), "the rows again")
        await desk.settled_keys()
        ids = [item.id for item in desk.table.rows]
        assert all(item_id[-10:] in desk.text for item_id in ids), desk.text
        assert "\x1b" not in desk.text
        for strip in desk.app.screen._compositor.render_strips():
            assert visible(strip.text, 10_000) == strip.text
            assert not any("@click" in (segment.style.meta if segment.style else {}) for segment in strip)
        await desk.does("detail")
        await desk.until(lambda: isinstance(desk.app.screen, DetailScreen), "all of one")
        await desk.settled()
        await desk.settled_keys()
        assert any(item_id[-10:] in desk.text for item_id in ids)
        await desk.press("escape")
        await desk.until(lambda: isinstance(desk.app.screen, ItemsScreen), "the rows again")
        await desk.settled_keys()
        await desk.mark(1).does("review")
        await desk.settled_review()
        assert any(item_id[-10:] in desk.text for item_id in ids)
        assert desk.app.crash is None, desk.app.crash.read_text()
