"""The words of what a plan does: cancel, or bring back what was cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import LiteralString


@dataclass(frozen=True, slots=True)
class VerbWords:
    """As in: 2 will be {done}, type yes to {do} 2; ``soonest`` stands before the time left until it is too late.

    ``missed`` stands there once that moment has passed.
    """

    do: LiteralString
    done: LiteralString
    soonest: LiteralString
    missed: LiteralString


VERBS: Mapping[str, VerbWords] = {
    "cancel": VerbWords("cancel", "cancelled", "the first is due", "the first was due"),
    "reinstate": VerbWords("reinstate", "reinstated", "the first window closes", "the first window closed"),
}


def words(verb: str) -> VerbWords:
    """How a verb is said; one of a newer service cannot be planned from here, and is said as a cancellation."""
    return VERBS.get(verb, VERBS["cancel"])
