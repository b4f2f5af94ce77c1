"""The help of a screen: its actions and their keys, searchable, from the registry."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from tui_app.tui.actions import FIXED, HELP, Action
from tui_app.tui.keymap import shown_key
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import lines, phrase, safe
from tui_app.tui.widgets.fields import Field
from tui_app.tui.widgets.scrolling import scroll

KEYS = 12
"""Cells for the keys of an action."""

_LAST_PLACE = f"go_{FIXED[-1]}"


class HelpScreen(QuashScreen[None], inherit_bindings=False):
    """What can be done on one screen. Typing searches, and so its own moves are those of keys that type nothing."""

    PLACE = HELP

    def __init__(self, of: str) -> None:
        super().__init__()
        self._of = of

    def body(self) -> Iterator[Widget]:
        yield Field(id="help-search", placeholder="type to search; esc goes back")
        yield VerticalScroll(Static(self._text(""), id="help-text", markup=False), id="help-scroll", can_focus=False)

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#help-search", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#help-text", Static).update(self._text(event.value))

    def act_move(self, where: str) -> None:
        scroll(self.query_one("#help-scroll", VerticalScroll), where)

    def _text(self, search: str) -> Content:
        wanted = search.casefold().split()
        state = self.quash.help_state
        rows: list[Content] = []
        for action in self.quash.keymap.at(self._of):
            keys = " ".join(shown_key(key) for key in self.quash.keymap.keys(action))
            text = f"{keys} {action.label} {action.help}".casefold()
            if all(word in text for word in wanted):
                rows.append(self._row(action, keys))
                why = action.why_disabled(state) if state is not None else None
                if why:
                    rows.append(phrase("{}  not now: {}", " " * KEYS, why).stylize("dim"))
            if action.id == _LAST_PLACE:
                rows.extend(self._further(wanted))
        return lines(*rows) if rows else phrase("No action matches {}.", search)

    def _further(self, wanted: list[str]) -> list[Content]:
        """The places that no number opens."""
        found = [(f":{name}", self.quash.places.title_of(name)) for name in self.quash.places.further]
        return [
            phrase("{}  Go to {}.", safe(typed.ljust(KEYS)).stylize("bold"), title)
            for typed, title in found
            if all(word in f"{typed} go to {title}".casefold() for word in wanted)
        ]

    def _row(self, action: Action, keys: str) -> Content:
        return phrase("{}  {}", safe(keys.ljust(KEYS)).stylize("bold"), action.help)
