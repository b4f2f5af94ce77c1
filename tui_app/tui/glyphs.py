"""The few signs beside words, and what stands for them where the terminal does not speak UTF-8."""

from __future__ import annotations

import codecs
import locale
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


def speaks_utf8() -> bool:
    """Whether the locale's encoding is UTF-8."""
    # Not the preferred encoding: Python prefers UTF-8 exactly where the locale says C.
    try:
        return codecs.lookup(locale.getencoding()).name == "utf-8"
    except LookupError:
        return False


class Glyphs:
    """Signs by what they mean."""

    def __init__(self, utf8: bool) -> None:
        self.utf8 = utf8

    def __getitem__(self, meaning: str) -> str:
        sign, plain = _PAIRS[meaning]
        return sign if self.utf8 else plain
