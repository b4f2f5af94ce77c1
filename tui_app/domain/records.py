"""What the journal and the ledger keep: plans, runs, claims and lines of the ledger as they are stored and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tui_app.domain.plan import Confirmed, PlanHead, PlanItem, PlanState
from tui_app.domain.run import EFFECTIVE, Answer, ItemState, Outcome, PauseCause, RunState, Verification, Verified


@dataclass(frozen=True, slots=True)
class Who:
    """On whose behalf something is done, as the ledger tells it."""

    operator: str
    os_user: str
    host: str
    profile: str
    environment: str
    ssh_client: str | None = None


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan as it is kept. ``totals`` are those of ``PlanTotals.record``, so far or final.

    ``place`` is how far its making has come, in terms of whoever makes it, and ``lease_until`` how long nobody else
    makes it. ``maker`` is the one in whose name it is made. ``run`` is the run that applied it. Its selections, which
    may be long, are read apart from it (``PlanStore.selections``). ``waiting`` is what kept it waiting when whoever
    makes it, or reads it again, noted that last. ``brought``: it came as a file, whose head is a claim.
    """

    head: PlanHead
    state: PlanState
    reason: str | None = None
    hash: str | None = None
    totals: Mapping[str, Any] = field(default_factory=dict)
    read: int = 0
    expected: int | None = None
    error: str | None = None
    drift: Mapping[str, Any] | None = None
    place: Mapping[str, Any] | None = None
    lease_until: str | None = None
    maker: Who | None = None
    run: str | None = None
    waiting: Waiting | None = None
    brought: bool = False

    @property
    def id(self) -> str:
        """Of the plan."""
        return self.head.id


@dataclass(frozen=True, slots=True)
class Waiting:
    """A system that keeps a plan waiting: since when, and until when it takes no reads; none: it does not answer.

    ``noted`` is when that was written into the journal; empty where it is told by whoever waits.
    """

    system: str
    since: str
    until: str | None = None
    noted: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A step in the making of a plan: further items, the totals up to here, how many are expected, and the place."""

    items: Sequence[PlanItem]
    totals: Mapping[str, Any]
    expected: int | None
    place: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Why a run is paused; ``until`` is ISO 8601 where it is known."""

    cause: PauseCause
    message: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run about to be stored. ``key`` makes confirming idempotent; ``secret`` makes the items' keys.

    ``bearers`` are those whom the tokens name with which its systems are reached, by system.
    """

    id: str
    key: str
    secret: bytes
    confirmed: Confirmed
    principal: str
    created_at: str
    bearers: Mapping[str, str] = field(default_factory=dict)
    clock: str | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """What of a run can be undone: how many items, and between which moments their windows close."""

    items: int
    first_closes: str
    last_closes: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it is kept, with its numbers. ``undo`` counts the windows of what no later run undid, closed or not.

    ``gates`` names the systems where a run has work left, and which take nothing from us until the moment given.
    ``silent`` names those that have not answered since the moment given.
    ``paced`` has of these the ones that wait for a rate of ours alone, with that rate.
    ``stopped_by`` is the operator who asked for its stop, which is over only when what was on its way is settled.
    ``bearers`` are those whom the tokens named at the confirmation, by system; a token that names nobody has none.
    ``clock`` says how the clock of the host was set while the run was driven, where it was.
    """

    id: str
    plan: PlanHead
    confirmed: Confirmed
    secret: bytes
    principal: str
    targets: Mapping[str, str]
    state: RunState
    items: int
    wanted: RunState | None
    pause: Pause | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    states: Mapping[ItemState, int]
    codes: Mapping[tuple[ItemState, str | None], int]
    verified: Mapping[Verified, int]
    head: str | None
    undo: Undo | None = None
    gates: Mapping[str, str] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    paced: Mapping[str, str] = field(default_factory=dict)
    stopped_by: str | None = None
    bearers: Mapping[str, str] = field(default_factory=dict)
    clock: str | None = None

    @property
    def unsent(self) -> int:
        """Items that are planned still."""
        return self.items - sum(self.states.values())

    @property
    def unsettled(self) -> int:
        """Items that were on their way and have no outcome, and outcomes that have not been verified."""
        done = sum(self.states.get(state, 0) for state in EFFECTIVE)
        open_ = self.states.get(ItemState.SENDING, 0) + self.states.get(ItemState.ACCEPTED, 0)
        return open_ + max(0, done - sum(self.verified.values()))


@dataclass(frozen=True, slots=True)
class RunItem:
    """One item of a plan with what its run has recorded of it.

    ``noted`` is an answer that came and whose outcome is not recorded yet; nobody is told of it.
    """

    item: PlanItem
    state: ItemState = ItemState.PLANNED
    outcome: Outcome | None = None
    key: str | None = None
    verification: Verification | None = None
    sent_at: str | None = None
    at: str | None = None
    noted: Answer | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one chunk. Every later write carries the generation, so that a late worker is refused.

    ``closed``: the system takes nothing at present, and is only to be asked what became of what it has accepted.
    ``part``: some of the chunk's items are left out, and wait for another turn.
    """

    run_id: str
    chunk: int
    generation: int
    system: str
    items: tuple[RunItem, ...]
    closed: bool = False
    part: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """How many items may be sent now; where none may, ``due`` is when to ask again."""

    items: int
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """Which lines of the ledger: exact values, and ``item`` by the id."""

    run: str | None = None
    operator: str | None = None
    item: str | None = None
    event: str | None = None
    after: tuple[int, int] | None = None
    newest: bool = False
    limit: int = 200


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line: an entry (``position`` -1), or one item's outcome under its chunk's entry."""

    seq: int
    position: int
    hash: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """The journal verified: entries and items that were counted, its head, and what is wrong with it.

    ``seq`` is the entry that the first problem concerns, where it concerns one. ``anchors`` is the number of heads
    from elsewhere that were looked for. ``uncovered`` names what the ledger says nothing of yet: plans that are not
    made.
    """

    entries: int
    items: int
    head: str | None
    seq: int | None = None
    problems: tuple[str, ...] = ()
    anchors: int = 0
    uncovered: tuple[str, ...] = ()

    @property
    def problem(self) -> str | None:
        """The first of the problems."""
        return self.problems[0] if self.problems else None
