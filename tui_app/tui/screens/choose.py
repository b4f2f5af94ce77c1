"""A short list to choose one line from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui_app.tui.screens.base import Dialog
from tui_app.tui.text import safe


class Choose(Dialog[str | None]):
    """Gives back the chosen line as it was given, or None."""

    PLACE = "choose"
    AUTO_FOCUS = "OptionList"

    def __init__(self, title: Content, choices: Sequence[str]) -> None:
        super().__init__()
        self._title, self._choices = title, choices

    def body(self) -> Iterator[Widget]:
        options = [Option(safe(choice), id=str(number)) for number, choice in enumerate(self._choices)]
        yield Vertical(
            Static(self._title, classes="dialog-title", markup=False),
            OptionList(*options, markup=False, compact=True),
            classes="dialog",
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._choices[event.option_index])
