"""The file of the embedded command bus: tables, indexes for the orders that operators use, identity.

sqlite-utils makes the schema, and is imported only then: that takes longer than opening a file that is made.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING
from uuid import uuid4

from tui_app.database.sqlite import transaction
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

# A count of ten million rows takes a second; kept up to date row by row it costs a microsecond each.
_TALLY = """
CREATE TRIGGER command_counted AFTER INSERT ON command BEGIN
    INSERT INTO tally (status, n) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER command_moved AFTER UPDATE OF status ON command WHEN old.status <> new.status BEGIN
    UPDATE tally SET n = n - 1 WHERE status = old.status;
    INSERT INTO tally (status, n) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER command_gone AFTER DELETE ON command BEGIN
    UPDATE tally SET n = n - 1 WHERE status = old.status;
END;
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the schema where there is none; two processes that open a new file at once make it once.

    Raises:
        sqlite3.Error: the file is locked, full or no database.
    """
    # Measured on runs of 40,000: the usual 1,000 pages are written back twice a chunk, and each trigger that may fail
    # keeps a journal of its own, on disk unless told otherwise.
    connection.execute("PRAGMA wal_autocheckpoint=8000")
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA temp_store=MEMORY")
    if not _made(connection):
        with transaction(connection):
            if not _made(connection):
                _make(connection)


def _made(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone())


def _make(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database

    database = Database(connection, recursive_triggers=False, execute_plugins=False)
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
    database.table("meta").create({"key": str, "value": str}, pk="key", strict=True).insert_all(
        [{"key": "identity", "value": str(uuid4())}, {"key": "schema", "value": VERSION}]
    )


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
    tally = database.table("tally").create({"status": str, "n": int}, pk="status", strict=True)
    tally.insert_all({"status": status, "n": 0} for status in STATUSES)
    for statement in _TALLY.split("END;")[:-1]:
        database.execute(f"{statement}END")
