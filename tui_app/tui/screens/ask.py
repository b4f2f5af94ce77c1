"""A question with yes and no, asked only while something would be lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.tui.screens.base import Dialog
from tui_app.tui.text import lines, phrase


class Ask(Dialog[bool | None], inherit_bindings=False):
    """Gives back whether the operator said yes."""

    PLACE = "ask"

    def __init__(self, lost: Sequence[Content]) -> None:
        super().__init__()
        self._lost = lost

    def body(self) -> Iterator[Widget]:
        yes, no = self.quash.key_of("yes"), self.quash.key_of("no")
        text = lines(
            phrase("Quitting loses:"),
            *(phrase("  {}", lost) for lost in self._lost),
            phrase("What runs goes on."),
            phrase(""),
            phrase("{} quits, {} stays", yes, no),
        )
        yield Static(text, classes="dialog", markup=False)

    def act_yes(self) -> None:
        self.dismiss(True)

    def act_no(self) -> None:
        self.dismiss(False)
