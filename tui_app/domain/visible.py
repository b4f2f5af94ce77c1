"""Text from elsewhere, made visible: what a terminal would obey, hide or reorder becomes an escape that can be read."""

from __future__ import annotations

import re
from typing import Any

from tui_app.domain.foreign_json import dump

LIMIT = 500
"""Characters of one text on a screen, unless a caller says otherwise."""

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
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    point = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def visible(text: str, limit: int = LIMIT, *, plain: bool = False) -> str:
    """At most ``limit`` characters that a terminal only draws; what was cut off is marked with an ellipsis.

    With ``plain`` whatever is not ASCII is an escape, too, and the ellipsis is a tilde.
    """
    shown = _UNSAFE.sub(_escape, text[: limit + 1])
    if plain and not shown.isascii():
        shown = _FOREIGN.sub(_escape, shown)
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + (PLAIN_CUT if plain else CUT)


def as_written(value: Any) -> str:
    """A value of somebody's JSON as it is written: a text without quotes, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return dump(value)
