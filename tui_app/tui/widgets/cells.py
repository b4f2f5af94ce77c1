"""How one value looks in one cell: visible, one line, and exactly as wide as its column."""

from __future__ import annotations

from datetime import datetime

from rich.cells import cell_len, set_cell_size

from tui_app.domain import moments
from tui_app.domain.visible import visible
from tui_app.glyphs import Glyphs


def moment(text: str) -> str:
    """A moment on the operator's own clock; what is no moment stays as it is."""
    try:
        return _local(text).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def time_of_day(text: str) -> str:
    """The time of a moment, without its date."""
    try:
        return _local(text).strftime("%H:%M:%S")
    except ValueError:
        return text


def _local(text: str) -> datetime:
    return moments.read(text).astimezone()


def shown(value: object, kind: str) -> str:
    """A value as text, still as its writer wrote it; nothing for none."""
    if value is None:
        return ""
    if kind in ("time", "deadline"):
        return moment(str(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if kind == "number" and isinstance(value, int) else str(value)


def fitted(text: str, width: int, glyphs: Glyphs, *, right: bool = False) -> str:
    """Exactly ``width`` cells: made visible, cut with a sign, or filled."""
    text = visible(text, max(width * 2, 1), plain=not glyphs.utf8)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(width - 1, 0)) + glyphs["cut"] * min(width, 1)
    filling = " " * (width - length)
    return filling + text if right else text + filling
