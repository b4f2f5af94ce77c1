"""The places of a console: five that are fixed, and one more for each further system that the profile has."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from tui_app.tui.actions import FIXED, LEDGER, RUNS, SYSTEM_PLACES
from tui_app.tui.screens.base import QuashScreen

if TYPE_CHECKING:
    from tui_app.contract.models import About, SystemModel
    from tui_app.tui.app import QuashApp

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def place_screen(place: str) -> QuashScreen[Any]:
    """The screen that a place begins with, loaded when the place is opened and not before."""
    if place == RUNS:
        from tui_app.tui.screens.runs import RunsScreen

        return RunsScreen()
    if place == LEDGER:
        from tui_app.tui.screens.ledger import LedgerScreen

        return LedgerScreen()
    from tui_app.tui.screens.items import ItemsScreen

    return ItemsScreen(place)


class Places:
    """What can be gone to, and what each place is called. A further system has a name to type instead of a number."""

    def __init__(self, app: QuashApp) -> None:
        self._app = app
        self.further: tuple[str, ...] = ()
        for place in FIXED:
            app.add_mode(place, partial(place_screen, place))

    @property
    def all(self) -> tuple[str, ...]:
        """The fixed ones first."""
        return (*FIXED, *self.further)

    def learn(self, about: About) -> None:
        """The backend answered: open a place for each system that has none yet."""
        for system in about.systems:
            name = system.system
            if name not in self.all and _NAME.fullmatch(name):
                self.further = (*self.further, name)
                self._app.add_mode(name, partial(place_screen, name))

    def begin(self) -> None:
        """Leave the place that the console opens at, where its system is not there, for the first that is.

        A place that the operator has gone to meanwhile is not left.
        """
        app, here = self._app, [place for place in self.all if self.system(place) is not None]
        if here and app.current_mode == app.DEFAULT_MODE and app.current_mode in self.absent:
            app.switch_mode(here[0])

    def system(self, name: str) -> SystemModel | None:
        """How a system describes itself; None where the profile does not have it."""
        systems = self._app.about.systems if self._app.about else []
        return next((system for system in systems if system.system == name), None)

    def title_of(self, place: str) -> str:
        """What a place is called: by its system where there is one."""
        system = self.system(place)
        return system.title if system else place.capitalize()

    @property
    def absent(self) -> frozenset[str]:
        """The places whose system this profile does not have."""
        return frozenset(place for place in SYSTEM_PLACES if self._app.about and self.system(place) is None)
