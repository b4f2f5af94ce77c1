"""Making plans: reading every item of a selection, and freezing what was seen.

A plan is made in the background and page by page, so that its size costs time but no memory. The maker holds a lease.
When the process dies that makes it, an operator may go on with it from the last page that was stored, in the name of
its maker. Reading a plan begins nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from tui_app.domain.describe import Verb
from tui_app.domain.drift import DriftReport
from tui_app.domain.errors import Busy, Conflict, Fault, PlanChanged, QuashError
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Seen, Selection
from tui_app.domain.moments import clamped, known, later, stamp
from tui_app.domain.plan import TTL, PlanHasher, PlanHead, PlanItem, PlanState, PlanTotals, expiring_from, totals_from
from tui_app.domain.ports import Clock, System
from tui_app.domain.reasons import check_reason
from tui_app.domain.records import PlanRecord, Progress, Waiting, Who
from tui_app.domain.stores import Store
from tui_app.engine.binding import check_there, check_words
from tui_app.engine.calls import cause, said, surveyed, unread
from tui_app.engine.containment import Caught, contained
from tui_app.engine.faults import Reports
from tui_app.engine.patience import BUDGET, Patience
from tui_app.engine.recall import Recall
from tui_app.engine.selections import check_selections
from tui_app.engine.walk import PAGE, Place, overlaps, page_size, unmet, walk
from tui_app.engine.worker import Wait

LEASE = timedelta(seconds=15)

LONGEST_TOLD = 2_000
"""Characters of what is told of a selection. A list of plans holds a hundred of them."""

PAUSES = (1, 2, 4, 8, 15, 15, 15)
"""Seconds between the times that a plan is called failed, where that cannot be written."""

_log = logging.getLogger("quash.planner")


class Planner:
    """Makes plans and reads them again; owns the tasks that do it, and ends them when closed."""

    def __init__(
        self,
        store: Store,
        systems: Mapping[str, System],
        clock: Clock,
        wait: Wait = asyncio.sleep,
        reports: Reports | None = None,
    ) -> None:
        self._wait = wait
        self._reports = reports or Reports()
        self._store = store
        self._systems = systems
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._by: Counter[str] = Counter()
        self._patience = Patience(clock, wait, store.plans)

    async def start(
        self,
        selections: Sequence[Selection],
        verb: Verb,
        reason: str | None,
        ttl: timedelta | None,
        who: Who,
        *,
        undoes: str | None = None,
        again: bool = False,
    ) -> PlanRecord:
        """Note a plan, and begin to make it; ``undoes`` is the run that it brings back.

        ``again``: it is to hold what was cancelled before, too, where cancelling that once more has to be meant.

        Raises:
            MalformedId: an id cannot be one; nothing is planned.
            UsageProblem: there is no such system, or nothing is selected.
            MalformedFilter: a filter names an unknown field.
            InvalidReason: a reason was proposed that could not be used, or that a system cannot keep.
        """
        checked = await self._arranged(await asyncio.to_thread(check_selections, selections, self._systems, verb))
        proposed = None if reason is None else check_reason(reason)
        await check_words(self._systems, (one.system for one in checked), who.operator, proposed or "")
        now = self._clock.now()
        head = PlanHead(
            id=f"p{secrets.token_hex(8)}",
            verb=verb,
            created_at=stamp(now),
            expires_at=stamp(now + (ttl or TTL)),
            operator=who.operator,
            host=who.host,
            selection=_told(checked),
            targets={one.system: await self._systems[one.system].identity() for one in checked},
            undoes=undoes,
            again=again,
        )
        plan = await self._store.plans.create(head, checked, proposed, who)
        self._begin(f"make {plan.id}", self._make(plan.id), who)
        return plan

    async def resume(self, plan_id: str, who: Who) -> PlanRecord:
        """Go on with a plan that nobody makes any more, in the name of its maker; any other stays as it is."""
        plan = await self._store.plans.get(plan_id)
        if self.interrupted(plan):
            self._begin(f"make {plan_id}", self._make(plan_id, resumed_by=who.operator), who)
        return plan

    async def bring(self, plan: PlanRecord, who: Who) -> PlanRecord:
        """Begin to read a plan that came as a file, unless that is under way or done; see ``planfile.load``."""
        if plan.state is PlanState.BUILDING:
            self._begin(f"make {plan.id}", self._make(plan.id), who)
        return plan

    async def check(self, plan_id: str, who: Who | None = None) -> PlanRecord:
        """Begin to read every item of a plan again; the report is noted on the plan.

        Raises:
            Conflict: the plan is not made yet.
        """
        plan = await self._store.plans.get(plan_id)
        if plan.state is not PlanState.READY:
            raise Conflict(f"plan {plan_id} is {plan.state}", hint="Wait until it is made.")
        if f"check {plan_id}" not in self._tasks:
            await self._store.plans.note_drift(plan_id, _again("running", 0, DriftReport(), _read_before(plan)))
            self._begin(f"check {plan_id}", self._compare(plan_id), who)
        return await self._store.plans.get(plan_id)

    async def arrived(self, plan: PlanRecord) -> int | None:
        """How many items match now beyond those frozen; none where ids are named or selections may overlap.

        None as well where it cannot be counted at present: nothing depends on it.
        """
        selections = await self._store.plans.selections(plan.id)
        if overlaps(selections):
            return None
        more = 0
        for selection in selections:
            if selection.filter is None or selection.system not in self._systems:
                return None
            counted = await contained(self._systems[selection.system].count(selection.filter))
            if isinstance(counted, Caught):
                if not isinstance(counted.error, QuashError):
                    self._tell(plan.id, counted.error)
                return None
            more += counted.value - len(selection.excluded)
        return max(0, more - plan.read) if selections else None

    def interrupted(self, plan: PlanRecord) -> bool:
        """Whether a plan is not made, and nobody makes it, here or elsewhere; ``resume`` goes on with it."""
        if plan.state is not PlanState.BUILDING or f"make {plan.id}" in self._tasks:
            return False
        # Whoever began it may have died before it had a lease.
        begun, leased = known(plan.head.created_at), known(plan.lease_until)
        until = leased or (begun and later(begun, LEASE))
        now = self._clock.now()
        return until is None or until <= now or clamped(until, now, LEASE) != until

    def waiting(self, plan: PlanRecord) -> Waiting | None:
        """What keeps a plan waiting that is made or read again, here or elsewhere; none where nothing does."""
        if any(f"{work} {plan.id}" in self._tasks for work in ("make", "check")):
            return self._patience.of(plan.id)
        return None if self.interrupted(plan) else self._patience.believed(plan.waiting)

    async def idle(self) -> None:
        """Wait until nothing is under way here."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def close(self) -> None:
        """End what is under way; a plan that was being made can be resumed."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, name: str, work: Coroutine[None, None, None], who: Who | None) -> None:
        if name in self._tasks:
            work.close()
            return
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        by = "" if who is None else who.operator
        self._by[by] += 1
        task.add_done_callback(lambda _: self._ended(name, by))

    def _ended(self, name: str, by: str) -> None:
        self._tasks.pop(name, None)
        self._by[by] -= 1

    def under_way(self, operator: str) -> int:
        """How many plans are made or read again here at the wish of this operator."""
        return self._by[operator]

    async def _arranged(self, selections: Sequence[Selection]) -> list[Selection]:
        """What has a deadline goes first, the soonest first: whatever stands before it in a run may take too long."""
        arranged = []
        for one in sorted(selections, key=lambda each: self._systems[each.system].description.deadline is None):
            ids = one.ids if one.ids is None else tuple(await self._systems[one.system].arrange(one.ids))
            arranged.append(replace(one, ids=ids))
        return arranged

    async def _make(self, plan_id: str, resumed_by: str | None = None) -> None:
        """Make a plan to its end. Whatever is raised on the way ends this plan, with a sentence, and nothing else."""
        begun = self._clock.now()
        while True:
            made = await contained(self._try(plan_id, resumed_by))
            self._patience.free(plan_id)
            if not isinstance(made, Caught):
                return
            error = made.error
            if isinstance(error, Busy) and self._clock.now() - begun < BUDGET:
                await self._patience.busy(plan_id, error)
                continue
            break
        if isinstance(error, Conflict) and await contained(self._lease(plan_id)) is False:
            # Another process makes this plan.
            return
        await self._fail(plan_id, self._sentence(plan_id, error))

    async def _try(self, plan_id: str, resumed_by: str | None) -> None:
        if not await self._lease(plan_id):
            return
        prolonging = asyncio.create_task(self._prolong(plan_id))
        try:
            selections = await self._store.plans.selections(plan_id)
            resumed = {} if resumed_by is None else {"resumed_by": resumed_by}
            await (self._freeze(plan_id, selections, resumed) if selections else self._read_file(plan_id, resumed))
        finally:
            prolonging.cancel()

    async def _fail(self, plan_id: str, sentence: str) -> None:
        """Note why a plan cannot be made, again and again where that cannot be written at once."""
        for pause in PAUSES:
            failed = await contained(self._store.plans.fail(plan_id, self._holder, sentence))
            if not isinstance(failed, Caught) or isinstance(failed.error, Conflict):
                return
            self._tell(plan_id, failed.error)
            await self._wait(pause)

    def _sentence(self, plan_id: str, error: Exception) -> str:
        """What is kept of an error: the sentence, and what to do."""
        if isinstance(error, QuashError) and not isinstance(error, Fault):
            return f"{error.message}. {error.hint}".removesuffix(". ")
        report = self._tell(plan_id, error)
        told = said(error)
        words = f"an error in quash: {type(cause(error)).__name__}" if told is None else told[1]
        return f"{error.message if isinstance(error, Fault) else words} (report {report} in faults.log)"

    def _tell(self, plan_id: str, error: Exception) -> str:
        """Write an error down; the id of its report."""
        report = self._reports.note(cause(error))
        _log.error("plan %s: %s (report %s)", plan_id, type(cause(error)).__name__, report)
        return report

    async def _prolong(self, plan_id: str) -> None:
        """Keep the lease while a page takes longer to be read than it lasts, as under a limit of reads."""
        held: bool | Caught = True
        while held is not False:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            # What cannot be written now is tried again; the next page says what is in the way.
            held = await contained(self._lease(plan_id))

    async def _lease(self, plan_id: str) -> bool:
        now = self._clock.now()
        return await self._store.plans.lease(plan_id, self._holder, now, now + LEASE)

    async def _read_file(self, plan_id: str, resumed: Mapping[str, str]) -> None:
        """Read the items of a plan that came as a file: what it says of their impact and deadlines is not believed."""
        plan = await self._store.plans.get(plan_id)
        await self._read_again(plan, exact=True)
        made = {"at": stamp(self._clock.now()), "made_by": plan.head.operator, "made_at": plan.head.created_at}
        await self._store.plans.finish(plan.head, self._holder, plan.totals, plan.hash or "", {**made, **resumed})

    async def _freeze(self, plan_id: str, selections: Sequence[Selection], resumed: Mapping[str, str]) -> None:
        plan = await self._store.plans.get(plan_id)
        for name in plan.head.targets:
            self._system(name)
        hasher, totals = PlanHasher(plan.head), totals_from(plan.totals)
        met = overlaps(selections)
        async for item in frozen(self._store, plan_id):
            hasher.add(item)
            unmet([item.seen], met.get(item.system))
        expected = await self._expected(plan_id, selections)
        if plan.expected is None:
            # Before the first page, which may be long in coming.
            begun = Progress([], totals.record(), expected, asdict(Place(**plan.place) if plan.place else Place()))
            await self._store.plans.append(plan_id, self._holder, begun)
        recall = Recall(self._store.runs, plan.head)
        async for system, page, place in self._pages(plan, selections, recall):
            if not await self._lease(plan_id):
                return
            items = [
                PlanItem(totals.items + offset, system, seen)
                for offset, seen in enumerate(unmet(page, met.get(system)))
            ]
            for item in items:
                totals.add(system, item.seen)
                hasher.add(item)
            progress = Progress(items, totals.record(), expected, asdict(place))
            await self._store.plans.append(plan_id, self._holder, progress)
        head, record = expiring_from(plan.head, self._clock.now()), totals.record()
        if head != plan.head:
            hasher = PlanHasher(head)
            async for item in frozen(self._store, plan_id):
                hasher.add(item)
        await self._store.plans.finish(head, self._holder, record, hasher.finish(record), resumed)

    async def _count(self, selection: Selection) -> Count:
        return await self._systems[selection.system].count(selection.filter or Filter(), as_of=selection.as_of)

    async def _expected(self, plan_id: str, selections: Sequence[Selection]) -> int | None:
        number = 0
        for selection in selections:
            if selection.ids is not None:
                number += len(selection.ids)
            elif selection.filter is not None:
                count = await self._patience.ask(plan_id, selection.system, partial(self._count, selection))
                number += count.value - len(selection.excluded)
        return number

    async def _pages(
        self, plan: PlanRecord, selections: Sequence[Selection], recall: Recall
    ) -> AsyncIterator[tuple[str, list[Seen], Place]]:
        """What is seen of the selected items, a page at a time, from where the making stands."""
        place = Place(**plan.place) if plan.place else Place()
        for number, selection in enumerate(selections):
            if number < place.selection:
                continue
            if number > place.selection:
                place = Place(number)
            system = self._system(selection.system)
            ask = partial(self._patience.ask, plan.id, selection.system)
            async for ids, place in walk(selection, system, place, ask):  # noqa: B020
                yield selection.system, await self._seen(plan.id, recall, selection.system, ids), place

    def _system(self, name: str) -> System:
        """A system of a plan.

        Raises:
            UsageProblem: the profile does not have it any more.
        """
        check_there(self._systems, [name])
        return self._systems[name]

    async def _seen(self, plan_id: str, recall: Recall, name: str, ids: Sequence[str]) -> list[Seen]:
        """What is to be seen of each id; one that raises an error is blocked, with what is known of the error."""
        found = await self._patience.ask(plan_id, name, partial(surveyed, recall, name, self._system(name), ids))
        return [
            unread(item_id, one.error, self._reports) if isinstance(one, Caught) else one
            for item_id, one in zip(ids, found, strict=True)
        ]

    async def _compare(self, plan_id: str) -> None:
        compared = await contained(self._compare_all(plan_id))
        if not isinstance(compared, Caught):
            return
        noted = await contained(self._not_compared(plan_id, self._sentence(plan_id, compared.error)))
        if isinstance(noted, Caught):
            self._tell(plan_id, noted.error)

    async def _compare_all(self, plan_id: str) -> None:
        await self._read_again(await self._store.plans.get(plan_id))

    async def _not_compared(self, plan_id: str, sentence: str) -> None:
        before = _read_before(await self._store.plans.get(plan_id))
        failed = {**_again("failed", 0, DriftReport(), before), "error": sentence}
        await self._store.plans.note_drift(plan_id, failed)

    async def _read_again(self, plan: PlanRecord, *, exact: bool = False) -> None:
        """Read every item of a plan again, and note what moved, and the impact and the deadlines as they are now.

        Raises:
            PlanChanged: ``exact``, and an item did not move, but is due at another moment than the plan says.
        """
        reading = _Reading(DriftReport(), PlanTotals(), exact=exact)
        recall, before = Recall(self._store.runs, plan.head), _read_before(plan)
        batch: list[PlanItem] = []
        async for item in frozen(self._store, plan.id):
            if batch and (item.system != batch[0].system or len(batch) == page_size(self._system(item.system))):
                await self._read_page(plan.id, batch, recall, reading)
                noted = _again("running", reading.items, reading.report, before)
                await self._store.plans.note_drift(plan.id, noted)
                batch = []
            batch.append(item)
        if batch:
            await self._read_page(plan.id, batch, recall, reading)
        found = reading.totals.record()
        told = {name: found.get(name) for name in ("impact", "soonest", "undo_seconds")}
        await self._store.plans.note_drift(plan.id, _again("done", reading.items, reading.report, told))

    async def _read_page(self, plan_id: str, batch: Sequence[PlanItem], recall: Recall, reading: _Reading) -> None:
        system = batch[0].system
        reading.add(system, batch, await self._seen(plan_id, recall, system, [one.seen.id for one in batch]))


@dataclass(slots=True)
class _Reading:
    """What reading a plan again has found so far."""

    report: DriftReport
    totals: PlanTotals
    exact: bool
    items: int = 0

    def add(self, system: str, batch: Sequence[PlanItem], now: Sequence[Seen]) -> None:
        """A page of items, as they are now; only what the plan would send has an impact."""
        before = [one.seen for one in batch]
        self.report.add(system, before, now)
        self.items += len(batch)
        for was, found in zip(before, now, strict=True):
            if self.exact and was.fingerprint == found.fingerprint and was.due != found.due:
                due = found.due or "at no time"
                raise PlanChanged(f"the plan file says that {system} {was.id} is due {was.due}, and it is due {due}")
            if was.verdict.cancellable and found.verdict.cancellable:
                self.totals.add(system, found)


def _told(selections: Sequence[Selection]) -> str:
    """The selections in words, of which a plan's head keeps so many."""
    text = "; ".join(str(selection) for selection in selections)
    return text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD - 1]}…"


def _read_before(plan: PlanRecord) -> Mapping[str, Any] | None:
    """Impact and deadlines as they were when all of the plan was read again last."""
    return (plan.drift or {}).get("totals")


def _again(state: str, read: int, report: DriftReport, totals: Mapping[str, Any] | None) -> dict[str, object]:
    """What is noted of reading a plan again."""
    counts = {kind.value: number for kind, number in report.counts.items()}
    return {"state": state, "read": read, **counts, "examples": report.examples, "totals": totals}


async def frozen(store: Store, plan_id: str) -> AsyncIterator[PlanItem]:
    """Every item of a plan in order, read in pages."""
    after = -1
    while page := await store.plans.items(plan_id, after=after, limit=PAGE):
        for item in page:
            yield item
        after = page[-1].position
