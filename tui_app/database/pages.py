"""A table of items in SQLite: filters on it, keyset pages, single rows and numbers of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui_app.database.bound import ascii_json
from tui_app.database.tally import status_only, tallied
from tui_app.database.where import SQLITE, Clause, Field, beyond, both, ordering, place_of, where
from tui_app.domain.filters import Filter, Term
from tui_app.domain.items import PAGE_LIMIT, Count, Cursor, Item, Page, PageQuery, Sort

COUNTED = 200_000
"""Rows that are counted one by one at most; beyond, the number is a lower bound."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The rows that operators look at most: those that can still be cancelled, by their statuses.

    ``term`` asks for them in a filter; ``sql`` does in a query, in the very words of the partial indexes. ``indexes``
    names, by the field that is sorted by, the index that has these rows in that order, where the database must be told.
    """

    term: Term
    sql: str
    indexes: Mapping[str, str] = field(default_factory=dict)

    def clause(self, wanted: Filter) -> Clause:
        """What a filter asks for, once more, so that the partial indexes are found; nothing where it asks for more."""
        return Clause(self.sql) if self.term in wanted.terms else Clause("")


@dataclass(frozen=True, slots=True)
class Pages:
    """How the rows of one table are found, and read in their order, forwards and backwards.

    ``searched`` are the fields that free text looks into. ``id`` is the column of the item's id. ``as_of`` is the
    condition of a row that was there at a moment, which it binds as often as it has a mark.

    Three statements are in ``sql``. ``page`` selects whole rows, with ``{hint}``, ``{where}``, ``{order}`` and
    ``{longest}``, the characters of a text that are read; it binds the number of rows last but for ``tail``. ``any``
    tells whether there is one, with ``{hint}`` and ``{where}``. ``count``, with ``{where}``, binds the number at which
    it ends.
    """

    fields: Mapping[str, Field]
    searched: Sequence[str]
    id: str
    sql: Mapping[str, str]
    longest: int
    waiting: Waiting
    as_of: str
    tail: tuple[Any, ...] = ()

    def matching(self, wanted: Filter, as_of: str | None, before: tuple[Sort, Cursor] | None = None) -> Clause:
        """The rows of a filter as of a time, with ``before`` only those that stand before a place.

        Raises:
            MalformedFilter: an unknown field, or a value that is not of the field's kind.
        """
        return both(
            where(wanted, self.fields, self.searched, SQLITE),
            Clause("") if as_of is None else Clause(self.as_of, (as_of,) * self.as_of.count("?")),
            self.waiting.clause(wanted),
            Clause("") if before is None else self._beyond(*before, backward=True),
        )

    def _beyond(self, sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
        by = self.fields[sort.field]
        place = place_of(cursor, by, (cursor.id,))
        return beyond(by.sql, (self.id,), sort, place, backward=backward, mark=("?", "?"))

    def page(self, query: PageQuery, wanted: Clause) -> Clause:
        """The statement of one page of the rows ``wanted``, and of one row more, which tells whether there are more."""
        start = Clause("") if query.cursor is None else self._beyond(query.sort, query.cursor, backward=query.backward)
        clause = both(wanted, start)
        order = ordering(self.fields[query.sort.field].sql, (self.id,), query.sort, backward=query.backward)
        sql = self._composed(hint=self._hint(query), where=clause.sql, order=order)
        return Clause(sql, (*clause.values, min(query.limit, PAGE_LIMIT) + 1, *self.tail))

    def _composed(self, **pieces: str) -> str:
        return self.sql["page"].format(longest=self.longest, **pieces)

    def read(
        self,
        connection: sqlite3.Connection,
        query: PageQuery,
        wanted: Clause,
        item_of: Callable[[sqlite3.Row], Item],
        as_of: str,
    ) -> Page:
        """One page of the rows ``wanted``."""
        page = self.page(query, wanted)
        limit = min(query.limit, PAGE_LIMIT)
        rows = connection.execute(page.sql, page.values).fetchall()
        items = [item_of(row) for row in rows[:limit]]
        behind = query.cursor is not None and self._any_behind(connection, query, wanted, items)
        return Page.in_order(query, items, ahead=len(rows) > limit, behind=behind, as_of=as_of)

    def _any_behind(
        self, connection: sqlite3.Connection, query: PageQuery, wanted: Clause, items: Sequence[Item]
    ) -> bool:
        """Whether rows stand against the reading direction. Where nothing was read, every row there is does."""
        clause = wanted
        if items:
            first = Cursor(items[0].fields[query.sort.field], items[0].id)
            clause = both(wanted, self._beyond(query.sort, first, backward=not query.backward))
        sql = self.sql["any"].format(hint=self._hint(query), where=clause.sql)
        return bool(connection.execute(sql, clause.values).fetchone()[0])

    def _hint(self, query: PageQuery) -> str:
        """The index that has the rows in their order; left alone, SQLite takes that of the status, and sorts all."""
        if self.waiting.term not in query.filter.terms or query.sort.field not in self.waiting.indexes:
            return ""
        return f"INDEXED BY {self.waiting.indexes[query.sort.field]}"

    def row(self, connection: sqlite3.Connection, item_id: str) -> sqlite3.Row | None:
        """The whole row of one item; None where there is none."""
        where_id = f"{self.id} = (SELECT value FROM json_each(?))"  # noqa: S608 - the value is bound
        sql = self._composed(hint="", where=where_id, order=self.id)
        row: sqlite3.Row | None = connection.execute(sql, (ascii_json([item_id]), 1, *self.tail)).fetchone()
        return row

    def counting(
        self, wanted: Filter, as_of: str | None, before: tuple[Sort, Cursor] | None
    ) -> Callable[[sqlite3.Connection], Count]:
        """What counts the rows of a filter, as :meth:`matching` has them: by the tally where that can tell.

        Raises:
            MalformedFilter: an unknown field, or a value that is not of the field's kind.
        """
        statuses = status_only(wanted) if as_of is None and before is None else None
        if statuses is not None:
            return lambda connection: Count(tallied(connection, statuses))
        clause = self.matching(wanted, as_of, before)

        def counted(connection: sqlite3.Connection) -> Count:
            sql = self.sql["count"].format(where=clause.sql)
            number = int(connection.execute(sql, (*clause.values, COUNTED + 1)).fetchone()[0])
            return Count(min(number, COUNTED), exact=number <= COUNTED)

        return counted
