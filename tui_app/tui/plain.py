"""The last thing that happens to a line before it is drawn, where the terminal does not speak UTF-8."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui_app.glyphs import plain


class PlainFilter(LineFilter):
    """Puts ASCII in the place of every sign, rule and separator, whichever widget drew it, at the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with their texts in ASCII."""
        return [Segment(plain(text), style, control) for text, style, control in segments]
