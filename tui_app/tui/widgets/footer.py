"""The line of keys: the most useful actions of a screen, dim where they make no sense now."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widget import Widget

from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.tui.actions import Action
    from tui_app.tui.app import QuashApp
    from tui_app.tui.screens.base import QuashScreen


class Footer(Widget):
    """Keys in the order of the registry, as many as fit; help is always among them."""

    app: QuashApp

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place
        self._drawn: tuple[object, ...] = ()

    def refresh_actions(self) -> None:
        """Draw anew where an action has become possible or impossible; a cursor move costs nothing here."""
        drawn = tuple(why for _, why in self._actions())
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def render(self) -> Content:
        shown: list[Content] = []
        room = self.size.width - 1
        entries = [(self._entry(action), why) for action, why in self._actions()]
        last = entries[-2:]
        room -= sum(entry.cell_length for entry, _ in last)
        for entry, why in entries[:-2]:
            if entry.cell_length > room:
                break
            room -= entry.cell_length
            shown.append(entry.stylize("dim") if why else entry)
        return Content("").join([*shown, *(entry for entry, _ in last)])

    def _entry(self, action: Action) -> Content:
        return phrase(" {} {} ", safe(self.app.keymap.shown(action)).stylize("bold"), action.label)

    def _actions(self) -> list[tuple[Action, bool]]:
        state = cast("QuashScreen[object]", self.screen).state()
        shown = sorted((action for action in self.app.keymap.at(self._place) if action.footer), key=_order)
        return [(action, action.why_disabled(state) is not None) for action in shown]


def _order(action: Action) -> int:
    return action.footer
