"""The filter as text, above the table: always shown, and edited in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from tui_app.tui.text import phrase
from tui_app.tui.widgets.fields import Field

if TYPE_CHECKING:
    from tui_app.tui.app import QuashApp

AFTER = 0.06
"""Seconds without a key after which what was typed is asked for."""


class FilterBar(Widget):
    """A field for the filter, and below it what is wrong with it while something is.

    ``Typed`` comes when typing rests, ``Applied`` with enter.
    """

    app: QuashApp

    class Edited(Message):
        """Typing begins."""

    class Typed(Message):
        """Typing rests; ``text`` is what stands there."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Applied(Typed):
        """The operator is done."""

    def __init__(self) -> None:
        super().__init__()
        self._before: str | None = None

    def compose(self) -> Iterator[Widget]:
        yield Static(phrase("filter "), id="filter-label", markup=False)
        yield Field(id="filter-text", select_on_focus=True)
        yield Static("", id="filter-problem", markup=False)

    @property
    def editing(self) -> bool:
        """Whether a filter is being typed."""
        return self._before is not None

    def show(self, text: str) -> None:
        """The filter in force."""
        with self.prevent(Input.Changed):
            self._field.value = text
        self.problem(None)

    def edit(self) -> None:
        """Begin to type; the present filter is selected, so that typing replaces it."""
        self._begin()
        self.screen.set_focus(self._field)
        self._field.action_select_all()

    def done(self, text: str) -> None:
        """This is the filter in force."""
        self._before = None
        self.show(text)

    @property
    def before(self) -> str:
        """The filter that was in force before it was edited."""
        return self._before or ""

    def restore(self) -> None:
        """Give up what was typed."""
        self.done(self.before)

    def _begin(self) -> None:
        if self._before is None:
            self._before = self._field.value
            self.post_message(self.Edited())

    def problem(self, what: Content | None) -> None:
        """Say what is wrong with the filter, or that nothing is."""
        shown = self.query_one("#filter-problem", Static)
        shown.display = what is not None
        shown.update(what if what is not None else "")

    @property
    def _field(self) -> Input:
        return self.query_one("#filter-text", Input)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        text = event.value
        self.set_timer(AFTER, lambda: self._rested(text))

    def _rested(self, text: str) -> None:
        if self.editing and self._field.value == text:
            self.post_message(self.Typed(text))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Applied(event.value))

    def on_descendant_focus(self) -> None:
        # By tab or mouse, without the key: it is edited all the same.
        self._begin()
