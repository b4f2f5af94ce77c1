"""The line of keys: the most useful actions of a screen, dim where they make no sense now."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from tui_app.tui.actions import BY_ID
from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.tui.actions import Action
    from tui_app.tui.app import QuashApp
    from tui_app.tui.screens.base import QuashScreen

ALWAYS = 90
"""Actions from this place on are shown however little room there is."""


class Footer(Widget):
    """Keys in the order of the registry, as many as fit; help is always among them.

    While a field has the focus, letters are typed into it. Then only the keys stand here that it leaves to the screen.
    """

    app: QuashApp

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place
        self._drawn: tuple[object, ...] = ()
        self._typing = False

    def on_mount(self) -> None:
        self.watch(self.screen, "focused", self._focus_moved, init=False)

    def _focus_moved(self) -> None:
        # No more than a request to draw: focus also moves while a screen is taken apart, which has no state any more.
        if self._types() != self._typing:
            self._typing = self._types()
            self.refresh()

    def _types(self) -> bool:
        return isinstance(self.screen.focused, Input)

    def refresh_actions(self) -> None:
        """Draw anew where an action has become possible or impossible; a cursor move costs nothing here."""
        drawn = tuple((key, why) for _, key, why in self._actions())
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def render(self) -> Content:
        shown: list[Content] = []
        room = self.size.width - 1
        entries = [(action, _entry(action, key), why) for action, key, why in self._actions()]
        last = [entry for action, entry, _ in entries if _always(action)]
        room -= sum(entry.cell_length for entry in last)
        for action, entry, why in entries:
            if _always(action):
                continue
            if entry.cell_length > room:
                break
            room -= entry.cell_length
            shown.append(entry.stylize("dim") if why else entry)
        return Content("").join([*shown, *last])

    def _actions(self) -> list[tuple[Action, str, bool]]:
        """Each action with the key that does it now."""
        screen = cast("QuashScreen[object]", self.screen)
        state, keymap, typing = screen.state(), self.app.keymap, self._types()
        shown = sorted((action for action in keymap.at(self._place) if action.footer), key=_order)
        if typing:
            shown.insert(len([action for action in shown if not _always(action)]), BY_ID["back"])
        named = [(action, keymap.shown(action, typing=typing)) for action in shown]
        return [(action, key, action.why_disabled(state) is not None) for action, key in named if key or not typing]


def _entry(action: Action, key: str) -> Content:
    return phrase(" {} {} ", safe(key).stylize("bold"), action.label)


def _always(action: Action) -> bool:
    return action.footer >= ALWAYS or action.id == "back"


def _order(action: Action) -> int:
    return action.footer
