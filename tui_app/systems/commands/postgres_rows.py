"""The words in which a command bus in PostgreSQL is read: fields as columns, our statements, places between rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from tui_app.database.statements import load
from tui_app.database.where import POSTGRES, Clause, Field, Place, beyond, both, where
from tui_app.domain.describe import Kind
from tui_app.domain.filters import Filter
from tui_app.domain.items import Cursor, Sort
from tui_app.systems.commands import rules
from tui_app.systems.commands.words import LONGEST_ERROR

Connection = AsyncConnection[Any]


def _moment(column: str) -> str:
    written = f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    return f"coalesce({written}, {column}::text)"  # to_char has no words for infinity


FIELDS: Mapping[str, Field] = {
    name: Field(column, rules.KINDS[name], nullable=nullable)
    for name, column, nullable in (
        ("id", "(c.domain || '/' || c.command_id)", False),
        ("type", "c.command_type", False),
        ("status", "c.status", False),
        ("error_code", "coalesce(c.last_error_code, '')", False),
        ("error", "c.last_error_msg", True),
        ("attempts", "c.attempts", False),
        ("reply_queue", "c.reply_queue", False),
        ("updated", "c.updated_at", False),
        ("domain", "c.domain", False),
        ("command_id", "c.command_id::text", False),
        ("correlation_id", "c.correlation_id::text", True),
        ("batch", "c.batch_id::text", True),
        ("queue", "c.queue_name", False),
        ("created", "c.created_at", False),
        ("error_type", "c.last_error_type", True),
        ("max_attempts", "c.max_attempts", False),
    )
}
IDS = ("c.domain", "c.command_id")

_QUEUE = "to_regclass('pgmq.' || quote_ident('q_' || lower(c.reply_queue)))"
_FRAGMENTS = {
    "{id}": FIELDS["id"].sql,
    # Workers and operators stamp a row whenever they change it; the attempts tell two changes of one moment apart.
    "{version}": f"({_moment('c.updated_at')} || '/' || c.attempts)",
    "{queue_exists}": f"(c.reply_queue = '' OR {_QUEUE} IS NOT NULL)",
    "{has_process}": "coalesce(has_table_privilege(to_regclass('commandbus.process'), 'SELECT'), false)",
    "{now}": _moment("now()"),
    "{at}": _moment("a.ts"),
}


def _shown(name: str) -> str:
    field = FIELDS[name]
    if name == "error":
        return f"left({field.sql}, {LONGEST_ERROR})"
    return _moment(field.sql) if field.kind is Kind.TIME else field.sql


def _prepared(statement: str) -> str:
    columns = [*map(_shown, FIELDS), "{version}", "{queue_exists}"]
    statement = statement.replace("{columns}", ", ".join(columns))
    for name, text in _FRAGMENTS.items():
        statement = statement.replace(name, text)
    return statement


SQL: Mapping[str, str] = {
    name: _prepared(statement) for name, statement in load("tui_app.systems.commands", "postgres.sql").items()
}


async def rows(connection: Connection, name: str, values: Any = None, **composed: str) -> list[Any]:
    """All rows of one of our statements; ``composed`` are pieces of SQL from fixed tables, never a caller's."""
    statement = SQL[name].format(**composed) if composed else SQL[name]
    return await (await connection.execute(statement.encode(), values)).fetchall()


async def row(connection: Connection, name: str, values: Any = None, **composed: str) -> Any:
    """The one row that a statement is certain to have."""
    (found,) = await rows(connection, name, values, **composed)
    return found


def listed(ids: Iterable[str], *more: tuple[str, Sequence[str]]) -> str:
    """Ids as the JSON that the statements unfold, with further columns by name.

    One JSON text takes a tenth of the time that arrays take to be quoted.
    """
    split = (rules.split_id(item_id) for item_id in ids)
    records = [{"domain": domain, "command_id": command_id} for domain, command_id in split]
    for name, values in more:
        for record, value in zip(records, values, strict=True):
            record[name] = value
    return json.dumps(records)


def matching(filtered: Filter, as_of: str | None, before: tuple[Sort, Cursor] | None = None) -> Clause:
    """The rows of a filter as of a time, with ``before`` only those that stand before a place.

    Raises:
        MalformedFilter: an unknown field, or a value that is not of the field's kind.
    """
    moment = Clause("") if as_of is None else Clause("c.updated_at <= %s::timestamptz", (as_of,))
    place = Clause("") if before is None else beyond_place(*before, backward=True)
    return both(where(filtered, FIELDS, rules.SEARCHED, POSTGRES), moment, place)


def beyond_place(sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
    """Rows beyond the place of a cursor, in reading direction."""
    field = FIELDS[sort.field]
    domain, command_id = rules.split_id(cursor.id)
    value = ("" if field.kind is not Kind.NUMBER else 0) if cursor.value is None else cursor.value
    kind = {Kind.NUMBER: "numeric", Kind.TIME: "timestamptz"}.get(field.kind, "text")
    mark = (f"%s::{kind}", "%s", "%s::uuid")
    return beyond(field.sql, IDS, sort, Place(value, (domain, command_id)), backward=backward, mark=mark)
