"""Making plans: reading every item of a selection, and freezing what was seen.

A plan is made in the background and page by page, so that its size costs time but no memory. The maker holds a lease;
when it dies, whoever looks at the plan next goes on from the last page that was stored.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from tui_app.domain.describe import Verb
from tui_app.domain.drift import DriftReport
from tui_app.domain.errors import Conflict, QuashError
from tui_app.domain.filters import Filter
from tui_app.domain.items import Cursor, PageQuery, Seen, Selection
from tui_app.domain.moments import stamp
from tui_app.domain.plan import TTL, PlanHasher, PlanHead, PlanItem, PlanState, totals_from
from tui_app.domain.ports import Clock, System
from tui_app.domain.reasons import check_reason
from tui_app.domain.records import PlanRecord, Progress, Who
from tui_app.domain.stores import Store
from tui_app.engine.selections import check_selections

PAGE = 500
LEASE = timedelta(seconds=15)


class Planner:
    """Makes plans and reads them again; owns the tasks that do it, and ends them when closed."""

    def __init__(self, store: Store, systems: Mapping[str, System], clock: Clock) -> None:
        self._store = store
        self._systems = systems
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(
        self, selections: Sequence[Selection], verb: Verb, reason: str | None, ttl: timedelta | None, who: Who
    ) -> PlanRecord:
        """Note a plan, and begin to make it.

        Raises:
            MalformedId: an id cannot be one; nothing is planned.
            UsageProblem: there is no such system, or nothing is selected.
            MalformedFilter: a filter names an unknown field.
            InvalidReason: a reason was proposed that could not be used.
        """
        checked = await self._arranged(check_selections(selections, self._systems, verb))
        proposed = None if reason is None else check_reason(reason)
        now = self._clock.now()
        head = PlanHead(
            id=f"p{secrets.token_hex(8)}",
            verb=verb,
            created_at=stamp(now),
            expires_at=stamp(now + (ttl or TTL)),
            operator=who.operator,
            host=who.host,
            selection="; ".join(str(selection) for selection in checked),
            targets={one.system: await self._systems[one.system].identity() for one in checked},
        )
        plan = await self._store.plans.create(head, checked, proposed)
        self._begin(f"make {plan.id}", self._make(plan.id, who))
        return plan

    async def ensure(self, plan_id: str, who: Who) -> PlanRecord:
        """A plan as it stands; where its maker has died, the making goes on here."""
        plan = await self._store.plans.get(plan_id)
        if plan.state is PlanState.BUILDING:
            self._begin(f"make {plan_id}", self._make(plan_id, who))
        return plan

    async def check(self, plan_id: str) -> PlanRecord:
        """Begin to read every item of a plan again; the report is noted on the plan.

        Raises:
            Conflict: the plan is not made yet.
        """
        plan = await self._store.plans.get(plan_id)
        if plan.state is not PlanState.READY:
            raise Conflict(f"plan {plan_id} is {plan.state}", hint="Wait until it is made.")
        if f"check {plan_id}" not in self._tasks:
            await self._store.plans.note_drift(plan_id, _drift_record("running", 0, DriftReport()))
            self._begin(f"check {plan_id}", self._compare(plan_id))
        return await self._store.plans.get(plan_id)

    async def arrived(self, plan: PlanRecord) -> int | None:
        """How many items match now beyond those frozen; none where ids are named or selections may overlap."""
        if _overlaps(plan.selections):
            return None
        more = 0
        for selection in plan.selections:
            if selection.filter is None:
                return None
            more += (await self._systems[selection.system].count(selection.filter)).value - len(selection.excluded)
        return max(0, more - plan.read) if plan.selections else None

    async def idle(self) -> None:
        """Wait until nothing is under way here."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def close(self) -> None:
        """End what is under way; it is taken up again by whoever looks next."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, name: str, work: Coroutine[None, None, None]) -> None:
        if name in self._tasks:
            work.close()
            return
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _arranged(self, selections: Sequence[Selection]) -> list[Selection]:
        """What has a deadline goes first, the soonest first: whatever stands before it in a run may take too long."""
        arranged = []
        for one in sorted(selections, key=lambda each: self._systems[each.system].description.deadline is None):
            ids = one.ids if one.ids is None else tuple(await self._systems[one.system].arrange(one.ids))
            arranged.append(replace(one, ids=ids))
        return arranged

    async def _make(self, plan_id: str, who: Who) -> None:
        if not await self._lease(plan_id):
            return
        try:
            await self._freeze(plan_id, who)
        except Conflict:
            return
        except QuashError as error:
            await self._store.plans.fail(plan_id, self._holder, error.message)

    async def _lease(self, plan_id: str) -> bool:
        now = self._clock.now()
        return await self._store.plans.lease(plan_id, self._holder, now, now + LEASE)

    async def _freeze(self, plan_id: str, who: Who) -> None:
        plan = await self._store.plans.get(plan_id)
        hasher, totals = PlanHasher(plan.head), totals_from(plan.totals)
        met = _overlaps(plan.selections)
        async for item in frozen(self._store, plan_id):
            hasher.add(item)
            _unmet([item.seen], met.get(item.system))
        expected = await self._expected(plan)
        async for system, page, place in self._pages(plan):
            if not await self._lease(plan_id):
                return
            items = [
                PlanItem(totals.items + offset, system, seen)
                for offset, seen in enumerate(_unmet(page, met.get(system)))
            ]
            for item in items:
                totals.add(system, item.seen)
                hasher.add(item)
            progress = Progress(items, totals.record(), expected, asdict(place))
            await self._store.plans.append(plan_id, self._holder, progress)
        record = totals.record()
        await self._store.plans.finish(plan_id, self._holder, record, hasher.finish(record), who)

    async def _expected(self, plan: PlanRecord) -> int | None:
        number = 0
        for selection in plan.selections:
            if selection.ids is not None:
                number += len(selection.ids)
            elif selection.filter is not None:
                count = await self._systems[selection.system].count(selection.filter, as_of=selection.as_of)
                number += count.value - len(selection.excluded)
        return number

    async def _pages(self, plan: PlanRecord) -> AsyncIterator[tuple[str, list[Seen], _Place]]:
        """What is seen of the selected items, a page at a time, from where the making stands."""
        place = _Place(**plan.place) if plan.place else _Place()
        for number, selection in enumerate(plan.selections):
            if number < place.selection:
                continue
            if number > place.selection:
                place = _Place(number)
            system = self._systems[selection.system]
            async for ids, place in _walk(selection, system, place):  # noqa: B020
                yield selection.system, await system.survey(ids, plan.head.verb), place

    async def _compare(self, plan_id: str) -> None:
        report, read = DriftReport(), 0
        try:
            verb = (await self._store.plans.get(plan_id)).head.verb
            batch: list[PlanItem] = []
            async for item in frozen(self._store, plan_id):
                if batch and (len(batch) == PAGE or item.system != batch[0].system):
                    read += await self._compare_page(batch, verb, report)
                    await self._store.plans.note_drift(plan_id, _drift_record("running", read, report))
                    batch = []
                batch.append(item)
            if batch:
                read += await self._compare_page(batch, verb, report)
        except QuashError as error:
            failed = {**_drift_record("failed", read, report), "error": error.message}
            await self._store.plans.note_drift(plan_id, failed)
            return
        await self._store.plans.note_drift(plan_id, _drift_record("done", read, report))

    async def _compare_page(self, batch: Sequence[PlanItem], verb: Verb, report: DriftReport) -> int:
        system = batch[0].system
        now = await self._systems[system].survey([one.seen.id for one in batch], verb)
        report.add(system, [one.seen for one in batch], now)
        return len(batch)


@dataclass(frozen=True, slots=True)
class _Place:
    """How far the making of a plan has come: the selection, and in it an offset into its ids, or a cursor."""

    selection: int = 0
    offset: int = 0
    cursor: str | None = None
    as_of: str | None = None
    done: bool = False


async def _walk(selection: Selection, system: System, place: _Place) -> AsyncIterator[tuple[list[str], _Place]]:
    """The ids of a selection from a place on, a page at a time, each with the place behind it."""
    if selection.ids is not None:
        for start in range(place.offset, len(selection.ids), PAGE):
            yield list(selection.ids[start : start + PAGE]), replace(place, offset=start + PAGE)
        return
    sort, as_of = system.description.default_sort, place.as_of or selection.as_of
    cursor, done = None if place.cursor is None else Cursor.decode(place.cursor), place.done
    while not done:
        page = await system.page(PageQuery(selection.filter or Filter(), sort, PAGE, cursor, as_of=as_of))
        as_of, done = as_of or page.as_of, not page.more_after
        if page.items:
            cursor = Cursor(page.items[-1].fields[sort.field], page.items[-1].id)
        ids = [item.id for item in page.items if item.id not in selection.excluded]
        if ids:
            text = None if cursor is None else cursor.encode()
            yield ids, replace(place, cursor=text, as_of=as_of, done=done)


def _overlaps(selections: Sequence[Selection]) -> dict[str, set[str]]:
    """A place to remember ids for each system that is selected more than once: what overlaps stands in a plan once."""
    chosen = Counter(selection.system for selection in selections)
    return {system: set() for system, number in chosen.items() if number > 1}


def _unmet(page: list[Seen], met: set[str] | None) -> list[Seen]:
    """Those that were not met before, which they are from now on."""
    if met is None:
        return page
    fresh = [seen for seen in page if seen.id not in met]
    met.update(seen.id for seen in fresh)
    return fresh


def _drift_record(state: str, read: int, report: DriftReport) -> dict[str, object]:
    counts = {kind.value: number for kind, number in report.counts.items()}
    return {"state": state, "read": read, **counts, "examples": report.examples}


async def frozen(store: Store, plan_id: str) -> AsyncIterator[PlanItem]:
    """Every item of a plan in order, read in pages."""
    after = -1
    while page := await store.plans.items(plan_id, after=after, limit=PAGE):
        for item in page:
            yield item
        after = page[-1].position
