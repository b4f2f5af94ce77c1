"""The first screen of each place, loaded when the place is opened and not before."""

from __future__ import annotations

from typing import Any

from tui_app.tui.actions import LEDGER, RUNS
from tui_app.tui.screens.base import QuashScreen


def place_screen(place: str) -> QuashScreen[Any]:
    """The screen that a place begins with."""
    if place == RUNS:
        from tui_app.tui.screens.runs import RunsScreen

        return RunsScreen()
    if place == LEDGER:
        from tui_app.tui.screens.ledger import LedgerScreen

        return LedgerScreen()
    from tui_app.tui.screens.items import ItemsScreen

    return ItemsScreen(place)
