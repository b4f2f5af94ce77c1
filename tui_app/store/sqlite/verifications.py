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
    ordered = sorted(found.items())
    last = _last(connection, run, ordered[0][0], ordered[-1][0])
    changes: Counter[str] = Counter(one.verified for one in found.values())
    changes.subtract(last[position] for position in found if position in last)
    hashed = entries.hashed(
        canonical({"position": position, "verified": one.verified, "note": one.note, "at": at})
        for position, one in ordered
    )
    told = {
        **facts,
        "at": at,
        "items": len(ordered),
        "found": dict(Counter(one.verified for one in found.values())),
        "digest": rows_digest(one for one, _ in hashed),
    }
    seq = entries.append(connection, Event.VERIFIED, told, chain=run_id).seq
    connection.executemany(
        "INSERT INTO verification (seq, position, hash, record) VALUES (?, ?, ?, ?)",
        ((seq, position, *stored) for (position, _), stored in zip(ordered, hashed, strict=True)),
    )
    connection.executemany(
        "UPDATE run_item SET verification = ? WHERE run = ? AND position = ?",
        ((seq, run, position) for position, _ in ordered),
    )
    add_to_tally(connection, run, "verified", {(state, ""): change for state, change in changes.items()})


def _last(connection: sqlite3.Connection, run: int, first: int, until: int) -> dict[int, str]:
    """What was found of each item the last time."""
    rows = connection.execute(
        "SELECT r.position, json_extract(v.record, '$.verified') AS verified FROM run_item r"
        " JOIN verification v ON v.seq = r.verification AND v.position = r.position"
        " WHERE r.run = ? AND r.position BETWEEN ? AND ?",
        (run, first, until),
    )
    return {row["position"]: row["verified"] for row in rows}
