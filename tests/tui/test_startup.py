"""What is loaded before the first paint: the wire is not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LATER = (
    "pydantic",
    "httpx",
    "starlette",
    "sqlite_utils",
    "sqlite3",
    "tui_app.client.backend",
    "tui_app.contract.models",
)


def test_the_first_screen_loads_nothing_of_the_wire():
    code = (
        "import sys, tui_app.tui.app, tui_app.tui.screens.items\n"
        f"print(*(name for name in {LATER!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


async def test_the_client_is_made_after_the_first_paint():
    from tui_app.client.backend import BackendClient
    from tui_app.domain.errors import CannotConnect
    from tui_app.tui.app import QuashApp

    painted: list[bool] = []

    def factory() -> BackendClient:
        painted.append(app.screen._compositor.size.width > 0)
        raise CannotConnect("not there")

    app = QuashApp(factory)
    async with app.run_test() as pilot:
        while not painted:
            await pilot.pause()
    assert painted == [True]
