"""Names of those who act, and of the places where: what may stand as one in a ledger, a trail and a token."""

from __future__ import annotations

import unicodedata

from tui_app.domain.visible import visible

LONGEST_NAME = 256
"""Characters of a name at most, as the trails of the systems keep it."""

NAME_HINT = f"A name has at most {LONGEST_NAME} characters, all of them visible, and no space at either end."


def flaw_of(name: str) -> str | None:
    """What keeps a text from being a name, as the end of a sentence; none where nothing does.

    Two names that look alike must not be of two people, and one that shows nothing is nobody's.
    """
    if not name.strip():
        return "is blank"
    if len(name) > LONGEST_NAME:
        return f"has more than {LONGEST_NAME} characters"
    if not name.isprintable() or visible(name) != name or unicodedata.category(name[0]).startswith("M"):
        return "has characters that cannot be shown"
    if name != name.strip():
        return "begins or ends with a space"
    return None
