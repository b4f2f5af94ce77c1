"""The words in which schedules in PostgreSQL are read: fields as columns, our statements, places between rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from tui_app.database.postgres import Postgres, T, Work
from tui_app.database.statements import load
from tui_app.database.where import POSTGRES, Clause, Field, Place, beyond, both, where
from tui_app.domain.describe import Kind
from tui_app.domain.errors import CannotConnect
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import Cursor, Sort
from tui_app.systems.schedules.rules import STUCK_AFTER
from tui_app.systems.schedules.schema import AS_OF, COLUMNS
from tui_app.systems.schedules.words import KINDS, LONGEST_CONTENT, OPEN, SEARCHED

Connection = AsyncConnection[Any]
Row = Mapping[str, Any]

_WHOLE = 'YYYY-MM-DD"T"HH24:MI:SS'
_MOMENTS = (Kind.TIME, Kind.DEADLINE)


def _moment(column: str) -> str:
    return f"to_char({column} AT TIME ZONE 'UTC', '{_WHOLE}.US\"Z\"')"


_ELSEWHERE = {
    "content": "(SELECT x.content FROM scheduler.post_variant AS x WHERE x.id = s.post_variant_id)",
    "post_status": "(SELECT x.status FROM scheduler.post AS x WHERE x.id = s.post_id)",
}
_NULLABLE = frozenset({"published", "cancelled", "reason"})
FIELDS: Mapping[str, Field] = {
    name: Field(_ELSEWHERE.get(name, f"s.{COLUMNS.get(name, name)}"), kind, nullable=name in _NULLABLE)
    for name, kind in KINDS.items()
}
IDS = ("s.id",)
_WAITING = Term("status", Op.ANY, OPEN)

_LOCAL = f"to_char(s.run_at_local, '{_WHOLE}')"
_JOINED = {"content": f"left(v.content, {LONGEST_CONTENT})", "post_status": "p.status"}
_FACTS = (
    "s.id, s.post_variant_id, s.channel_connection_id, s.post_id, {run_at} AS run_at, s.timezone,"
    " {local} AS run_at_local, s.status, s.attempts, {created_at} AS created_at, {updated_at} AS updated_at"
)


def _shown(name: str) -> str:
    field = FIELDS[name]
    column = _JOINED.get(name, field.sql)
    return f"{_moment(column) if field.kind in _MOMENTS else column} AS {name}"


_FRAGMENTS = {
    "{columns}": ", ".join(map(_shown, FIELDS)),
    "{facts}": _FACTS,
    "{longest}": str(LONGEST_CONTENT),
    "{local}": _LOCAL,
    "{now}": _moment("now()"),
    "{at}": _moment("a.at"),
    "{stuck}": (
        "(s.status = 'publishing' AND coalesce(s.claimed_at, s.updated_at)"
        f" < now() - interval '{int(STUCK_AFTER.total_seconds())} seconds')"
    ),
    **{f"{{{name}}}": _moment(f"s.{name}") for name in ("run_at", "created_at", "updated_at", "cancelled_at")},
}


def statements(file: str) -> Mapping[str, str]:
    """The statements of one file, with the pieces that several of them share put in."""
    found = dict(load("tui_app.systems.schedules", file))
    for piece, text in _FRAGMENTS.items():
        found = {name: statement.replace(piece, text) for name, statement in found.items()}
    return found


SQL = statements("postgres.sql")
_SCHEMA = load("tui_app.systems.schedules", "postgres_schema.sql")


class ScheduleDatabase:
    """One database of schedules. Its tables are ours, and are made with the first thing that is asked of it.

    Where it ``makes`` none and there are none, everything is refused with ``CannotConnect``.
    """

    def __init__(self, database: Postgres) -> None:
        self.makes = True
        self._database = database
        self._made = False

    async def read(self, work: Work[T]) -> T:
        """See :meth:`tui_app.database.postgres.Postgres.read`."""
        await self._prepare()
        return await self._database.read(work)

    async def write(self, work: Work[T]) -> T:
        """See :meth:`tui_app.database.postgres.Postgres.write`."""
        await self._prepare()
        return await self._database.write(work)

    async def close(self) -> None:
        """Give the connections back."""
        await self._database.close()

    async def _prepare(self) -> None:
        if not self._made:
            # Most roles may not make tables: where they are there, nothing is tried.
            if not await self._database.read(_is_made):
                if not self.makes:
                    raise CannotConnect(
                        f"{self._database.place} has no schema scheduler, and this profile is read-only: none is made",
                        hint="`quash scanner`, or any look under a profile that is not read_only, makes it.",
                    )
                await self._database.write(_make)
            self._made = True


async def _is_made(connection: Connection) -> bool:
    (made,) = await (await connection.execute(_SCHEMA["made"].encode())).fetchone() or (False,)
    return bool(made)


async def _make(connection: Connection) -> None:
    await connection.execute(_SCHEMA["alone"].encode())
    await connection.execute(_SCHEMA["make"].encode())


async def rows(connection: Connection, statement: str, values: Any = None) -> list[dict[str, Any]]:
    """All rows of a statement of ours, by column name; none where it has no rows to give."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values)
        return [] if cursor.description is None else await cursor.fetchall()


async def row(connection: Connection, statement: str, values: Any = None) -> dict[str, Any]:
    """The one row that a statement is certain to have."""
    (found,) = await rows(connection, statement, values)
    return found


def listed(values: Any) -> str:
    """Ids or records as the JSON that the statements unfold: arrays take ten times as long to be quoted."""
    return json.dumps(values)


def matching(filtered: Filter, as_of: str | None, before: tuple[Sort, Cursor] | None = None) -> Clause:
    """The rows of a filter as of a time, with ``before`` only those that stand before a place.

    Raises:
        MalformedFilter: an unknown field, or a value that is not of the field's kind.
    """
    moment = Clause("") if as_of is None else Clause(AS_OF.format(mark="%s::timestamptz"), (as_of, as_of))
    place = Clause("") if before is None else beyond_place(*before, backward=True)
    # In these very words the partial indexes are found.
    waiting = Clause("s.status IN ('pending', 'queued')") if _WAITING in filtered.terms else Clause("")
    return both(where(filtered, FIELDS, SEARCHED, POSTGRES), moment, place, waiting)


def beyond_place(sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
    """Rows beyond the place of a cursor, in reading direction."""
    field = FIELDS[sort.field]
    value = ("" if field.kind is not Kind.NUMBER else 0) if cursor.value is None else cursor.value
    kind = "numeric" if field.kind is Kind.NUMBER else "timestamptz" if field.kind in _MOMENTS else "text"
    mark = (f"%s::{kind}", "%s")
    return beyond(field.sql, IDS, sort, Place(value, (cursor.id,)), backward=backward, mark=mark)
