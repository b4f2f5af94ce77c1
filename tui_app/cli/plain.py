"""What may be written to a stream: everything, or ASCII, where it is a terminal whose locale is not UTF-8."""

from __future__ import annotations

from typing import TextIO

from tui_app.glyphs import SIGNS, speaks_utf8


def wants_ascii(stream: TextIO) -> bool:
    """Whether somebody reads this stream on a terminal that would draw UTF-8 as something else."""
    return stream.isatty() and not speaks_utf8()


def plainly(text: str, stream: TextIO) -> str:
    """The text as it goes to a stream; where that takes ASCII only, our signs become plain ones, the rest escapes."""
    if text.isascii() or not wants_ascii(stream):
        return text
    return text.translate(SIGNS).encode("ascii", "backslashreplace").decode()
