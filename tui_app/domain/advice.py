"""What to do about an outcome that is not simply done, in a sentence that the screens and the verbs share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import LiteralString

from tui_app.domain.moments import span

WHAT_TO_DO: Mapping[str, LiteralString] = {
    "unknown": "It was sent, and no answer came. Its status and trail tell; if it is still meant, plan it anew.",
    "not_known": "It was answered as done, and its status and audit do not prove it. Verify the run again.",
    "undone": "It was done, and a later run of this journal took it back.",
    "contradicted": "The system says otherwise than it answered. Look at its trail, and tell who looks after it.",
    "refused": "The system said no. What was refused can be planned anew.",
    "skipped": "Nothing was sent for what was skipped.",
    "already_cancelled": "It is cancelled; nothing is sent twice.",
}
"""By the state of an item, or by how its verification came out."""


def whose(ours: bool | None, by: str | None) -> str:
    """Who cancelled an item that was found cancelled, as far as its system tells.

    ``ours`` says whether this run did it; none where that is not known.
    """
    if ours is not None:
        return f"cancelled {f'by {by}, ' if by else ''}{'by this run' if ours else 'not by this run'}"
    return f"cancelled by {by}; whether by this run is not known" if by else "cancelled; by whom is not known"


def held(seconds: float) -> str:
    """That somebody else keeps the journal from being written."""
    long = f" for {span(seconds)}" if seconds >= 1 else ""
    return f"the journal is held by another process{long}; the run goes on when it is free"


def gone(systems: Collection[str]) -> str:
    """That systems of a plan or run have left the profile, through which they cannot be reached any more."""
    named = ", ".join(sorted(systems))
    return f"this profile does not have the system{'s' if len(systems) > 1 else ''} {named} any more"
