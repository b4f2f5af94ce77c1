"""The schema of a journal, held against the one that this version makes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache

from tui_app.store.sqlite.migrate import migrate

_OBJECTS = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_stat%' ESCAPE '!'"
_COLUMNS = (
    'SELECT t.name, x.name, x.type, x."notnull", x.dflt_value, x.pk, x.hidden'
    " FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS x WHERE t.type IN ('table', 'view') ORDER BY 1, x.cid"
)

_Objects = dict[str, tuple[str, str | None]]
_Columns = list[tuple[object, ...]]


def schema_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Where the schema of a journal is another one than that of a journal made from the migrations, in sentences.

    A view in place of a table, a generated column in place of a stored one, or a trigger more or less would let
    readers see something else than what is verified.
    """
    (wanted, columns), found = _made(), _objects(connection)
    yield from _differences(wanted, found)
    if wanted == found and columns != _columns(connection):
        yield "the columns of a table are not the ones that quash makes"


@cache
def _made() -> tuple[_Objects, _Columns]:
    """The schema that the migrations make."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        return _objects(fresh), _columns(fresh)


def _objects(connection: sqlite3.Connection) -> _Objects:
    return {name: (kind, sql) for kind, name, sql in map(tuple, connection.execute(_OBJECTS))}


def _columns(connection: sqlite3.Connection) -> _Columns:
    return [tuple(row) for row in connection.execute(_COLUMNS)]


def _differences(wanted: dict[str, tuple[str, str | None]], found: dict[str, tuple[str, str | None]]) -> Iterator[str]:
    for name in sorted({*wanted, *found}):
        if name not in found:
            yield f"the {wanted[name][0]} {name} is missing"
        elif name not in wanted:
            yield f"the {found[name][0]} {name} is not one of quash"
        elif wanted[name] != found[name]:
            yield f"the {found[name][0]} {name} is not the {wanted[name][0]} that quash makes"
