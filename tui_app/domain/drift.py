"""What became of frozen items when they are read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tui_app.domain.items import Seen
from tui_app.domain.versions import what_changed


class DriftKind(StrEnum):
    """What became of a frozen item when it was read again."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    GONE = "gone"


def drift(frozen: Seen, now: Seen) -> DriftKind:
    """Compare what was seen with what is there.

    What was blocked will not be sent whatever it is now, so it cannot drift. ``CHANGED`` can still be cancelled,
    ``GONE`` cannot any more.
    """
    if not frozen.verdict.cancellable or frozen.fingerprint == now.fingerprint:
        return DriftKind.UNCHANGED
    return DriftKind.CHANGED if now.verdict.cancellable else DriftKind.GONE


@dataclass(slots=True)
class DriftReport:
    """The three lists of a plan that is read again; examples are kept, not all rows."""

    EXAMPLES = 100

    counts: dict[DriftKind, int] = field(default_factory=lambda: dict.fromkeys(DriftKind, 0))
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, system: str, before: Sequence[Seen], after: Sequence[Seen]) -> None:
        """Compare a page of items, read again in the same order."""
        for frozen, now in zip(before, after, strict=True):
            kind = drift(frozen, now)
            self.counts[kind] += 1
            if kind is not DriftKind.UNCHANGED and len(self.examples) < self.EXAMPLES:
                self.examples.append(
                    {
                        "kind": kind.value,
                        "system": system,
                        "id": frozen.id,
                        "before": frozen.status,
                        "after": now.status,
                        "reason": now.verdict.reason or what_changed(frozen, now),
                    }
                )

    @property
    def moved(self) -> bool:
        """Whether anything is no longer as it was seen."""
        return bool(self.counts[DriftKind.CHANGED] or self.counts[DriftKind.GONE])
