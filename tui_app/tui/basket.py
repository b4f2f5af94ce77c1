"""What is marked in all places together: each keeps its marks while the console is open, and one plan can take all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.contract.plans import SelectionModel
    from tui_app.tui.screens.items import ItemsScreen


class Basket:
    """The screens of items that were opened, in the order of their places; their marks are asked when needed."""

    def __init__(self) -> None:
        self._screens: list[ItemsScreen] = []

    def join(self, screen: ItemsScreen) -> None:
        """A place of items was opened."""
        order = screen.quash.places.all
        self._screens = sorted([*self._screens, screen], key=lambda one: order.index(one.system_name))

    @property
    def marked(self) -> list[ItemsScreen]:
        """Where something is marked."""
        return [screen for screen in self._screens if screen.is_mounted and screen.table.marks]

    def beside(self, here: ItemsScreen) -> list[ItemsScreen]:
        """Where something is marked but here."""
        return [screen for screen in self.marked if screen is not here]


def selections(screens: Sequence[ItemsScreen]) -> list[SelectionModel]:
    """The value that is sent for the marks of these places."""
    from tui_app.contract.plans import SelectionModel

    chosen = [one for screen in screens for one in screen.table.marks.selections(screen.system_name)]
    return [SelectionModel.model_validate(one) for one in chosen]


def hidden(screens: Sequence[ItemsScreen]) -> int:
    """How many of these marks a filter hides, as far as they were counted."""
    return sum(screen.marking.asking.hidden or 0 for screen in screens)


def named(screens: Sequence[ItemsScreen]) -> Content:
    """How many are marked in each of these places: "3 cases, 2 schedules"."""
    return phrase(", ").join([_named(screen) for screen in screens])


def _named(screen: ItemsScreen) -> Content:
    count, system = screen.table.marks.count, screen.system
    word = screen.system_name if system is None else system.one if count == 1 else system.many
    return phrase("{} {}", count, safe(word, 40))
