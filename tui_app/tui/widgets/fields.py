"""One-line fields that show what was typed into them without obeying it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, LiteralString

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.binding import BindingsMap
from textual.content import Content
from textual.message import Message
from textual.widgets import Checkbox, Input

from tui_app.domain.errors import InvalidReason
from tui_app.domain.reasons import check_reason
from tui_app.domain.visible import visible
from tui_app.tui.typed import LineEnd

if TYPE_CHECKING:
    from textual.suggester import Suggester

    from tui_app.tui.app import QuashApp

HIDDEN = "¤"
"""Stands for a character that a terminal would obey or not draw; one cell wide in every terminal."""

EDITING = BindingsMap(Input.BINDINGS)
"""The keys of a field of one line; what else Textual gives it is for what scrolls."""


def typed(key: str) -> bool:
    """Whether a field takes a key, by its name in the keymap: a letter, or one that edits."""
    return len(key) == 1 or key == "space" or key in EDITING.key_to_bindings


def masked(text: str) -> str:
    """The text with as many characters, each of which only draws."""
    return "".join(one if visible(one) == one else HIDDEN for one in text)


class Field(Input):
    """An input of one line and no frame, whose content is drawn masked; its value stays as it was typed.

    Every key does what it does before the next one is typed.

    ``ctrl+c`` and ``ctrl+a`` keep their meaning in the rest of the console.
    """

    app: QuashApp

    def __init__(
        self,
        value: str = "",
        *,
        placeholder: str = "",
        id: str | None = None,
        suggester: Suggester | None = None,
        select_on_focus: bool = False,
    ) -> None:
        super().__init__(
            value, placeholder=placeholder, id=id, suggester=suggester, compact=True, select_on_focus=select_on_focus
        )
        self.cursor_blink = False

    @property
    def _value(self) -> Text:
        return Text(masked(self.value), no_wrap=True, overflow="ignore", end="")

    def _position_to_cell(self, position: int) -> int:
        return cell_len(masked(self.value[:position]))

    async def _on_key(self, event: events.Key) -> None:
        # Letters are typed here, while a binding is looked for once the event has come up to the app, behind letters
        # that were typed after it.
        for binding in EDITING.key_to_bindings.get(event.key, ()):
            event.stop()
            event.prevent_default()
            await self.run_action(binding.action)
            return

    def types(self, event: events.Key) -> bool:
        """Whether a key is for this field: a letter, or one that edits."""
        return event.is_printable or event.key in EDITING.key_to_bindings

    async def heard(self) -> None:
        """Wait until the keys that were handed out before have been typed."""
        typed = asyncio.Event()
        if self.call_later(typed.set):
            await typed.wait()


class Option(Checkbox):
    """Something that is done or not; the stock box differs between the two by nothing but its colour."""

    @property
    def _button(self) -> Content:
        return Content("[x]" if self.value else "[ ]")


class LineEnded(Message):
    """A line's end came in one read with characters before it. ``then`` says what enter by itself does."""

    def __init__(self, then: LiteralString) -> None:
        super().__init__()
        self.then: LiteralString = then


class LineField(Field):
    """A field in which what is pasted becomes one line: nothing after its first line is lost."""

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(" ".join(event.text.split()))


class ReasonField(LineField):
    """The reason, which enter leaves only where it is one."""

    class Lacking(Message):
        """Enter was pressed, and ``error`` says what the reason lacks."""

        def __init__(self, error: InvalidReason) -> None:
            super().__init__()
            self.error = error

    @property
    def lack(self) -> InvalidReason | None:
        """What is wrong with the reason; nothing where it is one."""
        try:
            check_reason(self.value)
        except InvalidReason as error:
            return error
        return None

    async def takes(self, event: events.Key) -> bool:
        """Whether this key is one that leaves the field, which it then does before the next key is handed out.

        Tab always goes on to the confirmation. Enter stays where the reason is none yet: what is typed next belongs
        here. So does the end of a line that may have been pasted.
        """
        key = event.key
        if isinstance(event, LineEnd):
            await self.heard()
            self.insert_text_at_cursor(" ")
            self.post_message(LineEnded("go on"))
            return True
        if key not in ("enter", "tab"):
            return False
        if key == "enter":
            await self.heard()
            lack = self.lack
            if lack is not None:
                self.post_message(self.Lacking(lack))
                return True
        self.screen.set_focus(self.screen.query_one(ConfirmationField))
        return True


class ConfirmationField(Field):
    """The confirmation: typed by hand, or it confirms nothing."""

    class Pasted(Message):
        """A paste was refused."""

    async def takes(self, event: events.Key) -> bool:
        """Whether this key is the end of a line that may have been pasted; it confirms nothing."""
        if isinstance(event, LineEnd):
            await self.heard()
            self.post_message(LineEnded("confirm"))
            return True
        return False

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.post_message(self.Pasted())

    def action_paste(self) -> None:
        self.post_message(self.Pasted())
