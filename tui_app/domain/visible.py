"""Text from elsewhere, made visible: what a terminal would obey, hide or reorder becomes an escape that can be read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from tui_app.domain.foreign_json import dump

LIMIT = 500
"""Characters of one text on a screen, unless a caller says otherwise."""

LONGEST_ID = 600
"""Characters of an id that are looked at: more than an id has, also where some of them are written as escapes."""

CUT = "…"
PLAIN_CUT = "~"

# Controls and ANSI (C0, DEL, C1), bidirectional and zero-width formats, line separators, lone surrogates, fillers that
# draw nothing, variation selectors and private use, on whose width terminals disagree. Written out, since collecting
# them from the character database costs a tenth of a second at each start; a test compares.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
_WIDE = re.compile("[\u1100-\U0010ffff]")
"""Where the characters that take two cells begin; most texts hold none."""
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(found: re.Match[str]) -> str:
    return _escaped(found[0])


def _escaped(character: str) -> str:
    point = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _without_marks_on_wide(text: str) -> str:
    """The text with the marks on wide characters as escapes: multiplexers give such a cell another width."""
    shown: list[str] = []
    wide = False
    for character in text:
        mark = unicodedata.category(character) in ("Mn", "Me")
        if not mark:
            wide = unicodedata.east_asian_width(character) in ("W", "F")
        shown.append(_escaped(character) if mark and wide else character)
    return "".join(shown)


def visible(text: str, limit: int = LIMIT, *, plain: bool = False) -> str:
    """At most ``limit`` characters that a terminal only draws; what was cut off is marked with an ellipsis.

    With ``plain`` whatever is not ASCII is an escape, too, and the ellipsis is a tilde.
    """
    shown = _UNSAFE.sub(_escape, text[: limit + 1])
    if _WIDE.search(shown):
        shown = _without_marks_on_wide(shown)
    if plain and not shown.isascii():
        shown = _FOREIGN.sub(_escape, shown)
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + (PLAIN_CUT if plain else CUT)


def cut(text: str, width: int, mark: str, measure: Callable[[str], int], *, middle: bool = False) -> str:
    """A text in at most so many cells, as ``measure`` counts them; ``mark`` stands where something was left out.

    It is cut at its end, or in the ``middle``, as ids are: many of them begin alike.
    """
    if measure(text) <= width:
        return text
    room = width - measure(mark)
    if room < 0:
        return ""
    tail = room // 2 if middle else 0
    return _first_cells(text, room - tail, measure) + mark + _first_cells(text[::-1], tail, measure)[::-1]


def _first_cells(text: str, width: int, measure: Callable[[str], int]) -> str:
    place, cells = 0, 0
    while place < len(text) and (cells := cells + measure(text[place])) <= width:
        place += 1
    return text[:place]


def as_written(value: Any) -> str:
    """A value of somebody's JSON as it is written: a text without quotes, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return dump(value)
