"""What is written to the embedded case management: accepting, completing and undoing cancellations, guarded, by sets.

A cancellation is accepted first and completed later, by whoever reads once it is due, in whatever process, and it is
then what it was at the moment when it was due. Nothing but the status changes until then. A hold, an order or an alert
that comes in between wins: the completion is guarded like the acceptance, and a cancellation that it leaves alone is
withdrawn, with the code of what came in the way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tui_app.database.bound import ascii_json, revision
from tui_app.database.statements import load
from tui_app.domain import moments
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.systems.cases import rules
from tui_app.systems.cases.embedded_read import ahead, standing_of
from tui_app.systems.cases.words import CANCELLED, CANCELLING, NOTICE

SQL = load("tui_app.systems.cases", "write.sql")

_GONE = Verdict.no(VerdictCode.NOT_FOUND, "the case is not there any more")


@dataclass(frozen=True, slots=True)
class Times:
    """How long the case management takes to cancel a case, and how long that can be undone."""

    completion: timedelta = timedelta(seconds=1)
    window: timedelta = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Wish:
    """One cancellation or reinstatement that is asked for: of which case, as it was seen, under which key.

    ``version`` is None where the case was not read before: the status alone guards then.
    """

    case_id: str
    key: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Behalf:
    """Who asks, and in which words: ``reason`` is the API's code, ``notes`` are the operator's own words."""

    operator: str
    reason: str
    notes: str
    notify: bool = True
    run_id: str | None = None


def _wishes(wishes: Iterable[Wish]) -> list[list[Any]]:
    """As the statements read them: id, version, key, and a new name for what is about to be made; each id once."""
    rows: dict[str, list[Any]] = {}
    for wish in wishes:
        version = None if wish.version is None else revision(wish.version)
        rows.setdefault(wish.case_id, [wish.case_id, version, wish.key, str(uuid4())])
    return list(rows.values())


def accept(connection: sqlite3.Connection, wishes: Sequence[Wish], behalf: Behalf, now: str, times: Times) -> set[str]:
    """Accept the cancellations that nothing stands in the way of, in the caller's transaction; their ids."""
    rows = _wishes(wishes)
    changed = {row[0] for row in connection.execute(SQL["accept"], {"orders": ascii_json(rows), "now": now}).fetchall()}
    if changed:
        hits = ascii_json([row for row in rows if row[0] in changed])
        complete_at = moments.read(now) + times.completion
        values = {
            "hits": hits,
            "now": now,
            "run_id": behalf.run_id,
            "operator": behalf.operator,
            "reason": behalf.reason,
            "notes": behalf.notes,
            "notify": int(behalf.notify),
            "complete_at": moments.stamp(complete_at),
            "rollback_deadline": moments.stamp(complete_at + times.window),
        }
        connection.execute(SQL["accept_requests"], values)
        details = rules.cancel_details(
            previous_status=None,
            reason=behalf.reason,
            notes=behalf.notes,
            notify=behalf.notify,
            cancellation_id="",
            run_id=behalf.run_id,
            idempotency_key=None,
        ) | {"new_status": CANCELLING}
        event = {"event": rules.REQUESTED_EVENT, "template": ascii_json(details), "operator": behalf.operator}
        connection.execute(SQL["accept_audit"], {"hits": hits, "now": now, **event})
    return changed


def clamp(connection: sqlite3.Connection, now: str) -> None:
    """Let what was accepted while the clock was ahead count from now on, in the caller's transaction.

    Each keeps its own spans: how long it takes, and how long it can be undone. The audit keeps what was written.
    """
    for row in ahead(connection, now):
        by = moments.read(now) - moments.read(row["accepted_at"])
        moved = {
            name: None if row[name] is None else moments.stamp(moments.read(row[name]) + by)
            for name in ("complete_at", "rollback_deadline")
        }
        values = {**moved, "now": now, "case_id": row["case_id"], "cancellation_id": row["cancellation_id"]}
        connection.execute(SQL["clamp_cancellation"], values)
        connection.execute(SQL["clamp_case"], values)


