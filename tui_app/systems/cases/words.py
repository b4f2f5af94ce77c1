"""How cases describe themselves: statuses, columns, effects and their words."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tui_app.domain.describe import Column, Description, Kind, Verb
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import Sort
from tui_app.domain.verdict import EffectWords

PENDING = "pending"
ON_HOLD = "on_hold"
OPEN = (
    PENDING,
    "in_progress",
    "accessioning",
    "grossing",
    "embedding",
    "cutting",
    "staining",
    "microscopy",
    "under_review",
    ON_HOLD,
)
"""The statuses of a case that goes on, in the order of the work."""

CANCELLING = "cancelling"
"""A cancellation was accepted and is not complete: shown in place of the status that the case had."""

CANCELLED = "cancelled"
TERMINAL = ("completed", CANCELLED, "archived", "closed")
STATUSES = (*OPEN, CANCELLING, *TERMINAL)

NO_ORDER = "none"
ORDER_IN_PROGRESS = "in_progress"

NOTIFIED = "CASE_NOTIFIED"
WORKFLOW = "CASE_WORKFLOW"
REMINDER = "CASE_REMINDER"
RECORD = "CASE_RECORD"
DOWNSTREAM = "CASE_DOWNSTREAM"
BILLING = "CASE_BILLING"
REVERSIBLE = "CASE_REVERSIBLE"
BACK = "CASE_BACK"
RESTARTED = "CASE_WORKFLOW_RESTARTED"
RESTORED = "CASE_RECORD_RESTORED"
TOLD = "CASE_TOLD"
NOTIFIED_UNNAMED = "CASE_NOTIFIED_UNNAMED"
FINAL = "CASE_FINAL"
NOT_READ = "CASE_IMPACT_NOT_READ"
ASSUMED = "CASE_WINDOW_ASSUMED"

EFFECT_WORDS = {
    NOTIFIED: EffectWords(
        one="{target} is notified of it",
        many="{count} notifications to {target}",
        notifies=True,
    ),
    WORKFLOW: EffectWords(
        one="its workflow {target} ends",
        many="{count} workflows end: {target}",
    ),
    REMINDER: EffectWords(
        one="its notification to {target} that is not sent yet is withdrawn",
        many="{count} notifications to {target} that are not sent yet are withdrawn",
    ),
    RECORD: EffectWords(
        one="its related record is marked: {target}",
        many="{count} related records are marked: {target}",
    ),
    DOWNSTREAM: EffectWords(
        one="{target} has to clean up after it",
        many="{target} has to clean up after {count} cases",
    ),
    BILLING: EffectWords(
        one="billing is affected: it has charges",
        many="billing is affected: {count} cases have charges",
        warning=True,
    ),
    REVERSIBLE: EffectWords(
        one="it can be reinstated for {target} afterwards",
        many="{count} cases can be reinstated for {target} afterwards, each from its own cancellation on",
    ),
    BACK: EffectWords(
        one="it goes back to {target}",
        many="{count} cases go back to {target}",
    ),
    RESTARTED: EffectWords(
        one="its workflow {target} starts again",
        many="{count} workflows start again: {target}",
    ),
    RESTORED: EffectWords(
        one="its related record is as it was: {target}",
        many="{count} related records are as they were: {target}",
    ),
    TOLD: EffectWords(
        one="{target} was told of the cancellation, and is not told of this",
        many="{count} notifications to {target} told of the cancellation; none tells of this",
        warning=True,
    ),
}

COLUMNS = (
    Column("id", "Id", Kind.ID, width=14, priority=1),
    # Free text of any length: ordering by it would read every row.
    Column("title", "Title", width=20, flexible=True, priority=3, sortable=False),
    Column("type", "Type", width=14, priority=5, groupable=True),
    Column("status", "Status", Kind.STATUS, width=12, priority=2, groupable=True),
    Column("hold", "In the way", width=18, flexible=True, priority=4, groupable=True),
    Column("priority", "Priority", width=8, priority=8, groupable=True),
    Column("assigned_to", "Assigned to", width=18, priority=7, groupable=True),
    Column("updated", "Updated", Kind.TIME, width=19, priority=6),
)

EXTRA_KINDS = MappingProxyType(
    {
        "environment": Kind.TEXT,
        "active_hold": Kind.TEXT,
        "related_orders_status": Kind.TEXT,
        "critical_alerts": Kind.NUMBER,
        "reinstated": Kind.NUMBER,
        "created": Kind.TIME,
        "rollback_deadline": Kind.TIME,
    }
)
"""Fields that are no column, but can be filtered on and stand in an item's detail. ``active_hold`` is yes or no."""

KINDS = MappingProxyType({column.field: column.kind for column in COLUMNS} | EXTRA_KINDS)
"""What every field of a case holds."""

LONGEST_TITLE = 4_096
"""Characters of a title in a row: a page of five hundred has to stay a page."""

SEARCHED = ("id", "type", "title", "assigned_to")
"""The fields that free text looks into."""

NOTICE = "A case that you follow was cancelled by operations, and the work on it has stopped.\nReason: {reason}"
"""What every stakeholder reads; the subject names the case."""

DESCRIPTION = Description(
    system="cases",
    title="Cases",
    one="case",
    many="cases",
    id_example="CASE-1204417",
    id_pattern=r"(?=.*\d)[\w./:-]*\w",
    columns=COLUMNS,
    default_sort=Sort("updated", descending=True),
    default_filter=Filter((Term("status", Op.ANY, OPEN),)),
    statuses=STATUSES,
    status_tones=MappingProxyType(
        {
            **dict.fromkeys(OPEN, "busy"),
            PENDING: "idle",
            ON_HOLD: "bad",
            CANCELLING: "busy",
            "completed": "good",
            CANCELLED: "idle",
            "archived": "idle",
            "closed": "idle",
        }
    ),
    filter_fields=tuple(EXTRA_KINDS),
    verbs=(Verb.CANCEL, Verb.REINSTATE),
    effects=MappingProxyType(EFFECT_WORDS),
    reason_templates=(
        "duplicate of another case",
        "opened by mistake",
        "withdrawn by the customer",
        "superseded by a later case",
        "caused by a faulty import",
    ),
    reason_goes_to="the notes of the case's audit log",
    notice=NOTICE,
)

EFFECTS_SUMMED = {
    NOTIFIED_UNNAMED: EffectWords(
        one="{target} will be told of it; the server does not name them",
        many="{count} cases: {target} will be told of each; the server does not name them",
        notifies=True,
    ),
    FINAL: EffectWords(
        one="it cannot be reinstated afterwards",
        many="{count} cases cannot be reinstated afterwards",
        irreversible=True,
    ),
    ASSUMED: EffectWords(
        one="how long it can be brought back is assumed: the server gave no deadline, and the runbook has {target}",
        many="{count} cases: how long they can be brought back is assumed: the server gave no deadline, "
        "and the runbook has {target}",
        warning=True,
    ),
    NOT_READ: EffectWords(
        one="what it touches is not known: {target}",
        many="{count} cases: what they touch is not known: {target}",
        warning=True,
    ),
}
"""What a server that only sums up its impact adds."""

SUMMED = replace(
    DESCRIPTION,
    effects=MappingProxyType(EFFECT_WORDS | EFFECTS_SUMMED),
    # A server may have statuses of its own.
    statuses_closed=False,
    notice="The case management writes this text itself. It has your words as its notes:\n{reason}",
)
"""How cases describe themselves that are reached over HTTP."""
