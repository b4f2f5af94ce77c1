"""The command line of the console: a colon, a word, enter."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events
from textual.containers import Horizontal
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Static

from tui_app.tui.commands import completions
from tui_app.tui.screens.base import Dialog
from tui_app.tui.text import phrase
from tui_app.tui.widgets.fields import LineField


class CommandLine(Dialog[str | None], inherit_bindings=False):
    """Gives back what was entered. Up and down go through what was entered before, tab completes."""

    PLACE = "command_line"

    def __init__(self, history: list[str]) -> None:
        super().__init__()
        self._history = history
        self._at = len(history)

    def body(self) -> Iterator[Widget]:
        suggester = SuggestFromList(completions(self.quash), case_sensitive=False)
        yield Horizontal(
            Static(phrase(":"), id="command-colon", markup=False),
            LineField(id="command-text", suggester=suggester),
            id="command-line",
        )

    def on_mount(self) -> None:
        super().on_mount()
        self._field.focus()

    @property
    def _field(self) -> Input:
        return self.query_one("#command-text", Input)

    def act_next_field(self) -> None:
        self._field.action_cursor_right()

    def on_key(self, event: events.Key) -> None:
        step = {"up": -1, "down": 1}.get(event.key)
        if step is not None:
            event.stop()
            self._at = min(max(self._at + step, 0), len(self._history))
            self._field.value = self._history[self._at] if self._at < len(self._history) else ""
            self._field.action_end()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)
