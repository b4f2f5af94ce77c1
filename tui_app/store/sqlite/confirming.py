"""What a confirmation writes: the run, its chunks, and its entry in the ledger, in the transaction that is open."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from tui_app.domain.canonical import canonical
from tui_app.domain.errors import Conflict
from tui_app.domain.ledger import Event
from tui_app.domain.plan import head_from
from tui_app.domain.records import NewRun, Who
from tui_app.domain.run import RunState
from tui_app.store.sqlite import entries


def store_run(connection: sqlite3.Connection, run: NewRun, chunk_sizes: Mapping[str, int], who: Who) -> None:
    """Store a run, its chunks and its entry.

    Raises:
        Conflict: the plan has a run already.
    """
    plan = connection.execute(
        "SELECT number, hash, totals, head FROM plan WHERE id = ?", (run.confirmed.plan_id,)
    ).fetchone()
    other = connection.execute("SELECT id FROM run WHERE plan = ?", (plan["number"],)).fetchone()
    if other is not None:
        raise Conflict(
            f"this plan has been applied as run {other['id']}",
            hint=f"`quash runs {other['id']}` shows it; make a new plan to go on.",
            run=other["id"],
        )
    counts = json.loads(plan["totals"])["counts"]
    head = head_from(json.loads(plan["head"]))
    connection.execute(
        "INSERT INTO run (id, key, plan, confirmed, secret, principal, targets, bearers, state, items, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.id,
            run.key,
            plan["number"],
            canonical(asdict(run.confirmed)).decode(),
            run.secret,
            run.principal,
            json.dumps(dict(head.targets)),
            json.dumps(dict(run.bearers)),
            RunState.QUEUED,
            counts["items"],
            run.created_at,
        ),
    )
    number = connection.execute("SELECT number FROM run WHERE id = ?", (run.id,)).fetchone()[0]
    connection.executemany(
        "INSERT INTO chunk (run, number, system, first_position, last_position) VALUES (?, ?, ?, ?, ?)",
        ((number, *chunk) for chunk in _chunks(connection, plan["number"], chunk_sizes)),
    )
    facts = {
        **asdict(who),
        "at": run.created_at,
        "plan": run.confirmed.plan_id,
        "plan_hash": plan["hash"],
        "confirmed": run.confirmed.hash,
        "reason": run.confirmed.reason,
        "options": asdict(run.confirmed.options),
        "phrase": run.confirmed.phrase,
        "verb": head.verb.value,
        "counts": counts,
        "targets": dict(head.targets),
        "bearers": dict(run.bearers),
        "secret_hash": hashlib.sha256(run.secret).hexdigest(),
    }
    entries.append(connection, Event.CONFIRMED, facts, chain=run.id)
    if head.undoes is not None and connection.execute("SELECT 1 FROM run WHERE id = ?", (head.undoes,)).fetchone():
        undone = {**asdict(who), "at": run.created_at, "plan": run.confirmed.plan_id, "undone_by": run.id}
        entries.append(connection, Event.UNDO, {**undone, "reason": run.confirmed.reason}, chain=head.undoes)


def _chunks(connection: sqlite3.Connection, plan: int, sizes: Mapping[str, int]) -> Iterator[tuple[int, str, int, int]]:
    """Number, system, first and last position of each chunk: runs of one system, cut to its size."""
    number = 0
    for system, first, last in _stretches(connection, plan):
        for start in range(first, last + 1, sizes[system]):
            yield number, system, start, min(start + sizes[system] - 1, last)
            number += 1


def _stretches(connection: sqlite3.Connection, plan: int) -> Sequence[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for system, position in connection.execute(
        "SELECT system, position FROM plan_item WHERE plan = ? ORDER BY position", (plan,)
    ):
        if found and found[-1][0] == system:
            found[-1] = (system, found[-1][1], position)
        else:
            found.append((system, position, position))
    return found
