"""The file of the embedded command bus: tables, indexes for the orders that operators use, identity."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tui_app.database.schema import prepare_once
from tui_app.database.tally import StatusTally
from tui_app.systems.commands.words import STATUSES

if TYPE_CHECKING:
    from sqlite_utils import Database

VERSION = "1"

_NEVER_NULL = ("domain", "command_id", "type", "queue", "status", "attempts", "max_attempts", "error_code")
_DEFAULTS = {"attempts": 0, "max_attempts": 3, "error_code": "", "reply_queue": "", "revision": 1}

_COMMAND = {
    "id": str,
    "domain": str,
    "command_id": str,
    "type": str,
    "queue": str,
    "status": str,
    "attempts": int,
    "max_attempts": int,
    "error_type": str,
    "error_code": str,
    "error": str,
    "created_at": str,
    "updated_at": str,
    "reply_queue": str,
    "correlation_id": str,
    "batch_id": str,
    "revision": int,
}
_BATCH = {
    "domain": str,
    "batch_id": str,
    "name": str,
    "status": str,
    "total_count": int,
    "completed_count": int,
    "canceled_count": int,
    "failed_count": int,
    "in_troubleshooting_count": int,
    "created_at": str,
    "completed_at": str,
}
_COUNTERS = ("total_count", "completed_count", "canceled_count", "failed_count", "in_troubleshooting_count")

WAITING = "status = 'IN_TROUBLESHOOTING_QUEUE'"
"""The condition of the partial indexes: a query uses them only where it holds these very words."""

# Cancelling takes a row out of each of these, and every one more slows a run of a hundred thousand by a tenth. The id
# is served by the primary key; attempts and reply queue are sorted when they are asked for.
WAITING_INDEXES = {"type": "waiting_by_type", "error_code": "waiting_by_error_code"}

TALLY = StatusTally("command", "command")


def prepare(connection: sqlite3.Connection) -> None:
    """Make the schema where there is none.

    Raises:
        sqlite3.Error: the file is locked, full or no database.
    """
    prepare_once(connection, VERSION, _make)


def _make(database: Database) -> None:
    _make_commands(database)
    database.table("audit").create(
        {"audit_id": int, "id": str, "event": str, "at": str, "details": str},
        pk="audit_id",
        not_null=("id", "event", "at", "details"),
        strict=True,
    ).create_index(["id"])
    database.table("batch").create(
        _BATCH,
        pk=("domain", "batch_id"),
        not_null=("status", *_COUNTERS),
        defaults=dict.fromkeys(_COUNTERS, 0),
        strict=True,
    )
    database.table("queue").create({"name": str}, pk="name", strict=True)
    database.table("message").create(
        {"msg_id": int, "queue": str, "body": str, "enqueued_at": str},
        pk="msg_id",
        not_null=("queue", "body", "enqueued_at"),
        strict=True,
    ).create_index(["queue"])
    database.table("process").create({"correlation_id": str, "type": str}, pk="correlation_id", strict=True)
    database.table("payload").create({"id": str, "body": str}, pk="id", strict=True)


def _make_commands(database: Database) -> None:
    command = database.table("command").create(
        _COMMAND,
        pk="id",
        not_null=(*_NEVER_NULL, "created_at", "updated_at", "reply_queue", "revision"),
        defaults=_DEFAULTS,
        strict=True,
    )
    command.create_index(["updated_at", "id"])
    command.create_index(["status", "updated_at", "id"])
    for column, name in WAITING_INDEXES.items():
        database.execute(f"CREATE INDEX {name} ON command ({column}, id) WHERE {WAITING}")
    database.execute("CREATE INDEX command_batch ON command (domain, batch_id) WHERE batch_id IS NOT NULL")
    TALLY.make(database, STATUSES)
