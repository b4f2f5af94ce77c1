"""Statements on a connection to PostgreSQL: rows by column name, moments as text, and which database this is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tui_app.database.encodings import check_values, foreign_characters
from tui_app.database.illegible import legible
from tui_app.domain import moments
from tui_app.domain.foreign_json import parse

Connection = AsyncConnection[Any]
Row = Mapping[str, Any]

_WHOAMI = """
SELECT current_database() AS name,
       has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may_ask,
       (SELECT d.oid::text FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()) AS oid
"""
_CLUSTER = "SELECT system_identifier::text AS number FROM pg_catalog.pg_control_system()"

SECONDS = 'YYYY-MM-DD"T"HH24:MI:SS'
"""The pattern of ``to_char`` for a moment without its fractions."""


def moment(column: str) -> str:
    """The expression that writes a ``timestamptz`` as we write moments: ISO 8601, UTC, microseconds.

    ``to_char`` has no words for infinity, and leaves out that a year was before Christ: such a moment is written as the
    database writes it, so that it stays a place in an order, and :func:`tui_app.domain.moments.known` reads none.
    """
    written = f"to_char({column} AT TIME ZONE 'UTC', '{SECONDS}.US\"Z\"')"
    possible = f"{column} BETWEEN '{moments.stamp(moments.EARLIEST)}' AND '{moments.stamp(moments.LATEST)}'"
    return f"CASE WHEN {possible} THEN {written} ELSE {column}::text END"


def encoding_of(connection: Connection) -> str:
    """The encoding in which this database keeps text, in PostgreSQL's words; ours is always UTF8 on the way there."""
    return connection.info.parameter_status("server_encoding") or "UTF8"


def possible(connection: Connection, ids: Iterable[str]) -> list[str]:
    """Those of the ids that this database can hold; it has no row of the others, and would refuse to be asked."""
    encoding = encoding_of(connection)
    if encoding == "SQL_ASCII":  # it takes every byte
        return list(ids)
    return [item_id for item_id in ids if not foreign_characters(item_id, encoding)]


async def encoding(connection: Connection) -> str:
    """As :func:`encoding_of`, for whoever has no connection at hand."""
    return encoding_of(connection)


class _AnyBytes(Loader):
    """Reads text of whatever bytes."""

    def load(self, data: Buffer) -> str:
        return legible(bytes(data))


def any_bytes(connection: Connection) -> bytes:
    """What a transaction begins with where the database knows no encoding: else one odd text would fail the query."""
    return b"; SET LOCAL client_encoding = 'SQL_ASCII'" if encoding_of(connection) == "SQL_ASCII" else b""


async def read_anything(connection: Connection) -> None:
    """Read whatever others wrote: JSON within our limits, and text that is not UTF-8 where the database allows that.

    See :mod:`tui_app.domain.foreign_json` and :mod:`tui_app.database.illegible`.
    """
    set_json_loads(parse, connection)
    if encoding_of(connection) == "SQL_ASCII":
        for name in ("text", "varchar", "bpchar", "name"):
            connection.adapters.register_loader(name, _AnyBytes)


async def rows(connection: Connection, statement: str, values: Any = None) -> list[dict[str, Any]]:
    """All rows of a statement of ours, by column name; none where it has no rows to give.

    Raises:
        UnencodableText: this database cannot hold one of the values; nothing was sent.
    """
    async with connection.cursor(row_factory=dict_row) as cursor:
        check_values(values, encoding_of(cursor.connection))
        await cursor.execute(statement.encode(), values)
        return [] if cursor.description is None else await cursor.fetchall()


async def row(connection: Connection, statement: str, values: Any = None) -> dict[str, Any]:
    """The one row that a statement is certain to have."""
    (found,) = await rows(connection, statement, values)
    return found


async def identity(connection: Connection) -> str:
    """The cluster's own number and the database's name: a restart or another address changes neither.

    Some hosts let only their own staff ask for the number.
    """
    here = await row(connection, _WHOAMI)
    cluster = (await row(connection, _CLUSTER))["number"] if here["may_ask"] else f"database-{here['oid']}"
    return f"postgresql:{cluster}/{here['name']}"
