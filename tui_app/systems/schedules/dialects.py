"""The two known dialects of schedules over HTTP: what is asked, and how rows, refusals and answers are read.

Pure. ``SEED`` is the documented one, which `quash serve` speaks too; ``LUXARIS`` is a service that is in use and
differs: offsets in place of pages, everything inside ``data``, no bulk, no audit, and it drops the reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tui_app.domain import moments
from tui_app.systems.schedules.bodies import Row, a_list, a_number, an_object, any_row, any_rows, attempts_of, read_row
from tui_app.systems.schedules.words import CANCELLED, FAILED, PENDING, PUBLISHING, QUEUED, STATUSES, SUCCESS

ROWS = 100
"""Rows that one list request asks for where few are wanted: the most that the documented service gives."""

PROCESSING = "processing"
SKIPPED = "skipped"
CANONICAL: Mapping[str, str] = {
    **{status: status for status in (PENDING, QUEUED, PUBLISHING, SUCCESS, FAILED, CANCELLED)},
    PROCESSING: PUBLISHING,
    SKIPPED: FAILED,
}
"""What a status means in the documented words; one that is not here is the service's own to judge."""

NOT_FOUND = "SCHEDULE_NOT_FOUND"
DENIED = "SCHEDULE_ACCESS_DENIED"
VARIANT_DENIED = "VARIANT_ACCESS_DENIED"
"""How a service refuses a schedule whose post is somebody else's, where it looks at the post for that."""
ALREADY_CANCELLED = "SCHEDULE_ALREADY_CANCELLED"
ALREADY_PUBLISHED = "SCHEDULE_ALREADY_PUBLISHED"
CANNOT = "SCHEDULE_CANNOT_BE_CANCELLED"
NO_ROUTE = "ROUTE_NOT_FOUND"
INVALID = "VALIDATION_ERROR"


@dataclass(frozen=True, slots=True)
class Ask:
    """A part of the list: of one status or of all, due between two moments, both included, from a place on."""

    status: str | None = None
    start: str | None = None
    end: str | None = None
    descending: bool = False
    page: int = 1
    limit: int = ROWS


@dataclass(frozen=True, slots=True)
class Listed:
    """A part of the list: how many there are in all, and whether some come behind these."""

    rows: tuple[Row, ...]
    total: int
    more: bool


class Dialect(ABC):
    """What both have in common; the differences are below."""

    name = ""
    statuses: Sequence[str] = ()
    sorts = False
    """Whether the list can be asked for in descending order; both give it by ``run_at``."""
    most = ROWS
    """The most rows that one list request is answered with."""
    bulk = False
    keeps_reasons = False
    lists_names = True
    """Whether a list tells the name of a channel and the content beside their numbers."""
    audits = False
    whoami: tuple[str, ...] | None = None
    """The path at which the service says whose a token is; none where it does not."""

    @abstractmethod
    def query(self, ask: Ask) -> dict[str, Any]:
        """The parameters of a list request; what is none is left out."""

    @abstractmethod
    def listed(self, body: Any, status: str | None) -> Listed:
        """A part of the list, which was asked for with a status or for all."""

    @abstractmethod
    def one(self, body: Any) -> Any:
        """What an answer about one schedule holds of it."""

    def row(self, body: Any) -> Row:
        """One schedule, as it is shown alone; what cannot be read of it is said."""
        return any_row(self.one(body), moments.stamp(moments.EARLIEST), None)

    def cancelled(self, body: Any) -> Row:
        """The schedule in the answer to its cancellation."""
        return read_row(self.one(body))


class _Seed(Dialect):
    name = "seed"
    statuses = STATUSES
    sorts = bulk = keeps_reasons = audits = True

    def query(self, ask: Ask) -> dict[str, Any]:
        return {
            "page": ask.page,
            "limit": ask.limit,
            "status": ask.status,
            "from_date": ask.start,
            "to_date": ask.end,
            "sort": "run_at",
            "order": "desc" if ask.descending else "asc",
        }

    def listed(self, body: Any, status: str | None) -> Listed:
        rows, pages = _rows(body, status), an_object(body.get("pagination"))
        return Listed(rows, a_number(pages.get("total")), bool(rows) and pages.get("has_next") is True)

    def one(self, body: Any) -> Any:
        return an_object(body)


class _Luxaris(Dialect):
    name = "luxaris"
    most = 1_000
    lists_names = False
    whoami = ("api", "v1", "auth", "me")
    statuses = (*STATUSES, PROCESSING, SKIPPED)

    def query(self, ask: Ask) -> dict[str, Any]:
        return {
            "limit": ask.limit,
            "offset": (ask.page - 1) * ask.limit,
            "status": ask.status,
            "run_at_from": ask.start,
            "run_at_to": ask.end,
        }

    def listed(self, body: Any, status: str | None) -> Listed:
        rows, meta = _rows(body, status), an_object(body.get("meta"))
        total = a_number(meta.get("total"))
        return Listed(rows, total, bool(rows) and a_number(meta.get("offset", 0)) + len(rows) < total)

    def row(self, body: Any) -> Row:
        tried = an_object(an_object(body).get("data")).get("publish_events")
        return replace(super().row(body), tried=attempts_of(tried))

    def one(self, body: Any) -> Any:
        inner = an_object(an_object(body).get("data"))
        return inner.get("schedule", inner)


SEED, LUXARIS = _Seed(), _Luxaris()
DIALECTS: Mapping[str, Dialect] = {one.name: one for one in (SEED, LUXARIS)}


def recognised(body: Any) -> Dialect | None:
    """Which dialect a list is written in, by what stands beside its rows; none where it is neither."""
    if not isinstance(body, dict) or not isinstance(body.get("data"), list):
        return None
    if isinstance(body.get("pagination"), dict):
        return SEED
    return LUXARIS if isinstance(body.get("meta"), dict) else None


def through(stamp: str) -> str:
    """The last moment that a service which tells whole seconds may show as this one."""
    moment = moments.known(stamp)
    return stamp if moment is None or moment.microsecond else moments.stamp(moment + timedelta(microseconds=999_999))


def _rows(body: Any, status: str | None) -> tuple[Row, ...]:
    return any_rows(a_list(an_object(body).get("data")), status)
