"""What the native routes of cases take and give, as the case API names it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from tui_app.service.native.table import Native, Spelled
from tui_app.systems.cases.words import DESCRIPTION

MOST = 100
"""Cases in one page at most."""

LONGEST_NOTES = 2_000
Code = Annotated[
    str, Spelled(r"^[a-z][a-z0-9_]{0,63}$", "a code: small letters, digits and _, a letter in front, at most 64 in all")
]
Notes = Annotated[
    str,
    Field(max_length=LONGEST_NOTES),
    Spelled(r"^[^\x00-\x08\x0b-\x1f\x7f]*$", "text without control characters other than tabs and line feeds"),
]


class ListQuery(Native):
    """Which cases. ``status`` may be several, with commas; ``sort`` is a field, with a minus for descending.

    ``filter`` is one of quash's own; the answer says which one was used. ``as_of`` leaves out what changed later.
    """

    status: str | None = None
    type: str | None = None
    assigned_to: str | None = None
    sort: str = str(DESCRIPTION.default_sort)
    limit: int = Field(default=50, ge=1, le=MOST)
    cursor: str | None = None
    filter: str | None = None
    as_of: str | None = None


class CancelBody(Native):
    """A cancellation: the reason as a code, the operator's own words, and whether stakeholders are told."""

    reason: Code
    notes: Notes = ""
    notify_stakeholders: StrictBool = True


class ReinstateBody(Native):
    """A reinstatement. Without the previous state, a case begins anew, as pending."""

    reason: Code
    restore_previous_state: StrictBool = True
    notes: Notes = ""


class CasePermission(Native):
    """Whether a user holds a permission. ``note`` is there where that is not known."""

    user_id: str
    permission: str
    allowed: bool
    note: str | None = None


class Case(Native):
    """A case, with the three facts that hold it. ``hold`` names what is in the way."""

    case_id: str
    type: str
    title: str
    status: str
    version: str
    priority: str
    assigned_to: str
    environment: str
    created_at: str
    updated_at: str
    active_hold: bool
    related_orders_status: str
    critical_alerts: int
    hold: str
    rollback_deadline: str | None
    reinstated: int


class CasePagination(Native):
    """Where a list goes on; the total is a lower bound where it is not exact. ``as_of`` is when it was read."""

    limit: int
    next_cursor: str | None
    total: int
    total_exact: bool
    filter: str
    as_of: str


class Cases(Native):
    """A page of cases."""

    cases: list[Case]
    pagination: CasePagination


class CaseMetadata(Native):
    """What else a status tells."""

    age_days: int
    priority: str
    environment: str


class CaseStatus(Native):
    """Where a case is."""

    case_id: str
    status: str
    created_at: str
    updated_at: str
    assigned_to: str
    metadata: CaseMetadata


class ImpactAssessment(Native):
    """What cancelling would do, and until when it could be undone."""

    billing_affected: bool
    notifications_count: int
    downstream_systems: list[str]
    estimated_duration: str
    rollback_available: bool
    rollback_deadline: str | None


class CasePreview(Native):
    """The impact of cancelling one case. What is in the way stands first among the warnings."""

    case_id: str
    impact_assessment: ImpactAssessment
    warnings: list[str]


class CaseDependency(Native):
    """One thing that a case depends on."""

    type: str
    id: str
    status: str
    required: bool


class CaseDependencies(Native):
    """What holds a case."""

    active_hold: bool
    related_orders_status: str
    critical_alerts: int
    dependencies: list[CaseDependency]


class AuditEntry(Native):
    """One entry of the audit."""

    event: str
    timestamp: str
    user_id: str | None
    details: dict[str, Any]


class CaseAuditLog(Native):
    """The audit of a case, oldest first."""

    case_id: str
    audit_entries: list[AuditEntry]


class CaseCancellation(Native):
    """A cancellation that was accepted; its times hold unless it is withdrawn."""

    case_id: str
    cancellation_id: str
    status: Literal["processing", "cancelled"]
    estimated_completion: str
    rollback_deadline: str


class CaseReinstatement(Native):
    """A case that was brought back."""

    case_id: str
    reinstatement_id: str
    restored_status: str
    timestamp: str


class CaseErrorBody(Native):
    """What went wrong."""

    code: str
    message: str
    details: dict[str, Any]
    request_id: str
    timestamp: str


class CaseError(Native):
    """The envelope of every error."""

    error: CaseErrorBody
