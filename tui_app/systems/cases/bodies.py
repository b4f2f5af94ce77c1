"""The bodies of the case API, as its documentation names their keys. Pure."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tui_app.domain import moments
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery
from tui_app.domain.ports import TrailEntry
from tui_app.systems.cases import rules
from tui_app.systems.cases.answers import PROCESSING
from tui_app.systems.cases.embedded_write import Times
from tui_app.systems.cases.words import CANCELLED

Body = dict[str, Any]


def permission(user_id: str, name: str, *, allowed: bool, note: str | None = None) -> Body:
    """The answer to a question for a permission."""
    told: Body = {"user_id": user_id, "permission": name, "allowed": allowed}
    return told if note is None else {**told, "note": note}


def case(item: Item) -> Body:
    """A case, with the three facts that hold it, so that a list needs no further reading."""
    fields = item.fields
    return {
        "case_id": item.id,
        "type": fields["type"],
        "title": fields["title"],
        "status": item.status,
        "version": item.version,
        "priority": fields["priority"],
        "assigned_to": fields["assigned_to"],
        "environment": fields["environment"],
        "created_at": fields["created"],
        "updated_at": fields["updated"],
        "active_hold": fields["active_hold"] == "yes",
        "related_orders_status": fields["related_orders_status"],
        "critical_alerts": fields["critical_alerts"],
        "hold": fields["hold"],
        "rollback_deadline": fields["rollback_deadline"],
        "reinstated": fields["reinstated"],
    }


def page(found: Page, query: PageQuery, count: Count) -> Body:
    """A page of cases, and where it goes on; the total is a lower bound where it is not exact."""
    last = found.items[-1] if found.items and found.more_after else None
    following = None if last is None else Cursor(last.fields[query.sort.field], last.id).encode()
    return {
        "cases": [case(item) for item in found.items],
        "pagination": {
            "limit": query.limit,
            "next_cursor": following,
            "total": count.value,
            "total_exact": count.exact,
            "filter": str(query.filter),
            "as_of": found.as_of,
        },
    }


def status(item: Item, now: datetime) -> Body:
    """Where a case is."""
    fields = item.fields
    created = moments.known(fields["created"])
    age = timedelta(0) if created is None else now - created
    return {
        "case_id": item.id,
        "status": item.status,
        "created_at": fields["created"],
        "updated_at": fields["updated"],
        "assigned_to": fields["assigned_to"],
        "metadata": {
            "age_days": max(0, age.days),
            "priority": fields["priority"],
            "environment": fields["environment"],
        },
    }


def preview(case_id: str, facts: rules.Case, now: str, times: Times) -> Body:
    """What cancelling would do; what is in the way stands among the warnings, first."""
    around, judged = facts.around, facts.verdict
    possible = judged.cancellable
    in_the_way = [] if judged.reason is None else [f"it cannot be cancelled now: {judged.reason}"]
    return {
        "case_id": case_id,
        "impact_assessment": {
            "billing_affected": around.billing_affected,
            "notifications_count": len(around.stakeholders),
            "downstream_systems": list(around.downstream),
            "estimated_duration": rules.lasting(times.completion),
            "rollback_available": possible,
            "rollback_deadline": rules.deadline(now, times.completion, times.window) if possible else None,
        },
        "warnings": [*in_the_way, *rules.warnings(around)],
    }


def dependencies(standing: rules.Standing, listed: Sequence[Mapping[str, Any]]) -> Body:
    """What holds a case, and on what it depends."""
    return {
        "active_hold": standing.active_hold,
        "related_orders_status": standing.related_orders_status,
        "critical_alerts": standing.critical_alerts,
        "dependencies": [dict(one) for one in listed],
    }


def audit_log(case_id: str, trail: Sequence[TrailEntry]) -> Body:
    """The audit of a case."""
    entries = [{"event": one.event, "timestamp": one.at, "user_id": one.actor, "details": one.details} for one in trail]
    return {"case_id": case_id, "audit_entries": entries}


def cancellation(case_id: str, row: sqlite3.Row) -> Body:
    """A cancellation that was accepted. Its times hold from the beginning, unless it is withdrawn."""
    return {
        "case_id": case_id,
        "cancellation_id": row["cancellation_id"],
        "status": PROCESSING if row["state"] == PROCESSING else CANCELLED,
        "estimated_completion": row["complete_at"],
        "rollback_deadline": row["rollback_deadline"],
    }


def reinstatement(case_id: str, entry: TrailEntry) -> Body:
    """A case that was brought back."""
    return {
        "case_id": case_id,
        "reinstatement_id": entry.details["reinstatement_id"],
        "restored_status": entry.details["new_status"],
        "timestamp": entry.at,
    }
