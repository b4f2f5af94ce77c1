"""The flow of the native routes on behalf of whoever asks: find, authorise, cancel, record, answer.

It speaks dictionaries as they go over the wire; paths, headers, tokens and status numbers are the service's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tui_app.database.where import Clause, Dialect
from tui_app.systems.schedules import rules, shapes
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
from tui_app.systems.schedules.targets import Behalf


class Actor(Protocol):
    """Who asks, and what the token of theirs allows; a service account is asked for the same permissions."""

    @property
    def name(self) -> str: ...

    def may(self, permission: str) -> bool:
        """Whether a permission is held."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What is asked for: which schedules, each once, by whom and why.

    ``refusal`` is what the route answers to a status that prevents it. ``shown`` says whether it answers with the
    schedules as they are then.
    """

    actor: Actor
    ids: Sequence[str]
    reason: str | None
    refusal: Callable[[str], rules.Refusal]
    shown: bool

    @property
    def behalf(self) -> Behalf:
        return Behalf(self.actor.name, self.reason)

    def allowed(self, found: Mapping[str, shapes.Row]) -> set[str]:
        """The ids of the schedules found that this actor may cancel."""
        return {item_id for item_id, row in found.items() if _may_cancel(self.actor, row)}

    def refused(
        self, left: Mapping[str, shapes.Row], allowed: Collection[str], changed: Collection[str]
    ) -> dict[str, rules.Refusal]:
        """Why those that are there and were not changed were not, by id; ``left`` is how they stand now."""
        return {
            item_id: self.refusal(left[item_id]["status"]) if item_id in allowed else rules.ACCESS_DENIED
            for item_id in self.ids
            if item_id in left and item_id not in changed
        }


def _may_cancel(actor: Actor, row: shapes.Row) -> bool:
    """Whether this post is theirs, or they may cancel for it or for all."""
    every, one = rules.PERMISSION, f"{rules.PERMISSION}:{row['post_id']}"
    return row["owner_id"] == actor.name or actor.may(every) or actor.may(one)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of a cancellation, by id; those that are in neither are not there.

    ``changed`` are cancelled by it, with their rows as they are now where they are to be shown; ``refused`` says why
    others were not.
    """

    changed: Mapping[str, shapes.Row | None]
    refused: Mapping[str, rules.Refusal]


class DeskStore(Protocol):
    """Wherever the schedules are stored, as the desk needs it. Each operation is one transaction, or one snapshot."""

    @property
    def dialect(self) -> Dialect:
        """In which SQL conditions are composed."""

    async def cancel(self, asked: Cancellation) -> Cancelled:
        """Cancel what may be cancelled, and record who was refused what."""

    async def whole(self, item_id: str) -> shapes.Row | None:
        """One schedule with its variant, connection and post; None where there is none."""

    async def trail(self, item_id: str) -> list[dict[str, Any]] | None:
        """Its audit as it is answered, oldest first; None where there is no such schedule."""

    async def page(self, wanted: Clause, by: str, limit: int, skip: int) -> tuple[int, list[shapes.Row]]:
        """How many schedules meet a condition, and so many of them, whole, after those that are skipped.

        ``by`` is what stands after ORDER BY.
        """


class Desk:
    """The operations of the schedule flow. Ids and bodies are checked here, before anything is asked of the store."""

    def __init__(self, store: DeskStore) -> None:
        self._store = store

    async def cancel(self, actor: Actor, schedule_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel one; the schedule as it is then.

        Raises:
            InvalidRequest: the id is no UUID, or the reason cannot be one.
            ScheduleRefused: there is none, it is somebody else's, or its status prevents it.
        """
        item_id, why = uuid("id", schedule_id), reason(body)
        told = await self._store.cancel(Cancellation(actor, [item_id], why, rules.refusal, shown=True))
        row = told.changed.get(item_id)
        if row is None:
            raise ScheduleRefused(told.refused.get(item_id, rules.UNKNOWN_SCHEDULE))
        return shapes.schedule(row)

    async def bulk_cancel(self, actor: Actor, body: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel several in one transaction; how many were and were not, and why not.

        Raises:
            InvalidRequest: no list of ids, one that is no UUID, too many, or the reason cannot be one.
        """
        ids, why = uuids(body.get("schedule_ids")), reason(body)
        told = await self._store.cancel(Cancellation(actor, ids, why, rules.bulk_refusal, shown=False))
        errors = []
        for item_id in ids:
            if item_id not in told.changed:
                refusal = told.refused.get(item_id, rules.UNKNOWN_SCHEDULE)
                errors.append(
                    {"schedule_id": item_id, "error_code": refusal.code, "error_description": refusal.sentence}
                )
        return {"cancelled": len(ids) - len(errors), "failed": len(errors), "errors": errors}

    async def show(self, schedule_id: str) -> dict[str, Any]:
        """One schedule.

        Raises:
            InvalidRequest: the id is no UUID.
            ScheduleRefused: there is none.
        """
        row = await self._store.whole(uuid("id", schedule_id))
        if row is None:
            raise ScheduleRefused(rules.UNKNOWN_SCHEDULE)
        return shapes.schedule(row)

    async def audit_log(self, schedule_id: str) -> dict[str, Any]:
        """What has happened to one schedule, oldest first.

        Raises:
            InvalidRequest: the id is no UUID.
            ScheduleRefused: there is none.
        """
        item_id = uuid("id", schedule_id)
        entries = await self._store.trail(item_id)
        if entries is None:
            raise ScheduleRefused(rules.UNKNOWN_SCHEDULE)
        return {"schedule_id": item_id, "audit_entries": entries}

    async def list(self, asked: Listing) -> dict[str, Any]:
        """One page of schedules, by number as the documents have it.

        Raises:
            InvalidRequest: naming the part of the query.
        """
        page, limit = number("page", asked.page, 10**9), number("limit", asked.limit, PAGE_LIMIT)
        wanted, by = conditions(asked, self._store.dialect), order(asked)
        total, rows = await self._store.page(wanted, by, limit, (page - 1) * limit)
        return {"data": [shapes.schedule(row) for row in rows], "pagination": shapes.pagination(page, limit, total)}
