"""Whether an item may be cancelled now, and what cancelling it would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class VerdictCode(StrEnum):
    """Why an item cannot be cancelled, or, in the last two, not be reinstated; one list for all systems."""

    NOT_IN_TROUBLESHOOTING = "NOT_IN_TROUBLESHOOTING"
    REPLY_QUEUE_MISSING = "REPLY_QUEUE_MISSING"
    ACTIVE_HOLD = "ACTIVE_HOLD"
    RELATED_ORDER = "RELATED_ORDER"
    CRITICAL_ALERT = "CRITICAL_ALERT"
    PUBLISHING = "PUBLISHING"
    PUBLISHED = "PUBLISHED"
    FAILED = "FAILED"
    ALREADY_CANCELLED = "ALREADY_CANCELLED"
    TERMINAL = "TERMINAL"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CANCELLED_BEFORE = "CANCELLED_BEFORE"
    CLAIMED = "CLAIMED"
    NOT_KNOWN = "NOT_KNOWN"
    NOT_CANCELLED = "NOT_CANCELLED"
    WINDOW_CLOSED = "WINDOW_CLOSED"


FINAL = frozenset(
    {
        VerdictCode.PUBLISHED,
        VerdictCode.FAILED,
        VerdictCode.ALREADY_CANCELLED,
        VerdictCode.TERMINAL,
        VerdictCode.NOT_FOUND,
        VerdictCode.NOT_CANCELLED,
        VerdictCode.WINDOW_CLOSED,
    }
)
"""The verdicts that do not change by themselves: planning such an item anew would not help."""

UNLESS_MEANT = frozenset({VerdictCode.CANCELLED_BEFORE})
"""The codes that block an item unless its plan is made to do again what was done before (``again``)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """May this item be cancelled now; if not, a code and a sentence that names what is in the way.

    A verdict that lets it be cancelled may have a sentence, too: what was not read for it.
    In a plan that reinstates, ``cancellable`` says whether it may be reinstated.
    """

    cancellable: bool
    code: VerdictCode | None = None
    reason: str | None = None

    @property
    def needs_again(self) -> bool:
        """Whether the item is blocked only because the operator has to mean it."""
        return not self.cancellable and self.code in UNLESS_MEANT

    @classmethod
    def frozen(cls, code: str | None, reason: str | None) -> Verdict:
        """The verdict of a plan's item, as it was stored or stands in a file.

        Raises:
            ValueError: the code is none.
        """
        if code is None and reason is None:
            return YES
        return cls(code is None, None if code is None else VerdictCode(code), reason)

    @classmethod
    def no(cls, code: VerdictCode, reason: str) -> Verdict:
        """A verdict that blocks."""
        return cls(False, code, reason)


YES = Verdict(True)
"""The verdict that lets an item be cancelled, where everything was read for it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that cancelling would do: a code of the system, and to what or whom.

    The system's description holds the words for each code; a preview fills them for one item, a plan with counts.
    """

    code: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class EffectWords:
    """How effects of one code are said: ``{count}`` and ``{target}`` are filled in.

    ``one`` speaks of a single item, ``many`` of a plan. An irreversible effect is set apart on every screen. One that
    ``notifies`` does not happen where the operator chose to notify nobody.
    """

    one: str
    many: str
    irreversible: bool = False
    warning: bool = False
    notifies: bool = False


@dataclass(slots=True)
class Tally:
    """Effects added up over a plan, bounded in memory: past ``TARGETS`` targets of one code the rest share a row."""

    TARGETS = 100
    OTHERS = "others"

    counts: Counter[Effect] = field(default_factory=Counter)
    _targets: Counter[str] = field(default_factory=Counter)

    def add(self, effects: Iterable[Effect], times: int = 1) -> None:
        """Count each effect ``times`` times."""
        for effect in effects:
            kept = effect
            if kept not in self.counts:
                if self._targets[effect.code] >= self.TARGETS:
                    kept = Effect(effect.code, self.OTHERS)
                if kept not in self.counts:
                    self._targets[effect.code] += 1
            self.counts[kept] += times

    def __iter__(self) -> Iterator[tuple[Effect, int]]:
        """Effects with their counts, most frequent first, ties in code and target order."""
        order = sorted(self.counts.items(), key=lambda row: (-row[1], row[0].code, row[0].target))
        return iter(order)
