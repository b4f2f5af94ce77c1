"""Permits in SQLite: what was sent at a rate, and when. One transaction decides, so that all workers count the same."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from tui_app.database.statements import load
from tui_app.domain.moments import LATEST, clamped, read, stamp
from tui_app.domain.rates import UNITS, Rate
from tui_app.domain.records import Claim, Grant

_SQL = load("tui_app.store.sqlite", "permits.sql")

LONGEST_TURN = timedelta(minutes=15)
"""A worker that has not come back by then is dead, and what it took counts as sent at that moment."""

KEPT = timedelta(seconds=max(UNITS.values()))
"""A rate may be changed between two runs: permits are kept for the longest unit."""

TICK = timedelta(microseconds=1)


def take(connection: sqlite3.Connection, claim: Claim, wanted: int, rate: Rate, now: datetime) -> Grant:
    """Grant as many permits as there is room for; where there is none, say when to ask again."""
    connection.execute(_SQL["forget"], {"since": stamp(now - KEPT)})
    _clamp(connection, now)
    values = {"system": claim.system, "since": stamp(now - rate.per)}
    counted = connection.execute(_SQL["counted"], values).fetchall()
    room = rate.items - sum(row["items"] for row in counted)
    if room <= 0:
        return Grant(0, _due(counted, 1 - room, rate, now))
    granted = min(wanted, room)
    of = {"run": claim.run_id, "chunk": claim.chunk, "generation": claim.generation, "system": claim.system}
    connection.execute(_SQL["grant"], {**of, "items": granted, "until": stamp(now + LONGEST_TURN)})
    return Grant(granted)


def _clamp(connection: sqlite3.Connection, now: datetime) -> None:
    """Let permits count from now on that were written while the clock was ahead: when they were used, nobody knows."""
    connection.execute(_SQL["clamp"], {"now": stamp(now), "latest": stamp(clamped(LATEST, now, LONGEST_TURN))})


def _due(counted: list[sqlite3.Row], missing: int, rate: Rate, now: datetime) -> datetime:
    """When so many permits do not count any more; those that are in use may come back at any moment."""
    for row in counted:
        missing -= row["items"]
        if missing <= 0:
            return min(read(row["until"]), now) + rate.per + TICK
    raise AssertionError("fewer permits count than were counted")


def return_unused(connection: sqlite3.Connection, claim: Claim, unused: int) -> None:
    """So many permits of a chunk were not used: nothing was sent under them."""
    of = {"run": claim.run_id, "chunk": claim.chunk, "generation": claim.generation}
    connection.execute(_SQL["return_unused"], {**of, "unused": unused})


def come_back(connection: sqlite3.Connection, run_id: str, chunk: int, now: datetime) -> None:
    """Whatever was sent under the permits of a chunk was sent by now."""
    connection.execute(_SQL["come_back"], {"run": run_id, "chunk": chunk, "now": stamp(now)})
