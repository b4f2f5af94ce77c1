"""The native routes of cases: the steps of the cancellation runbook, before, during and after."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tui_app.domain.errors import Conflict
from tui_app.domain.filters import Filter, Op, Term, parse
from tui_app.domain.items import Cursor, PageQuery, Sort
from tui_app.domain.verdict import VerdictCode
from tui_app.service.native.case_models import (
    CancelBody,
    Case,
    CaseAuditLog,
    CaseCancellation,
    CaseDependencies,
    CaseError,
    CasePermission,
    CasePreview,
    CaseReinstatement,
    Cases,
    CaseStatus,
    ListQuery,
    ReinstateBody,
)
from tui_app.service.native.table import READ, Declined, Failure, NativeApi, NativeCall, NativeRoute
from tui_app.systems.cases.desk import (
    PERMISSION,
    Cancellation,
    CaseInTheWay,
    InvalidCaseState,
    KeyTaken,
    Reinstatement,
    User,
)
from tui_app.systems.cases.rules import check_id
from tui_app.systems.cases.words import DESCRIPTION

if TYPE_CHECKING:
    from tui_app.domain.rates import Rate
    from tui_app.systems.cases.desk import CasesDesk
    from tui_app.systems.cases.plug import CasesSettings

CANCEL = "cancel"
REINSTATE = "reinstate"
"""The buckets of what changes a case; reinstating counts apart from cancelling."""

_IN_PROGRESS = "CANCELLATION_IN_PROGRESS"
_STAYS = (VerdictCode.TERMINAL.value, VerdictCode.WINDOW_CLOSED.value)
"""What nothing changes any more: only such an answer is kept under the key of the request."""


def envelope(failure: Failure) -> Mapping[str, Any]:
    """An error as the case API tells it."""
    return {
        "error": {
            "code": failure.code,
            "message": failure.message,
            "details": dict(failure.details),
            "request_id": failure.request_id,
            "timestamp": failure.at,
        }
    }


async def _told(asked: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """An answer of the desk, its refusals as the runbook numbers them.

    Raises:
        Declined: 400 for an invalid state, 409 for a hold or dependency, 422 for a key of another request.
    """
    try:
        return await asked
    except Conflict as error:
        raise _declined(error) from error


def _declined(error: Conflict) -> Declined:
    code = str(error.details.get("reason", error.code))
    facts = {name: value for name, value in error.details.items() if name != "reason"}
    if isinstance(error, KeyTaken):
        return Declined(422, "IDEMPOTENCY_KEY_REUSED", error.message)
    if isinstance(error, InvalidCaseState):
        return Declined(400, "INVALID_CASE_STATE", error.message, final=code in _STAYS, cause=code, **facts)
    if isinstance(error, CaseInTheWay) and code == VerdictCode.CLAIMED:
        return Declined(409, _IN_PROGRESS, error.message, headers={"Retry-After": "1"}, **facts)
    return Declined(409, code, error.message, **facts)


def _user(call: NativeCall[Any, Any]) -> User:
    return User(call.actor.name, call.actor.may(PERMISSION))


def _case_id(call: NativeCall[Any, Any]) -> str:
    return check_id(call.parts["case_id"])


class CaseRoutes:
    """The handlers, over the desk of a case management."""

    def __init__(self, desk: CasesDesk) -> None:
        self._desk = desk

    async def permission(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await self._desk.permission(_user(call), call.parts["user_id"])

    async def list(self, call: NativeCall[ListQuery, None]) -> dict[str, Any]:
        query = call.query
        given = {"status": query.status, "type": query.type, "assigned_to": query.assigned_to}
        terms = [Term(name, Op.ANY, tuple(text.split(","))) for name, text in given.items() if text is not None]
        cursor = None if query.cursor is None else Cursor.decode(query.cursor)
        asked = parse(query.filter or "")
        wanted = PageQuery(
            Filter((*terms, *asked.terms)), Sort.parse(query.sort), query.limit, cursor, as_of=query.as_of
        )
        return await self._desk.list(wanted)

    async def case(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await self._desk.case(_case_id(call))

    async def status(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await self._desk.status(_case_id(call))

    async def preview(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await self._desk.preview(_case_id(call))

    async def dependencies(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await self._desk.dependencies(_case_id(call))

    async def audit_log(self, call: NativeCall[Any, None]) -> dict[str, Any]:
        return await self._desk.audit_log(_case_id(call))

    async def cancel(self, call: NativeCall[Any, CancelBody]) -> dict[str, Any]:
        body = call.body
        wanted = Cancellation(body.reason, body.notes, body.notify_stakeholders, call.key)
        return await _told(self._desk.cancel(_user(call), _case_id(call), wanted))

    async def reinstate(self, call: NativeCall[Any, ReinstateBody]) -> dict[str, Any]:
        body = call.body
        wanted = Reinstatement(body.reason, body.notes, body.restore_previous_state, call.key)
        return await _told(self._desk.reinstate(_user(call), _case_id(call), wanted))

    @property
    def table(self) -> tuple[NativeRoute, ...]:
        """Every route, in the order of the runbook."""
        return (*self._reads, *self._changes)

    @property
    def _reads(self) -> tuple[NativeRoute, ...]:
        one = "/api/v2/cases/{case_id}"
        refused = MappingProxyType({403: f"it is about somebody else, and {PERMISSION} is not held"})
        return (
            NativeRoute(
                "GET",
                f"/api/v1/users/{{user_id}}/permissions/{PERMISSION}",
                "case_permission",
                "Whether a user may cancel cases",
                self.permission,
                CasePermission,
                errors=refused,
            ),
            NativeRoute("GET", "/api/v2/cases", "cases", "Cases, a page of them", self.list, Cases, query=ListQuery),
            NativeRoute("GET", one, "case", "One case", self.case, Case),
            NativeRoute("GET", f"{one}/status", "case_status", "Where a case is", self.status, CaseStatus),
            NativeRoute(
                "GET",
                f"{one}/cancel/preview",
                "case_preview",
                "What cancelling a case would do",
                self.preview,
                CasePreview,
            ),
            NativeRoute(
                "GET",
                f"{one}/dependencies",
                "case_dependencies",
                "What holds a case",
                self.dependencies,
                CaseDependencies,
            ),
            NativeRoute(
                "GET", f"{one}/audit-log", "case_audit_log", "What was done to a case", self.audit_log, CaseAuditLog
            ),
        )

    @property
    def _changes(self) -> tuple[NativeRoute, ...]:
        one = "/api/v2/cases/{case_id}"
        neither = f"neither {PERMISSION} nor ownership of the case; it is recorded"
        return (
            NativeRoute(
                "POST",
                f"{one}/cancel",
                "cancel_case",
                "Cancel a case",
                self.cancel,
                CaseCancellation,
                body=CancelBody,
                keyed=True,
                bucket=CANCEL,
                errors=MappingProxyType(
                    {
                        400: "the case is cancelled already, or has ended",
                        403: neither,
                        409: "a hold or a dependency is in the way, or another cancellation",
                    }
                ),
            ),
            NativeRoute(
                "POST",
                f"{one}/reinstate",
                "reinstate_case",
                "Bring a cancelled case back",
                self.reinstate,
                CaseReinstatement,
                body=ReinstateBody,
                keyed=True,
                bucket=REINSTATE,
                errors=MappingProxyType(
                    {
                        400: "the case is not cancelled, or its window has closed",
                        403: neither,
                        409: "downstream has acted on the cancellation",
                    }
                ),
            ),
        )


def api(desk: CasesDesk, settings: CasesSettings) -> NativeApi:
    """The case API over a desk, with the limits of the profile."""
    limits: dict[str, Rate] = {}
    if settings.native_rate is not None:
        limits |= {CANCEL: settings.native_rate, REINSTATE: settings.native_rate}
    if settings.native_read_rate is not None:
        limits[READ] = settings.native_read_rate
    return NativeApi(
        name=DESCRIPTION.system,
        prefixes=("/api/v2/cases", "/api/v1/users/"),
        routes=CaseRoutes(desk).table,
        envelope=envelope,
        error=CaseError,
        user_header="X-User-ID",
        limits=MappingProxyType(limits),
    )
