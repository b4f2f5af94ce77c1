"""The words in which schedules in PostgreSQL are read: fields as columns, our statements, places between rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui_app.database.encodings import unescaped_json
from tui_app.database.pages import Waiting
from tui_app.database.postgres import Postgres, T, Work
from tui_app.database.postgres_pages import PostgresPages
from tui_app.database.postgres_rows import SECONDS, Connection, moment
from tui_app.database.statements import load
from tui_app.database.where import MOMENTS, Field
from tui_app.domain.errors import CannotConnect
from tui_app.domain.filters import Op, Term
from tui_app.systems.schedules.rules import STUCK_AFTER
from tui_app.systems.schedules.schema import AS_OF, COLUMNS
from tui_app.systems.schedules.words import KINDS, LONGEST_CONTENT, OPEN, SEARCHED

_ELSEWHERE = {
    "content": "(SELECT x.content FROM scheduler.post_variant AS x WHERE x.id = s.post_variant_id)",
    "post_status": "(SELECT x.status FROM scheduler.post AS x WHERE x.id = s.post_id)",
}
_NULLABLE = frozenset({"published", "cancelled", "reason"})
FIELDS: Mapping[str, Field] = {
    name: Field(_ELSEWHERE.get(name, f"s.{COLUMNS.get(name, name)}"), kind, nullable=name in _NULLABLE)
    for name, kind in KINDS.items()
}

_LOCAL = f"to_char(s.run_at_local, '{SECONDS}')"
_JOINED = {"content": f"left(v.content, {LONGEST_CONTENT})", "post_status": "p.status"}
_FACTS = (
    "s.id, s.post_variant_id, s.channel_connection_id, s.post_id, {run_at} AS run_at, s.timezone,"
    " {local} AS run_at_local, s.status, s.attempts, {created_at} AS created_at, {updated_at} AS updated_at"
)


def _shown(name: str) -> str:
    field = FIELDS[name]
    column = _JOINED.get(name, field.sql)
    return f"{moment(column) if field.kind in MOMENTS else column} AS {name}"


_FRAGMENTS = {
    "{columns}": ", ".join(map(_shown, FIELDS)),
    "{facts}": _FACTS,
    "{longest}": str(LONGEST_CONTENT),
    "{local}": _LOCAL,
    "{now}": moment("now()"),
    "{at}": moment("a.at"),
    "{stuck}": (
        "(s.status = 'publishing' AND coalesce(s.claimed_at, s.updated_at)"
        f" < now() - interval '{int(STUCK_AFTER.total_seconds())} seconds')"
    ),
    **{f"{{{name}}}": moment(f"s.{name}") for name in ("run_at", "created_at", "updated_at", "cancelled_at")},
}


def statements(file: str) -> Mapping[str, str]:
    """The statements of one file, with the pieces that several of them share put in."""
    found = dict(load("tui_app.systems.schedules", file))
    for piece, text in _FRAGMENTS.items():
        found = {name: statement.replace(piece, text) for name, statement in found.items()}
    return found


SQL = statements("postgres.sql")

PAGES = PostgresPages(
    fields=FIELDS,
    searched=SEARCHED,
    ids={"s.id": "%s"},
    sql=SQL,
    as_of=AS_OF.format(mark="%s::timestamptz"),
    waiting=Waiting(Term("status", Op.ANY, OPEN), "s.status IN ('pending', 'queued')"),
    tail=(0,),
)

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

    async def change(self, work: Work[T]) -> T:
        """See :meth:`tui_app.database.postgres.Postgres.change`."""
        await self._prepare()
        return await self._database.change(work)

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


def listed(values: Any) -> str:
    """Ids or records as the JSON that the statements unfold: arrays take ten times as long to be quoted."""
    return unescaped_json(values)
