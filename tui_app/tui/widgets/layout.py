"""Which columns a width has room for, and how wide each is: pure arithmetic over what a system says of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_app.contract.models import ColumnModel

GAP = 1
"""Cells between two columns."""

SIGNS = 4
"""Cells before the first column: the mark, the verdict, and a blank after each."""

GLYPH = 2
"""Cells that a status takes beside its word."""

ID_WIDTH = 24
"""Cells of an id whose system tells no width that can be."""

MOST = 120
"""Cells that a column takes at most, whatever its system tells."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One column as it is drawn: its number among all columns, where it begins, and its width in cells."""

    number: int
    start: int
    width: int


def layout(columns: Sequence[ColumnModel], width: int, wanted: int = 0, id_width: int = 0) -> tuple[Slot, ...]:
    """The columns that fit, in their order; the ``wanted`` one is always among them.

    Columns are taken by priority until one does not fit: none is shown in the place of one that decides more. The id
    gets at least ``id_width`` where there is room, and what is left over is shared by the flexible columns.
    """
    room = width - SIGNS
    chosen = {wanted} if columns else set()
    used = _width(columns[wanted], id_width) if columns else 0
    for number in sorted(range(len(columns)), key=lambda number: columns[number].priority):
        if number in chosen:
            continue
        needed = _width(columns[number], id_width) + GAP
        if used + needed > room:
            break
        chosen.add(number)
        used += needed
    return _placed(columns, sorted(chosen), room, id_width)


def _width(column: ColumnModel, id_width: int) -> int:
    width = min(max(column.width, 1), MOST)
    if column.kind == "id":
        return max(width if column.width > 0 else ID_WIDTH, id_width)
    return width + (GLYPH if column.kind == "status" else 0)


def _placed(columns: Sequence[ColumnModel], chosen: Sequence[int], room: int, id_width: int) -> tuple[Slot, ...]:
    widths = {number: _width(columns[number], id_width) for number in chosen}
    spare = room - sum(widths.values()) - GAP * max(len(chosen) - 1, 0)
    flexible = [number for number in chosen if columns[number].flexible]
    for place, number in enumerate(flexible):
        share = spare // (len(flexible) - place)
        widths[number] = max(widths[number] + share, 1)
        spare -= share
    slots, start = [], SIGNS
    for number in chosen:
        fitting = min(widths[number], max(room + SIGNS - start, 0))
        slots.append(Slot(number, start, fitting))
        start += fitting + GAP
    return tuple(slots)
