"""The file of the embedded case management: tables, indexes for the orders that operators use, identity."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from tui_app.database.schema import prepare_once
from tui_app.database.tally import StatusTally
from tui_app.systems.cases.words import OPEN, STATUSES

if TYPE_CHECKING:
    from sqlite_utils import Database

VERSION = "1"

_CASE = {
    "id": str,
    "type": str,
    "title": str,
    "status": str,
    "priority": str,
    "assigned_to": str,
    "environment": str,
    "active_hold": int,
    "related_orders_status": str,
    "critical_alerts": int,
    "hold": str,
    "created_at": str,
    "updated_at": str,
    "previous_status": str,
    "cancellation_id": str,
    "rollback_deadline": str,
    "reinstated": int,
    "revision": int,
}
_MAY_BE_NULL = ("previous_status", "cancellation_id", "rollback_deadline")
_CASE_DEFAULTS = {
    "title": "",
    "priority": "P3",
    "assigned_to": "",
    "environment": "production",
    "active_hold": 0,
    "related_orders_status": "none",
    "critical_alerts": 0,
    "hold": "",
    "reinstated": 0,
    "revision": 1,
}
_CANCELLATION = {
    "cancellation_id": str,
    "case_id": str,
    "state": str,
    "key": str,
    "run_id": str,
    "operator": str,
    "reason": str,
    "notes": str,
    "notify": int,
    "previous_status": str,
    "accepted_at": str,
    "complete_at": str,
    "completed_at": str,
    "rollback_deadline": str,
    "stood": str,
    "code": str,
    "message": str,
}
_CANCELLATION_NULL = ("key", "run_id", "completed_at", "rollback_deadline", "stood", "code", "message")
_AROUND: dict[str, dict[str, type[Any]]] = {
    "dependency": {"case_id": str, "type": str, "id": str, "status": str, "required": int, "changed_at": str},
    "workflow": {"case_id": str, "name": str, "status": str, "ended_by": str, "previous_status": str},
    "record": {"case_id": str, "kind": str, "id": str, "system": str, "status": str}
    | {"marked_by": str, "previous_status": str, "acted_at": str},
    "stakeholder": {"case_id": str, "target": str},
}
_KEYS = {"dependency": ("type", "id"), "workflow": ("name",), "record": ("kind", "id"), "stakeholder": ("target",)}
_AROUND_NULL = ("ended_by", "marked_by", "previous_status", "acted_at")

IS_OPEN = "status IN ({})".format(", ".join(f"'{status}'" for status in OPEN))
"""The condition of the partial indexes: a query uses them only where it holds these very words."""

# Cancelling takes a row out of each of these. The id is served by the primary key; the status is sorted when it is
# asked for.
OPEN_INDEXES = {
    "updated": "open_by_updated",
    "type": "open_by_type",
    "priority": "open_by_priority",
    "assigned_to": "open_by_assigned_to",
    "hold": "open_by_hold",
}

TALLY = StatusTally("cases", "case")

# What is in the way follows from the dependencies, whoever writes them, in the transaction that writes them. A hold
# that was set and lifted has changed the case: its version says so.
_IN_THE_WAY = """
CREATE TRIGGER dependency_{event} AFTER {what} ON dependency BEGIN
    UPDATE cases
    SET active_hold = d.holds > 0,
        related_orders_status = CASE WHEN d.busy > 0 THEN 'in_progress' WHEN d.orders > 0 THEN 'completed'
                                     ELSE 'none' END,
        critical_alerts = d.alerts,
        hold = coalesce(d.names, ''),
        revision = revision + 1,
        updated_at = max(updated_at, {row}.changed_at)
    FROM (
        SELECT coalesce(sum(type = 'hold' AND status = 'active'), 0) AS holds,
               coalesce(sum(type = 'order' AND status = 'in_progress'), 0) AS busy,
               coalesce(sum(type = 'order'), 0) AS orders,
               coalesce(sum(type = 'alert' AND status = 'open'), 0) AS alerts,
               group_concat(CASE WHEN (type, status) IN (VALUES ('hold', 'active'), ('order', 'in_progress'),
                                                                ('alert', 'open'))
                                 THEN type || ' ' || id END, ', ') AS names
        FROM (SELECT type, id, status FROM dependency WHERE case_id = {row}.case_id
              ORDER BY type <> 'hold', type <> 'order', id)
    ) AS d
    WHERE cases.id = {row}.case_id;
