"""Rows of a service in SQLite's memory: filters, orders and places mean there what they mean in every other system."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tui_app.database.where import SQLITE, Clause, Field, Place, beyond, both, ordering, where
from tui_app.domain.describe import Kind
from tui_app.domain.filters import Filter
from tui_app.domain.items import PAGE_LIMIT, Cursor, PageQuery, Sort
from tui_app.systems.schedules.bodies import Row
from tui_app.systems.schedules.http_rules import HTTP_DESCRIPTION
from tui_app.systems.schedules.words import KINDS, QUEUED

_KINDS: Mapping[str, Kind] = MappingProxyType({**KINDS, "error": Kind.TEXT})
FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        name: Field(name, _KINDS[name], nullable=name == "reason")
        for name in sorted(HTTP_DESCRIPTION.filterable | {"error"})
    }
)
SEARCHED = ("id", "channel", "content")
"""The fields that free text looks into."""

_COLUMNS = tuple(FIELDS)
_UNCHANGED = "(updated IS NULL OR updated <= ? OR (status = ? AND created <= ?))"


def matching(wanted: Filter, as_of: str | None) -> Clause:
    """The rows of a filter, without those that changed after ``as_of``.

    What came into the queue since then is the most urgent of all, and is left out only where it is new.

    Raises:
        MalformedFilter: a field or a value that schedules cannot be filtered by.
    """
    return both(
        where(wanted, FIELDS, SEARCHED, SQLITE),
        Clause("") if as_of is None else Clause(_UNCHANGED, (as_of, QUEUED, as_of)),
    )


def _order(sort: Sort) -> str:
    return f"coalesce({sort.field}, {'0' if _KINDS[sort.field] is Kind.NUMBER else chr(39) * 2})"


def beyond_place(sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
    """Rows beyond a cursor. A row shows null where the column sorts as empty or zero."""
    value = ("" if _KINDS[sort.field] is not Kind.NUMBER else 0) if cursor.value is None else cursor.value
    return beyond(_order(sort), ("id",), sort, Place(value, (cursor.id,)), backward=backward, mark=("?", "?"))


class Table:
    """Some rows, to be asked in SQL; closed by whoever made it."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {row.id: row for row in rows}
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        columns = ", ".join(f"{name} {'INTEGER' if _KINDS[name] is Kind.NUMBER else 'TEXT'}" for name in _COLUMNS)
        self._connection.execute(f"CREATE TABLE schedule ({columns})")
        self._connection.executemany(
            f"INSERT INTO schedule VALUES ({', '.join('?' * len(_COLUMNS))})",  # noqa: S608 - a fixed table of names
            ([getattr(row, name) for name in _COLUMNS] for row in self._rows.values()),
        )

    def close(self) -> None:
        """Forget the rows."""
        self._connection.close()

    def count(self, wanted: Clause) -> int:
        """How many match."""
        sql = f"SELECT count(*) FROM schedule WHERE {wanted.sql}"  # noqa: S608 - made of fixed names and placeholders
        return int(self._connection.execute(sql, wanted.values).fetchone()[0])

    def page(self, query: PageQuery, wanted: Clause) -> tuple[list[Row], bool, bool]:
        """The rows of a page in their order, and whether there are more ahead and behind in reading direction."""
        limit = min(query.limit, PAGE_LIMIT)
        start = Clause("")
        if query.cursor is not None:
            start = beyond_place(query.sort, query.cursor, backward=query.backward)
        clause = both(wanted, start)
        order = ordering(_order(query.sort), ("id",), query.sort, backward=query.backward)
        sql = f"SELECT id FROM schedule WHERE {clause.sql} ORDER BY {order} LIMIT ?"  # noqa: S608 - likewise
        ids = [row[0] for row in self._connection.execute(sql, (*clause.values, limit + 1))]
        behind = query.cursor is not None and self.count(wanted) > self.count(clause)
        rows = [self._rows[item_id] for item_id in ids[:limit]]
        return (rows[::-1] if query.backward else rows), len(ids) > limit, behind
