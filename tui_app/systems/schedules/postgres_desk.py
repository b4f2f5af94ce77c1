"""What the desk works on where the schedules are in PostgreSQL."""

from __future__ import annotations

from typing import Any

from tui_app.database.postgres_rows import Connection, row, rows
from tui_app.database.where import POSTGRES, Clause, Dialect
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.desk import Cancellation, Cancelled
from tui_app.systems.schedules.postgres_read import whole
from tui_app.systems.schedules.postgres_rows import SQL, ScheduleDatabase
from tui_app.systems.schedules.postgres_write import cancel_guarded, entry, record
from tui_app.systems.schedules.targets import Target


class PostgresDeskStore:
    """The schedules of one database, as the desk reads and changes them."""

    dialect: Dialect = POSTGRES

    def __init__(self, database: ScheduleDatabase) -> None:
        self._database = database

    async def cancel(self, asked: Cancellation) -> Cancelled:
        return await self._database.write(lambda connection: _cancel(connection, asked))

    async def whole(self, item_id: str) -> shapes.Row | None:
        return (await self._database.read(lambda connection: whole(connection, [item_id]))).get(item_id)

    async def trail(self, item_id: str) -> list[dict[str, Any]] | None:
        async def work(connection: Connection) -> list[dict[str, Any]] | None:
            if not await whole(connection, [item_id]):
                return None
            read = await rows(connection, SQL["trail"], {"id": item_id})
            return [shapes.audit_entry(one, one["details"]) for one in read]

        return await self._database.read(work)

    async def page(self, wanted: Clause, by: str, limit: int, skip: int) -> tuple[int, list[shapes.Row]]:
        async def work(connection: Connection) -> tuple[int, list[shapes.Row]]:
            total = (await row(connection, SQL["count"].format(where=wanted.sql), wanted.values))["n"]
            sql = SQL["listed"].format(where=wanted.sql, order=by)
            ids = [one["id"] for one in await rows(connection, sql, (*wanted.values, limit, skip))]
            found = await whole(connection, ids)
            # Each statement has a snapshot of its own: one may be gone meanwhile.
            return total, [found[item_id] for item_id in ids if item_id in found]

        return await self._database.read(work)


async def _cancel(connection: Connection, asked: Cancellation) -> Cancelled:
    found = await whole(connection, asked.ids)
    allowed = asked.allowed(found)
    targets = [Target(item_id) for item_id in asked.ids if item_id in allowed]
    changed = await cancel_guarded(connection, targets, asked.behalf)
    # Read again: who was first may have changed it since, and the refusal names the status that was in the way.
    again = [item_id for item_id in asked.ids if item_id in found and (asked.shown or item_id not in changed)]
    now = await whole(connection, again)
    refused = asked.refused(now, allowed, changed)
    behalf = asked.behalf
    await record(
        connection,
        [
            entry(item_id, rules.REFUSED_EVENT, {"reason": behalf.reason, "code": refusal.code}, behalf.principal)
            for item_id, refusal in refused.items()
        ],
    )
    return Cancelled({item_id: now.get(item_id) for item_id in changed}, refused)
