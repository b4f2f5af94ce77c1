"""Reading what a native route was asked: ids, reasons and the conditions of a list, each checked before it is used."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tui_app.database.where import Clause, Dialect, both
from tui_app.domain import moments
from tui_app.domain.errors import MalformedId, Refused
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.words import STATUSES

LONGEST_REASON = 500
PAGE_LIMIT = 100
DEFAULT_LIMIT = 20
SORTABLE = {
    "run_at": "s.run_at",
    "created_at": "s.created_at",
    "updated_at": "s.updated_at",
    "status": "s.status",
    "attempt_count": "s.attempts",
}


class ScheduleRefused(Refused):
    """The answer is no. ``refusal`` holds the code and the sentence that go over the wire."""

    def __init__(self, refusal: rules.Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


class InvalidRequest(ScheduleRefused):
    """A part of the request is not what it has to be; nothing was looked up."""

    def __init__(self, sentence: str) -> None:
        super().__init__(rules.Refusal("VALIDATION_ERROR", sentence))


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list is asked for; checked when it is used."""

    page: int = 1
    limit: int = DEFAULT_LIMIT
    status: str | None = None
    post_id: str | None = None
    channel_connection_id: str | None = None
    from_date: str | None = None
    to_date: str | None = None
    sort: str = "run_at"
    order: str = "asc"


def uuid(name: str, value: Any) -> str:
    """A UUID in lower case.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        if isinstance(value, str):
            return rules.check_uuid(value)
    except MalformedId as error:
        raise InvalidRequest(f"{name} must be a valid UUID") from error
    raise InvalidRequest(f"{name} must be a valid UUID")


def uuids(value: Any) -> list[str]:
    """Each id once, in the order in which they were given.

    Raises:
        InvalidRequest: no list, an empty one, one that is too long, or something in it that is no UUID.
    """
    if not isinstance(value, list) or not value:
        raise InvalidRequest("schedule_ids must be a list of UUIDs that is not empty")
    if len(value) > rules.BULK_LIMIT:
        raise InvalidRequest(f"schedule_ids holds {len(value):,} ids; {rules.BULK_LIMIT:,} are the most")
    return list(dict.fromkeys(uuid("schedule_ids", one) for one in value))


def reason(body: Mapping[str, Any]) -> str | None:
    """The reason, which these routes leave optional.

    Raises:
        InvalidRequest: it is no text, too long, or has control characters.
    """
    value = body.get("reason")
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRequest("reason must be a text")
    reason = value.strip()
    if len(reason) > LONGEST_REASON:
        raise InvalidRequest(f"reason has {len(reason):,} characters; {LONGEST_REASON} are the most")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in reason):
        raise InvalidRequest("reason must not have control characters")
    return reason or None


def number(name: str, value: int, most: int) -> int:
    """A whole number from 1 up.

    Raises:
        InvalidRequest: it is none, or more than the most.
    """
    if not 1 <= value <= most:
        raise InvalidRequest(f"{name} must be a whole number from 1 to {most:,}")
    return value


def _moment(name: str, value: str) -> str:
    place = moments.place(value)
    if place is None:
        raise InvalidRequest(f"{name} must be a date or time in ISO 8601")
    return place


def conditions(asked: Listing, dialect: Dialect) -> Clause:
    """What a list is narrowed to.

    Raises:
        InvalidRequest: naming the part of the query.
    """
    found = []
    if asked.status is not None:
        if asked.status not in STATUSES:
            raise InvalidRequest(f"status must be one of {', '.join(STATUSES)}")
        found.append(Clause(f"s.status = {dialect.mark}", (asked.status,)))
    for name in ("post_id", "channel_connection_id"):
        value = getattr(asked, name)
        if value is not None:
            found.append(Clause(f"s.{name} = {dialect.mark}", (uuid(name, value),)))
    for name, value, sign in (("from_date", asked.from_date, ">="), ("to_date", asked.to_date, "<=")):
        if value is not None:
            found.append(Clause(f"s.run_at {sign} {dialect.moment}", (_moment(name, value),)))
    return both(*found)


def order(asked: Listing) -> str:
    """What stands after ORDER BY.

    Raises:
        InvalidRequest: naming the part of the query.
    """
    column = SORTABLE.get(asked.sort)
    if column is None:
        raise InvalidRequest(f"sort must be one of {', '.join(SORTABLE)}")
    if asked.order not in ("asc", "desc"):
        raise InvalidRequest("order must be asc or desc")
    return f"{column} {asked.order}, s.id {asked.order}"
