"""One line of the ledger, whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.domain.visible import as_written
from tui_app.tui.actions import ENTRY
from tui_app.tui.screens.base import Dialog
from tui_app.tui.text import lines, phrase, safe
from tui_app.tui.widgets.scrolling import scroll

if TYPE_CHECKING:
    from tui_app.contract.ledger import LedgerLine

LONGEST = 4000
"""Characters of one value at most."""


class LedgerEntry(Dialog[None]):
    """Every field of a line, and what its event holds beside them."""

    PLACE = ENTRY
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, line: LedgerLine) -> None:
        super().__init__()
        self._line = line

    def body(self) -> Iterator[Widget]:
        yield VerticalScroll(Static(self._told(), markup=False, classes="entry-text"), classes="dialog entry")

    def act_move(self, where: str) -> None:
        scroll(self.query_one(VerticalScroll), where)

    def _told(self) -> Content:
        facts = self._line.model_dump(exclude={"details"}) | self._line.details
        width = max(len(name) for name in facts)
        return lines(
            *(phrase("{} {}", safe(f"{name:<{width}}", style="bold"), _value(value)) for name, value in facts.items())
        )


def _value(value: object) -> Content:
    if value is None:
        return safe("")
    return safe(as_written(value), LONGEST)
