"""The honest numbers under a table: which rows are seen, of how many, how many are marked, and as of when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from tui_app.glyphs import Glyphs
from tui_app.tui.text import lines, phrase, safe
from tui_app.tui.widgets.cells import time_of_day

if TYPE_CHECKING:
    from tui_app.tui.widgets.item_table import ItemTable


@dataclass(frozen=True, slots=True)
class Beside:
    """What the table does not know of itself. ``hidden`` is None where it has not been counted.

    ``also`` says what is marked in other places.
    """

    hidden: int | None = 0
    only_marked: bool = False
    auto: float | None = None
    also: Content | None = None


class Numbers(Static):
    """One line, changed only when a number does: an idle console writes nothing.

    A second one while other places hold marks, where both do not fit beside each other.
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._said: Content | None = None

    def tell(self, table: ItemTable, beside: Beside) -> None:
        """Say the numbers of a table."""
        said = numbers(table, beside, table.app.glyphs, table.app.size.width - 2)
        if said != self._said:
            self._said = said
            self.update(said)


def numbers(table: ItemTable, beside: Beside, glyphs: Glyphs, width: int) -> Content:
    """All of them, within a width."""
    window = table.window
    parts = [_rows(table, glyphs)]
    if window is not None and window.ends_early:
        parts.append(phrase("the others cannot be listed"))
    marks = _marked(table, beside)
    if marks is not None:
        parts.append(marks)
    if table.range_from is not None:
        parts.append(phrase("range of {}", len(table.in_range())))
    if beside.only_marked:
        parts.append(phrase("only the marked"))
    if window is not None:
        parts.append(phrase("as of {}", time_of_day(window.as_of)))
    if beside.auto is not None:
        parts.append(phrase("every {} s", round(beside.auto)))
    between = phrase(" {} ", glyphs["dot"])
    said = between.join(parts)
    if beside.also is None:
        return said
    together = between.join([said, beside.also])
    return together if together.cell_length <= width else lines(said, beside.also)


def _rows(table: ItemTable, glyphs: Glyphs) -> Content:
    window, seen = table.window, table.seen
    if window is None:
        return safe("no rows" if table.message else "no rows yet")
    if window.total is None:
        return safe("rows not counted")
    total = phrase("{}" if window.exact else "about {}", window.total)
    return phrase("{} of {}", _span(seen, glyphs), total) if seen else phrase("no rows")


def _span(seen: tuple[int, int], glyphs: Glyphs) -> Content:
    return phrase("{}{}{}", seen[0], glyphs["dash"], seen[1])


def _marked(table: ItemTable, beside: Beside) -> Content | None:
    marks = table.marks
    if not marks:
        return None
    count = phrase("{} marked" if marks.exact else "up to {} marked", marks.count)
    if beside.hidden is None:
        return phrase("{} (not counted how many the filter hides)", count)
    return phrase("{} ({} hidden by the filter)", count, beside.hidden) if beside.hidden else count
