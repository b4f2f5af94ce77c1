"""How one value looks in one cell: visible, one line, and exactly as wide as its column."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.cells import cell_len

from tui_app.domain import moments
from tui_app.domain.visible import LONGEST_ID, cut, visible
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


def fitted(text: str, width: int, glyphs: Glyphs, *, right: bool = False, middle: bool = False) -> str:
    """Exactly ``width`` cells: made visible, cut with a sign at its end or in its ``middle``, or filled."""
    text = visible(text, max(width * 2, LONGEST_ID if middle else 1), plain=not glyphs.utf8)
    text = cut(text, width, glyphs["cut"], cell_len, middle=middle)
    filling = " " * (width - cell_len(text))
    return filling + text if right else text + filling


def telling_width(ids: Iterable[str], width: int, glyphs: Glyphs) -> int:
    """The least width from ``width`` on at which no two of these ids look alike."""
    different = set(ids)
    longest = max((cell_len(visible(one, LONGEST_ID, plain=not glyphs.utf8)) for one in different), default=0)
    while width < longest and len({fitted(one, width, glyphs, middle=True) for one in different}) < len(different):
        width += 2
    return width
