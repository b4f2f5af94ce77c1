"""Pages by keyset over a service that pages by number or offset.

A list is walked by the moment at which schedules go out: each request begins at the last moment that was seen, so that
what leaves the list in front or comes behind shifts nothing, and a row that is told twice is taken once. From that:

- *the stream*: in the order of ``run_at``, for filters that the service itself can do, as many rows as a page needs are
  read, however many there are;
- *the window*: for every other order and filter all rows that the service can narrow it to are read, ``MOST`` of them
  at most, and asked in SQL. More than that are refused with a sentence, not shown in part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tui_app.database.where import Clause, both
from tui_app.domain import moments
from tui_app.domain.errors import MalformedFilter, Unavailable
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import Count, Cursor, Page, PageQuery, Sort
from tui_app.domain.ports import Clock
from tui_app.systems.schedules.bodies import Row
from tui_app.systems.schedules.dialects import ROWS, Ask, Dialect, through
from tui_app.systems.schedules.http_names import LISTED
from tui_app.systems.schedules.http_rules import item_of
from tui_app.systems.schedules.http_table import Table, beyond_place, matching
from tui_app.systems.schedules.http_walk import Unlistable, Walk
from tui_app.systems.schedules.http_wire import Wire
from tui_app.systems.schedules.words import OPEN

MOST = 5_000
"""Rows that are read for one window at most: fifty requests, where an answer holds a hundred of them."""

KEPT = timedelta(seconds=5)
"""How long a window serves those who go on from a row of it; whoever begins anew gets a new one."""

RUN_AT = "run_at"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What of a filter the service does itself. ``whole``: all of it; ``exact``: to the row, so that it can count."""

    asks: tuple[Ask, ...]
    whole: bool
    exact: bool


def narrowed(wanted: Filter, dialect: Dialect) -> Narrowed:
    """One request for each status; the dates are those of the service, which includes both."""
    statuses: tuple[str | None, ...] = (None,)
    start = end = None
    done, exact = 0, True
    for term in wanted.terms:
        if _is_status(term, dialect) and statuses == (None,):
            statuses = tuple(dict.fromkeys(term.values))
        elif term.field == RUN_AT and not term.negated and term.op in (Op.GE, Op.GT):
            moment = moments.stamp(moments.read(term.values[0]))
            start, exact = max(start or moment, moment), exact and term.op is Op.GE
        elif term.field == RUN_AT and not term.negated and term.op in (Op.LE, Op.LT):
            moment = through(moments.stamp(moments.read(term.values[0])))
            end, exact = min(end or moment, moment), False
        else:
            continue
        done += 1
    asks = tuple(Ask(status, start, end) for status in statuses)
    whole = done == len(wanted.terms)
    return Narrowed(asks, whole, whole and exact)


