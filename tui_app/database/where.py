"""Filters and keyset pages as SQL, for SQLite and PostgreSQL.

Column names come from a fixed table of the adapter; values are always bound. A sort expression is never null.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui_app.domain import moments
from tui_app.domain.describe import Kind
from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import Filter, Op, Term, check_filter
from tui_app.domain.items import Cursor, Sort

MOMENTS = frozenset({Kind.TIME, Kind.DEADLINE})
"""The kinds that hold a moment."""

_UNBINDABLE = re.compile("[\0\ud800-\udfff]")

LONGEST_TEXT = 1_000
"""Characters of free text at most: databases refuse patterns that are much longer."""

MOST_TERMS = 100
"""Terms of a filter at most: SQLite refuses conditions that are nested much deeper."""

MOST_VALUES = 1_000
"""Values of one term at most: databases bind a limited number of them."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the two databases."""

    mark: str
    like: str
    moment: str


SQLITE = Dialect(mark="?", like="LIKE", moment="?")
POSTGRES = Dialect(mark="%s", like="ILIKE", moment="%s::timestamptz")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of items as a column expression of the adapter, never of a caller.

    Say where an expression cannot be null: only then can an index on it serve a filter.
    """

    sql: str
    kind: Kind = Kind.TEXT
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of SQL with the values it binds; empty SQL is no condition."""

    sql: str
    values: tuple[Any, ...] = ()


def both(*clauses: Clause) -> Clause:
    """All of them, joined by AND, ready to stand after WHERE."""
    kept = [clause for clause in clauses if clause.sql]
    if not kept:
        return Clause("TRUE")
    return Clause(" AND ".join(clause.sql for clause in kept), tuple(v for clause in kept for v in clause.values))


def where(wanted: Filter, fields: Mapping[str, Field], searched: Sequence[str], dialect: Dialect) -> Clause:
    """A filter as a condition; ``searched`` are the fields that free text looks into.

    Raises:
        MalformedFilter: an unknown field, a value that is not of the field's kind, or too much of something.
    """
    if len(wanted.terms) > MOST_TERMS:
        raise MalformedFilter(f"the filter has {len(wanted.terms)} terms; {MOST_TERMS} are the most")
    check_filter(wanted, fields)
    return both(*(_term(term, fields, searched, dialect) for term in wanted.terms))


def _term(term: Term, fields: Mapping[str, Field], searched: Sequence[str], dialect: Dialect) -> Clause:
    if term.op is Op.TEXT:
        clause = _contains(term.values[0], [fields[name].sql for name in searched], dialect)
    else:
        clause = _compared(term, fields[term.field], dialect)
    return Clause(f"NOT ({clause.sql})", clause.values) if term.negated else clause


def _contains(text: str, columns: Sequence[str], dialect: Dialect) -> Clause:
    if len(text) > LONGEST_TEXT:
        raise MalformedFilter(f"a text of {len(text)} characters is too long to look for")
    escaped = _bindable(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    each = [f"coalesce({column}, '') {dialect.like} {dialect.mark} ESCAPE '\\'" for column in columns]
    return Clause(f"({' OR '.join(each)})", (f"%{escaped}%",) * len(columns))


def _compared(term: Term, field: Field, dialect: Dialect) -> Clause:
    if len(term.values) > MOST_VALUES:
        raise MalformedFilter(f"{term.field} has {len(term.values)} values; {MOST_VALUES} are the most")
    values = tuple(_value(term, value, field.kind) for value in term.values)
    mark = dialect.moment if field.kind in MOMENTS else dialect.mark
    empty = "0" if field.kind is Kind.NUMBER else "''"
    column = f"coalesce({field.sql}, {empty})"
    if not field.nullable or field.kind in (*MOMENTS, Kind.STATUS):
        column = field.sql
    if term.op is Op.ANY:
        return Clause(f"{column} IN ({', '.join([mark] * len(values))})", values)
    return Clause(f"{column} {term.op.value} {mark}", values)


def _bindable(text: str) -> str:
    """Refuse what no database of ours can hold, and so cannot be looked for."""
    if _UNBINDABLE.search(text):
        raise MalformedFilter("a filter cannot hold NUL or half characters", hint="Type the value again.")
    return text


def _number(text: str) -> int | float:
    number = float(text) if "." in text else int(text)
    if not math.isfinite(number) or abs(number) >= 2**63:
        raise ValueError(text)
    return number


def _value(term: Term, text: str, kind: Kind) -> Any:
    try:
        if kind in MOMENTS:
            return moments.stamp(moments.read(text))
        if kind is Kind.NUMBER:
            return _number(text)
    except ValueError as error:
        wanted = "a date or time in ISO 8601" if kind in MOMENTS else "a number"
        raise MalformedFilter(f"{term.field} needs {wanted}, not {text!r}") from error
    return _bindable(text)


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor as values of the sort expression and of the id's columns, in their order."""

    value: Any
    ids: tuple[Any, ...]


def place_of(cursor: Cursor, field: Field, ids: tuple[Any, ...]) -> Place:
    """The place of a cursor; ``field`` is what is sorted by. A row shows null where that is empty, or zero."""
    if cursor.value is None:
        return Place(0 if field.kind is Kind.NUMBER else "", ids)
    return Place(cursor.value, ids)


def ordering(sort_sql: str, ids: Sequence[str], sort: Sort, *, backward: bool) -> str:
    """What stands after ORDER BY. A backward page is read in reverse, and turned round by the caller."""
    way = "DESC" if sort.descending != backward else "ASC"
    return ", ".join(f"{column} {way}" for column in (sort_sql, *ids))


def beyond(
    sort_sql: str, ids: Sequence[str], sort: Sort, place: Place, *, backward: bool, mark: Sequence[str]
) -> Clause:
    """Rows strictly beyond a place, in reading direction; ``mark`` holds the placeholder of each column."""
    sign = "<" if sort.descending != backward else ">"
    return Clause(f"({', '.join((sort_sql, *ids))}) {sign} ({', '.join(mark)})", (place.value, *place.ids))
