"""The reason of a cancellation: required of everything that runs through quash."""

from __future__ import annotations

import unicodedata

from tui_app.domain.counting import counted
from tui_app.domain.errors import InvalidReason

SHORTEST, LONGEST = 3, 500


def check_reason(text: str, room: int = 0) -> str:
    """The trimmed reason. ``room`` is how many of its characters a system needs for a token of its own.

    Raises:
        InvalidReason: fewer than 3 or more than 500 characters after trimming, or control characters in it.
    """
    reason = text.strip()
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in reason):
        raise InvalidReason(
            "the reason has control characters or line breaks", hint="Write it as one line of plain text."
        )
    if not reason:
        raise InvalidReason("a reason is required")
    if len(reason) < SHORTEST:
        raise InvalidReason(f"the reason has {counted(len(reason), 'character')}; at least {SHORTEST} are needed")
    if len(reason) > LONGEST - room:
        raise InvalidReason(f"the reason has {counted(len(reason), 'character')}; at most {LONGEST - room} are allowed")
    return reason