def _is_status(term: Term, dialect: Dialect) -> bool:
    return (
        term.field == "status"
        and term.op is Op.ANY
        and not term.negated
        and all(status in dialect.statuses for status in term.values)
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """All rows of some lists, as they were at a moment."""

    asks: tuple[Ask, ...]
    table: Table
    read_at: datetime


class Pages:
    """The list of one service, as pages by keyset. One window is kept."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._kept: _Window | None = None

    async def page(self, query: PageQuery) -> Page:
        """See the Protocol.

        Raises:
            MalformedFilter: also where more than ``MOST`` rows would have to be read.
        """
        clause = matching(query.filter, query.as_of)
        dialect = await self._wire.dialect()
        parts = narrowed(query.filter, dialect)
        descending = query.sort.descending != query.backward
        if query.sort.field == RUN_AT and parts.whole and (dialect.sorts or not descending):
            rows, ahead, behind = await self._stream(query, clause, parts.asks, descending=descending)
        else:
            window = await self._window(parts.asks, fresh=query.cursor is None)
            rows, ahead, behind = window.page(query, clause)
        now = self._clock.now()
        items = tuple(item_of(row, now) for row in await self._wire.named(rows, LISTED))
        before, after = (ahead, behind) if query.backward else (behind, ahead)
        # A service tells its time in whole seconds: what changed in this one was seen, or may as well have been.
        return Page(items, before, after, through(moments.stamp(self._wire.date or now)))

    async def count(self, wanted: Filter, as_of: str | None, before: tuple[Sort, Cursor] | None) -> Count:
        """See the Protocol: exact where the service can count it, or the rows are few enough to be read."""
        clause = matching(wanted, as_of)
        parts = narrowed(wanted, await self._wire.dialect())
        total = await self._total(parts.asks)
        if parts.exact and as_of is None and before is None:
            return Count(total)
        if total > MOST:
            # What lies before a place is fewer than all; the console says that it is no exact number.
            return Count(total if before is None else 0, exact=False)
        if before is not None:
            clause = both(clause, beyond_place(before[0], before[1], backward=True))
        return Count((await self._window(parts.asks, fresh=before is None)).count(clause))

    async def soonest(self, ids: Sequence[str], most: int, statuses: Sequence[str] = OPEN) -> list[Row]:
        """What waits, in the order in which it goes out: until these ids are met, by ``most`` requests a status.

        Of a list that cannot be told to its end it is what could be read.
        """
        limit = (await self._wire.dialect()).most
        walks, wanted = [Walk(self._wire, Ask(status, limit=limit)) for status in statuses], set(ids)
        for _ in range(most):
            waiting = [walk for walk in walks if not walk.done]
            if not waiting or not wanted.difference(*(walk.rows for walk in walks)):
                break
            await asyncio.gather(*(_as_far_as_it_goes(walk) for walk in waiting))
        return sorted((row for walk in walks for row in walk.rows.values()), key=lambda row: (row.run_at, row.id))

    def forget(self) -> None:
        """Something was changed: whoever goes on reading gets new rows."""
        if self._kept is not None:
            self._kept.table.close()
            self._kept = None

    async def _total(self, asks: Sequence[Ask]) -> int:
        told = await asyncio.gather(*(self._wire.listed(replace(ask, limit=1)) for ask in asks))
        return sum(one.total for one in told)

    async def _window(self, asks: tuple[Ask, ...], *, fresh: bool) -> Table:
        kept = self._kept
        if (
            not fresh
            and kept is not None
            and kept.asks == asks
            and moments.recent(kept.read_at, self._clock.now(), KEPT)
        ):
            return kept.table
        total = await self._total(asks)
        if total > MOST:
            raise MalformedFilter(
                f"the service has {total:,} schedules to look through, and over HTTP {MOST:,} are the most",
                hint="Narrow by status and run_at, or keep to status and run_at alone in the order of run_at.",
            )
        limit, read_at = (await self._wire.dialect()).most, self._clock.now()
        walks = [Walk(self._wire, replace(ask, limit=limit)) for ask in asks]
        while waiting := [walk for walk in walks if not walk.done]:
            if sum(len(walk.rows) for walk in walks) > 2 * MOST:
                raise Unavailable("the service's list grows faster than it can be read", hint="Narrow it.")
            await asyncio.gather(*(walk.step() for walk in waiting))
        self.forget()
        self._kept = _Window(asks, Table(_newest(walks)), read_at)
        return self._kept.table

    async def _stream(
        self, query: PageQuery, clause: Clause, asks: Sequence[Ask], *, descending: bool
    ) -> tuple[list[Row], bool, bool]:
        most = ROWS if query.limit <= ROWS else (await self._wire.dialect()).most
        begun = (replace(_from(ask, query.cursor, descending=descending), limit=most) for ask in asks)
        walks = [Walk(self._wire, ask) for ask in begun]
        await asyncio.gather(*(walk.step() for walk in walks))
        while True:
            rows, ahead, behind = _page_of(walks, query, clause, certain=True)
            waiting = [walk for walk in walks if not walk.done]
            # That something lies ahead is known before all of it is.
            ahead = ahead or (len(rows) == query.limit and _page_of(walks, query, clause, certain=False)[1])
            if ahead or not waiting:
                break
            slowest = sorted((walk.frontier or "" for walk in waiting), reverse=descending)[0]
            try:
                await asyncio.gather(*(walk.step() for walk in waiting if (walk.frontier or "") == slowest))
            except Unlistable:
                if not rows:
                    raise
                # Up to there the list is told; whoever asks for what is behind hears why it cannot be.
                ahead = True
                break
        if query.cursor is not None and not behind:
            behind = await self._any_behind(asks, query.cursor, walks, descending=descending)
        return rows, ahead, behind

    async def _any_behind(
        self, asks: Sequence[Ask], cursor: Cursor, walks: Sequence[Walk], *, descending: bool
    ) -> bool:
        """Whether schedules stand on the other side of a place that is no row any more."""
        at = str(cursor.value)
        for ask, walk in zip(asks, walks, strict=True):
            bound = replace(ask, start=at) if descending else replace(ask, end=through(at))
            listed = await self._wire.listed(bound)
            beside = sum(row.run_at == at for row in walk.rows.values())
            if any((row.run_at > at) if descending else (row.run_at < at) for row in listed.rows) or listed.total > max(
                beside, len(listed.rows)
            ):
                return True
        return False


async def _as_far_as_it_goes(walk: Walk) -> None:
    try:
        await walk.step()
    except Unlistable:
        walk.done = True


def _page_of(walks: Sequence[Walk], query: PageQuery, clause: Clause, *, certain: bool) -> tuple[list[Row], bool, bool]:
    """A page of the rows that were met; of the ``certain`` ones all that come before them were met, too."""
    table = Table(row for row in _newest(walks) if not certain or all(walk.met_all(row) for walk in walks))
    try:
        return table.page(query, clause)
    finally:
        table.close()


def _newest(walks: Sequence[Walk]) -> list[Row]:
    """Each row once: one that came from pending to queued while both were read was met in both."""
    rows: dict[str, Row] = {}
    for walk in walks:
        for row in walk.rows.values():
            known = rows.get(row.id)
            if known is None or (known.updated or "") <= (row.updated or ""):
                rows[row.id] = row
    return list(rows.values())


def _from(ask: Ask, cursor: Cursor | None, *, descending: bool) -> Ask:
    if cursor is None:
        return replace(ask, descending=descending)
    at = moments.place(cursor.value)
    if at is None:
        raise MalformedFilter("this cursor is not of a list by run_at", hint="Take `next` from the page before.")
    if descending:
        return replace(ask, descending=True, end=min(ask.end or through(at), through(at)))
    return replace(ask, start=max(ask.start or at, at))
