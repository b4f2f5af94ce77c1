"""One line of text, asked for."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from tui_app.tui.screens.base import Dialog
from tui_app.tui.widgets.fields import Field


class AskText(Dialog[str | None]):
    """Gives back what was entered, or None. ``problem`` says why it is asked once more."""

    PLACE = "ask_text"
    AUTO_FOCUS = "Input"

    def __init__(self, title: Content, value: str, problem: Content | None = None) -> None:
        super().__init__()
        self._title, self._value, self._problem = title, value, problem

    def body(self) -> Iterator[Widget]:
        parts: list[Widget] = [Static(self._title, classes="dialog-title", markup=False), Field(self._value)]
        if self._problem is not None:
            parts.append(Static(self._problem, classes="dialog-say", markup=False))
        yield Vertical(*parts, classes="dialog")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)
