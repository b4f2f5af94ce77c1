"""How the items look: read each picture when it changes, and do not only update it."""

import importlib.util
from pathlib import Path

import httpx
import pytest
from textual.widgets import Input

from support.operator import LARGE, SMALL, Desk
from support.still import after, still
from tui_app.client.backend import BackendClient
from tui_app.tui.app import QuashApp
from tui_app.tui.themes import NAMES


async def at_work(desk: Desk) -> None:
    """A row that is marked, one in a range, one that is blocked, and the cursor."""
    await desk.filters("status:IN_TROUBLESHOOTING_QUEUE,PENDING,COMPLETED")
    await desk.mark(2).does("down", "range", "down")
    if desk.app.size.width >= 120:
        await desk.until(lambda: desk.here in desk.panel, "the preview")


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_items(snap_compare, tmp_path: Path, size: tuple[int, int]) -> None:
    assert snap_compare(still(tmp_path), terminal_size=size, run_before=after(at_work))


@pytest.mark.parametrize("theme", NAMES[1:])
def test_themes(snap_compare, tmp_path: Path, theme: str) -> None:
    assert snap_compare(still(tmp_path, theme=theme), terminal_size=LARGE, run_before=after(at_work))


def test_production(snap_compare, tmp_path: Path) -> None:
    app = still(tmp_path, facts={"profile": "prod", "environment": "production"})
    assert snap_compare(app, terminal_size=SMALL, run_before=after())


def test_empty(snap_compare, tmp_path: Path) -> None:
    assert snap_compare(still(tmp_path, 0), terminal_size=SMALL, run_before=after())


def test_unreachable(snap_compare) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    app = QuashApp(
        lambda: BackendClient("http://ops.example.com", httpx.MockTransport(refuse), origin="ops.example.com"),
        utf8=True,
    )
    app._tick = lambda: None  # the countdown stands still for its picture
    assert snap_compare(app, terminal_size=SMALL, run_before=after())


def test_a_wrong_filter(snap_compare, tmp_path: Path) -> None:
    async def typed(desk: Desk) -> None:
        await desk.press("slash")
        desk.items.query_one("#filter-text", Input).value = "typ:Debit"
        desk.items.query_one("#filter-text", Input).cursor_blink = False
        await desk.sees("there is no field 'typ'")

    assert snap_compare(still(tmp_path), terminal_size=SMALL, run_before=after(typed))


def test_help(snap_compare, tmp_path: Path) -> None:
    async def searched(desk: Desk) -> None:
        await desk.does("help")
        desk.app.screen.query_one(Input).cursor_blink = False
        await desk.type("mark")
        await desk.sees("not now: Nothing is marked")

    assert snap_compare(still(tmp_path), terminal_size=SMALL, run_before=after(searched))


def test_detail(snap_compare, tmp_path: Path) -> None:
    async def opened(desk: Desk) -> None:
        await desk.does("detail")
        await desk.sees("can be cancelled", "Trail")

    assert snap_compare(still(tmp_path), terminal_size=LARGE, run_before=after(opened))


def test_copy(snap_compare, tmp_path: Path) -> None:
    async def opened(desk: Desk) -> None:
        await desk.does("copy")

    assert snap_compare(still(tmp_path), terminal_size=SMALL, run_before=after(opened))


def test_the_documentation_shows_these_pictures() -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("pictures", root / "docs" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    for picture, snapshot in pictures.PICTURES.items():
        assert picture.read_bytes() == snapshot.read_bytes(), "run: make pictures"
