"""Keyset pages over a table of items in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui_app.database.where import Clause, Field, Place, beyond, both, ordering
from tui_app.domain.describe import Kind
from tui_app.domain.filters import Term
from tui_app.domain.items import PAGE_LIMIT, Cursor, Item, Page, PageQuery, Sort


@dataclass(frozen=True, slots=True)
class Pages:
    """How the rows of one table are read in their order, forwards and backwards.

    ``page`` selects whole rows, with ``{hint}``, ``{where}`` and ``{order}`` in it, and binds the number of rows last
    but for ``tail``; ``any`` tells whether there is one, with ``{hint}`` and ``{where}``. ``indexes`` names, by the
    field that is sorted by, the partial index that has the rows of the term ``waiting`` in this order.
    """

    fields: Mapping[str, Field]
    id: str
    page: str
    any: str
    waiting: Term
    indexes: Mapping[str, str]
    tail: tuple[Any, ...] = ()

    def beyond(self, sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
        """Rows beyond a cursor. A row shows null where the column sorts as empty or zero."""
        field = self.fields[sort.field]
        value = ("" if field.kind is not Kind.NUMBER else 0) if cursor.value is None else cursor.value
        return beyond(field.sql, (self.id,), sort, Place(value, (cursor.id,)), backward=backward, mark=("?", "?"))

    def read(
        self,
        connection: sqlite3.Connection,
        query: PageQuery,
        wanted: Clause,
        item_of: Callable[[sqlite3.Row], Item],
        as_of: str,
    ) -> Page:
        """One page; a row more is read to know whether there are more."""
        limit = min(query.limit, PAGE_LIMIT)
        start = Clause("") if query.cursor is None else self.beyond(query.sort, query.cursor, backward=query.backward)
        clause = both(wanted, start)
        order = ordering(self.fields[query.sort.field].sql, (self.id,), query.sort, backward=query.backward)
        sql = self.page.format(hint=self.hint(query), where=clause.sql, order=order)
        rows = connection.execute(sql, (*clause.values, limit + 1, *self.tail)).fetchall()
        items = [item_of(row) for row in rows[:limit]]
        ahead = len(rows) > limit
        behind = query.cursor is not None and self._any_behind(connection, query, wanted, items)
        if query.backward:
            return Page(tuple(reversed(items)), more_before=ahead, more_after=behind, as_of=as_of)
        return Page(tuple(items), more_before=behind, more_after=ahead, as_of=as_of)

    def _any_behind(
        self, connection: sqlite3.Connection, query: PageQuery, wanted: Clause, items: Sequence[Item]
    ) -> bool:
        """Whether rows stand against the reading direction. Where nothing was read, every row there is does."""
        clause = wanted
        if items:
            first = Cursor(items[0].fields[query.sort.field], items[0].id)
            clause = both(wanted, self.beyond(query.sort, first, backward=not query.backward))
        sql = self.any.format(hint=self.hint(query), where=clause.sql)
        return bool(connection.execute(sql, clause.values).fetchone()[0])

    def hint(self, query: PageQuery) -> str:
        """The index that has the rows in their order; left alone, SQLite takes that of the status, and sorts all."""
        if self.waiting not in query.filter.terms or query.sort.field not in self.indexes:
            return ""
        return f"INDEXED BY {self.indexes[query.sort.field]}"
