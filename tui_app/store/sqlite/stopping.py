"""Stopping a run in SQLite: what is asked of it, and the items that are not sent any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from tui_app.database.statements import load
from tui_app.domain.ledger import Event
from tui_app.domain.run import Outcome, stopped
from tui_app.store.sqlite import entries
from tui_app.store.sqlite.outcomes import write_outcomes

_SQL = load("tui_app.store.sqlite", "stopping.sql")

WHY = "the run was stopped"


def ask_stop(connection: sqlite3.Connection, run_id: str, facts: Mapping[str, Any]) -> None:
    """Note who wants a run stopped, queue it where it is paused, and enter it: once, however often it is asked."""
    asked = connection.execute(_SQL["ask_stop"], {"run": run_id, "operator": facts["operator"]}).fetchall()
    if asked:
        entries.append(connection, Event.STOPPING, facts, chain=run_id)


def skip(
    connection: sqlite3.Connection, run_id: str, after: int, limit: int, facts: Mapping[str, Any], at: str
) -> int | None:
    """Skip the next planned items, an entry for those of each system; see ``WorkStore.skip``."""
    planned = connection.execute(_SQL["planned"], {"run": run_id, "after": after, "limit": limit}).fetchall()
    if not planned:
        connection.execute(_SQL["close_chunks"], {"run": run_id})
        return None
    by_system: dict[str, list[tuple[int, Outcome]]] = {}
    for row in planned:
        outcome = Outcome(row["position"], row["system"], row["item"], None, stopped(row["status"], WHY))
        by_system.setdefault(row["system"], []).append((row["chunk"], outcome))
    for rows in by_system.values():
        write_outcomes(connection, run_id, rows, facts, at)
    return int(planned[-1]["position"])
