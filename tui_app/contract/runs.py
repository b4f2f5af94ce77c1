"""What crosses the wire about runs."""

from __future__ import annotations

from pydantic import Field

from tui_app.contract.models import Asked, Wire
from tui_app.domain.verdict import FINAL


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
    """How the verification of the cancelled items stands; ``undone`` by a later run of the same journal."""

    yes: int = 0
    undone: int = 0
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

    ``undo`` is null where nothing that it cancelled can be brought back. ``gates`` names systems with work left that
    take nothing from us until the moment given, which may have passed; ``paced`` has of these the ones that wait for a
    rate of the profile and not because they asked for it, with that rate. ``silent`` names systems that have not
    answered since the moment given.
    ``counts`` has exactly six numbers, which sum to the plan. ``attended`` is false where nobody works on a run that
    is not over. ``wanted`` is a pause or stop that has been asked for and has not happened yet; ``stopped_by`` is who
    asked for the stop. ``missing`` names its systems that the profile does not have any more.
    ``held`` says for how many seconds another process, such as a backup, has kept the journal from being written: a run
    that is not over waits for that; only its own path tells it.
    ``head`` is the ledger's head at the end, as ``SEQ:HASH``.
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
    paced: dict[str, str] = Field(default_factory=dict)
    silent: dict[str, str] = Field(default_factory=dict)
    stopped_by: str | None = None
    missing: list[str] = Field(default_factory=list)
    held: float | None = None
    clock: str | None = None

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
    def standing(self) -> str:
        """Its state as a person is told it: ``stopping`` and ``interrupted`` too, which no state says by itself."""
        if self.stopping:
            return "stopping"
        return "interrupted" if self.interrupted and self.pause is None else self.state

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
    def retriable(self) -> int:
        """How many refused items may be cancelled by now: those that were not refused for good."""
        return sum(line.count for line in self.outcomes if line.state == "refused" and line.code not in FINAL)

    @property
    def halted(self) -> bool:
        """Whether nothing more is sent for the present, so that what is pending can be told apart."""
        return self.state == "paused" or self.interrupted or self.stopping


class RunsModel(Wire):
    """Runs, newest first; ``unreadable`` names those whose rows in the journal cannot be read."""

    runs: list[RunModel]
    unreadable: list[str] = Field(default_factory=list)


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
