"""The file of the embedded schedules: posts, schedules, their queue, what went out, and an audit."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tui_app.database.schema import prepare_once
from tui_app.database.tally import StatusTally
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
_COPIES = (
    """
CREATE TRIGGER post_changed_hands AFTER UPDATE OF owner_id ON post BEGIN
    UPDATE schedule SET owner = new.owner_id WHERE post_id = new.id;
END""",
    """
CREATE TRIGGER connection_renamed AFTER UPDATE OF display_name ON channel_connection BEGIN
    UPDATE schedule SET channel = new.display_name WHERE channel_connection_id = new.id;
END""",
)

TALLY = StatusTally("schedule", "schedule")


def prepare(connection: sqlite3.Connection) -> None:
    """Make the schema where there is none.

    Raises:
        sqlite3.Error: the file is locked, full or no database.
    """
    prepare_once(connection, VERSION, _make)


def _make(database: Database) -> None:
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
    for trigger in _COPIES:
        database.execute(trigger)


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
    TALLY.make(database, STATUSES)


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
