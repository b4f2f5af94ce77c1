"""The native routes of schedules: cancel one, cancel several, and what is read before and after."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tui_app.service.native.schedule_models import (
    Schedule,
    ScheduleAuditLog,
    ScheduleBulkAnswer,
    ScheduleBulkBody,
    ScheduleCancelBody,
    ScheduleErrors,
    SchedulePage,
    ScheduleQuery,
)
from tui_app.service.native.table import READ, Declined, Failure, NativeApi, NativeCall, NativeRoute
from tui_app.systems.schedules.requests import Listing, ScheduleRefused
from tui_app.systems.schedules.rules import ACCESS_DENIED, UNKNOWN_SCHEDULE

if TYPE_CHECKING:
    from tui_app.systems.schedules.desk import Desk
    from tui_app.systems.schedules.plug import SchedulesSettings

CANCEL = "cancel"
"""The bucket of what cancels; a bulk request counts once."""

ALL = "/api/v1/schedules"
BULK = f"{ALL}/bulk-cancel"
ONE = f"{ALL}/{{id}}"

STATUS = MappingProxyType({UNKNOWN_SCHEDULE.code: 404, ACCESS_DENIED.code: 403})
"""The status of a refusal; those that are not here are 400, as the flow has it."""

_UNKNOWN = "there is no such schedule"


def envelope(failure: Failure) -> Mapping[str, Any]:
    """An error as the schedule service tells it."""
    told = {"error_code": failure.code, "error_description": failure.message, "error_severity": "error"}
    return {"errors": [told]}


async def _told(asked: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """An answer of the desk, its refusals with their status.

    Raises:
        Declined: what the desk refused.
    """
    try:
        return await asked
    except ScheduleRefused as refused:
        code = refused.refusal.code
        raise Declined(STATUS.get(code, 400), code, refused.refusal.sentence) from refused


class ScheduleRoutes:
    """The handlers, over the desk of a post scheduler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def cancel(self, call: NativeCall[Any, ScheduleCancelBody | None]) -> dict[str, Any]:
        body = {} if call.body is None else call.body.model_dump()
        return await _told(self._desk.cancel(call.actor, call.parts["id"], body))

    async def bulk_cancel(self, call: NativeCall[Any, ScheduleBulkBody]) -> dict[str, Any]:
        return await _told(self._desk.bulk_cancel(call.actor, call.body.model_dump()))

    async def list(self, call: NativeCall[ScheduleQuery, None]) -> dict[str, Any]:
        return await _told(self._desk.list(Listing(**call.query.model_dump())))

    async def show(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await _told(self._desk.show(call.parts["id"]))

    async def audit_log(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await _told(self._desk.audit_log(call.parts["id"]))

    @property
    def table(self) -> tuple[NativeRoute, ...]:
        """Every route; they are tried in this order, and the bulk's path comes before that of one id."""
        return (
            NativeRoute(
                "POST",
                BULK,
                "bulk_cancel_schedules",
                "Cancel several schedules before they publish",
                self.bulk_cancel,
                ScheduleBulkAnswer,
                body=ScheduleBulkBody,
                bucket=CANCEL,
            ),
            NativeRoute(
                "POST",
                f"{ONE}/cancel",
                "cancel_schedule",
                "Cancel a pending or queued schedule before it publishes",
                self.cancel,
                Schedule,
                body=ScheduleCancelBody,
                body_optional=True,
                bucket=CANCEL,
                errors={
                    400: "the id is no UUID, or the status prevents it",
                    403: "it is neither the post's owner who asks nor a holder of the permission for it",
                    404: _UNKNOWN,
                },
            ),
            NativeRoute("GET", ALL, "schedules", "Schedules, by page", self.list, SchedulePage, query=ScheduleQuery),
            NativeRoute("GET", ONE, "schedule", "One schedule", self.show, Schedule, errors={404: _UNKNOWN}),
            NativeRoute(
                "GET",
                f"{ONE}/audit-log",
                "schedule_audit_log",
                "What happened to one schedule",
                self.audit_log,
                ScheduleAuditLog,
                errors={404: _UNKNOWN},
            ),
        )


def api(desk: Desk, settings: SchedulesSettings) -> NativeApi:
    """The native routes of one post scheduler. They have no limit unless the profile sets one."""
    rates = {CANCEL: settings.native_rate, READ: settings.native_read_rate}
    limits = {bucket: rate for bucket, rate in rates.items() if rate is not None}
    return NativeApi(
        "schedules",
        (ALL,),
        ScheduleRoutes(desk).table,
        envelope,
        ScheduleErrors,
        limits=MappingProxyType(limits),
    )
