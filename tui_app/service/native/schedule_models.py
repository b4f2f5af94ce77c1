"""What goes over the native routes of schedules: bodies, queries, answers and errors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tui_app.service.native.table import Native, Spelled

Uuid = Annotated[
    str,
    Spelled(
        "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
        "a UUID: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12, with hyphens between",
    ),
]


class ScheduleCancelBody(Native):
    """Why; it may be left out, and the body with it."""

    reason: str | None = Field(None, description="kept in the audit; without it nobody knows why")


class ScheduleBulkBody(Native):
    """Which schedules, and one reason for all of them."""

    schedule_ids: list[Uuid] = Field(min_length=1, max_length=1_000)
    reason: str | None = None


class ScheduleQuery(Native):
    """What a list is narrowed to; the dates are those at which schedules are due, both included."""

    page: int = Field(1, ge=1, le=10**9)
    limit: int = Field(20, ge=1, le=100)
    status: str | None = None
    post_id: Uuid | None = None
    channel_connection_id: Uuid | None = None
    from_date: str | None = None
    to_date: str | None = None
    sort: Literal["run_at", "created_at", "updated_at", "status", "attempt_count"] = "run_at"
    order: Literal["asc", "desc"] = "asc"


class SchedulePostVariant(Native):
    """What is published."""

    id: str
    content: str
    channel_id: str


class ScheduleChannelConnection(Native):
    """Where it is published."""

    id: str
    display_name: str


class Schedule(Native):
    """One schedule; moments are UTC to the second, but for the wall clock's in its own time zone."""

    id: str
    post_variant_id: str
    channel_connection_id: str
    run_at: str
    timezone: str
    run_at_local: str
    status: str
    attempt_count: int
    created_at: str
    updated_at: str
    cancelled_at: str | None
    cancellation_reason: str | None
    post_variant: SchedulePostVariant
    channel_connection: ScheduleChannelConnection


class ScheduleBulkError(Native):
    """Why one schedule was not cancelled."""

    schedule_id: str
    error_code: str
    error_description: str


class ScheduleBulkAnswer(Native):
    """What became of the schedules; only failures are named."""

    cancelled: int
    failed: int
    errors: list[ScheduleBulkError]


class SchedulePagination(Native):
    """Where a page stands among all."""

    page: int
    limit: int
    total: int
    total_pages: int
    has_next: bool
    has_prev: bool


class SchedulePage(Native):
    """One page of schedules."""

    data: list[Schedule]
    pagination: SchedulePagination


class ScheduleAuditEntry(Native):
    """One thing that happened to a schedule; what the runners did has no principal."""

    event: str
    timestamp: str
    principal_id: str | None
    details: dict[str, Any]


class ScheduleAuditLog(Native):
    """What happened to one schedule, oldest first."""

    schedule_id: str
    audit_entries: list[ScheduleAuditEntry]


class ScheduleError(Native):
    """One reason for a refusal."""

    error_code: str
    error_description: str
    error_severity: Literal["error"]


class ScheduleErrors(Native):
    """Why the answer is no."""

    errors: list[ScheduleError]
