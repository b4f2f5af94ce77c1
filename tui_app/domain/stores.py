"""The Protocols of the stores: the engine and the service know only these, and ``store/`` fulfils them.

Each method is one durable transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from tui_app.domain.clocks import Look, Reading
from tui_app.domain.items import Selection
from tui_app.domain.ledger import Event
from tui_app.domain.plan import PlanHead, PlanItem
from tui_app.domain.rates import Rate
from tui_app.domain.records import (
    Claim,
    Grant,
    LedgerQuery,
    LedgerReport,
    LedgerRow,
    NewRun,
    Pause,
    PlanRecord,
    Progress,
    RunItem,
    RunRecord,
    Waiting,
    Who,
)
from tui_app.domain.run import Answer, Intent, ItemState, Outcome, RunState, SkipCode, Verification, Verified
from tui_app.domain.verdict import VerdictCode


class PlanStore(Protocol):
    """Plans and their frozen items. While a plan is being made, one holder has it, under a lease."""

    async def create(self, head: PlanHead, selections: Sequence[Selection], reason: str | None, who: Who) -> PlanRecord:
        """Note a plan that is to be made in the name of ``who``."""

    async def get(self, plan_id: str) -> PlanRecord:
        """One plan.

        Raises:
            NotFound: there is none.
        """

    async def selections(self, plan_id: str) -> tuple[Selection, ...]:
        """What is selected by a plan; nothing where it came as a file."""

    async def newest(self, limit: int, passed_over: list[str] | None = None) -> list[PlanRecord]:
        """Plans, newest first, without what is long: their impact, and examples of drift.

        The names of those that cannot be read are added to ``passed_over``.

        Raises:
            LedgerBroken: one cannot be read, and nothing is there to take its name.
        """

    async def items(
        self, plan_id: str, *, after: int = -1, limit: int = 500, code: str | None = None
    ) -> list[PlanItem]:
        """Frozen items beyond a position; ``code`` keeps those blocked for it, or ``OK`` the cancellable ones."""

    async def lease(self, plan_id: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take or prolong the right to make this plan; false where another holder has it."""

    async def append(self, plan_id: str, holder: str, progress: Progress) -> None:
        """Freeze further items, with the totals up to here.

        Raises:
            Conflict: the lease is another's.
        """

    async def finish(
        self, head: PlanHead, holder: str, totals: Mapping[str, Any], plan_hash: str, facts: Mapping[str, Any]
    ) -> PlanRecord:
        """The plan is made: its hash, and its entry in the ledger in the name of its maker.

        ``head`` takes the place of what the plan was begun with: it may expire later.
        ``facts`` stand in the entry beside what the plan itself tells.
        """

    async def fail(self, plan_id: str, holder: str, error: str) -> None:
        """The plan cannot be made."""

    async def note_waiting(self, plan_id: str, waiting: Waiting | None) -> None:
        """What keeps a plan waiting at present, for other processes to tell; none: nothing does."""

    async def note_drift(self, plan_id: str, report: Mapping[str, Any] | None) -> None:
        """What reading the plan again has found so far."""

    async def load(
        self,
        head: PlanHead,
        items: Sequence[PlanItem],
        totals: Mapping[str, Any],
        plan_hash: str,
        reason: str | None,
        who: Who,
    ) -> PlanRecord:
        """Keep a plan that came as a file, to be read and then finished in the name of ``who``.

        One that is already here stays as it is; where it could not be read before, it is read again.
        """


class RunStore(Protocol):
    """Runs, from the confirmation to the end."""

    async def confirm(self, run: NewRun, chunk_sizes: Mapping[str, int], who: Who) -> RunRecord:
        """Store a run with its chunks and its ledger entry, in one transaction. The same key gives the same run.

        Raises:
            Conflict: the key was used for another confirmation, or the plan has a run already.
        """

    async def known(self, key: str) -> RunRecord | None:
        """The run that a key has confirmed, if any."""

    async def get(self, run_id: str) -> RunRecord:
        """One run.

        Raises:
            NotFound: there is none.
        """

    async def newest(self, limit: int, passed_over: list[str] | None = None) -> list[RunRecord]:
        """Runs, newest first; those that cannot be read as with :meth:`PlanStore.newest`."""

    async def items(
        self,
        run_id: str,
        *,
        after: int = -1,
        limit: int = 500,
        state: ItemState | None = None,
        verified: Verified | None = None,
    ) -> list[RunItem]:
        """Items beyond a position of the plan; ``state`` and ``verified`` keep those of which that is so."""

    async def ask_pause(self, run_id: str, facts: Mapping[str, Any], *, wanted: bool = True) -> RunRecord:
        """Ask for a pause once what is on its way is answered, or take that back, with its ledger entry.

        A run that is paused already, or for which the same was asked, stays as it is.

        Raises:
            Conflict: the run is over, or is being stopped, which cannot be taken back.
        """

    async def ask_stop(self, run_id: str, facts: Mapping[str, Any]) -> RunRecord:
        """Ask for the stop of a run, with its ledger entry: from here on it gets no intent any more.

        A paused run is queued again, since what was on its way has to be settled.

        Raises:
            Conflict: the run is over.
        """

    async def move(
        self, run_id: str, state: RunState, event: Event, facts: Mapping[str, Any], *, pause: Pause | None = None
    ) -> RunRecord:
        """Change the state of a run, with its ledger entry; at its end also the head in the global chain.

        Raises:
            Conflict: the state machine has no such change.
        """

    async def take_over(
        self,
        run_id: str,
        principal: str,
        targets: Mapping[str, str],
        bearers: Mapping[str, str],
        facts: Mapping[str, Any],
    ) -> RunRecord:
        """Bind a run to another principal, other targets or other tokens, because an operator accepted that."""

    async def note_verified(
        self, run_id: str, found: Mapping[int, Verification], facts: Mapping[str, Any], at: str
    ) -> None:
        """Verifications that an operator asked for, outside any chunk, and their entry."""


