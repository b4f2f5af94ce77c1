"""A filter of one line above a list, there while it is used or holds something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui_app.tui.text import phrase
from tui_app.tui.widgets.fields import Field

if TYPE_CHECKING:
    from tui_app.tui.app import QuashApp


class LineFilter(Vertical):
    """``Typed`` follows every key, ``Entered`` enter, which the screen answers with ``accept`` or ``refuse``."""

    app: QuashApp

    class Typed(Message):
        """The text as it is now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Entered(Typed):
        """Enter was pressed."""

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self._placeholder = placeholder
        self.applied = ""

    def compose(self) -> ComposeResult:
        with Horizontal(classes="filter-line"):
            yield Static("filter", classes="filter-label", markup=False)
            yield Field(placeholder=self._placeholder)
        yield Static("", classes="filter-say", markup=False)

    def on_mount(self) -> None:
        self.display = False
        self._say(None)

    @property
    def field(self) -> Field:
        """Where it is typed."""
        return self.query_one(Field)

    def open(self) -> None:
        """Type a filter; the present one is selected, so that typing replaces it."""
        self.display = True
        self.screen.set_focus(self.field)
        self.field.select_all()

    def drop(self) -> bool:
        """Go back to what held before; false where nothing was being typed."""
        if not self.field.has_focus:
            return False
        self.accept(self.applied)
        return True

    def accept(self, text: str) -> None:
        """This holds from now on."""
        self.applied = self.field.value = text
        self.display = bool(text)
        self._say(None)

    def refuse(self, problem: Content) -> None:
        """What was entered is no filter; it stays to be corrected."""
        self._say(phrase("{} {}", self.app.glyphs["warning"], problem))

    def _say(self, problem: Content | None) -> None:
        line = self.query_one(".filter-say", Static)
        line.display = problem is not None
        line.update(problem or Content(""))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.field.has_focus:
            self.post_message(self.Typed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Entered(event.value))
