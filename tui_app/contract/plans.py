"""What crosses the wire about plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from tui_app.contract.models import MOST_IDS, Asked, ImpactLine, Wire
from tui_app.domain.errors import UsageProblem
from tui_app.domain.filters import LONGEST_FILTER, check_length
from tui_app.domain.records import Waiting

MOST_SELECTIONS = 100
"""Selections that one plan is made of at most."""


class SelectionModel(Asked):
    """Ids, or a filter (its text form) as of a moment, minus some ids."""

    system: str
    ids: list[str] | None = Field(default=None, max_length=MOST_IDS)
    filter: str | None = Field(default=None, max_length=LONGEST_FILTER)
    as_of: str | None = None
    excluded: list[str] = Field(default_factory=list, max_length=MOST_IDS)


def check_number(ids: Sequence[str]) -> None:
    """Refuse more ids than one request names.

    Raises:
        UsageProblem: saying how many there are.
    """
    if len(ids) > MOST_IDS:
        raise UsageProblem(
            f"{len(ids):,} ids are too many: one request names at most {MOST_IDS:,}",
            hint="Select by a filter, or split the work into several plans.",
        )


def select_ids(system: str, ids: Iterable[str]) -> SelectionModel:
    """A selection of ids; what is named twice counts once.

    Raises:
        UsageProblem: there are more than one request names.
    """
    once = list(dict.fromkeys(ids))
    check_number(once)
    return SelectionModel(system=system, ids=once)


def select_filter(system: str, text: str) -> SelectionModel:
    """A selection of what a filter matches.

    Raises:
        MalformedFilter: the filter is longer than one may be.
    """
    check_length(text)
    return SelectionModel(system=system, filter=text)


class PlanRequest(Asked):
    """What to freeze. ``ttl`` is in seconds; without one a plan lives 30 minutes.

    ``again``: also what was cancelled before and came back, where cancelling it once more has to be meant.
    """

    selections: list[SelectionModel] = Field(min_length=1, max_length=MOST_SELECTIONS)
    verb: Literal["cancel", "reinstate"] = "cancel"
    reason: str | None = None
    ttl: int | None = Field(default=None, ge=1, le=30 * 86400)
    again: bool = False


class PlanCountsModel(Wire):
    """``items = cancellable + blocked``."""

    items: int
    cancellable: int
    blocked: int


class BlockedLine(Wire):
    """How many items of a plan are blocked for one reason."""

    code: str
    count: int


class DriftExample(Wire):
    """One item that moved since the plan was made."""

    kind: str
    system: str
    id: str
    before: str
    after: str
    reason: str | None = None


class DriftModel(Wire):
    """A plan read again. ``state`` is ``running``, ``done`` or ``failed``; ``read`` items are compared so far."""

    state: str
    read: int
    unchanged: int = 0
    changed: int = 0
    gone: int = 0
    examples: list[DriftExample] = Field(default_factory=list)
    error: str | None = None


class WaitingModel(Wire):
    """A system that keeps a plan waiting: since when, and until when it takes no reads; null: it does not answer."""

    system: str
    since: str
    until: str | None = None

    @classmethod
    def of(cls, waiting: Waiting) -> WaitingModel:
        """What a plan waits for, as it is told."""
        return cls(system=waiting.system, since=waiting.since, until=waiting.until)


class PaceModel(Wire):
    """A system whose ``items`` are more than its rate lets through at once: about how many ``seconds`` they take."""

    system: str
    items: int
    rate: str
    seconds: float


class PlanModel(Wire):
    """A plan. While ``state`` is ``building``, ``read`` counts what has been frozen so far, and there is no hash.

    ``expected`` is how many there will be, where that is known. ``phrase`` is what has to be typed to confirm; null
    where nothing can be cancelled. ``soonest`` is the first moment at which it is too late for one of its items.
    ``paces`` says how long it takes at the rates of the profile, for the systems where that is felt. ``undo_seconds``
    is the shortest time for which one of its items can be undone once it is done; null where that is not known.
    ``undoes`` names the run that it brings back. ``again``: it also holds what was cancelled before.
    ``needs_again`` counts what is blocked, and would not be in a plan that is made with that.
    ``notices`` holds for each system that notifies people the text that they read, with ``{reason}`` in it.
    ``impact`` names each effect on each target; ``summary`` tells the same in few lines, what matters first.
    ``impact``, ``soonest`` and ``undo_seconds`` are as they were when the plan was read again last, where it was;
    ``impact_moved``: the impact is another one than the plan was made with.
    ``arrived`` counts what matches the selection and came later, where it was asked.
    ``interrupted``: it is not made, and nobody makes it any more; resuming it goes on with that. ``run`` is the run
    that applied it.
    ``claimed_by`` is whom a plan file says that it was made by, and on which host: nobody vouches for that, nor for its
    ``selection``, which says so; ``operator`` and ``host`` are then of whoever brought it.
    ``missing`` names its systems that the profile does not have any more: nothing of them can be read or cancelled.
    ``waiting`` is what keeps it from being made, or read again, at present, whichever process does that.
    """

    id: str
    state: str
    verb: str
    hash: str | None = None
    counts: PlanCountsModel
    read: int
    expected: int | None = None
    by_system: dict[str, int] = Field(default_factory=dict)
    blocked: list[BlockedLine] = Field(default_factory=list)
    impact: list[ImpactLine] = Field(default_factory=list)
    summary: list[ImpactLine] = Field(default_factory=list)
    irreversible: bool = False
    phrase: str | None = None
    reason: str | None = None
    selection: str
    undoes: str | None = None
    again: bool = False
    needs_again: int = 0
    operator: str
    host: str
    claimed_by: str | None = None
    created_at: str
    expires_at: str
    targets: dict[str, str] = Field(default_factory=dict)
    drift: DriftModel | None = None
    soonest: str | None = None
    paces: list[PaceModel] = Field(default_factory=list)
    undo_seconds: int | None = None
    impact_moved: bool = False
    notices: dict[str, str] = Field(default_factory=dict)
    arrived: int | None = None
    interrupted: bool = False
    missing: list[str] = Field(default_factory=list)
    waiting: WaitingModel | None = None
    run: str | None = None
    error: str | None = None


class PlansModel(Wire):
    """Plans, newest first; each without its impact and its examples of drift, which its own path tells.

    ``unreadable`` names those whose rows in the journal cannot be read.
    """

    plans: list[PlanModel]
    unreadable: list[str] = Field(default_factory=list)


class PlanItemModel(Wire):
    """One frozen item of a plan."""

    position: int
    system: str
    id: str
    status: str
    cancellable: bool
    code: str | None = None
    reason: str | None = None
    due: str | None = None


class PlanItemsModel(Wire):
    """Items of a plan in order; ``next`` is the position to go on after."""

    items: list[PlanItemModel]
    next: int | None = None
