"""The layout of a table in text: how wide each column is, and which columns a narrow terminal has no room for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2
"""Cells between two columns."""

LEAST = 12
"""Cells that a flexible column keeps at least, unless all that it holds is narrower."""

CELL = 60
"""Characters of a cell, where a column does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the record's field, its title, and how many characters are shown at most.

    Where a terminal is too narrow, ``flexible`` columns get narrower, and then the columns of the highest ``priority``
    go; priority 0 stays. A ``moment`` is shown to the second. What is too long for an ``id`` is cut in the middle,
    since many ids begin alike.
    """

    field: str
    title: str
    limit: int = CELL
    priority: int = 3
    flexible: bool = False
    moment: bool = False
    id: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are shown, by their places, with their widths in cells; and the places of the others."""

    shown: tuple[tuple[int, int], ...]
    hidden: tuple[int, ...]


def cell_width(text: str) -> int:
    """How many cells a terminal draws this text in."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    flat = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) + wide - flat


def fit(columns: Sequence[Column], widths: Sequence[int], empty: Sequence[bool], room: int | None) -> Layout:
    """Fit columns into a room in cells.

    ``widths`` are what the columns need, and ``empty`` says which of them hold nothing: those go first. Without a room,
    as in a file, every column is shown as wide as it is.
    """
    kept = list(range(len(columns)))
    if room is None:
        return Layout(tuple((place, widths[place]) for place in kept), ())

    def least(place: int) -> int:
        column = columns[place]
        if column.id:
            return min(widths[place], max(LEAST, room // 4))
        return min(widths[place], max(LEAST, cell_width(column.title))) if column.flexible else widths[place]

    def taken(width_of: Sequence[int]) -> int:
        return sum(width_of) + GAP * (len(width_of) - 1)

    droppable = sorted(
        (place for place in kept if columns[place].priority > 0),
        key=lambda place: (empty[place], columns[place].priority, place),
    )
    while droppable and taken([least(place) for place in kept]) > room:
        kept.remove(droppable.pop())
    spare = room - taken([least(place) for place in kept])
    final = {}
    # What one decides by is read in the table; an id that is cut is still told apart by both of its ends.
    for place in sorted(kept, key=lambda place: (columns[place].id, columns[place].priority, place)):
        more = max(0, min(spare, widths[place] - least(place)))
        final[place] = least(place) + more
        spare -= more
    hidden = tuple(place for place in range(len(columns)) if place not in kept and not empty[place])
    return Layout(tuple((place, final[place]) for place in kept), hidden)
