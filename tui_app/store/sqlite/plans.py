"""Plans and their frozen items in SQLite."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tui_app.database.sqlite import SqliteFile
from tui_app.domain.canonical import canonical, digest
from tui_app.domain.errors import Conflict, NotFound
from tui_app.domain.filters import parse
from tui_app.domain.items import Seen, Selection
from tui_app.domain.ledger import Event
from tui_app.domain.legible import readable
from tui_app.domain.moments import stamp
from tui_app.domain.plan import PlanHead, PlanItem, PlanState, head_from, head_record
from tui_app.domain.records import PlanRecord, Progress, Waiting, Who
from tui_app.domain.verdict import Verdict
from tui_app.store.sqlite import entries
from tui_app.store.sqlite.rows import reading

_PLAIN = "id, state, head, reason, hash, read, expected, error, place, lease_until, maker, selections = '[]' AS brought"
_RUN = "(SELECT run.id FROM run WHERE run.plan = plan.number) AS run"
_WAITING = """
(SELECT json_object('system', CAST(w.system AS TEXT), 'since', CAST(w.since AS TEXT), 'until', CAST(w.until AS TEXT),
                    'noted', CAST(w.noted AS TEXT))
 FROM plan_wait w WHERE w.plan = plan.number) AS waiting
"""
PLAN_COLUMNS = f"{_PLAIN}, totals, drift, {_RUN}, {_WAITING}"
"""What a plan is read from."""

_SHORT = """
CASE WHEN json_valid(totals) THEN json_remove(totals, '$.impact') ELSE totals END AS totals,
CASE WHEN json_valid(drift) THEN json_remove(drift, '$.examples', '$.totals.impact') ELSE drift END AS drift
"""
_LISTED = f"{_PLAIN}, {_SHORT}, {_RUN}, {_WAITING}"
ITEM_COLUMNS = "i.position, i.system, i.item, i.status, i.version, i.code, i.reason, i.due"
"""What a frozen item is read from, first in its row, of a table that is called ``i``."""

ITEM_WIDTH = 8

_NUMBER = "(SELECT number FROM plan WHERE id = ?)"


def plan_item(row: sqlite3.Row) -> PlanItem:
    """A frozen item from its row.

    Raises:
        LedgerBroken: the row holds something else.
    """
    with reading("item", row["item"]):
        return frozen_item(row)


def frozen_item(row: sqlite3.Row) -> PlanItem:
    """The same for whoever reads the rest of the row as well, and tells what cannot be read."""
    # By place: a row looks for a name among all of its columns, each time.
    position, system, item, status, version, code, reason, due = row[:ITEM_WIDTH]
    return PlanItem(position, system, Seen(item, status, version, Verdict.frozen(code, reason), due=due))


def plan_record(row: sqlite3.Row) -> PlanRecord:
    """A plan from its row.

    Raises:
        LedgerBroken: the row holds something else.
    """
    with reading("plan", row["id"]):
        return _plan_record(row)


def _plan_record(row: sqlite3.Row) -> PlanRecord:
    return PlanRecord(
        head=head_from(json.loads(row["head"])),
        state=PlanState(row["state"]),
        reason=row["reason"],
        hash=row["hash"],
        totals=json.loads(row["totals"]),
        read=row["read"],
        expected=row["expected"],
        error=row["error"],
        drift=entries.loads(row["drift"]),
        place=entries.loads(row["place"]),
        lease_until=row["lease_until"],
        maker=None if row["maker"] is None else Who(**json.loads(row["maker"])),
        run=row["run"],
        waiting=None if row["waiting"] is None else Waiting(**json.loads(row["waiting"])),
        brought=bool(row["brought"]),
    )


def _selection(stored: dict[str, Any]) -> Selection:
    return Selection(
        system=stored["system"],
        ids=None if stored["ids"] is None else tuple(stored["ids"]),
        filter=None if stored["filter"] is None else parse(stored["filter"]),
        as_of=stored["as_of"],
        excluded=frozenset(stored["excluded"]),
    )


def _stored(selection: Selection) -> dict[str, Any]:
    return {
        "system": selection.system,
        "ids": selection.ids,
        "filter": None if selection.filter is None else str(selection.filter),
        "as_of": selection.as_of,
        "excluded": sorted(selection.excluded),
    }


def _insert(
    connection: sqlite3.Connection, head: PlanHead, selections: Sequence[Selection], reason: str | None, who: Who
) -> None:
    connection.execute(
        "INSERT INTO plan (id, state, head, selections, reason, maker) VALUES (?, ?, ?, ?, ?, ?)",
        (
            head.id,
            PlanState.BUILDING,
            canonical(head_record(head)).decode(),
            json.dumps([_stored(one) for one in selections]),
            reason,
            json.dumps(asdict(who)),
        ),
    )


def _insert_items(connection: sqlite3.Connection, plan_id: str, items: Sequence[PlanItem]) -> None:
    number = connection.execute("SELECT number FROM plan WHERE id = ?", (plan_id,)).fetchone()[0]
    connection.executemany(
        "INSERT INTO plan_item (plan, position, system, item, status, version, code, reason, due)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                number,
                one.position,
                one.system,
                one.seen.id,
                one.seen.status,
                one.seen.version,
                verdict.code,
                verdict.reason,
                one.seen.due,
            )
            for one in items
            for verdict in (one.seen.verdict,)
        ),
    )


class SqlitePlans:
    """See ``tui_app.domain.stores.PlanStore``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def create(self, head: PlanHead, selections: Sequence[Selection], reason: str | None, who: Who) -> PlanRecord:
        await self._file.write(lambda connection: _insert(connection, head, selections, reason, who))
        return await self.get(head.id)

    async def get(self, plan_id: str) -> PlanRecord:
        return await self._file.read(lambda connection: _find(connection, plan_id))

    async def selections(self, plan_id: str) -> tuple[Selection, ...]:
        def work(connection: sqlite3.Connection) -> tuple[Selection, ...]:
            row = connection.execute("SELECT selections FROM plan WHERE id = ?", (plan_id,)).fetchone()
            with reading("plan", plan_id):
                return tuple(_selection(one) for one in json.loads(row["selections"]))

        return await self._file.read(work)

    async def newest(self, limit: int, passed_over: list[str] | None = None) -> list[PlanRecord]:
        # What is long is cut off by the database, and what is left is read in its thread: a list of many plans must
        # not keep the others of a service waiting.
        query = f"SELECT {_LISTED} FROM plan ORDER BY number DESC LIMIT ?"

        def work(connection: sqlite3.Connection) -> list[PlanRecord]:
            return readable(connection.execute(query, (limit,)).fetchall(), plan_record, passed_over)

        return await self._file.read(work)

    async def items(
        self, plan_id: str, *, after: int = -1, limit: int = 500, code: str | None = None
    ) -> list[PlanItem]:
        only, values = (
            ("", ()) if code is None else (" AND code IS NULL", ()) if code == "OK" else (" AND code = ?", (code,))
        )
        query = (
            f"SELECT {ITEM_COLUMNS} FROM plan_item i"
            f" WHERE plan = {_NUMBER} AND position > ?{only} ORDER BY position LIMIT ?"
        )
        values = (plan_id, after, *values, limit)
        rows = await self._file.read(lambda connection: connection.execute(query, values).fetchall())
        return [plan_item(row) for row in rows]

    # A lease that ends later than one that begins now was taken while the clock was ahead, and is none.
    async def lease(self, plan_id: str, holder: str, now: datetime, until: datetime) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            taken = connection.execute(
                "UPDATE plan SET holder = ?, lease_until = ? WHERE id = ? AND state = ?"
                " AND (holder IS NULL OR holder = ? OR lease_until <= ? OR lease_until > ?)",
                (holder, stamp(until), plan_id, PlanState.BUILDING, holder, stamp(now), stamp(until)),
            )
            return taken.rowcount == 1

        return await self._file.write(work)

    async def append(self, plan_id: str, holder: str, progress: Progress) -> None:
        def work(connection: sqlite3.Connection) -> None:
            totals, place = json.dumps(dict(progress.totals)), json.dumps(dict(progress.place))
            _hold(
                connection.execute(
                    "UPDATE plan SET totals = ?, place = ?, read = read + ?, expected = ?"
                    " WHERE id = ? AND state = ? AND holder = ?",
                    (totals, place, len(progress.items), progress.expected, plan_id, PlanState.BUILDING, holder),
                )
            )
            _insert_items(connection, plan_id, progress.items)

        await self._file.write(work)

    async def finish(
        self, head: PlanHead, holder: str, totals: Mapping[str, Any], plan_hash: str, facts: Mapping[str, Any]
    ) -> PlanRecord:
        plan_id = head.id

        def work(connection: sqlite3.Connection) -> None:
            _hold(
                connection.execute(
                    "UPDATE plan SET state = ?, head = ?, totals = ?, hash = ?, expected = read,"
                    " place = NULL, holder = NULL, lease_until = NULL"
                    " WHERE id = ? AND state = ? AND holder = ?",
                    (
                        PlanState.READY,
                        canonical(head_record(head)).decode(),
                        json.dumps(dict(totals)),
                        plan_hash,
                        plan_id,
                        PlanState.BUILDING,
                        holder,
                    ),
                )
            )
            _enter_planned(connection, plan_id, facts)

        await self._file.write(work)
        return await self.get(plan_id)

    async def fail(self, plan_id: str, holder: str, error: str) -> None:
        await self._file.write(
            lambda connection: _hold(
                connection.execute(
                    "UPDATE plan SET state = ?, error = ?, holder = NULL WHERE id = ? AND state = ? AND holder = ?",
                    (PlanState.FAILED, error, plan_id, PlanState.BUILDING, holder),
                )
            )
        )

    async def note_waiting(self, plan_id: str, waiting: Waiting | None) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if waiting is None:
                connection.execute(f"DELETE FROM plan_wait WHERE plan = {_NUMBER}", (plan_id,))
                return
            connection.execute(
                f"INSERT OR REPLACE INTO plan_wait VALUES ({_NUMBER}, ?, ?, ?, ?)",
                (plan_id, waiting.system, waiting.since, waiting.until, waiting.noted),
            )

        # It is told to whoever looks now, and means nothing after a power cut.
        await self._file.write(work, durable=False)

    async def note_drift(self, plan_id: str, report: Mapping[str, Any] | None) -> None:
        text = None if report is None else json.dumps({**report, "digest": drift_digest(plan_id, report)})
        await self._file.write(
            lambda connection: connection.execute("UPDATE plan SET drift = ? WHERE id = ?", (text, plan_id))
        )

    async def load(
        self,
        head: PlanHead,
        items: Sequence[PlanItem],
        totals: Mapping[str, Any],
        plan_hash: str,
        reason: str | None,
        who: Who,
    ) -> PlanRecord:
        def work(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM plan WHERE id = ?", (head.id,)).fetchone():
                connection.execute(
                    "UPDATE plan SET state = ?, error = NULL, drift = NULL, maker = ?"
                    " WHERE id = ? AND hash = ? AND state = ? AND selections = '[]'",
                    (PlanState.BUILDING, json.dumps(asdict(who)), head.id, plan_hash, PlanState.FAILED),
                )
                return
            _insert(connection, head, (), reason, who)
            _insert_items(connection, head.id, items)
            connection.execute(
                "UPDATE plan SET totals = ?, hash = ?, read = ?, expected = ? WHERE id = ?",
                (json.dumps(dict(totals)), plan_hash, len(items), len(items), head.id),
            )

        await self._file.write(work)
        return await self.get(head.id)


def drift_digest(plan_id: str, report: Mapping[str, Any]) -> str:
    """SHA-256 over what reading a plan again has found, in hexadecimal; ``report`` may hold it already.

    A report has no entry in the ledger: this says only that it stands as it was noted.
    """
    return digest({"plan": plan_id, "report": {name: value for name, value in report.items() if name != "digest"}})


def selections_digest(stored: str) -> str:
    """SHA-256 over the selections of a plan as they are stored, in hexadecimal."""
    return hashlib.sha256(stored.encode()).hexdigest()


def _hold(cursor: sqlite3.Cursor) -> None:
    if cursor.rowcount != 1:
        raise Conflict("another process is making this plan", hint="Look at it again in a moment.")


def _find(connection: sqlite3.Connection, plan_id: str) -> PlanRecord:
    row = connection.execute(f"SELECT {PLAN_COLUMNS} FROM plan WHERE id = ?", (plan_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no plan {plan_id}", hint="`quash plan` makes one.")
    return plan_record(row)


def _enter_planned(connection: sqlite3.Connection, plan_id: str, facts: Mapping[str, Any]) -> None:
    row = connection.execute(f"SELECT number, selections, {PLAN_COLUMNS} FROM plan WHERE id = ?", (plan_id,)).fetchone()
    plan = plan_record(row)
    told = {
        **({} if plan.maker is None else asdict(plan.maker)),
        "at": plan.head.created_at,
        "plan": plan_id,
        "plan_hash": plan.hash,
        "verb": plan.head.verb.value,
        "selection": plan.head.selection,
        "targets": dict(plan.head.targets),
        "counts": plan.totals["counts"],
        "reason": plan.reason,
        "plan_number": row["number"],
        "selections": selections_digest(row["selections"]),
        **facts,
    }
    entries.append(connection, Event.PLANNED, told)
