"""Items of the systems: pages, counts, ids, one item, its preview and its trail. Everything here only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import Field

from tui_app.contract import paths
from tui_app.contract.models import (
    CountModel,
    IdsModel,
    IdsRequest,
    ItemModel,
    MalformedModel,
    PageModel,
    PreviewModel,
    ProbeModel,
    ProbesModel,
    TrailsModel,
)
from tui_app.domain import moments
from tui_app.domain.errors import MalformedId, UsageProblem
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import PAGE_LIMIT, Cursor, Item, Page, PageQuery, Sort, check_sort
from tui_app.domain.ports import Probed, Probes, System
from tui_app.service.table import IDS, Call, NoQuery, Query, Route
from tui_app.service.words import item_model, preview_model, trail_model

UNREACHABLE = ("UNAVAILABLE", "CANNOT_CONNECT", "RATE_LIMITED", "BUSY", "STORAGE_FULL")
FILTERED = ("NOT_FOUND", "MALFORMED_FILTER", *UNREACHABLE)
ONE_ITEM = ("NOT_FOUND", "MALFORMED_ID", *UNREACHABLE)


class ItemsQuery(Query):
    """Which rows: at most one of ``after``, ``before``, ``last`` and ``around``."""

    filter: str = ""
    sort: str | None = None
    limit: int = Field(default=100, ge=1, le=PAGE_LIMIT)
    after: str | None = None
    before: str | None = None
    last: bool = False
    around: str | None = None
    as_of: str | None = None
    count: bool = False


class CountQuery(Query):
    """Which rows are counted."""

    filter: str = ""
    as_of: str | None = None


def moment(text: str | None) -> str | None:
    """A moment of a request in our text form.

    Raises:
        UsageProblem: it is not ISO 8601.
    """
    try:
        return None if text is None else moments.stamp(moments.read(text))
    except ValueError as error:
        raise UsageProblem(
            "as_of: it is not a moment in ISO 8601", hint="Take `as_of` from a page.", fields=["as_of"]
        ) from error


@dataclass(frozen=True, slots=True)
class _Window:
    """Rows as they are answered. ``first`` says that the table begins with them, ``last`` that it ends with them."""

    page: Page
    first: bool = False
    last: bool = False


async def page(call: Call[ItemsQuery, None]) -> PageModel:
    """Rows by keyset."""
    system, asked = call.backend.system(call.parts["system"]), call.query
    query = _page_query(system, asked)
    window = await _window(system, asked, query)
    items = window.page.items
    total, position, exact = await _numbers(system, query, window) if asked.count else (None, None, True)
    return PageModel(
        system=system.description.system,
        items=[item_model(item) for item in items],
        total=total,
        position=position,
        exact=exact,
        next=_place(items[-1], query.sort).encode() if items and window.page.more_after else None,
        previous=_place(items[0], query.sort).encode() if items and window.page.more_before else None,
        as_of=window.page.as_of,
    )


def _page_query(system: System, asked: ItemsQuery) -> PageQuery:
    places = {"after": asked.after, "before": asked.before, "last": asked.last or None, "around": asked.around}
    given = [name for name, value in places.items() if value is not None]
    if len(given) > 1:
        raise UsageProblem(
            f"{given[1]}: it cannot be combined with {given[0]}", hint="Ask for one place.", fields=given
        )
    description = system.description
    wanted = _filter(system, asked.filter)
    sort = description.default_sort if asked.sort is None else Sort.parse(asked.sort)
    return PageQuery(wanted, check_sort(sort, description.sortable), asked.limit, as_of=moment(asked.as_of))


def _filter(system: System, text: str) -> Filter:
    wanted = parse(text)
    system.description.check(wanted)
    return wanted


def _place(item: Item, sort: Sort) -> Cursor:
    return Cursor(item.fields[sort.field], item.id)


async def _window(system: System, asked: ItemsQuery, query: PageQuery) -> _Window:
    if asked.around is not None:
        return _Window(await _around(system, query, await system.item(system.check_id(asked.around))))
    if asked.after is not None:
        return _Window(await system.page(replace(query, cursor=Cursor.decode(asked.after))))
    if asked.before is not None:
        cursor = Cursor.decode(asked.before)
        return _Window(await system.page(replace(query, cursor=cursor, backward=True)))
    if asked.last:
        return _Window(await system.page(replace(query, backward=True)), last=True)
    return _Window(await system.page(query), first=True)


async def _around(system: System, query: PageQuery, item: Item) -> Page:
    """Rows on both sides of an item, in two reads.

    The second read begins behind the last row before the item, and so finds it only if the filter does.
    """
    ahead = await system.page(replace(query, cursor=_place(item, query.sort), backward=True))
    start = _place(ahead.items[-1], query.sort) if ahead.items else None
    behind = await system.page(replace(query, cursor=start))
    kept = min(len(ahead.items), max(query.limit // 2, query.limit - len(behind.items)))
    before = ahead.items[len(ahead.items) - kept :]
    after = behind.items[: query.limit - kept]
    return Page(
        items=(*before, *after),
        more_before=ahead.more_before or kept < len(ahead.items),
        more_after=behind.more_after or len(after) < len(behind.items),
        as_of=behind.as_of,
    )


async def _numbers(system: System, query: PageQuery, window: _Window) -> tuple[int, int | None, bool]:
    """The total, the number of the first row from 1, and whether both are exact."""
    total = await system.count(query.filter, as_of=query.as_of)
    items = window.page.items
    if not items:
        return total.value, None, total.exact
    if window.first:
        return total.value, 1, total.exact
    if window.last and total.exact:
        return total.value, max(1, total.value - len(items) + 1), True
    place = (query.sort, _place(items[0], query.sort))
    before = await system.count(query.filter, as_of=query.as_of, before=place)
    return total.value, before.value + 1, total.exact and before.exact


async def count(call: Call[CountQuery, None]) -> CountModel:
    """How many rows a filter matches."""
    system = call.backend.system(call.parts["system"])
    wanted = _filter(system, call.query.filter)
    found = await system.count(wanted, as_of=moment(call.query.as_of))
    return CountModel(value=found.value, exact=found.exact)


async def probe(call: Call[NoQuery, None]) -> ProbesModel:
    """Whether what answers at the address of a system is that system; a database is asked how many there are."""
    system = call.backend.system(call.parts["system"])
    if isinstance(system, Probes):
        found = await system.probe()
    else:
        number = await system.count(Filter())
        found = [Probed("how many there are", f"{number.value:,}", recognised=True)]
    return ProbesModel(probes=[ProbeModel.model_validate(one) for one in found])


async def check_ids(call: Call[NoQuery, IdsRequest]) -> IdsModel:
    """Which of these can be ids."""
    # In a thread: many ids take longer than others should wait.
    return await asyncio.to_thread(_checked, call.backend.system(call.parts["system"]), call.body.ids)


def _checked(system: System, texts: Sequence[str]) -> IdsModel:
    ids: dict[str, None] = {}
    malformed: dict[str, MalformedModel] = {}
    for text in texts:
        try:
            ids[system.check_id(text)] = None
        except MalformedId as error:
            malformed[text] = MalformedModel(id=text, message=error.message)
    return IdsModel(ids=list(ids), malformed=list(malformed.values()))


async def item(call: Call[NoQuery, None]) -> ItemModel:
    """One item."""
    system = call.backend.system(call.parts["system"])
    return item_model(await system.item(system.check_id(call.parts["item"])))


async def preview(call: Call[NoQuery, None]) -> PreviewModel:
    """What cancelling one item would do."""
    system = call.backend.system(call.parts["system"])
    return preview_model(await system.preview(system.check_id(call.parts["item"])), system.description)


async def trail(call: Call[NoQuery, None]) -> TrailsModel:
    """The system's own audit entries of one item."""
    system = call.backend.system(call.parts["system"])
    entries = await system.trail(system.check_id(call.parts["item"]))
    return TrailsModel(trail=[trail_model(entry) for entry in entries])


ROUTES = (
    Route("GET", paths.ITEMS, "items", "Rows by keyset", page, PageModel, query=ItemsQuery,
          errors=(*FILTERED, "MALFORMED_ID")),
    Route("GET", paths.COUNT, "count", "How many rows match", count, CountModel, query=CountQuery,
          errors=FILTERED),
    Route("GET", paths.PROBE, "check", "Whether what answers is the system", probe, ProbesModel,
          errors=("NOT_FOUND", "UNAUTHORIZED", *UNREACHABLE)),
    Route("POST", paths.IDS, "check_ids", "Which of these can be ids", check_ids, IdsModel, body=IdsRequest,
          largest=IDS, errors=("NOT_FOUND",)),
    Route("GET", paths.ITEM, "item", "One item", item, ItemModel, errors=ONE_ITEM),
    Route("GET", paths.PREVIEW, "preview", "What cancelling one item would do", preview, PreviewModel,
          errors=ONE_ITEM),
    Route("GET", paths.TRAIL, "trail", "The system's audit entries of one item", trail, TrailsModel,
          errors=ONE_ITEM),
)  # fmt: skip
