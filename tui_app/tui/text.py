"""The one way of a text onto the screen: visible, cut, and literal.

A widget that is handed a plain string reads markup out of it, and a link in a cell is then an action that runs. So
every sink is handed a ``Content`` that was made here; tests/tui/test_sinks.py looks at each call.
"""

from __future__ import annotations

from string import Formatter
from typing import LiteralString

from rich.cells import cell_len
from textual.content import Content

from tui_app.domain import counting
from tui_app.domain.visible import CUT, LIMIT, LONGEST_ID, PLAIN_CUT, cut, visible


class _Terminal:
    """What the one terminal of this process can draw."""

    ascii = False


def speak(*, utf8: bool) -> None:
    """Say whether the terminal takes UTF-8; where it does not, foreign letters become escapes that can be read."""
    _Terminal.ascii = not utf8


def safe(text: object, limit: int = LIMIT, style: LiteralString = "") -> Content:
    """What anybody wrote, as literal text of at most ``limit`` characters, in one style."""
    shown = visible(str(text), limit, plain=_Terminal.ascii)
    return Content.styled(shown, style) if style else Content(shown)


def id_cell(text: str, width: int) -> Content:
    """An id in exactly ``width`` cells, cut in the middle where it is longer: many ids begin alike."""
    shown = visible(text, max(width * 2, LONGEST_ID), plain=_Terminal.ascii)
    shown = cut(shown, width, PLAIN_CUT if _Terminal.ascii else CUT, cell_len, middle=True)
    return Content(shown + " " * (width - cell_len(shown)))


def phrase(template: LiteralString, *values: object) -> Content:
    """A sentence of ours with values of anybody's: each ``{}`` takes the next, made safe unless it is a ``Content``.

    Numbers are grouped: ``phrase("{} of {}", 3, 12431)`` reads "3 of 12,431".
    """
    parts: list[Content] = []
    rest = iter(values)
    for literal, field, _spec, _conversion in Formatter().parse(template):
        parts.append(Content(literal))
        if field is not None:
            parts.append(_shown(next(rest)))
    return Content("").join(parts)


def counted(count: int, one: LiteralString, many: LiteralString = "") -> Content:
    """A number and what it counts, as ``tui_app.domain.counting`` says it."""
    return Content(counting.counted(count, one, many))


def lines(*parts: Content) -> Content:
    """Several contents under each other."""
    return Content("\n").join(parts)


def _shown(value: object) -> Content:
    if isinstance(value, Content):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Content(f"{value:,}")
    return safe(value)
