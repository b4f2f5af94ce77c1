"""What is read of the embedded command bus: pages by keyset, surveys by ids, and what stands around one.

Functions on an open connection; whoever calls gives them a snapshot.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from tui_app.database.statements import load
from tui_app.database.where import SQLITE, Clause, Field, Place, beyond, both, ordering, where
from tui_app.domain.describe import Kind
from tui_app.domain.errors import NotFound
from tui_app.domain.filters import Filter, Op, Term
from tui_app.domain.items import PAGE_LIMIT, Cursor, Item, Page, PageQuery, Scalar, Seen, Sort
from tui_app.domain.ports import Preview, TrailEntry
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
_IDS = ("c.id",)
_WAITING = Term("status", Op.ANY, (rules.IN_TROUBLESHOOTING,))


def ascii_json(value: Any) -> str:
    """JSON to bind. Half a character in an id cannot be bound as text; as an escape it matches nothing."""
    return json.dumps(value, separators=(",", ":"))


def matching(wanted: Filter, as_of: str | None) -> Clause:
    """The rows of a filter, without those that changed after ``as_of``.

    Raises:
        MalformedFilter: a field or a value that commands cannot be filtered by.
    """
    return both(
        where(wanted, FIELDS, rules.SEARCHED, SQLITE),
        Clause("c.updated_at <= ?", (as_of,)) if as_of is not None else Clause(""),
        Clause(f"c.{WAITING}") if _WAITING in wanted.terms else Clause(""),
    )


def status_only(wanted: Filter) -> Clause | None:
    """The filter on the tally of statuses, where it asks for nothing else."""
    if any(term.field != "status" or term.op is not Op.ANY for term in wanted.terms):
        return None
    return where(wanted, {"status": Field("status", Kind.STATUS)}, (), SQLITE)


def beyond_place(sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
    """Rows beyond a cursor. A row shows null where the column sorts as empty or zero."""
    field = FIELDS[sort.field]
    value = ("" if field.kind is not Kind.NUMBER else 0) if cursor.value is None else cursor.value
    place = Place(value, (cursor.id,))
    return beyond(field.sql, _IDS, sort, place, backward=backward, mark=("?", "?"))


def hint(query: PageQuery) -> str:
    """The index that has the rows in their order; left alone, SQLite takes that of the status, and sorts them all."""
    if _WAITING not in query.filter.terms:
        return ""
    indexes = {**WAITING_INDEXES, "id": "sqlite_autoindex_command_1"}
    return f"INDEXED BY {indexes[query.sort.field]}" if query.sort.field in indexes else ""


def page(connection: sqlite3.Connection, query: PageQuery, wanted: Clause, as_of: str) -> Page:
    """One page; a row more is read to know whether there are more."""
    limit = min(query.limit, PAGE_LIMIT)
    start = Clause("") if query.cursor is None else beyond_place(query.sort, query.cursor, backward=query.backward)
    clause = both(wanted, start)
    order = ordering(FIELDS[query.sort.field].sql, _IDS, query.sort, backward=query.backward)
    sql = SQL["page"].format(longest=LONGEST_ERROR, hint=hint(query), where=clause.sql, order=order)
    rows = connection.execute(sql, (*clause.values, limit + 1)).fetchall()
    items = [item_of(row) for row in rows[:limit]]
    ahead = len(rows) > limit
    behind = query.cursor is not None and _any_behind(connection, query, wanted, items)
    if query.backward:
        return Page(tuple(reversed(items)), more_before=ahead, more_after=behind, as_of=as_of)
    return Page(tuple(items), more_before=behind, more_after=ahead, as_of=as_of)


def _any_behind(connection: sqlite3.Connection, query: PageQuery, wanted: Clause, items: Sequence[Item]) -> bool:
    """Whether rows stand against the reading direction. Where nothing was read, every row there is does."""
    clause = wanted
    if items:
        first = Cursor(items[0].fields[query.sort.field], items[0].id)
        clause = both(wanted, beyond_place(query.sort, first, backward=not query.backward))
    return bool(connection.execute(SQL["any"].format(hint=hint(query), where=clause.sql), clause.values).fetchone()[0])


def item_of(row: sqlite3.Row) -> Item:
    """A row that holds a whole command, as an item."""
    fields: dict[str, Scalar] = {name: row[_COLUMNS.get(name, name)] for name in rules.KINDS}
    fields["error_code"] = fields["error_code"] or None
    return Item(
        system=rules.DESCRIPTION.system,
        id=row["id"],
        status=row["status"],
        version=str(row["revision"]),
        verdict=rules.verdict(row["status"], row["reply_queue"], bool(row["queue_exists"])),
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
    sql = SQL["page"].format(
        longest=LONGEST_ERROR, hint="", where="c.id = (SELECT value FROM json_each(?))", order="c.id"
    )
    row: sqlite3.Row | None = connection.execute(sql, (ascii_json([item_id]), 1)).fetchone()
    if row is None:
        raise NotFound(f"there is no command {item_id!r}", hint="Copy the id from the table.")
    return row


def survey(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Seen]:
    """What is to be seen of each id, in the order that was given."""
    seen = [rules.missing(item_id) for item_id in ids]
    for position, item_id, status, revision, queue, batch, exists, compensates in map(
        tuple, connection.execute(SQL["survey"], (ascii_json(list(ids)),))
    ):
        now = rules.verdict(status, queue, bool(exists))
        effects = rules.effects(queue, bool(batch), bool(compensates)) if now.cancellable else ()
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
        queue_exists=bool(row["queue_exists"]),
        payload=None if payload is None else json.loads(payload["body"]),
        batch=batch,
        process=None if process is None else process["type"],
    )
    return rules.preview(command_of(row), around)


def command_of(row: sqlite3.Row) -> rules.Command:
    """The facts of a row that holds a whole command."""
    return rules.Command(
        domain=row["domain"],
        command_id=row["command_id"],
        command_type=row["type"],
        status=row["status"],
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        reply_queue=row["reply_queue"],
        correlation_id=row["correlation_id"],
        batch_id=row["batch_id"],
        error_type=row["error_type"],
        error_code=row["error_code"] or None,
        error=row["error"],
    )


def entry(row: sqlite3.Row) -> TrailEntry:
    """One row of the audit."""
    details: dict[str, Any] = json.loads(row["details"])
    return TrailEntry(row["at"], row["event"], details.get("operator"), details)


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
        item_id: Found(status, str(revision), queue, bool(exists), tuple(cancels.get(item_id, ())))
        for _, item_id, status, revision, queue, _, exists, _ in rows
    }