class WorkStore(Protocol):
    """What executing a run reads and writes. Every write may raise ``Conflict``: the chunk is no longer ours."""

    async def unfinished(self) -> list[str]:
        """Runs that are queued or running, oldest first."""

    async def claim(self, run_id: str, worker: str, at: Reading) -> Claim | None:
        """The next chunk that is due; none where nothing is.

        A system whose gate is closed gets nothing: of its chunks only those are given that were put aside, to be asked
        for, and their claim says so.
        """

    async def halted(self, run_id: str) -> bool:
        """Whether a pause or the stop of a run was asked for."""

    async def next_due(self, run_id: str, now: datetime) -> str | None:
        """When the earliest chunk that is not done is due, which may be now; none where all are done."""

    async def close_gate(self, system: str, until: datetime, rate: Rate | None = None) -> None:
        """Let a system have nothing until then, from any run of this journal; a later moment stands.

        ``rate`` is that of ours which asks for it; none where the system does.
        """

    async def note_silence(self, run_id: str, system: str, since: str | None) -> None:
        """Keep since when a system has not answered the runner of a run; none: it answers."""

    async def last_look(self, run_id: str) -> Look | None:
        """What a runner of this run saw of the clocks last, whichever it was; none where none has kept it."""

    async def keep_look(self, run_id: str, look: Look) -> None:
        """Keep what the runner of this run sees of the clocks, for the next one."""

    async def take(self, claim: Claim, wanted: int, rate: Rate, at: Reading) -> Grant:
        """Permits to send so many items of a chunk, or fewer, so that the rate of its system holds for all runs."""

    async def give_back(self, claim: Claim, unused: int, at: Reading) -> None:
        """What was sent of this chunk under permits was sent by now; claiming it anew says the same.

        So many of its permits are ``unused``: nothing was sent under them, and they count no more.
        """

    async def intend(self, claim: Claim, keys: Mapping[int, str], at: str) -> dict[int, SkipCode | VerdictCode]:
        """Write the intents of these positions, on disk when this returns.

        Returns:
            The positions that got none, and why: another run of this journal is working on the item (``CLAIMED``), or
            a stop was asked for meanwhile (``STOPPED``).
        """

    async def intents(self, system: str, item_id: str) -> list[Intent]:
        """Return the intents for one item that may have had their effect, of every run, oldest first.

        Intents of which it is certain that they had no effect (refused, skipped, withdrawn) are left out.
        """

    async def record(self, claim: Claim, outcomes: Sequence[Outcome], facts: Mapping[str, Any], at: str) -> None:
        """Outcomes, and their one ledger entry, in one transaction. What a stop has skipped meanwhile stays so."""

    async def skip(self, run_id: str, after: int, limit: int, facts: Mapping[str, Any], at: str) -> int | None:
        """Skip planned items of a run whose stop was asked for, whoever has their chunks, with their ledger entries.

        Returns:
            The position to go on after; none where nothing is planned beyond ``after``. Chunks that have nothing left
            are then done.
        """

    async def note(self, claim: Claim, answers: Mapping[int, Answer], at: str) -> None:
        """Note answers that came, by position, on disk when this returns; recording or withdrawing ends a note."""

    async def accept(
        self, claim: Claim, positions: Sequence[int], due_at: str, taken: Mapping[int, Answer] = MappingProxyType({})
    ) -> None:
        """The system works on these; the chunk is put aside until then.

        ``taken`` are its answers to our own requests: they are noted, since nothing else may tell later whose it was.
        """

    async def withdraw(self, claim: Claim, positions: Sequence[int]) -> None:
        """Intents of which it is certain that nothing was sent go back to planned."""

    async def verify(self, claim: Claim, found: Mapping[int, Verification], facts: Mapping[str, Any], at: str) -> None:
        """Verifications, and their entry."""

    async def complete(self, claim: Claim) -> None:
        """The chunk is done."""

    async def release(self, claim: Claim, *, failed: bool = False) -> None:
        """Give the chunk back, to be claimed again: at once, or when it is due if it was put aside.

        One that ``failed`` is claimed behind those that did so less often.
        """


class LedgerStore(Protocol):
    """The append-only record."""

    async def append(self, event: Event, facts: Mapping[str, Any], *, run_id: str | None = None) -> None:
        """An entry of its own, in the chain of a run or in the global one."""

    async def lines(self, query: LedgerQuery) -> list[LedgerRow]:
        """Lines in order."""

    async def check(self, anchors: Collection[tuple[int, str]] = ()) -> LedgerReport:
        """Recompute every hash and head, and whatever readers are told, from the entries and their rows.

        ``anchors`` are heads that were kept elsewhere, each a sequence number and a hash in hexadecimal. What is wrong
        is reported, and not raised.

        Raises:
            Unavailable: the journal cannot be read at all.
        """


class Store(Protocol):
    """Our own durable state."""

    @property
    def plans(self) -> PlanStore:
        """Plans."""

    @property
    def runs(self) -> RunStore:
        """Runs."""

    @property
    def work(self) -> WorkStore:
        """Chunks in execution."""

    @property
    def ledger(self) -> LedgerStore:
        """Who did what."""

    async def held(self) -> float | None:
        """For how many seconds somebody else was found to keep everybody from writing; none where nobody does."""

    async def close(self) -> None:
        """Give back files and connections."""


class Launcher(Protocol):
    """Who executes what was confirmed."""

    def start(self) -> None:
        """See to it that a runner is at work; none is needed where there already is one."""

    def at_work(self) -> bool:
        """Whether a runner is at work now."""
