"""What is read of the embedded case management: pages by keyset, surveys by ids, and what stands around one.

Functions on an open connection; whoever calls gives them a snapshot in which everything is settled.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

from tui_app.database.bound import ascii_json
from tui_app.database.illegible import unreadable
from tui_app.database.pages import Pages, Waiting
from tui_app.database.statements import load
from tui_app.database.where import Field
from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotFound
from tui_app.domain.foreign_json import details, shown
from tui_app.domain.items import Item, Scalar, Seen
from tui_app.domain.ports import TrailEntry
from tui_app.domain.verdict import Effect, Verdict
from tui_app.systems.cases import rules
from tui_app.systems.cases.answers import Event, Found, Request
from tui_app.systems.cases.schema import IS_OPEN, OPEN_INDEXES
from tui_app.systems.cases.words import DESCRIPTION, KINDS, LONGEST_TITLE, SEARCHED

SQL = load("tui_app.systems.cases", "embedded.sql")

PATIENCE = timedelta(seconds=60)
"""How long a cancellation of somebody else is waited for; one that takes longer is an answer."""

_COLUMNS = {
    "updated": "c.updated_at",
    "created": "c.created_at",
    "active_hold": "CASE WHEN c.active_hold THEN 'yes' ELSE 'no' END",
}
FIELDS: Mapping[str, Field] = {
    name: Field(_COLUMNS.get(name, f"c.{name}"), kind, nullable=name == "rollback_deadline")
    for name, kind in KINDS.items()
}

PAGES = Pages(
    fields=FIELDS,
    searched=SEARCHED,
    id="c.id",
    sql=SQL,
    longest=LONGEST_TITLE,
    waiting=Waiting(
        DESCRIPTION.default_filter.terms[0],
        f"c.{IS_OPEN}",
        {**OPEN_INDEXES, "id": "sqlite_autoindex_cases_1"},
    ),
    as_of="c.updated_at <= ?",
)


def standing_of(row: sqlite3.Row) -> tuple[str, bool, str, int, str]:
    """The facts of a standing, from a row that holds them."""
    return (
        row["status"],
        bool(row["active_hold"]),
        row["related_orders_status"],
        row["critical_alerts"],
        row["hold"],
    )


_SHOWN = {"created": "created_at", "updated": "updated_at"}


def item_of(row: sqlite3.Row) -> Item:
    """A row that holds a whole case, as an item."""
    fields: dict[str, Scalar] = {name: row[_SHOWN.get(name, name)] for name in KINDS}
    fields["active_hold"] = "yes" if row["active_hold"] else "no"
    return Item(
        system=DESCRIPTION.system,
        id=row["id"],
        status=row["status"],
        version=str(row["revision"]),
        verdict=_verdict(row, Verb.CANCEL, ""),
        fields=fields,
    )


def row_of(connection: sqlite3.Connection, case_id: str) -> sqlite3.Row:
    """The row of one case.

    Raises:
        NotFound: there is none.
    """
    row = PAGES.row(connection, case_id)
    if row is None:
        raise NotFound(f"there is no case {case_id!r}", hint="Copy the id from the table.")
    return row


@lru_cache(maxsize=4096)
def _around(stakeholders: str, workflows: str, records: str, reminders: str) -> rules.Around:
    return rules.Around(
        stakeholders=tuple(json.loads(stakeholders)),
        workflows=tuple(json.loads(workflows)),
        records=tuple((kind, system) for kind, system in json.loads(records)),
        reminders=tuple(json.loads(reminders)),
    )


def around(connection: sqlite3.Connection, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> dict[str, rules.Around]:
    """What cancelling these cases would touch, or reinstating them restore, keyed by id."""
    sql = SQL["around_cancelled" if verb is Verb.REINSTATE else "around"]
    return {row[0]: _around(*tuple(row)[1:]) for row in connection.execute(sql, (ascii_json(list(ids)),))}


def survey(connection: sqlite3.Connection, ids: Sequence[str], verb: Verb, now: str, window: timedelta) -> list[Seen]:
    """What is to be seen of each id, in the order that was given, judged for a verb."""
    rows = connection.execute(SQL["survey"], (ascii_json(list(ids)),)).fetchall()
    judged = {row["id"]: _verdict(row, verb, now) for row in rows}
    touched = around(connection, [item_id for item_id, verdict in judged.items() if verdict.cancellable], verb)
    seen = [rules.missing(item_id) for item_id in ids]
    for row in rows:
        item_id, verdict = row["id"], judged[row["id"]]
        effects: tuple[Effect, ...] = ()
        due, undo = None, None
        if verdict.cancellable and verb is Verb.REINSTATE:
            effects = rules.effects_of_reinstating(touched[item_id], row["previous_status"])
            due = moments.stamped(row["rollback_deadline"])
        elif verdict.cancellable:
            effects = rules.effects(touched[item_id], window)
            undo = int(window.total_seconds())
        seen[row["position"]] = Seen(item_id, row["status"], str(row["revision"]), verdict, effects, due, undo)
    return seen


def _odd(row: sqlite3.Row) -> Verdict | None:
    return unreadable(id=row["id"], status=row["status"], related_orders_status=row["related_orders_status"])


def _verdict(row: sqlite3.Row, verb: Verb, now: str) -> Verdict:
    odd = _odd(row)
    if odd is not None:
        return odd
    if verb is Verb.REINSTATE:
        return rules.reinstating(row["status"], row["rollback_deadline"], now, row["acted"] or "")
    return rules.verdict(rules.Standing(*standing_of(row)))


def case_of(connection: sqlite3.Connection, case_id: str) -> rules.Case:
    """The facts of one case, as previews need them.

    Raises:
        NotFound: there is none.
    """
    row = row_of(connection, case_id)
    return rules.Case(
        standing=rules.Standing(*standing_of(row)),
        title=row["title"],
        around=around(connection, [case_id])[case_id],
        dependencies=[
            f"{one['type']} {one['id']}: {one['status']}{', required' if one['required'] else ''}"
            for one in dependencies(connection, case_id)
        ],
        odd=_odd(row),
    )


def dependencies(connection: sqlite3.Connection, case_id: str) -> list[dict[str, Any]]:
    """The dependencies of a case, as the API lists them."""
    rows = connection.execute(SQL["dependencies"], (case_id,))
    return [{**dict(row), "required": bool(row["required"])} for row in rows]


def trail(connection: sqlite3.Connection, case_id: str) -> list[TrailEntry]:
    """The audit of a case, oldest first."""
    rows = connection.execute(SQL["trail"], (case_id,))
    return [TrailEntry(row["at"], row["event"], row["user_id"], details(shown(row["details"]))) for row in rows]


def found(connection: sqlite3.Connection, ids: Sequence[str], now: str) -> dict[str, Found]:
    """How these cases stand, with their cancellations and what the audit says of them, keyed by id."""
    if not ids:
        return {}
    given = (ascii_json(list(ids)),)
    events: dict[str, list[Event]] = {}
    for case_id, event, key, user in map(tuple, connection.execute(SQL["events"], given)):
        events.setdefault(case_id, []).append(Event(event, key, user))
    soon = moments.stamp(moments.read(now) + PATIENCE)
    requests: dict[str, list[Request]] = {}
    for case_id, key, operator, state, complete_at, *rest in map(tuple, connection.execute(SQL["requests"], given)):
        requests.setdefault(case_id, []).append(Request(key, operator, state, complete_at <= soon, *rest))
    return {
        row["id"]: Found(
            status=row["status"],
            version=str(row["revision"]),
            cancel=_verdict(row, Verb.CANCEL, now),
            back=_verdict(row, Verb.REINSTATE, now),
            requests=tuple(requests.get(row["id"], ())),
            events=tuple(events.get(row["id"], ())),
        )
        for row in connection.execute(SQL["survey"], given)
    }


def settled(connection: sqlite3.Connection, now: str) -> bool:
    """Whether no cancellation is due that nobody has completed yet, and none was accepted later than now."""
    return not connection.execute(SQL["due"], (now,)).fetchone()[0] and not ahead(connection, now, limit=1)


def ahead(connection: sqlite3.Connection, now: str, limit: int = -1) -> list[sqlite3.Row]:
    """Cancellations that were accepted while the clock was ahead, with their times."""
    return connection.execute(SQL["ahead"], {"now": now, "limit": limit}).fetchall()
