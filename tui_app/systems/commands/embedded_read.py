"""What is read of the embedded command bus: pages by keyset, surveys by ids, and what stands around one.

Functions on an open connection; whoever calls gives them a snapshot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from tui_app.database.bound import ascii_json
from tui_app.database.illegible import unreadable
from tui_app.database.pages import Pages, Waiting
from tui_app.database.statements import load
from tui_app.database.where import Field
from tui_app.domain.errors import NotFound
from tui_app.domain.filters import Op, Term
from tui_app.domain.foreign_json import details, shown
from tui_app.domain.items import Item, Scalar, Seen
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.domain.verdict import Verdict
from tui_app.systems.commands import rules
from tui_app.systems.commands.answers import Cancel, Found
from tui_app.systems.commands.schema import WAITING, WAITING_INDEXES
from tui_app.systems.commands.words import LONGEST_ERROR

SQL = load("tui_app.systems.commands", "embedded.sql")

_NULLABLE = frozenset({"error", "error_type", "correlation_id", "batch"})
_COLUMNS = {"updated": "updated_at", "created": "created_at", "batch": "batch_id"}
FIELDS: Mapping[str, Field] = {
    name: Field(f"c.{_COLUMNS.get(name, name)}", kind, nullable=name in _NULLABLE) for name, kind in rules.KINDS.items()
}

PAGES = Pages(
    fields=FIELDS,
    searched=rules.SEARCHED,
    id="c.id",
    sql=SQL,
    longest=LONGEST_ERROR,
    waiting=Waiting(
        Term("status", Op.ANY, (rules.IN_TROUBLESHOOTING,)),
        f"c.{WAITING}",
        {**WAITING_INDEXES, "id": "sqlite_autoindex_command_1"},
    ),
    as_of="c.updated_at <= ?",
)


def _verdict(item_id: str, status: str, queue: str, fault: str | None) -> Verdict:
    return unreadable(id=item_id, status=status, reply_queue=queue) or rules.verdict(status, queue, fault)


def item_of(row: sqlite3.Row) -> Item:
    """A row that holds a whole command, as an item."""
    fields: dict[str, Scalar] = {name: row[_COLUMNS.get(name, name)] for name in rules.KINDS}
    fields["error_code"] = fields["error_code"] or None
    return Item(
        system=rules.DESCRIPTION.system,
        id=row["id"],
        status=row["status"],
        version=str(row["revision"]),
        verdict=_verdict(row["id"], row["status"], row["reply_queue"], row["reply_fault"]),
        fields=fields,
    )


def item(connection: sqlite3.Connection, item_id: str) -> Item:
    """One command as an item.

    Raises:
        NotFound: there is none.
    """
    return item_of(row_of(connection, item_id))


def row_of(connection: sqlite3.Connection, item_id: str) -> sqlite3.Row:
    """The row of one command.

    Raises:
        NotFound: there is none.
    """
    row = PAGES.row(connection, item_id)
    if row is None:
        raise NotFound(f"there is no command {item_id!r}", hint="Copy the id from the table.")
    return row


def survey(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Seen]:
    """What is to be seen of each id, in the order that was given."""
    seen = [rules.missing(item_id) for item_id in ids]
    for position, item_id, status, revision, queue, batch, fault, compensates in map(
        tuple, connection.execute(SQL["survey"], (ascii_json(list(ids)),))
    ):
        now = _verdict(item_id, status, queue, fault)
        effects = rules.effects_under(now, queue, bool(batch), bool(compensates))
        seen[position] = Seen(item_id, status, str(revision), now, effects)
    return seen


def preview(connection: sqlite3.Connection, item_id: str) -> Preview:
    """What cancelling one command would do.

    Raises:
        NotFound: there is none.
    """
    row = row_of(connection, item_id)
    payload = connection.execute(SQL["payload"], (row["id"],)).fetchone()
    process = connection.execute(SQL["process"], (row["correlation_id"],)).fetchone()
    batch = None
    if row["batch_id"] is not None:
        by_status = connection.execute(SQL["batch"], (row["domain"], row["batch_id"])).fetchall()
        batch = rules.batch_numbers(dict(map(tuple, by_status)))
    around = rules.Surroundings(
        reply_fault=row["reply_fault"],
        payload=None if payload is None else shown(payload["body"]),
        batch=batch,
        process=None if process is None else process["type"],
    )
    shown_item = item_of(row)
    return rules.preview(rules.Command.of(shown_item.fields), around, shown_item.verdict)


def entry(row: sqlite3.Row) -> TrailEntry:
    """One row of the audit."""
    told = details(shown(row["details"]))
    return TrailEntry(row["at"], row["event"], rules.operator_in(told), told)


def found(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Found]:
    """How these commands stand, with their cancellations, keyed by id."""
    if not ids:
        return {}
    given = (ascii_json(list(ids)),)
    cancels: dict[str, list[Cancel]] = {}
    for item_id, key, operator in map(tuple, connection.execute(SQL["cancels"], given)):
        cancels.setdefault(item_id, []).append(Cancel(key, operator))
    rows = map(tuple, connection.execute(SQL["survey"], given))
    return {
        item_id: Found(status, str(revision), queue, fault, tuple(cancels.get(item_id, ())))
        for _, item_id, status, revision, queue, _, fault, _ in rows
    }
