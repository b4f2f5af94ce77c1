"""The few signs beside words, and what stands for them where the terminal does not speak UTF-8."""

from __future__ import annotations

import codecs
import locale
import unicodedata
from typing import Final

_PAIRS: Final = {
    "yes": ("✓", "+"),
    "no": ("✗", "x"),
    "unknown": ("?", "?"),
    "warning": ("!", "!"),
    "range": ("┃", "|"),
    "mark": ("●", "*"),
    "good": ("✓", "+"),
    "bad": ("!", "!"),
    "busy": ("◐", "~"),
    "idle": ("○", "-"),
    "up": ("▲", "^"),
    "down": ("▼", "v"),
    "cut": ("…", "~"),
    "dash": ("–", "-"),
    "dot": ("·", "|"),
    "bar": ("█", "#"),
    "rest": ("░", "."),
    "bullet": ("•", "-"),
}

_DRAWN: Final = {"→": ">", "×": "x", "─": "-", "━": "-", "│": "|", "▌": "|", "▐": "|", "▎": "|", "▕": "|"}
_PLAIN: Final = {sign: plain for sign, plain in _PAIRS.values() if not sign.isascii()} | _DRAWN

SIGNS: Final = str.maketrans(_PLAIN)
"""What our signs are in ASCII, for ``str.translate``."""


def speaks_utf8() -> bool:
    """Whether the locale's encoding is UTF-8."""
    # Not the preferred encoding: Python prefers UTF-8 exactly where the locale says C.
    try:
        return codecs.lookup(locale.getencoding()).name == "utf-8"
    except LookupError:
        return False


def plain(text: str) -> str:
    """Drawn text in ASCII, and as many cells wide: signs, separators and rules by what is nearest to them.

    What somebody wrote is spelled out by ``visible`` before; here a question mark is all that is left for a letter.
    """
    return text if text.isascii() else "".join(one if one.isascii() else _plain(one) for one in text)


def _plain(one: str) -> str:
    if one in _PLAIN:
        return _PLAIN[one]
    if "\u2500" <= one <= "\u257f":
        return "+"
    if "\u2580" <= one <= "\u259f":
        # Parts of a block, such as the ends of a scrollbar: what tells them from their surroundings is the colour.
        return " "
    if unicodedata.combining(one):
        return ""
    return "??" if unicodedata.east_asian_width(one) in "WF" else "?"


class Glyphs:
    """Signs by what they mean."""

    def __init__(self, utf8: bool) -> None:
        self.utf8 = utf8

    def __getitem__(self, meaning: str) -> str:
        sign, plain = _PAIRS[meaning]
        return sign if self.utf8 else plain
