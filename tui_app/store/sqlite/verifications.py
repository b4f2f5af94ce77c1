"""Verifications in SQLite: rows, their tally and their ledger entry, in the transaction that is open."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tui_app.domain.canonical import canonical
from tui_app.domain.ledger import Event, rows_digest
from tui_app.domain.run import Verification
from tui_app.store.sqlite import entries


def run_number(connection: sqlite3.Connection, run_id: str) -> int:
    """The row number of a run."""
    return int(connection.execute("SELECT number FROM run WHERE id = ?", (run_id,)).fetchone()[0])


def add_to_tally(connection: sqlite3.Connection, run: int, kind: str, changes: Mapping[tuple[str, str], int]) -> None:
    """Add to the numbers of a run, by state and code."""
    connection.executemany(
        "INSERT INTO tally (run, kind, state, code, number) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (run, kind, state, code) DO UPDATE SET number = number + excluded.number",
        ((run, kind, state, code, change) for (state, code), change in changes.items() if change),
    )


def write_verifications(
    connection: sqlite3.Connection,
    run_id: str,
    found: Mapping[int, Verification],
    facts: Mapping[str, Any],
    at: str,
) -> None:
    """Store what was found, as further rows: an earlier verification of an item stays as it is."""
    if not found:
        return
    run = run_number(connection, run_id)
    last = _last(connection, run, found)
    changes: Counter[tuple[str, str]] = Counter()
    records = []
    for position, one in sorted(found.items()):
        revision, before = last.get(position, (-1, None))
        if before is not None:
            changes[before, ""] -= 1
        changes[one.verified.value, ""] += 1
        record = {"position": position, "verified": one.verified.value, "note": one.note, "at": at}
        records.append((position, revision + 1, canonical(record)))
    hashed = entries.hashed(record for _, _, record in records)
    told = {
        **facts,
        "at": at,
        "items": len(records),
        "found": dict(Counter(one.verified.value for one in found.values())),
        "digest": rows_digest(one for one, _ in hashed),
    }
    entry = entries.append(connection, Event.VERIFIED, told, chain=run_id)
    connection.executemany(
        "INSERT INTO verification (run, position, revision, seq, hash, record) VALUES (?, ?, ?, ?, ?, ?)",
        (
            (run, position, revision, entry.seq, *stored)
            for (position, revision, _), stored in zip(records, hashed, strict=True)
        ),
    )
    connection.executemany(
        "UPDATE run_item SET checked = ? WHERE run = ? AND position = ?",
        ((revision, run, position) for position, revision, _ in records),
    )
    add_to_tally(connection, run, "verified", changes)


def _last(connection: sqlite3.Connection, run: int, found: Mapping[int, Verification]) -> dict[int, tuple[int, str]]:
    rows = connection.execute(
        "SELECT position, revision, json_extract(record, '$.verified') AS verified FROM verification"
        " WHERE run = ? AND position BETWEEN ? AND ? ORDER BY position, revision",
        (run, min(found), max(found)),
    )
    return {row["position"]: (row["revision"], row["verified"]) for row in rows}
