"""Items of a run in SQLite, with what was recorded of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from tui_app.domain.errors import NotFound
from tui_app.domain.records import RunItem
from tui_app.domain.run import Answer, ItemState, Outcome, Verification, Verified, note_hash
from tui_app.store.sqlite import entries
from tui_app.store.sqlite.plans import ITEM_COLUMNS, ITEM_WIDTH, frozen_item
from tui_app.store.sqlite.rows import reading

_ITEMS = f"""
SELECT {ITEM_COLUMNS},
       r.state AS run_state, r.key, r.sent_at, o.record AS outcome, v.record AS verification, n.answer AS noted,
       n.at AS noted_at, n.hash AS noted_hash
FROM plan_item i
LEFT JOIN run_item r ON r.run = :run AND r.position = i.position
LEFT JOIN outcome o ON o.seq = r.outcome AND o.position = r.position
LEFT JOIN verification v ON v.seq = r.verification AND v.position = r.position
LEFT JOIN note n ON n.run = r.run AND n.position = r.position
WHERE i.plan = :plan AND i.position > :after AND i.position <= :until
"""

_ON_ITS_WAY = (ItemState.SENDING, ItemState.ACCEPTED)


def run_items(
    connection: sqlite3.Connection,
    run_id: str,
    *,
    after: int,
    until: int,
    limit: int,
    state: ItemState | None = None,
    verified: Verified | None = None,
) -> list[RunItem]:
    """Items of a run in ``(after, until]``, inside a transaction."""
    run = connection.execute("SELECT number, plan, secret FROM run WHERE id = ?", (run_id,)).fetchone()
    if run is None:
        raise NotFound(f"there is no run {run_id}", hint="`quash runs` lists them.")
    only = "" if state is None else " AND coalesce(r.state, 'planned') = :state"
    only += "" if verified is None else " AND json_extract(v.record, '$.verified') = :verified"
    with reading("run", run_id):
        rows = connection.execute(
            f"{_ITEMS}{only} ORDER BY i.position LIMIT :limit",
            {
                "run": run["number"],
                "plan": run["plan"],
                "after": after,
                "until": until,
                "state": state,
                "verified": verified,
                "limit": limit,
            },
        )
        return [_run_item(row, run["secret"]) for row in rows]


def _run_item(row: sqlite3.Row, secret: bytes) -> RunItem:
    with reading("item", row["item"]):
        return _read(row, secret)


def _read(row: sqlite3.Row, secret: bytes) -> RunItem:
    state, key, sent_at, outcome_record, verification_record = row[ITEM_WIDTH : ITEM_WIDTH + 5]
    outcome = entries.loads(outcome_record)
    checked = entries.loads(verification_record)
    return RunItem(
        item=frozen_item(row),
        state=ItemState.PLANNED if state is None else ItemState(state),
        outcome=None if outcome is None else _outcome(outcome),
        key=key,
        verification=None if checked is None else Verification(Verified(checked["verified"]), checked["note"]),
        sent_at=sent_at,
        at=None if outcome is None else outcome["at"],
        noted=_noted(row, secret) if state in _ON_ITS_WAY else None,
    )


def _noted(row: sqlite3.Row, secret: bytes) -> Answer | None:
    """The answer that is noted of an item on its way; none where the note is not as it was written."""
    if row["noted"] is None:
        return None
    hashed = note_hash(secret, row["position"], row["noted"], row["noted_at"])
    return _answer(entries.loads(row["noted"]) or {}) if row["noted_hash"] == hashed else None


def _outcome(record: Mapping[str, Any]) -> Outcome:
    return Outcome(record["position"], record["system"], record["item"], record["key"], _answer(record))


def _answer(record: Mapping[str, Any]) -> Answer:
    names = ("code", "message", "ours", "by", "before", "after", "undo_until")
    return Answer(ItemState(record["state"]), **{name: record[name] for name in names})
