"""The ledger in SQLite: reading it, and recomputing it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tui_app.database.sqlite import SqliteFile
from tui_app.domain.canonical import digest
from tui_app.domain.errors import LedgerBroken, PlanChanged
from tui_app.domain.ledger import GLOBAL, Entry, Event, check_chains, rows_digest
from tui_app.domain.plan import PlanHasher
from tui_app.domain.records import LedgerQuery, LedgerReport, LedgerRow
from tui_app.store.sqlite import entries
from tui_app.store.sqlite.plans import ITEM_COLUMNS, PLAN_COLUMNS, plan_item, plan_record

_LINES = """
SELECT seq, -1 AS position, hash, body, NULL AS record, NULL AS reason FROM ledger AS l
WHERE {entry_where}
UNION ALL
SELECT o.seq, o.position, o.hash, l.body, o.record, json_extract(run.confirmed, '$.reason') FROM outcome AS o
JOIN ledger AS l ON l.seq = o.seq JOIN run ON run.id = l.chain
WHERE {item_where}
ORDER BY 1 {way}, 2 {way} LIMIT :limit
"""


def _query(query: LedgerQuery) -> tuple[str, dict[str, Any]]:
    sign = "<" if query.newest else ">"
    shared = ["l.run = :run"] * bool(query.run) + ["l.operator = :operator"] * bool(query.operator)
    entry, item = list(shared), list(shared)
    if query.event:
        entry.append("l.event = :event")
        item.append("json_extract(o.record, '$.state') = :event")
    if query.item:
        entry.append("FALSE")
        item.append("json_extract(o.record, '$.item') = :item")
    if query.after:
        entry.append(f"(l.seq, -1) {sign} (:seq, :position)")
        item.append(f"(o.seq, o.position) {sign} (:seq, :position)")
    seq, position = query.after or (None, None)
    sql = _LINES.format(
        entry_where=" AND ".join(entry) or "TRUE",
        item_where=" AND ".join(item) or "TRUE",
        way="DESC" if query.newest else "ASC",
    )
    bound = {"run": query.run, "operator": query.operator, "event": query.event, "item": query.item}
    return sql, {**bound, "seq": seq, "position": position, "limit": query.limit}


def _row(row: sqlite3.Row) -> LedgerRow:
    facts = json.loads(row["body"])
    if not isinstance(facts, dict):
        raise TypeError("the body of an entry is an object")
    if row["record"] is not None:
        outcome = json.loads(row["record"])
        facts = {
            **{name: facts.get(name) for name in ("operator", "run", "plan_hash", "chunk")},
            **outcome,
            "event": outcome["state"],
            "reason": row["reason"],
        }
    return LedgerRow(row["seq"], row["position"], row["hash"].hex(), facts)


def _read(row: sqlite3.Row) -> LedgerRow:
    try:
        return _row(row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise LedgerBroken(f"entry {row['seq']}: what it speaks of cannot be read", seq=row["seq"]) from error


class SqliteLedger:
    """See ``tui_app.domain.stores.LedgerStore``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def append(self, event: Event, facts: Mapping[str, Any], *, run_id: str | None = None) -> None:
        await self._file.write(lambda connection: entries.append(connection, event, facts, chain=run_id or GLOBAL))

    async def lines(self, query: LedgerQuery) -> list[LedgerRow]:
        sql, values = _query(query)
        rows = await self._file.read(lambda connection: connection.execute(sql, values).fetchall())
        return [_read(row) for row in rows]

    async def check(self, anchor: tuple[int, str] | None = None) -> LedgerReport:
        return await self._file.read(lambda connection: _check(connection, anchor))


def _entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    for row in connection.execute("SELECT seq, chain, previous, hash, body FROM ledger ORDER BY seq"):
        yield Entry(row["seq"], row["chain"], row["previous"], row["hash"], row["body"].encode())