END
"""

# A cancellation that is due may wait for somebody who reads. The first change after that moment leaves with it what
# stood in the way until then, so that what came too late, or went too late, makes no difference.
_STOOD = """
CREATE TRIGGER case_stood AFTER UPDATE OF active_hold, related_orders_status, critical_alerts, hold ON cases
WHEN old.status = 'cancelling' BEGIN
    UPDATE cancellation
    SET stood = json_object('active_hold', old.active_hold, 'related_orders_status', old.related_orders_status,
                            'critical_alerts', old.critical_alerts, 'hold', old.hold)
    WHERE case_id = old.id AND state = 'processing' AND complete_at < new.updated_at AND stood IS NULL;
END
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the schema where there is none.

    Raises:
        sqlite3.Error: the file is locked, full or no database.
    """
    prepare_once(connection, VERSION, _make)


def _make(database: Database) -> None:
    _make_cases(database)
    _make_around(database)
    _make_cancellations(database)
    database.table("audit").create(
        {"audit_id": int, "case_id": str, "event": str, "at": str, "user_id": str, "details": str},
        pk="audit_id",
        not_null=("case_id", "event", "at", "details"),
        strict=True,
    ).create_index(["case_id"])
    spent = database.table("spent").create({"bucket": str, "user_id": str, "at": str}, strict=True)
    spent.create_index(["bucket", "user_id", "at"])


def _make_cases(database: Database) -> None:
    cases = database.table("cases").create(
        _CASE,
        pk="id",
        not_null=tuple(name for name in _CASE if name != "id" and name not in _MAY_BE_NULL),
        defaults=_CASE_DEFAULTS,
        strict=True,
    )
    cases.create_index(["updated_at", "id"])
    cases.create_index(["status", "updated_at", "id"])
    for field, name in OPEN_INDEXES.items():
        column = "updated_at" if field == "updated" else field
        database.execute(f"CREATE INDEX {name} ON cases ({column}, id) WHERE {IS_OPEN}")
    TALLY.make(database, STATUSES)


def _make_around(database: Database) -> None:
    for name, columns in _AROUND.items():
        database.table(name).create(
            columns,
            pk=("case_id", *_KEYS[name]),
            not_null=tuple(column for column in columns if column not in _AROUND_NULL),
            strict=True,
        )
    for event, what, row in (("made", "INSERT", "new"), ("moved", "UPDATE", "new"), ("gone", "DELETE", "old")):
        database.execute(_IN_THE_WAY.format(event=event, what=what, row=row))
    notification = database.table("notification").create(
        {"notification_id": int, "case_id": str, "target": str, "subject": str, "text": str, "status": str}
        | {"at": str, "cancellation_id": str},
        pk="notification_id",
        not_null=("case_id", "target", "subject", "text", "status", "at"),
        strict=True,
    )
    notification.create_index(["case_id"])


def _make_cancellations(database: Database) -> None:
    database.table("cancellation").create(
        _CANCELLATION,
        pk="cancellation_id",
        not_null=tuple(name for name in _CANCELLATION if name not in ("cancellation_id", *_CANCELLATION_NULL)),
        strict=True,
    ).create_index(["case_id"])
    database.execute(
        "CREATE UNIQUE INDEX one_cancellation_at_a_time ON cancellation (case_id) WHERE state = 'processing'"
    )
    database.execute("CREATE INDEX cancellation_due ON cancellation (complete_at) WHERE state = 'processing'")
    database.execute(_STOOD)
