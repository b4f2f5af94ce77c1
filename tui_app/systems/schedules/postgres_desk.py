"""The flow of the native routes where the schedules are in PostgreSQL; see :mod:`tui_app.systems.schedules.desk`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tui_app.database.postgres_rows import Connection, row, rows
from tui_app.database.where import POSTGRES
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.desk import Actor, may_cancel
from tui_app.systems.schedules.postgres_read import whole
from tui_app.systems.schedules.postgres_rows import SQL, ScheduleDatabase
from tui_app.systems.schedules.postgres_write import cancel_guarded, entry, record
from tui_app.systems.schedules.requests import (
    PAGE_LIMIT,
    Listing,
    ScheduleRefused,
    conditions,
    number,
    order,
    reason,
    uuid,
    uuids,
)
from tui_app.systems.schedules.targets import Behalf, Target


class PostgresDesk:
    """The operations of the schedule flow, with the answers and refusals of the embedded desk."""

    def __init__(self, database: ScheduleDatabase) -> None:
        self._database = database

    async def cancel(self, actor: Actor, schedule_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel one; the schedule as it is then.

        Raises:
            InvalidRequest: the id is no UUID, or the reason cannot be one.
            ScheduleRefused: there is none, it is somebody else's, or its status prevents it.
        """
        item_id, why = uuid("id", schedule_id), reason(body)
        outcome = await self._database.write(lambda connection: _cancel_one(connection, actor, item_id, why))
        if isinstance(outcome, rules.Refusal):
            raise ScheduleRefused(outcome)
        return outcome

    async def bulk_cancel(self, actor: Actor, body: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel several in one transaction; how many were and were not, and why not.

        Raises:
            InvalidRequest: no list of ids, one that is no UUID, too many, or the reason cannot be one.
        """
        ids, why = uuids(body.get("schedule_ids")), reason(body)
        refused = await self._database.write(lambda connection: _cancel_many(connection, actor, ids, why))
        errors = [
            {"schedule_id": item_id, "error_code": refusal.code, "error_description": refusal.sentence}
            for item_id, refusal in refused.items()
        ]
        return {"cancelled": len(ids) - len(errors), "failed": len(errors), "errors": errors}

    async def show(self, schedule_id: str) -> dict[str, Any]:
        """One schedule.

        Raises:
            InvalidRequest: the id is no UUID.
            ScheduleRefused: there is none.
        """
        item_id = uuid("id", schedule_id)
        found = await self._database.read(lambda connection: whole(connection, [item_id]))
        if item_id not in found:
            raise ScheduleRefused(rules.UNKNOWN_SCHEDULE)
        return shapes.schedule(found[item_id])

    async def audit_log(self, schedule_id: str) -> dict[str, Any]:
        """What has happened to one schedule, oldest first.

        Raises:
            InvalidRequest: the id is no UUID.
            ScheduleRefused: there is none.
        """
        item_id = uuid("id", schedule_id)

        async def work(connection: Connection) -> list[dict[str, Any]] | None:
            if not await whole(connection, [item_id]):
                return None
            return [
                shapes.audit_entry(one, one["details"]) for one in await rows(connection, SQL["trail"], {"id": item_id})
            ]

        entries = await self._database.read(work)
        if entries is None:
            raise ScheduleRefused(rules.UNKNOWN_SCHEDULE)
        return {"schedule_id": item_id, "audit_entries": entries}

    async def list(self, asked: Listing) -> dict[str, Any]:
        """One page of schedules, by number as the documents have it.

        Raises:
            InvalidRequest: naming the part of the query.
        """
        page, limit = number("page", asked.page, 10**9), number("limit", asked.limit, PAGE_LIMIT)
        wanted, by = conditions(asked, POSTGRES), order(asked)

        async def work(connection: Connection) -> dict[str, Any]:
            total = (await row(connection, SQL["count"].format(where=wanted.sql), wanted.values))["n"]
            sql = SQL["listed"].format(where=wanted.sql, order=by)
            read = await rows(connection, sql, (*wanted.values, limit, (page - 1) * limit))
            found = await whole(connection, [one["id"] for one in read])
            data = [shapes.schedule(found[one["id"]]) for one in read if one["id"] in found]
            return {"data": data, "pagination": shapes.pagination(page, limit, total)}

        return await self._database.read(work)


async def _cancel_one(
    connection: Connection, actor: Actor, item_id: str, why: str | None
) -> dict[str, Any] | rules.Refusal:
    found, behalf = await whole(connection, [item_id]), Behalf(actor.name, why)
    if item_id not in found:
        return rules.UNKNOWN_SCHEDULE
    refusal = None if may_cancel(actor, found[item_id]) else rules.ACCESS_DENIED
    if refusal is None:
        changed = await cancel_guarded(connection, [Target(item_id)], behalf)
        # Read again: who was first may have changed it since, and the refusal names the status that was in the way.
        found = await whole(connection, [item_id])
        if changed:
            return shapes.schedule(found[item_id])
        refusal = rules.refusal(found[item_id]["status"]) if item_id in found else rules.UNKNOWN_SCHEDULE
    await _record_refused(connection, {item_id: refusal}, behalf)
    return refusal


async def _cancel_many(
    connection: Connection, actor: Actor, ids: Sequence[str], why: str | None
) -> dict[str, rules.Refusal]:
    found, behalf = await whole(connection, ids), Behalf(actor.name, why)
    allowed = {item_id for item_id, one in found.items() if may_cancel(actor, one)}
    changed = await cancel_guarded(connection, [Target(item_id) for item_id in ids if item_id in allowed], behalf)
    found = await whole(connection, [item_id for item_id in ids if item_id in found and item_id not in changed])
    refused = {
        item_id: rules.bulk_refusal(one["status"]) if item_id in allowed else rules.ACCESS_DENIED
        for item_id, one in found.items()
    }
    await _record_refused(connection, refused, behalf)
    return {item_id: refused.get(item_id, rules.UNKNOWN_SCHEDULE) for item_id in ids if item_id not in changed}


async def _record_refused(connection: Connection, refused: Mapping[str, rules.Refusal], behalf: Behalf) -> None:
    entries = [
        entry(item_id, rules.REFUSED_EVENT, {"reason": behalf.reason, "code": refusal.code}, behalf.principal)
        for item_id, refusal in refused.items()
    ]
    await record(connection, entries)
