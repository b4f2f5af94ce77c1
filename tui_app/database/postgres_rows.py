"""Statements on a connection to PostgreSQL: rows by column name, moments as text, and which database this is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tui_app.domain import moments

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


async def rows(connection: Connection, statement: str, values: Any = None) -> list[dict[str, Any]]:
    """All rows of a statement of ours, by column name; none where it has no rows to give."""
    async with connection.cursor(row_factory=dict_row) as cursor:
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
