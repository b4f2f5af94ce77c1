"""The ledger in SQLite: appending to it, reading it, and having it verified."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from tui_app.database.sqlite import SqliteFile
from tui_app.domain.errors import LedgerBroken
from tui_app.domain.ledger import GLOBAL, Event
from tui_app.domain.legible import UNREADABLE
from tui_app.domain.records import LedgerQuery, LedgerReport, LedgerRow
from tui_app.store.sqlite import entries
from tui_app.store.sqlite.rows import reading

_LINES = """
SELECT seq, -1 AS position, hash, body, NULL AS record, NULL AS reason FROM ledger AS l
WHERE {entry_where}
UNION ALL
SELECT o.seq, o.position, o.hash, l.body, o.record,
    CASE WHEN json_valid(run.confirmed) THEN json_extract(run.confirmed, '$.reason') END FROM outcome AS o
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
    except UNREADABLE as error:
        raise LedgerBroken(f"entry {row['seq']}: what it speaks of cannot be read", seq=row["seq"]) from error


class SqliteLedger:
    """See ``tui_app.domain.stores.LedgerStore``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def append(self, event: Event, facts: Mapping[str, Any], *, run_id: str | None = None) -> None:
        await self._file.write(lambda connection: entries.append(connection, event, facts, chain=run_id or GLOBAL))

    async def lines(self, query: LedgerQuery) -> list[LedgerRow]:
        sql, values = _query(query)

        def work(connection: sqlite3.Connection) -> list[LedgerRow]:
            with reading("the", "ledger"):
                return [_read(row) for row in connection.execute(sql, values)]

        return await self._file.read(work)

    async def check(self, anchors: Collection[tuple[int, str]] = ()) -> LedgerReport:
        # Here, since only verifying needs it, and every start would pay for it.
        from tui_app.store.sqlite.verifier import verify

        return await self._file.scan(lambda connection: verify(connection, anchors))
