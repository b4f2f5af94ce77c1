"""Pages of cases at a server: of its list, where it is of our own kind; else of the ids that the operator names.

Our own service lists with every fact of a case, and says which filter it has used. A server that does not is not
believed to have used it: a filter that was ignored would show, and cancel, everything.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tui_app.domain import moments
from tui_app.domain.errors import MalformedFilter, NotAllowed, QuashError, Unavailable
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.foreign_json import dump
from tui_app.domain.items import PAGE_LIMIT, Count, Item, Page, PageQuery, Scalar, Sort, check_sort
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.domain.visible import visible
from tui_app.outbound.http import CONCURRENCY, Unsendable
from tui_app.outbound.recognition import Unrecognised
from tui_app.systems.cases import rules, shapes
from tui_app.systems.cases.dialects import Operation
from tui_app.systems.cases.inquiry import Inquiry, Standing
from tui_app.systems.cases.words import DESCRIPTION, KINDS

if TYPE_CHECKING:
    from tui_app.outbound.answers import Response

NO_LIST = "this case management has no list of cases: name those that you want"
HINT = "Filter by id:ID,ID to see them, or give ids to `quash plan cases`: ID ID, or --ids FILE (- is stdin)."

MOST = 100
"""Rows that a server is asked for at once at most."""


@dataclass(slots=True)
class Lists:
    """Pages, by whichever way the server has. ``there`` is none until it was asked."""

    inquiry: Inquiry
    there: bool | None = None

    def __post_init__(self) -> None:
        if not self.inquiry.line.dialect.has(Operation.LIST):
            self.there = False

    async def page(self, query: PageQuery) -> Page:
        """Rows of the server's list, or of the ids that the filter names.

        Raises:
            MalformedFilter: there is no list, and the filter names no ids; or they cannot be filtered by what it names.
        """
        check_sort(query.sort, DESCRIPTION.sortable)
        if self.there is not False:
            response = await self._ask(query, None if query.cursor is None else query.cursor.encode())
            if response is not None:
                return await self._listed(query, response)
        return await self._brought(query)

    async def count(self, wanted: Filter, as_of: str | None) -> Count:
        """How many cases match, as the server says, or ids are named."""
        if self.there is not False:
            response = await self._ask(PageQuery(wanted, DESCRIPTION.default_sort, limit=1, as_of=as_of), None)
            if response is not None:
                told = response.json["pagination"]
                return Count(int(told.get("total") or 0), exact=told.get("total_exact") is True)
        ids, others = named_ids(wanted)
        return Count(len(ids), exact=not others)

    async def standings(self, ids: Sequence[str]) -> dict[str, Standing]:
        """Return the cases that the server's list tells of, by id; none where it has no list, or none for us.

        Raises:
            Unavailable: the server takes no reads at present, or cannot be asked.
        """
        found: dict[str, Standing] = {}
        for start in range(0, len(ids), MOST):
            named = Filter((Term("id", Op.ANY, tuple(ids[start : start + MOST])),))
            try:
                response = None if self.there is False else await self._ask(PageQuery(named, Sort("id"), MOST), None)
            except (MalformedFilter, NotAllowed):
                return found
            if response is None:
                return found
            found |= {one.id: one for one in _standings(response, self._now())}
        return found

    async def _ask(self, query: PageQuery, cursor: str | None) -> Response | None:
        """The server's answer for a page behind a cursor; none where it has no list, or none of our kind.

        Raises:
            Unrecognised: what answered is not recognisably the API, and the filter names no ids.
        """
        sort = query.sort.reversed if query.backward else query.sort
        asked = {
            "filter": str(query.filter),
            "sort": str(sort),
            "limit": min(query.limit, MOST),
            "cursor": cursor,
            "as_of": query.as_of,
        }
        try:
            response = await self.inquiry.line.get(Operation.LIST, query=asked, fits=shapes.is_list)
        except Unsendable as error:
            raise MalformedFilter(error.message, hint=error.hint) from error
        except Unrecognised as stranger:
            if self.there:
                raise
            if not any(term.field == "id" and not term.negated for term in query.filter.terms):
                raise Unrecognised(stranger.message, hint=f"{stranger.hint} {HINT}") from stranger
            # Nothing is known of a list by that: the cases that are named are read all the same.
            return None
        if response.status in (400, 422) and self.there:
            raise MalformedFilter(response.refusal.message)
        body = response.json if response.ok and isinstance(response.json, dict) else {}
        told = body.get("pagination")
        ours = (
            isinstance(body.get("cases"), list) and isinstance(told, dict) and told.get("filter") == str(query.filter)
        )
        if response.status == 403:
            raise NotAllowed("cases may not be listed", hint="Verify the roles of this user.")
        if not ours and response.status in (400, 422):
            raise MalformedFilter(response.refusal.message)
        self.there = ours
        return response if ours else None

    async def _listed(self, query: PageQuery, response: Response) -> Page:
        """So many rows as are wanted, from as many pages of the server as that takes.

        Where one of them cannot be read, those before it are the page, and there is more behind it.
        """
        as_of = moments.stamp(response.date) if response.date is not None else query.as_of or ""
        as_of = shapes.moment_of(response.json["pagination"].get("as_of")) or as_of
        wanted, rows = min(query.limit, PAGE_LIMIT), rows_of(response, as_of)
        following = response.json["pagination"].get("next_cursor")
        while following is not None and len(rows) < wanted:
            rest = replace(query, limit=wanted - len(rows), as_of=as_of)
            try:
                further = await self._ask(rest, str(following))
            except Unavailable:
                break
            found = [] if further is None else rows_of(further, as_of)
            if further is None or not found:
                break
            rows += found
            following = further.json["pagination"].get("next_cursor")
        more, behind = following is not None, query.cursor is not None
        if query.backward:
            return Page(tuple(reversed(rows)), more, behind, as_of)
        return Page(tuple(rows), behind, more, as_of)

    async def _brought(self, query: PageQuery) -> Page:
        ids, others = named_ids(query.filter)
        if not ids:
            raise MalformedFilter(NO_LIST, hint=HINT, names_only=True)
        if query.sort.field == "id":
            chosen, before, after = _slice(sorted(ids, reverse=query.sort.descending), query)
            rows = await self._rows(chosen)
            kept = [row for row in rows if _matches(row, others)]
            return Page(tuple(kept), before, after, self._now())
        rows = [row for row in await self._rows(ids) if _matches(row, others)]
        rows.sort(key=lambda row: (_key(row.fields[query.sort.field]), row.id), reverse=query.sort.descending)
        by_id = {row.id: row for row in rows}
        chosen, before, after = _slice([row.id for row in rows], query)
        return Page(tuple(by_id[one] for one in chosen), before, after, self._now())

    async def _rows(self, ids: Sequence[str]) -> list[Item]:
        """A row each. A server that is away is not asked for the others, nor one that takes no more reads.

        Raises:
            Unavailable: none could be read.
        """
        away: list[Unavailable] = []
        places = asyncio.Semaphore(CONCURRENCY)

        async def row(case_id: str) -> Item:
            async with places:
                try:
                    return await self._row(case_id) if not away else _unread(case_id, away[0])
                except Unavailable as error:
                    away.append(error)
                    return _unread(case_id, error)

        rows = list(await asyncio.gather(*(row(one) for one in ids)))
        if away and all(one.verdict.code is VerdictCode.NOT_KNOWN for one in rows):
            raise away[0]
        return rows

    async def _row(self, case_id: str) -> Item:
        try:
            found = await self.inquiry.standing(case_id)
        except NotAllowed as error:
            return _unread(case_id, error)
        return _blank(case_id, rules.NOT_FOUND) if found is None else item_of(found)

    def _now(self) -> str:
        return moments.stamp(self.inquiry.line.clock.now())


def named_ids(wanted: Filter) -> tuple[list[str], list[Term]]:
    """The ids that a filter names, each once, and its other terms.

    Raises:
        MalformedFilter: an id that is none, or a term that cannot be looked at here.
    """
    ids: list[str] = []
    others = []
    for term in wanted.terms:
        plain = term.op is Op.ANY and not term.negated
        if term.field == "id" and plain:
            ids += [rules.check_id(str(value)) for value in term.values]
        elif term.field == "status" and plain:
            others.append(term)
        else:
            told = f"{NO_LIST}; beside ids, only a status can be filtered by"
            raise MalformedFilter(told, hint=HINT, names_only=True)
    return list(dict.fromkeys(ids)), others


def item_of(found: Standing) -> Item:
    """A case as a row shows it; what the server leaves out stays empty."""
    told, held = found.told, found.holds
    fields: dict[str, Scalar] = dict.fromkeys(KINDS, "")
    fields |= {name: value for name, value in told.fields.items() if value is not None}
    fields |= {
        "id": found.id,
        "status": found.status,
        "assigned_to": told.assigned_to or "",
        "updated": told.updated or "",
        "rollback_deadline": told.deadline,
        "reinstated": told.fields.get("reinstated") or 0,
        "critical_alerts": None if held is None else held.critical_alerts,
    }
    if held is not None:
        hold = {"active_hold": "yes" if held.active_hold else "no", "hold": held.named}
        fields |= hold | {"related_orders_status": held.related_orders_status}
    return Item(DESCRIPTION.system, found.id, found.status, found.version, found.verdict(), fields)


def _blank(case_id: str, verdict: Verdict) -> Item:
    return Item(DESCRIPTION.system, case_id, "", "", verdict, {**dict.fromkeys(KINDS, ""), "id": case_id})


def _unread(case_id: str, error: QuashError) -> Item:
    return _blank(case_id, Verdict.no(VerdictCode.NOT_KNOWN, f"it could not be read: {error.message}"))


def _matches(row: Item, terms: Sequence[Term]) -> bool:
    # What could not be read, or is not there, is shown whatever is asked for: the operator named it.
    return not row.status or all(row.status in term.values for term in terms)


def _key(value: Scalar) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return not number, float(value) if isinstance(value, int | float) else 0.0, "" if value is None else str(value)


def _slice(ids: Sequence[str], query: PageQuery) -> tuple[list[str], bool, bool]:
    """A page of ids that are in order, and whether there are more on either side of it."""
    limit = min(query.limit, PAGE_LIMIT)
    at = len(ids) if query.backward else 0
    if query.cursor is not None:
        place = query.cursor.id
        known = ids.index(place) if place in ids else None
        at = at if known is None else known + (0 if query.backward else 1)
    start, end = (max(0, at - limit), at) if query.backward else (at, min(len(ids), at + limit))
    return list(ids[start:end]), start > 0, end < len(ids)


def rows_of(response: Response, as_of: str) -> list[Item]:
    """The cases of a page. One that cannot be read stands between two that can, from which a page goes on."""
    rows = [_row_of(one, as_of) for one in response.json["cases"]]
    whole = [place for place, row in enumerate(rows) if not row.id.startswith(UNREADABLE)]
    if whole and whole[-1] < len(rows) - 1:
        rows.append(rows.pop(whole[-1]))
    if whole and whole[0] > 0:
        rows.insert(0, rows.pop(whole[0]))
    return rows


UNREADABLE = "unreadable-"
"""How the name of a case begins that has no id: the server cannot be asked for it."""


def _row_of(one: Any, now: str) -> Item:
    standing = _standing_of(one, now)
    if standing is not None:
        return item_of(standing)
    name = UNREADABLE + hashlib.sha256(dump(one).encode()).hexdigest()[:16]
    told = f"it has no case_id that can be read: {visible(dump(one), 60)}"
    return _blank(name, Verdict.no(VerdictCode.NOT_KNOWN, told))


def _standings(response: Response, now: str) -> list[Standing]:
    read = (_standing_of(one, now) for one in response.json["cases"])
    return [standing for standing in read if standing is not None]


def _standing_of(one: Any, now: str) -> Standing | None:
    case_id = shapes.text_of(one.get("case_id")) if isinstance(one, dict) else None
    return Standing(case_id, shapes.told(one), shapes.holds(one), "the list has none", now) if case_id else None
