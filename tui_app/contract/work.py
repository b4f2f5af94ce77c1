"""What crosses the wire about plans and runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tui_app.contract.models import Asked, ImpactLine, Wire


class SelectionModel(Asked):
    """Ids, or a filter (its text form) as of a moment, minus some ids."""

    system: str
    ids: list[str] | None = None
    filter: str | None = None
    as_of: str | None = None
    excluded: list[str] = Field(default_factory=list)


class PlanRequest(Asked):
    """What to freeze. ``ttl`` is in seconds; without one a plan lives 30 minutes."""

    selections: list[SelectionModel] = Field(min_length=1)
    verb: Literal["cancel", "reinstate"] = "cancel"
    reason: str | None = None
    ttl: int | None = Field(default=None, ge=1, le=30 * 86400)


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


class PlanModel(Wire):
    """A plan. While ``state`` is ``building``, ``read`` counts what has been frozen so far, and there is no hash.

    ``expected`` is how many there will be, where that is known. ``phrase`` is what has to be typed to confirm; null
    where nothing can be cancelled. ``soonest`` is the first moment at which it is too late for one of its items.
    ``undoes`` names the run that it brings back.
    ``notices`` holds for each system that notifies people the text that they read, with ``{reason}`` in it.
    ``impact`` names each effect on each target; ``summary`` tells the same in few lines, what matters first.
    ``arrived`` counts what matches the selection and came later, where it was asked.
    ``waiting`` is what keeps it from being made, or read again, at present; as far as that is done in this process.
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
    operator: str
    host: str
    created_at: str
    expires_at: str
    targets: dict[str, str] = Field(default_factory=dict)
    drift: DriftModel | None = None
    soonest: str | None = None
    notices: dict[str, str] = Field(default_factory=dict)
    arrived: int | None = None
    waiting: WaitingModel | None = None
    error: str | None = None


class PlansModel(Wire):
    """Plans, newest first."""

    plans: list[PlanModel]


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


class ChosenOptions(Wire):
    """How a run is carried out."""

    notify_stakeholders: bool = True
    accept_drift: bool = False


class OptionsModel(ChosenOptions, Asked):
    """How a run is to be carried out."""


class RunRequest(Asked):
    """The confirmation: the hash that was reviewed, the reason, and either the typed phrase or the expected count."""

    hash: str
    reason: str
    options: OptionsModel = OptionsModel()
    phrase: str | None = None
    expect_count: int | None = None


class PauseModel(Wire):
    """Why a run is paused, and until when where that is known."""

    cause: str
    message: str | None = None
    until: str | None = None


class OutcomeLine(Wire):
    """How many items of a run have one state and code."""

    state: str
    code: str | None = None
    count: int


class VerifiedModel(Wire):
    """How the verification of the cancelled items stands."""

    yes: int = 0
    contradicted: int = 0
    not_known: int = 0
    pending: int = 0


class UndoModel(Wire):
    """What of a run can be undone: how many items, and when the first and the last of their windows close."""

    items: int
    first_closes: str
    last_closes: str


class RunModel(Wire):
    """A run.

    ``undo`` is null where nothing that it cancelled can be brought back. ``gates`` names systems that take nothing from
    us until the moment given, which may have passed.
    ``counts`` has exactly six numbers, which sum to the plan. ``attended`` is false where nobody works on a run that
    is not over. ``wanted`` is a pause or stop that has been asked for and has not happened yet; ``stopped_by`` is who
    asked for the stop. ``head`` is the ledger's head at the end, as ``SEQ:HASH``.
    """

    id: str
    plan: str
    plan_hash: str
    verb: str
    state: str
    wanted: str | None = None
    pause: PauseModel | None = None
    counts: dict[str, int]
    items: int
    verified: VerifiedModel
    outcomes: list[OutcomeLine] = Field(default_factory=list)
    operator: str
    reason: str
    options: ChosenOptions
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    attended: bool
    head: str | None = None
    undo: UndoModel | None = None
    gates: dict[str, str] = Field(default_factory=dict)
    stopped_by: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("finished", "stopped")

    @property
    def interrupted(self) -> bool:
        """Whether it was meant to go on, and nobody works on it."""
        by_hand = self.pause is not None and self.pause.cause == "operator"
        return not self.attended and not by_hand and not self.over

    @property
    def stopping(self) -> bool:
        """Whether its stop was asked for, and what was on its way is not settled yet."""
        return self.wanted == "stopped" and not self.over

    @property
    def waiting(self) -> dict[str, int]:
        """What is pending, told apart in words: accepted by the system, sent without an answer, not sent."""
        states = dict.fromkeys(("accepted", "sending"), 0)
        for line in self.outcomes:
            if line.state in states:
                states[line.state] += line.count
        unsent = self.counts.get("pending", 0) - sum(states.values())
        parts = {"accepted": states["accepted"], "without an answer": states["sending"], "unsent": unsent}
        return {words: number for words, number in parts.items() if number}

    @property
    def halted(self) -> bool:
        """Whether nothing more is sent for the present, so that what is pending can be told apart."""
        return self.state == "paused" or self.interrupted or self.stopping


class RunsModel(Wire):
    """Runs, newest first."""

    runs: list[RunModel]


class RunItemModel(Wire):
    """One item of a run. ``state`` is ``planned`` until it is sent or decided."""

    position: int
    system: str
    id: str
    state: str
    code: str | None = None
    message: str | None = None
    ours: bool | None = None
    by: str | None = None
    before: str | None = None
    after: str | None = None
    undo_until: str | None = None
    key: str | None = None
    verified: str | None = None
    note: str | None = None
    sent_at: str | None = None
    at: str | None = None


class RunItemsModel(Wire):
    """Items of a run in the order of the plan; ``next`` is the position to go on after."""

    items: list[RunItemModel]
    next: int | None = None


class ResumeRequest(Asked):
    """What the operator accepts when resuming."""

    take_over: bool = False
    accept_target: bool = False