def _check(connection: sqlite3.Connection, anchor: tuple[int, str] | None) -> LedgerReport:
    counted, covered, last = 0, Counter[str](), None
    anchored = anchor is None
    try:
        for entry in check_chains(_entries(connection)):
            counted, last = counted + 1, entry
            try:
                covered.update(_check_content(connection, entry))
            except (ValueError, TypeError, KeyError, AttributeError, PlanChanged) as error:
                raise LedgerBroken(f"entry {entry.seq}: what it speaks of cannot be read", seq=entry.seq) from error
            anchored = anchored or (entry.seq, entry.hash.hex()) == anchor
        _check_strays(connection, covered)
        if not anchored and anchor is not None:
            raise LedgerBroken(f"the anchor {anchor[0]}:{anchor[1]} is not in this ledger", seq=anchor[0])
    except LedgerBroken as broken:
        return LedgerReport(counted, covered["outcome"], None, broken.details.get("seq"), broken.message)
    return LedgerReport(counted, covered["outcome"], None if last is None else f"{last.seq}:{last.hash.hex()}")


def _check_content(connection: sqlite3.Connection, entry: Entry) -> Mapping[str, int]:
    """Hold what an entry speaks of against it; the number of rows it covers, by table."""
    facts = entry.facts
    event = facts["event"]
    if event == Event.PLANNED:
        _check_plan(connection, entry, facts)
    if event == Event.CONFIRMED:
        _check_confirmed(connection, entry, facts)
    if event not in (Event.CHUNK, Event.VERIFIED):
        return {}
    table = "outcome" if event == Event.CHUNK else "verification"
    rows = connection.execute(
        f"SELECT position, hash, record FROM {table} WHERE seq = ? ORDER BY position", (entry.seq,)
    ).fetchall()
    for row in rows:
        record = json.loads(row["record"])
        whole = hashlib.sha256(row["record"].encode()).digest() == row["hash"]
        if not whole or record["position"] != row["position"]:
            item = record.get("item", f"at position {row['position']}")
            raise LedgerBroken(f"entry {entry.seq}: the row of item {item} was changed", seq=entry.seq)
    if len(rows) != facts["items"] or rows_digest(row["hash"] for row in rows) != facts["digest"]:
        raise LedgerBroken(f"entry {entry.seq}: its {table} rows are not the ones it was written for", seq=entry.seq)
    return {table: len(rows)}


def _check_plan(connection: sqlite3.Connection, entry: Entry, facts: Mapping[str, Any]) -> None:
    row = connection.execute(f"SELECT number, {PLAN_COLUMNS} FROM plan WHERE id = ?", (facts["plan"],)).fetchone()
    if row is None:
        raise LedgerBroken(f"entry {entry.seq}: its plan {facts['plan']} is gone", seq=entry.seq)
    plan = plan_record(row)
    hasher = PlanHasher(plan.head)
    for item in connection.execute(
        f"SELECT {ITEM_COLUMNS} FROM plan_item i WHERE plan = ? ORDER BY position", (row["number"],)
    ):
        hasher.add(plan_item(item))
    if hasher.finish(plan.totals) != facts["plan_hash"]:
        raise LedgerBroken(f"entry {entry.seq}: plan {plan.id} is not the one it was written for", seq=entry.seq)


def _check_confirmed(connection: sqlite3.Connection, entry: Entry, facts: Mapping[str, Any]) -> None:
    """The reason that the lines of a run's items show is the one of its confirmation."""
    row = connection.execute("SELECT confirmed FROM run WHERE id = ?", (entry.chain,)).fetchone()
    if row is None:
        raise LedgerBroken(f"entry {entry.seq}: its run {entry.chain} is gone", seq=entry.seq)
    if digest(json.loads(row["confirmed"])) != facts["confirmed"]:
        raise LedgerBroken(f"entry {entry.seq}: run {entry.chain} is not as it was confirmed", seq=entry.seq)


def _check_strays(connection: sqlite3.Connection, covered: Mapping[str, int]) -> None:
    for table in ("outcome", "verification"):
        stored = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        number = covered.get(table, 0)
        if stored != number:
            raise LedgerBroken(f"{stored} {table}s are stored, the entries cover {number}")
