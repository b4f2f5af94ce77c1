"""A row of the table as a strip: plain segments of visible text, one style for as much of it as can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui_app.glyphs import Glyphs
from tui_app.tui.left import left
from tui_app.tui.widgets.cells import fitted, shown
from tui_app.tui.widgets.layout import GAP, GLYPH, SIGNS, Slot

if TYPE_CHECKING:
    from tui_app.contract.models import ColumnModel, ItemModel, SystemModel

TONES = ("good", "bad", "busy", "idle")


class RowPainter:
    """Draws header and rows at one width.

    ``style`` gives the look of a name of ``LOOKS``, ``clock`` the time from which what is left is counted.
    """

    LOOKS = frozenset({"header", "column", "cursor", "cell", "marked", "blocked", "range", "row", "close", *TONES})

    def __init__(
        self,
        system: SystemModel,
        slots: Sequence[Slot],
        width: int,
        glyphs: Glyphs,
        style: Callable[[str], Style],
        clock: Callable[[], datetime],
    ) -> None:
        self._system = system
        self._slots = slots
        self._width = width
        self._glyphs = glyphs
        self._style = style
        self._clock = clock

    def header(self, sort: str, column: int) -> Strip:
        """The titles; the order stands beside its column, and the column cursor on its own."""
        pieces = [(" " * SIGNS, "header")]
        for slot in self._slots:
            described = self._system.columns[slot.number]
            title = described.title
            if sort.removeprefix("-") == described.field:
                title += f" {self._glyphs['down' if sort.startswith('-') else 'up']}"
            text = fitted(title, slot.width, self._glyphs, right=described.kind == "number")
            pieces += [(text, "column" if slot.number == column else "header"), (" " * GAP, "header")]
        return self._strip(pieces, "header")

    def row(self, item: ItemModel, *, marked: bool, ranged: bool, column: int | None) -> Strip:
        """One item; ``column`` is the cursor's cell where the cursor is on this row."""
        glyphs = self._glyphs
        look = self._look(item, marked=marked, ranged=ranged, under=column is not None)
        sign = glyphs["range"] if ranged else glyphs["mark"] if marked else " "
        blocked = " " if item.verdict.cancellable else glyphs["no"]
        pieces = [(f"{sign} {blocked} ", look)]
        for slot in self._slots:
            described = self._system.columns[slot.number]
            text, tone = self._cell(item, described, slot.width)
            of_cell = "cell" if slot.number == column else look if tone is None or column is not None else tone
            pieces += [(text, of_cell), (" " * GAP, look)]
        return self._strip(pieces, look)

    def _look(self, item: ItemModel, *, marked: bool, ranged: bool, under: bool) -> str:
        if under:
            return "cursor"
        if ranged:
            return "range"
        return "marked" if marked else "row" if item.verdict.cancellable else "blocked"

    def _cell(self, item: ItemModel, column: ColumnModel, width: int) -> tuple[str, str | None]:
        if column.kind == "status":
            tone = self._system.status_tones.get(item.status, "idle")
            tone = tone if tone in TONES else "idle"
            word = fitted(item.status, max(width - GLYPH, 0), self._glyphs)
            return f"{self._glyphs[tone]} {word}"[:width], tone
        value = item.id if column.kind == "id" else item.fields.get(column.field)
        if column.kind == "deadline" and (time := left(value, self._clock())) is not None:
            # What cannot be acted on any more is in no hurry, however close.
            hurried = (time.close or time.past) and item.verdict.cancellable
            return fitted(time.words, width, self._glyphs), "close" if hurried else None
        text = shown(value, column.kind)
        return fitted(text, width, self._glyphs, right=column.kind == "number", middle=column.kind == "id"), None

    def _strip(self, pieces: Sequence[tuple[str, str]], filler: str) -> Strip:
        segments: list[Segment] = []
        text, current = "", pieces[0][1]
        for part, look in pieces:
            if look != current:
                segments.append(Segment(text, self._style(current)))
                text, current = "", look
            text += part
        segments.append(Segment(text, self._style(current)))
        return Strip(segments).adjust_cell_length(self._width, self._style(filler))
