"""Permits in SQLite: what was sent at a rate, and when. One transaction decides, so that all workers count the same."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from tui_app.database.statements import load
from tui_app.domain.clocks import Reading
from tui_app.domain.moments import LATEST, clamped, read, stamp
from tui_app.domain.rates import UNITS, Rate
from tui_app.domain.records import Claim, Grant

_SQL = load("tui_app.store.sqlite", "permits.sql")

LONGEST_TURN = timedelta(minutes=15)
"""A worker that has not come back by then is dead, and what it took counts as sent at that moment."""

KEPT = timedelta(seconds=max(UNITS.values()))
"""A rate may be changed between two runs: permits are kept for the longest unit."""

TICK = timedelta(microseconds=1)


def take(connection: sqlite3.Connection, claim: Claim, wanted: int, rate: Rate, at: Reading) -> Grant:
    """Grant as many permits as there is room for; where there is none, say when to ask again.

    What was sent since the host was started counts by the clock that nobody sets: no jump makes it old or young.
    """
    connection.execute(_SQL["forget"], _since(at, KEPT))
    connection.execute(_SQL["clamp"], {"now": stamp(at.now), "latest": stamp(clamped(LATEST, at.now, LONGEST_TURN))})
    counted = connection.execute(_SQL["counted"], {"system": claim.system, **_since(at, rate.per)}).fetchall()
    room = rate.items - sum(row["items"] for row in counted)
    if room <= 0:
        return Grant(0, _due(counted, 1 - room, rate, at))
    granted = min(wanted, room)
    of = {"run": claim.run_id, "chunk": claim.chunk, "generation": claim.generation, "system": claim.system}
    until = {"until": stamp(at.now + LONGEST_TURN), "steady": at.steady + LONGEST_TURN.total_seconds(), "boot": at.boot}
    connection.execute(_SQL["grant"], {**of, **until, "items": granted})
    return Grant(granted)


def _since(at: Reading, stretch: timedelta) -> dict[str, object]:
    since = {"since": stamp(at.now - stretch), "steady_since": at.steady - stretch.total_seconds()}
    return {**since, "boot": at.boot}


def _due(counted: list[sqlite3.Row], missing: int, rate: Rate, at: Reading) -> datetime:
    """When so many permits do not count any more; those that are in use may come back at any moment."""
    for age, items in sorted(((_age(row, at), row["items"]) for row in counted), reverse=True):
        missing -= items
        if missing <= 0:
            return at.now - age + rate.per + TICK
    raise AssertionError("fewer permits count than were counted")


def _age(row: sqlite3.Row, at: Reading) -> timedelta:
    """How long ago a permit was used; one in use is used now."""
    if row["steady"] is None:
        return max(timedelta(0), at.now - read(row["until"]))
    return timedelta(seconds=max(0.0, at.steady - row["steady"]))


def return_unused(connection: sqlite3.Connection, claim: Claim, unused: int) -> None:
    """So many permits of a chunk were not used: nothing was sent under them."""
    of = {"run": claim.run_id, "chunk": claim.chunk, "generation": claim.generation}
    connection.execute(_SQL["return_unused"], {**of, "unused": unused})


def come_back(connection: sqlite3.Connection, run_id: str, chunk: int, at: Reading) -> None:
    """Whatever was sent under the permits of a chunk was sent by now."""
    told = {"now": stamp(at.now), "steady": at.steady, "boot": at.boot}
    connection.execute(_SQL["come_back"], {"run": run_id, "chunk": chunk, **told})
