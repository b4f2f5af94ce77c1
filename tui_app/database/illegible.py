"""Text in databases that is not UTF-8: shown with its odd bytes as escapes, and known to be so.

A database in SQL_ASCII, and a text column of SQLite, hold whatever bytes somebody wrote. What is only shown is shown
so. What decides whether an item may be cancelled, or is sent to somebody, is not guessed at: it blocks the item.
"""

from __future__ import annotations

from tui_app.domain.verdict import Verdict, VerdictCode


class Illegible(str):
    """A text whose bytes are not UTF-8; those that are not stand in it as escapes."""

    __slots__ = ()


def legible(data: bytes) -> str:
    """The text of these bytes; an :class:`Illegible` where they are not UTF-8. Never raises."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return Illegible(data.decode("utf-8", "backslashreplace"))


def unreadable(**fields: object) -> Verdict | None:
    """The verdict on an item one of whose deciding fields cannot be read; none where all of them can."""
    for name, value in fields.items():
        if isinstance(value, Illegible):
            return Verdict.no(VerdictCode.NOT_KNOWN, f"its {name} cannot be read: '{value}' is not UTF-8")
        if value is not None and not isinstance(value, str):
            return Verdict.no(VerdictCode.NOT_KNOWN, f"its {name} cannot be read: it is no text")
    return None
