"""Walking through what was selected: ids or a filter, a page at a time, each with the place to go on from."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tui_app.domain.filters import Filter
from tui_app.domain.items import Cursor, Page, PageQuery, Seen, Selection
from tui_app.domain.ports import ReadsMany, System

PAGE, SMALLEST = 500, 10
"""Items that are read and frozen together, at most and at least."""


def page_size(system: System) -> int:
    """Return how many items of a system are read together: those of a chunk, unless it reads more at once."""
    size = system.survey_size if isinstance(system, ReadsMany) else system.chunk_size
    return min(PAGE, max(SMALLEST, size))


@dataclass(frozen=True, slots=True)
class Place:
    """How far the making of a plan has come: the selection, and in it an offset into its ids, or a cursor."""

    selection: int = 0
    offset: int = 0
    cursor: str | None = None
    as_of: str | None = None
    done: bool = False


async def walk(
    selection: Selection, system: System, place: Place, ask: Callable[[Callable[[], Awaitable[Page]]], Awaitable[Page]]
) -> AsyncIterator[tuple[list[str], Place]]:
    """The ids of a selection from a place on, a page at a time, each with the place behind it; read through ``ask``."""
    if selection.ids is not None:
        start = place.offset
        while start < len(selection.ids):
            # What a system reads together may be known only once it was asked.
            end = start + page_size(system)
            yield list(selection.ids[start:end]), replace(place, offset=end)
            start = end
        return
    sort, as_of = system.description.default_sort, place.as_of or selection.as_of
    cursor, done = None if place.cursor is None else Cursor.decode(place.cursor), place.done
    while not done:
        query = PageQuery(selection.filter or Filter(), sort, page_size(system), cursor, as_of=as_of)
        page = await ask(partial(system.page, query))
        as_of, done = as_of or page.as_of, not page.more_after
        if page.items:
            cursor = Cursor(page.items[-1].fields[sort.field], page.items[-1].id)
        ids = [item.id for item in page.items if item.id not in selection.excluded]
        if ids:
            text = None if cursor is None else cursor.encode()
            yield ids, replace(place, cursor=text, as_of=as_of, done=done)


def overlaps(selections: Sequence[Selection]) -> dict[str, set[str]]:
    """A place to remember ids for each system that is selected more than once: what overlaps stands in a plan once."""
    chosen = Counter(selection.system for selection in selections)
    return {system: set() for system, number in chosen.items() if number > 1}


def unmet(page: list[Seen], met: set[str] | None) -> list[Seen]:
    """Those that were not met before, which they are from now on."""
    if met is None:
        return page
    fresh = [seen for seen in page if seen.id not in met]
    met.update(seen.id for seen in fresh)
    return fresh
