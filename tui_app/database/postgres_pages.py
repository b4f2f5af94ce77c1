"""A table of items in PostgreSQL: filters on it, keyset pages and numbers of rows.

What :mod:`tui_app.database.pages` is for SQLite. What time it is says the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import errors

from tui_app.database.pages import Waiting
from tui_app.database.postgres_rows import Connection, Row, moment, row, rows
from tui_app.database.where import POSTGRES, Clause, Field, beyond, both, ordering, place_of, where
from tui_app.domain.describe import Kind
from tui_app.domain.filters import Filter
from tui_app.domain.items import PAGE_LIMIT, Count, Cursor, Item, Page, PageQuery, Sort

COUNT_SECONDS = 2.0
"""How long rows are counted before the planner's estimate has to do."""

_NOW = f"SELECT {moment('now()')} AS as_of"
_TYPES = {Kind.NUMBER: "numeric", Kind.TIME: "timestamptz", Kind.DEADLINE: "timestamptz"}


def _ids_as_they_are(item_id: str) -> tuple[str, ...]:
    return (item_id,)


@dataclass(frozen=True, slots=True)
class PostgresPages:
    """How the rows of one table are found, and read in their order, forwards and backwards.

    ``searched`` are the fields that free text looks into. ``ids`` are the columns of the item's id, with the marks that
    bind them; ``split`` makes their values of an id. ``as_of`` is the condition of a row that was there at a moment,
    which it binds as often as it has a mark.

    Four statements are in ``sql``. ``page`` selects whole rows with the moment ``as_of``, with ``{where}`` and
    ``{order}``; it binds the number of rows last but for ``tail``. ``any`` tells as ``found`` whether there is one,
    ``count`` tells their number as ``n``, and ``estimate`` explains a query for them, each with ``{where}``.
    """

    fields: Mapping[str, Field]
    searched: Sequence[str]
    ids: Mapping[str, str]
    sql: Mapping[str, str]
    as_of: str
    split: Callable[[str], tuple[str, ...]] = _ids_as_they_are
    waiting: Waiting | None = None
    tail: tuple[Any, ...] = ()

    def matching(self, wanted: Filter, as_of: str | None, before: tuple[Sort, Cursor] | None = None) -> Clause:
        """The rows of a filter as of a time, with ``before`` only those that stand before a place.

        Raises:
            MalformedFilter: an unknown field, or a value that is not of the field's kind.
        """
        return both(
            where(wanted, self.fields, self.searched, POSTGRES),
            Clause("") if as_of is None else Clause(self.as_of, (as_of,) * self.as_of.count("%s")),
            Clause("") if before is None else self._beyond(*before, backward=True),
            Clause("") if self.waiting is None else self.waiting.clause(wanted),
        )

    def _beyond(self, sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
        by = self.fields[sort.field]
        place = place_of(cursor, by, self.split(cursor.id))
        mark = (f"%s::{_TYPES.get(by.kind, 'text')}", *self.ids.values())
        return beyond(by.sql, tuple(self.ids), sort, place, backward=backward, mark=mark)

    async def read(
        self, connection: Connection, query: PageQuery, wanted: Clause, item_of: Callable[[Row], Item]
    ) -> Page:
        """One page of the rows ``wanted``; a row more is read to know whether there are more."""
        limit = min(query.limit, PAGE_LIMIT)
        start = Clause("") if query.cursor is None else self._beyond(query.sort, query.cursor, backward=query.backward)
        clause = both(wanted, start)
        order = ordering(self.fields[query.sort.field].sql, tuple(self.ids), query.sort, backward=query.backward)
        sql = self.sql["page"].format(where=clause.sql, order=order)
        read = await rows(connection, sql, (*clause.values, limit + 1, *self.tail))
        as_of = (read[0] if read else await row(connection, _NOW))["as_of"]
        items = [item_of(one) for one in read[:limit]]
        behind = query.cursor is not None and await self._any_behind(connection, query, wanted, items)
        return Page.in_order(query, items, ahead=len(read) > limit, behind=behind, as_of=as_of)

    async def _any_behind(
        self, connection: Connection, query: PageQuery, wanted: Clause, items: Sequence[Item]
    ) -> bool:
        """Whether rows stand against the reading direction. Where nothing was read, every row there is does."""
        clause = wanted
        if items:
            first = Cursor(items[0].fields[query.sort.field], items[0].id)
            clause = both(wanted, self._beyond(query.sort, first, backward=not query.backward))
        return bool((await row(connection, self.sql["any"].format(where=clause.sql), clause.values))["found"])

    async def count(self, connection: Connection, clause: Clause, seconds: float) -> Count:
        """The exact number where counting takes no longer than allowed, else what the planner believes."""
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL statement_timeout = {int(seconds * 1000)}".encode())
                return Count((await row(connection, self.sql["count"].format(where=clause.sql), clause.values))["n"])
        except errors.QueryCanceled:
            plan = await row(connection, self.sql["estimate"].format(where=clause.sql), clause.values)
            return Count(int(plan["QUERY PLAN"][0]["Plan"]["Plan Rows"]), exact=False)
