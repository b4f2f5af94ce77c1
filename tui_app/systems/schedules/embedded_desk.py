"""What the desk works on where the schedules are in one SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from tui_app.database.bound import ascii_json
from tui_app.database.sqlite import SqliteFile
from tui_app.database.where import SQLITE, Clause, Dialect
from tui_app.domain import moments
from tui_app.domain.foreign_json import details, shown
from tui_app.domain.ports import Clock
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.desk import Cancellation, Cancelled
from tui_app.systems.schedules.embedded_read import SQL
from tui_app.systems.schedules.embedded_write import cancel_guarded, entry, whole
from tui_app.systems.schedules.targets import Behalf, Target
from tui_app.systems.schedules.words import LONGEST_CONTENT


class EmbeddedDeskStore:
    """The schedules of one file, as the desk reads and changes them."""

    dialect: Dialect = SQLITE

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    async def cancel(self, asked: Cancellation) -> Cancelled:
        # The clock is read once the file is ours: whoever waits for a turn has changed nothing.
        return await self._file.write(lambda connection: _cancel(connection, asked, moments.stamp(self._clock.now())))

    async def whole(self, item_id: str) -> shapes.Row | None:
        return (await self._file.read(lambda connection: whole(connection, [item_id]))).get(item_id)

    async def trail(self, item_id: str) -> list[dict[str, Any]] | None:
        def work(connection: sqlite3.Connection) -> list[dict[str, Any]] | None:
            if not whole(connection, [item_id]):
                return None
            rows = connection.execute(SQL["trail"], (ascii_json([item_id]),))
            return [shapes.audit_entry(row, details(shown(row["details"]))) for row in rows]

        return await self._file.read(work)

    async def page(self, wanted: Clause, by: str, limit: int, skip: int) -> tuple[int, list[shapes.Row]]:
        def work(connection: sqlite3.Connection) -> tuple[int, list[shapes.Row]]:
            total = connection.execute(SQL["count"].format(where=wanted.sql), (*wanted.values, -1)).fetchone()[0]
            sql = SQL["page"].format(longest=LONGEST_CONTENT, hint="", where=wanted.sql, order=by)
            ids = [row["id"] for row in connection.execute(sql, (*wanted.values, limit, skip))]
            rows = whole(connection, ids)
            return total, [rows[item_id] for item_id in ids]

        return await self._file.read(work)


def _cancel(connection: sqlite3.Connection, asked: Cancellation, now: str) -> Cancelled:
    rows = whole(connection, asked.ids)
    allowed = asked.allowed(rows)
    targets = [Target(item_id) for item_id in asked.ids if item_id in allowed]
    changed = cancel_guarded(connection, targets, rows, asked.behalf, now)
    # The file is ours: what was not changed stands as it was read.
    refused = asked.refused(rows, allowed, changed)
    _record_refused(connection, refused, asked.behalf, now)
    shown = whole(connection, changed) if asked.shown and changed else {}
    return Cancelled({item_id: shown.get(item_id) for item_id in changed}, refused)


def _record_refused(
    connection: sqlite3.Connection, refused: Mapping[str, rules.Refusal], behalf: Behalf, now: str
) -> None:
    connection.executemany(
        SQL["audit"],
        (
            entry(item_id, rules.REFUSED_EVENT, now, {"reason": behalf.reason, "code": refusal.code}, behalf.principal)
            for item_id, refusal in refused.items()
        ),
    )
