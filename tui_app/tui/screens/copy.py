"""What to copy: four keys after the first."""

from __future__ import annotations

from collections.abc import Iterator

from textual.widget import Widget
from textual.widgets import Static

from tui_app.tui.screens.base import Dialog
from tui_app.tui.text import lines, phrase


class CopyMenu(Dialog[str | None], inherit_bindings=False):
    """Gives back what is to be copied, by the name of its action, or None."""

    PLACE = "copy"

    def body(self) -> Iterator[Widget]:
        keymap = self.quash.keymap
        choices = [action for action in keymap.at(self.PLACE) if self.PLACE in action.places]
        text = lines(phrase("Copy"), *(phrase("{}  {}", keymap.shown(each), each.label) for each in choices))
        yield Static(text, classes="dialog", markup=False)

    def act_pick(self, kind: str) -> None:
        self.dismiss(kind)
