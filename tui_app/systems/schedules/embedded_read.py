"""What is read of the embedded schedules: pages by keyset, surveys by ids, and what stands around one.

Functions on an open connection; whoever calls gives them a snapshot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from tui_app.database.bound import ascii_json
from tui_app.database.illegible import unreadable
from tui_app.database.pages import Pages, Waiting
from tui_app.database.statements import load
from tui_app.database.where import Clause, Field
from tui_app.domain.errors import NotFound
from tui_app.domain.filters import Op, Term
from tui_app.domain.foreign_json import details, shown
from tui_app.domain.items import Item, Page, PageQuery, Scalar, Seen
from tui_app.domain.moments import stamp, stamped
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.domain.verdict import Verdict
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.answers import Cancel, Found
from tui_app.systems.schedules.schema import AS_OF, COLUMNS, WAITING, WAITING_INDEXES
from tui_app.systems.schedules.words import DESCRIPTION, KINDS, LONGEST_CONTENT, OPEN, PUBLISHING, SEARCHED

SQL = load("tui_app.systems.schedules", "embedded.sql")

_NULLABLE = frozenset({"published", "cancelled", "reason"})
_ELSEWHERE = {
    "content": "(SELECT x.content FROM post_variant AS x WHERE x.id = s.post_variant_id)",
    "post_status": "(SELECT x.status FROM post AS x WHERE x.id = s.post_id)",
}
FIELDS: Mapping[str, Field] = {
    name: Field(_ELSEWHERE.get(name, f"s.{COLUMNS.get(name, name)}"), kind, nullable=name in _NULLABLE)
    for name, kind in KINDS.items()
}

PAGES = Pages(
    fields=FIELDS,
    searched=SEARCHED,
    id="s.id",
    sql=SQL,
    longest=LONGEST_CONTENT,
    waiting=Waiting(
        Term("status", Op.ANY, OPEN),
        f"s.{WAITING}",
        {**WAITING_INDEXES, "id": "sqlite_autoindex_schedule_1"},
    ),
    as_of=AS_OF.format(mark="?"),
    tail=(0,),
)


def page(connection: sqlite3.Connection, query: PageQuery, wanted: Clause, now: datetime) -> Page:
    """One page, as it stands at a moment."""
    return PAGES.read(connection, query, wanted, lambda row: item_of(row, now), stamp(now))


def _stuck(status: str, claimed_at: str | None, now: datetime) -> bool:
    return status == PUBLISHING and claimed_at is not None and claimed_at < rules.stuck_before(now)


def _verdict(item_id: str, status: str, channel: str, stuck: bool) -> Verdict:
    return unreadable(id=item_id, status=status, channel=channel) or rules.verdict(status, stuck)


def item_of(row: sqlite3.Row, now: datetime) -> Item:
    """A row of a page, as an item."""
    fields: dict[str, Scalar] = {name: row[COLUMNS.get(name, name)] for name in KINDS}
    return Item(
        system=DESCRIPTION.system,
        id=row["id"],
        status=row["status"],
        version=str(row["revision"]),
        verdict=_verdict(row["id"], row["status"], row["channel"], _stuck(row["status"], row["claimed_at"], now)),
        fields=fields,
    )


def row_of(connection: sqlite3.Connection, item_id: str) -> sqlite3.Row:
    """The row of one schedule.

    Raises:
        NotFound: there is none.
    """
    row = PAGES.row(connection, item_id)
    if row is None:
        raise NotFound(f"there is no schedule {item_id!r}", hint="Copy the id from the table.")
    return row


def survey(connection: sqlite3.Connection, ids: Sequence[str], now: datetime) -> list[Seen]:
    """What is to be seen of each id, in the order that was given."""
    seen = [rules.missing(item_id) for item_id in ids]
    for position, item_id, status, revision, run_at, channel, claimed_at, post_status, others in map(
        tuple, connection.execute(SQL["survey"], (ascii_json(list(ids)),))
    ):
        verdict = _verdict(item_id, status, channel, _stuck(status, claimed_at, now))
        effects = rules.effects(status, channel, post_status, bool(others)) if verdict.cancellable else ()
        due = stamped(run_at) if verdict.cancellable else None
        seen[position] = Seen(item_id, status, str(revision), verdict, effects, due)
    return seen


def arrange(connection: sqlite3.Connection, ids: Sequence[str]) -> list[str]:
    """The ids by the moment at which they go out, soonest first; those that nobody knows last."""
    return [row[0] for row in connection.execute(SQL["arrange"], (ascii_json(list(ids)),))]


def preview(connection: sqlite3.Connection, item_id: str, now: datetime) -> Preview:
    """What cancelling one schedule would do.

    Raises:
        NotFound: there is none.
    """
    row = row_of(connection, item_id)
    [around] = connection.execute(SQL["survey"], (ascii_json([item_id]),)).fetchall()
    stuck = _stuck(row["status"], row["claimed_at"], now)
    facts = rules.Schedule.of(row, others=bool(around["others"]), stuck=stuck)
    return rules.preview(facts, now, item_of(row, now).verdict)


def trail(connection: sqlite3.Connection, item_id: str) -> list[TrailEntry]:
    """The audit of one schedule, oldest first."""
    rows = connection.execute(SQL["trail"], (ascii_json([item_id]),))
    return [TrailEntry(row["at"], row["event"], row["principal"], details(shown(row["details"]))) for row in rows]


def found(connection: sqlite3.Connection, ids: Sequence[str], now: datetime) -> dict[str, Found]:
    """How these schedules stand, with their cancellations, keyed by id."""
    if not ids:
        return {}
    given = (ascii_json(list(ids)),)
    cancels: dict[str, list[Cancel]] = {}
    for item_id, key, principal in map(tuple, connection.execute(SQL["cancels"], given)):
        cancels.setdefault(item_id, []).append(Cancel(key, principal))
    return {
        row["id"]: Found(
            row["status"], _stuck(row["status"], row["claimed_at"], now), tuple(cancels.get(row["id"], ()))
        )
        for row in connection.execute(SQL["survey"], given)
    }