def complete(connection: sqlite3.Connection, now: str) -> None:
    """Complete every cancellation that is due, in the caller's transaction, or withdraw it.

    All that is written bears the moment when it was due, however much later this is: whoever was told until when it
    can be undone was told the truth.
    """
    hits = [row[0] for row in connection.execute(SQL["complete"], {"now": now}).fetchall()]
    if hits:
        _follow(connection, hits)
    for row in connection.execute(SQL["hindered"], {"now": now}).fetchall():
        _withdraw(connection, row)


def _follow(connection: sqlite3.Connection, hits: Sequence[str]) -> None:
    """What follows from a cancelled case: workflows, records, notifications, audit."""
    values = {"hits": ascii_json(hits)}
    for name in ("complete_requests", "complete_workflows", "complete_records", "complete_reminders"):
        connection.execute(SQL[name], values)
    connection.execute(SQL["complete_notices"], {**values, "notice": NOTICE})
    event = {"event": rules.CANCEL_EVENT, "template": ascii_json({"new_status": CANCELLED})}
    connection.execute(SQL["complete_audit"], {**values, **event})


def _withdraw(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Give up a cancellation that something has come in the way of; the case is as it was before."""
    at = row["complete_at"]
    why = _hindrance(row)
    code = VerdictCode.NOT_KNOWN if why.code is None else why.code
    key = {"case_id": row["case_id"], "cancellation_id": row["cancellation_id"], "at": at}
    message = f"the cancellation was withdrawn: {why.reason}"
    connection.execute(
        SQL["withdraw"], {"cancellation_id": row["cancellation_id"], "code": code.value, "message": message}
    )
    connection.execute(SQL["put_back"], key)
    details = rules.cancel_details(
        previous_status=CANCELLING,
        reason=row["reason"],
        notes=row["notes"],
        notify=bool(row["notify"]),
        cancellation_id=row["cancellation_id"],
        run_id=row["run_id"],
        idempotency_key=row["key"],
    ) | {"new_status": row["previous_status"], "code": code.value, "message": message}
    audit(connection, row["case_id"], rules.WITHDRAWN_EVENT, at, row["operator"], details)


def _hindrance(row: sqlite3.Row) -> Verdict:
    if row["status"] is None:
        return _GONE
    if row["status"] == CANCELLED:
        return Verdict.no(VerdictCode.ALREADY_CANCELLED, "the case came to be cancelled by other means")
    if row["status"] != CANCELLING or not row["current"]:
        return Verdict.no(VerdictCode.TERMINAL, f"the case came to be {row['status']} meanwhile")
    standing = rules.Standing(row["previous_status"], *standing_of(row)[1:])
    return rules.verdict(standing)


def reinstate(
    connection: sqlite3.Connection, wishes: Sequence[Wish], behalf: Behalf, now: str, *, restore: bool = True
) -> dict[str, str]:
    """Bring back the cases whose window is open, in the caller's transaction; their statuses by id.

    ``restore`` brings back the status, the workflows and the related records that they had; else a case starts anew.
    What was notified stays so, and the audit keeps everything.
    """
    rows = _wishes(wishes)
    values = {"orders": ascii_json(rows), "now": now, "restore": int(restore)}
    changed = {row[0]: row[1] for row in connection.execute(SQL["reinstate"], values).fetchall()}
    if changed:
        hits = {"hits": ascii_json([row for row in rows if row[0] in changed])}
        details = {
            "previous_status": CANCELLED,
            "reason": behalf.reason,
            "notes": behalf.notes,
            "restore_previous_state": restore,
            "run_id": behalf.run_id,
        }
        event = {"event": rules.REINSTATE_EVENT, "template": ascii_json(details), "operator": behalf.operator}
        connection.execute(SQL["reinstate_audit"], {**hits, **event, "now": now})
        around = ("reinstate_workflows", "reinstate_records", "reinstate_reminders") if restore else ()
        for name in (*around, "reinstate_requests", "reinstated"):
            connection.execute(SQL[name], hits)
    return changed


def audit(
    connection: sqlite3.Connection, case_id: str, event: str, now: str, user_id: str | None, details: object
) -> None:
    """One entry in the audit of a case."""
    values = {"case_id": case_id, "event": event, "at": now, "user_id": user_id, "details": ascii_json(details)}
    connection.execute(SQL["audit"], values)
