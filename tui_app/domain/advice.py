"""What to do about an outcome that is not simply done, in a sentence that the screens and the verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

WHAT_TO_DO: Mapping[str, LiteralString] = {
    "unknown": "It was sent, and no answer came. Its status and trail tell; if it is still meant, plan it anew.",
    "contradicted": "The system says otherwise than it answered. Look at its trail, and tell who looks after it.",
    "refused": "The system said no. What was refused can be planned anew.",
    "skipped": "Nothing was sent for what was skipped.",
    "already_cancelled": "It was cancelled before; nothing was sent twice.",
}
"""By the state of an item, or by how its verification came out."""
