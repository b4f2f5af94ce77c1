"""The file of the embedded schedules: posts, schedules, their queue, what went out, and an audit.

sqlite-utils makes the schema, and is imported only then: that takes longer than opening a file that is made.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING
from uuid import uuid4

from tui_app.database.sqlite import transaction
from tui_app.systems.schedules.words import STATUSES

if TYPE_CHECKING:
    from sqlite_utils import Database

VERSION = "1"

_SCHEDULE = {
    "id": str,
    "post_variant_id": str,
    "channel_connection_id": str,
    "post_id": str,
    "owner": str,
    "channel": str,
    "run_at": str,
    "timezone": str,
    "run_at_local": str,
    "status": str,
    "attempts": int,
    "created_at": str,
    "updated_at": str,
    "claimed_at": str,
    "published_at": str,
    "cancelled_at": str,
    "cancellation_reason": str,
    "revision": int,
}
_MAY_BE_NULL = {"claimed_at", "published_at", "cancelled_at", "cancellation_reason"}

AS_OF = "(s.updated_at <= {mark} OR s.status = 'queued' AND s.created_at <= {mark})"
"""What was there at a moment, the same moment twice. What the scanner has queued since was there, is still what was
meant, and is the most urgent of it."""

WAITING = "status IN ('pending','queued')"
"""The condition of the partial indexes: a query uses them only where it holds these very words."""

# Cancelling takes a row out of each of these. The id is served by the primary key; attempts are sorted when they are
# asked for.
WAITING_INDEXES = {
    "run_at": "waiting_by_run_at",
    "channel": "waiting_by_channel",
    "owner": "waiting_by_owner",
    "post": "waiting_by_post",
    "updated": "waiting_by_updated",
}
COLUMNS = {
    "updated": "updated_at",
    "created": "created_at",
    "published": "published_at",
    "cancelled": "cancelled_at",
    "reason": "cancellation_reason",
    "post": "post_id",
    "post_variant": "post_variant_id",
    "channel_connection": "channel_connection_id",
}
"""The column of each field that is called otherwise."""

# Owner and channel of a schedule are those of its post and its connection. They stand in its row too, since a table of
# a million rows that is ordered by them needs an index; these keep the copies true.
_COPIES = """
CREATE TRIGGER post_changed_hands AFTER UPDATE OF owner_id ON post BEGIN
    UPDATE schedule SET owner = new.owner_id WHERE post_id = new.id;
END;
CREATE TRIGGER connection_renamed AFTER UPDATE OF display_name ON channel_connection BEGIN
    UPDATE schedule SET channel = new.display_name WHERE channel_connection_id = new.id;
END;
"""

# A count of ten million rows takes a second; kept up to date row by row it costs a microsecond each.
_TALLY = """
CREATE TRIGGER schedule_counted AFTER INSERT ON schedule BEGIN
    INSERT INTO tally (status, n) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER schedule_moved AFTER UPDATE OF status ON schedule WHEN old.status <> new.status BEGIN
    UPDATE tally SET n = n - 1 WHERE status = old.status;
    INSERT INTO tally (status, n) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER schedule_gone AFTER DELETE ON schedule BEGIN
    UPDATE tally SET n = n - 1 WHERE status = old.status;
END;
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the schema where there is none; two processes that open a new file at once make it once.

    Raises:
        sqlite3.Error: the file is locked, full or no database.
    """
    # Large chunks: the usual 1,000 pages are written back twice in each of them.
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
    _make_posts(database)
    _make_schedules(database)
    _make_runners(database)
    database.table("audit").create(
        {"audit_id": int, "id": str, "event": str, "at": str, "principal": str, "details": str},
        pk="audit_id",
        not_null=("id", "event", "at", "details"),
        strict=True,
    ).create_index(["id"])
    # Bulk requests of each principal, as long as they count against the limit of the profile.
    database.table("request").create(
        {"request_id": int, "principal": str, "at": str}, pk="request_id", not_null=("principal", "at"), strict=True
    ).create_index(["principal", "at"])
    database.table("meta").create({"key": str, "value": str}, pk="key", strict=True).insert_all(
        [{"key": "identity", "value": str(uuid4())}, {"key": "schema", "value": VERSION}]
    )
    for script in (_TALLY, _COPIES):
        for statement in script.split("END;\n")[:-1]:
            database.execute(f"{statement}END")


def _make_posts(database: Database) -> None:
    database.table("post").create(
        {"id": str, "owner_id": str, "title": str, "status": str, "created_at": str, "updated_at": str},
        pk="id",
        not_null=("owner_id", "title", "status", "created_at", "updated_at"),
        strict=True,
    )
    database.table("post_variant").create(
        {"id": str, "post_id": str, "channel_id": str, "content": str},
        pk="id",
        not_null=("post_id", "channel_id", "content"),
        strict=True,
    )
    database.table("channel_connection").create(
        {"id": str, "channel_id": str, "display_name": str},
        pk="id",
        not_null=("channel_id", "display_name"),
        strict=True,
    )


def _make_schedules(database: Database) -> None:
    schedule = database.table("schedule").create(
        _SCHEDULE,
        pk="id",
        not_null=[column for column in _SCHEDULE if column not in _MAY_BE_NULL],
        defaults={"attempts": 0, "revision": 1},
        strict=True,
    )
    schedule.create_index(["run_at", "id"])
    schedule.create_index(["updated_at", "id"])
    schedule.create_index(["status", "run_at", "id"])
    schedule.create_index(["post_id", "id"])
    schedule.create_index(["channel_connection_id"])
    for field, name in WAITING_INDEXES.items():
        database.execute(f"CREATE INDEX {name} ON schedule ({COLUMNS.get(field, field)}, id) WHERE {WAITING}")
    tally = database.table("tally").create({"status": str, "n": int}, pk="status", strict=True)
    tally.insert_all({"status": status, "n": 0} for status in STATUSES)


def _make_runners(database: Database) -> None:
    database.table("message").create(
        {"message_id": int, "queue": str, "body": str, "enqueued_at": str, "visible_at": str, "deliveries": int},
        pk="message_id",
        not_null=("queue", "body", "enqueued_at", "visible_at", "deliveries"),
        defaults={"deliveries": 0},
        strict=True,
    ).create_index(["queue", "visible_at"])
    # What went out. Nothing here keeps a post from going out twice: no real channel does.
    database.table("outbox").create(
        {"outbox_id": int, "schedule_id": str, "attempt": int, "channel": str, "content": str, "at": str},
        pk="outbox_id",
        not_null=("schedule_id", "attempt", "channel", "content", "at"),
        strict=True,
    ).create_index(["schedule_id"])
