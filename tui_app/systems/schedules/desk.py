"""The flow of the native routes on behalf of whoever asks: find, authorise, cancel, record, answer.

It speaks dictionaries as they go over the wire; paths, headers, tokens and status numbers are the service's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tui_app.database.bound import ascii_json
from tui_app.database.sqlite import SqliteFile
from tui_app.domain import moments
from tui_app.domain.ports import Clock
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.embedded_read import SQL
from tui_app.systems.schedules.embedded_write import cancel_guarded, entry, whole
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
from tui_app.systems.schedules.words import LONGEST_CONTENT


class Actor(Protocol):
    """Who asks, and what the token of theirs allows; a service account is asked for the same permissions."""

    @property
    def name(self) -> str: ...

    def may(self, permission: str) -> bool:
        """Whether a permission is held."""


class Desk:
    """The operations of the schedule flow. Ids and bodies are checked here, before the file is touched."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    async def cancel(self, actor: Actor, schedule_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel one; the schedule as it is then.

        Raises:
            InvalidRequest: the id is no UUID, or the reason cannot be one.
            ScheduleRefused: there is none, it is somebody else's, or its status prevents it.
        """
        item_id, why = uuid("id", schedule_id), reason(body)
        outcome = await self._file.write(lambda connection: self._cancel_one(connection, actor, item_id, why))
        if isinstance(outcome, rules.Refusal):
            raise ScheduleRefused(outcome)
        return outcome

    async def bulk_cancel(self, actor: Actor, body: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel several in one transaction; how many were and were not, and why not.

        Raises:
            InvalidRequest: no list of ids, one that is no UUID, too many, or the reason cannot be one.
        """
        ids, why = uuids(body.get("schedule_ids")), reason(body)
        refused = await self._file.write(lambda connection: self._cancel_many(connection, actor, ids, why))
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
        rows = await self._file.read(lambda connection: whole(connection, [item_id]))
        if item_id not in rows:
            raise ScheduleRefused(rules.UNKNOWN_SCHEDULE)
        return shapes.schedule(rows[item_id])

    async def audit_log(self, schedule_id: str) -> dict[str, Any]:
        """What has happened to one schedule, oldest first.

        Raises:
            InvalidRequest: the id is no UUID.
            ScheduleRefused: there is none.
        """
        item_id = uuid("id", schedule_id)

        def work(connection: sqlite3.Connection) -> list[dict[str, Any]] | None:
            if not whole(connection, [item_id]):
                return None
            rows = connection.execute(SQL["trail"], (ascii_json([item_id]),))
            return [shapes.audit_entry(row, json.loads(row["details"])) for row in rows]

        entries = await self._file.read(work)
        if entries is None:
            raise ScheduleRefused(rules.UNKNOWN_SCHEDULE)
        return {"schedule_id": item_id, "audit_entries": entries}

    async def list(self, asked: Listing) -> dict[str, Any]:
        """One page of schedules, by number as the documents have it.

        Raises:
            InvalidRequest: naming the part of the query.
        """
        page, limit = number("page", asked.page, 10**9), number("limit", asked.limit, PAGE_LIMIT)
        wanted, by = conditions(asked), order(asked)

        def work(connection: sqlite3.Connection) -> dict[str, Any]:
            total = connection.execute(SQL["count"].format(where=wanted.sql), (*wanted.values, -1)).fetchone()[0]
            sql = SQL["page"].format(longest=LONGEST_CONTENT, hint="", where=wanted.sql, order=by)
            ids = [row["id"] for row in connection.execute(sql, (*wanted.values, limit, (page - 1) * limit))]
            rows = whole(connection, ids)
            data = [shapes.schedule(rows[item_id]) for item_id in ids]
            return {"data": data, "pagination": shapes.pagination(page, limit, total)}

        return await self._file.read(work)

    def _cancel_one(
        self, connection: sqlite3.Connection, actor: Actor, item_id: str, why: str | None
    ) -> dict[str, Any] | rules.Refusal:
        rows = whole(connection, [item_id])
        if item_id not in rows:
            return rules.UNKNOWN_SCHEDULE
        now = moments.stamp(self._clock.now())
        refusal = None if may_cancel(actor, rows[item_id]) else rules.ACCESS_DENIED
        if refusal is None:
            target, behalf = Target(item_id), Behalf(actor.name, why)
            if cancel_guarded(connection, [target], rows, behalf, now):
                return shapes.schedule(whole(connection, [item_id])[item_id])
            refusal = rules.refusal(rows[item_id]["status"])
        _record_refused(connection, {item_id: refusal}, Behalf(actor.name, why), now)
        return refusal

    def _cancel_many(
        self, connection: sqlite3.Connection, actor: Actor, ids: Sequence[str], why: str | None
    ) -> dict[str, rules.Refusal]:
        rows, behalf, now = whole(connection, ids), Behalf(actor.name, why), moments.stamp(self._clock.now())
        allowed = {item_id for item_id, row in rows.items() if may_cancel(actor, row)}
        targets = [Target(item_id) for item_id in ids if item_id in allowed]
        changed = cancel_guarded(connection, targets, rows, behalf, now)
        refused = {
            item_id: rules.bulk_refusal(rows[item_id]["status"]) if item_id in allowed else rules.ACCESS_DENIED
            for item_id in ids
            if item_id in rows and item_id not in changed
        }
        _record_refused(connection, refused, behalf, now)
        return {item_id: refused.get(item_id, rules.UNKNOWN_SCHEDULE) for item_id in ids if item_id not in changed}


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


def may_cancel(actor: Actor, row: shapes.Row) -> bool:
    """Whether this post is theirs, or they may cancel for it or for all."""
    every, one = rules.PERMISSION, f"{rules.PERMISSION}:{row['post_id']}"
    return row["owner_id"] == actor.name or actor.may(every) or actor.may(one)
