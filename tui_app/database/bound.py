"""Values of ours in the form in which statements bind them."""

from __future__ import annotations

import json
from typing import Any


def ascii_json(value: Any) -> str:
    """JSON to bind. Half a character in an id cannot be bound as text; as an escape it matches nothing."""
    return json.dumps(value, separators=(",", ":"))


def revision(version: str) -> int:
    """The number that the version of an item stands for, where a system counts the changes of its rows.

    A version of another system's making stands for -1, which no row has.
    """
    return int(version) if version.isascii() and version.isdecimal() and len(version) < 19 else -1
