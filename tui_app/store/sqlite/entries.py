"""Ledger entries inside a transaction of the journal."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from tui_app.domain.ledger import GENESIS, GLOBAL, Entry, Event


def append(connection: sqlite3.Connection, event: Event, facts: Mapping[str, Any], *, chain: str = GLOBAL) -> Entry:
    """The next entry of a chain, written in the transaction that is open."""
    last = connection.execute(
        "SELECT hash, json_extract(body, '$.number') AS number FROM ledger WHERE chain = ? ORDER BY seq DESC LIMIT 1",
        (chain,),
    ).fetchone()
    seq = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM ledger").fetchone()[0]
    previous, number = (GENESIS, 0) if last is None else (last["hash"], last["number"] + 1)
    named = {"run": chain, **facts} if chain != GLOBAL else dict(facts)
    entry = Entry.make(seq, chain, number, previous, {**named, "event": event.value})
    connection.execute(
        "INSERT INTO ledger (seq, chain, previous, hash, body) VALUES (?, ?, ?, ?, ?)",
        (entry.seq, entry.chain, entry.previous, entry.hash, entry.body.decode("ascii")),
    )
    return entry


def hashed(records: Iterable[bytes]) -> list[tuple[bytes, str]]:
    """Rows ready to be stored: the hash of each canonical record, and the record as text."""
    return [(hashlib.sha256(record).digest(), record.decode("ascii")) for record in records]


def loads(text: str | None) -> Any:
    """A JSON column, null where it is null."""
    return None if text is None else json.loads(text)
