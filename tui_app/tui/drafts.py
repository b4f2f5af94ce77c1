"""What was entered at reviews and not used yet. It belongs to the selection that it was entered for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel, PlanRequest

KEPT = 100
"""Selections whose drafts are kept at most; the oldest goes first."""


@dataclass(slots=True)
class Draft:
    """The reason and the options of one selection."""

    reason: str = ""
    notify: bool = True


class Drafts:
    """The drafts of one console, by what each was entered for; another selection starts from the defaults."""

    def __init__(self) -> None:
        self._drafts: dict[str, Draft] = {}

    def of(self, selection: PlanRequest | PlanModel) -> Draft:
        """The draft of a selection, or of a plan that was made before."""
        named = _name(selection)
        self._drafts[named] = draft = self._drafts.pop(named, None) or Draft()
        while len(self._drafts) > KEPT:
            del self._drafts[next(iter(self._drafts))]
        return draft

    def used(self, selection: PlanRequest | PlanModel) -> None:
        """A run came of it."""
        self._drafts.pop(_name(selection), None)

    @property
    def reasons(self) -> list[str]:
        """The reasons that were typed and not used yet, newest first."""
        return [draft.reason for draft in reversed(self._drafts.values()) if draft.reason.strip()]


def _name(selection: PlanRequest | PlanModel) -> str:
    from tui_app.contract.plans import PlanRequest

    if isinstance(selection, PlanRequest):
        # In whatever order its ids were marked, it is the same selection.
        parts = sorted(
            f"{one.system} {sorted(one.ids or ())} {one.filter} {one.as_of} {sorted(one.excluded)}"
            for one in selection.selections
        )
        return f"{selection.verb} {parts}"
    return f"undo {selection.undoes}" if selection.undoes is not None else f"plan {selection.id}"
