"""Outcomes in SQLite: rows, the states of their items, their tally and their ledger entry, in the open transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui_app.database.statements import load
from tui_app.domain.canonical import canonical
from tui_app.domain.errors import Conflict
from tui_app.domain.ledger import Event, rows_digest
from tui_app.domain.run import ITEM_MOVES, ItemState, Outcome
from tui_app.store.sqlite import entries
from tui_app.store.sqlite.verifications import add_to_tally, run_number

_SQL = load("tui_app.store.sqlite", "work.sql")


def write_outcomes(
    connection: sqlite3.Connection,
    run_id: str,
    rows: Sequence[tuple[int, Outcome]],
    facts: Mapping[str, Any],
    at: str,
) -> None:
    """Store outcomes of one system, each with the number of its chunk, under one ledger entry.

    An item that a stop has skipped stays as it is: nothing was sent for it, and what else would have kept it from being
    sent makes no difference any more.

    Raises:
        Conflict: an item cannot become what its outcome says.
    """
    run = run_number(connection, run_id)
    before = _before(connection, run, [one.position for _, one in rows])
    ordered = sorted(
        ((chunk, one) for chunk, one in rows if not _skipped_twice(before.get(one.position), one)),
        key=lambda row: row[1].position,
    )
    if not ordered:
        return
    outcomes = [one for _, one in ordered]
    changes = _changes(before, outcomes)
    hashed = entries.hashed(canonical(_record(one, before.get(one.position), at)) for one in outcomes)
    told = {
        **facts,
        "at": at,
        "system": outcomes[0].system,
        "items": len(outcomes),
        "outcomes": dict(Counter(one.answer.state for one in outcomes)),
        "digest": rows_digest(one for one, _ in hashed),
    }
    seq = entries.append(connection, Event.CHUNK, told, chain=run_id).seq
    connection.executemany(
        _SQL["outcome"], ((seq, one.position, *stored) for one, stored in zip(outcomes, hashed, strict=True))
    )
    connection.executemany(_SQL["settle"], (_settled(run, seq, chunk, one) for chunk, one in ordered))
    add_to_tally(connection, run, "item", changes)
    end_notes(connection, run, outcomes[0].position, outcomes[-1].position)


def end_notes(connection: sqlite3.Connection, run: int, first: int, last: int) -> None:
    """Delete the notes between two positions of items that are being sent no more."""
    connection.execute(_SQL["end_notes"], {"run": run, "first": first, "last": last})


@dataclass(frozen=True, slots=True)
class _Before:
    """An item of a run as it was: its state, and the intent to send it, where there was one."""

    state: ItemState
    code: str
    key: str | None
    sent_at: str | None


def _record(outcome: Outcome, before: _Before | None, at: str) -> dict[str, Any]:
    """The row as it is hashed: the outcome, and the key and the moment of the intent that it ends."""
    intent = {"key": before.key, "sent_at": before.sent_at} if before else {"key": None, "sent_at": None}
    return {**outcome.record(), **intent, "at": at}


def _skipped_twice(before: _Before | None, outcome: Outcome) -> bool:
    return before is not None and before.state is outcome.answer.state is ItemState.SKIPPED


def _changes(before: Mapping[int, _Before], outcomes: Sequence[Outcome]) -> Counter[tuple[str, str]]:
    changes: Counter[tuple[str, str]] = Counter()
    for one in outcomes:
        was = before.get(one.position)
        state, code = (ItemState.PLANNED, "") if was is None else (was.state, was.code)
        if one.answer.state not in ITEM_MOVES[state]:
            raise Conflict(f"an item that is {state} cannot become {one.answer.state}", item=one.id)
        if state is not ItemState.PLANNED:
            changes[state, code] -= 1
        changes[one.answer.state, one.answer.code or ""] += 1
    return changes


def _settled(run: int, seq: int, chunk: int, one: Outcome) -> tuple[Any, ...]:
    answer = one.answer
    return (run, one.position, chunk, one.system, one.id, answer.state, answer.code, seq, answer.undo_until)


def _before(connection: sqlite3.Connection, run: int, positions: Sequence[int]) -> dict[int, _Before]:
    rows = connection.execute(
        "SELECT position, state, code, key, sent_at FROM run_item WHERE run = ? AND position BETWEEN ? AND ?",
        (run, min(positions), max(positions)),
    )
    return {
        position: _Before(ItemState(state), code or "", key, sent_at) for position, state, code, key, sent_at in rows
    }
