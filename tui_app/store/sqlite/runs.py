"""Runs in SQLite, from the confirmation to the end."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from tui_app.database.sqlite import SqliteFile
from tui_app.database.statements import load
from tui_app.domain.errors import Conflict, NotFound
from tui_app.domain.ledger import GLOBAL, Event
from tui_app.domain.legible import readable
from tui_app.domain.plan import Confirmed, Options, head_from
from tui_app.domain.records import NewRun, Pause, RunItem, RunRecord, Undo, Who
from tui_app.domain.run import OVER, ItemState, PauseCause, RunState, Verification, Verified, check_run_move
from tui_app.store.sqlite import entries, stopping
from tui_app.store.sqlite.confirming import store_run
from tui_app.store.sqlite.rows import reading
from tui_app.store.sqlite.run_items import run_items
from tui_app.store.sqlite.verifications import write_verifications

_SQL = load("tui_app.store.sqlite", "runs.sql")
_SELECT = "SELECT run.*, plan.head AS plan_head FROM run LEFT JOIN plan ON plan.number = run.plan"


def _record(connection: sqlite3.Connection, row: sqlite3.Row) -> RunRecord:
    with reading("run", row["id"]):
        return _read(connection, row)


def _read(connection: sqlite3.Connection, row: sqlite3.Row) -> RunRecord:
    states: dict[ItemState, int] = {}
    codes: dict[tuple[ItemState, str | None], int] = {}
    verified: dict[Verified, int] = {}
    for kind, state, code, number in connection.execute(
        "SELECT kind, state, code, number FROM tally WHERE run = ? AND number > 0", (row["number"],)
    ):
        if kind == "item":
            states[ItemState(state)] = states.get(ItemState(state), 0) + number
            codes[ItemState(state), code or None] = number
        else:
            verified[Verified(state)] = number
    pause, gates = entries.loads(row["pause"]), _gates(connection, row)
    return RunRecord(
        id=row["id"],
        plan=head_from(json.loads(row["plan_head"])),
        confirmed=_confirmed(json.loads(row["confirmed"])),
        secret=row["secret"],
        principal=row["principal"],
        targets=json.loads(row["targets"]),
        state=RunState(row["state"]),
        items=row["items"],
        wanted=RunState(row["wanted"]) if row["wanted"] else None,
        pause=None if pause is None else Pause(PauseCause(pause["cause"]), pause["message"], pause["until"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        states=states,
        codes=codes,
        verified=verified,
        head=row["head"],
        undo=_undo(connection, row["number"]),
        gates={gate["system"]: gate["not_before"] for gate in gates},
        paced={gate["system"]: gate["rate"] for gate in gates if gate["rate"]},
        silent=_silent(connection, row),
        stopped_by=row["stopped_by"],
        bearers=json.loads(row["bearers"]),
        clock=connection.execute(_SQL["clock"], {"run": row["id"]}).fetchone()[0],
    )


def _gates(connection: sqlite3.Connection, row: sqlite3.Row) -> list[sqlite3.Row]:
    over = RunState(row["state"]) in OVER
    return [] if over else connection.execute(_SQL["gates"], {"run": row["number"]}).fetchall()


def _silent(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, str]:
    if RunState(row["state"]) is not RunState.RUNNING:
        return {}
    rows = connection.execute("SELECT system, since FROM silence WHERE run = ?", (row["number"],))
    return {one["system"]: one["since"] for one in rows}


def _undo(connection: sqlite3.Connection, run: int) -> Undo | None:
    number, first, last = connection.execute(_SQL["undo"], {"run": run}).fetchone()
    return Undo(number, first, last) if number else None


def _confirmed(stored: dict[str, Any]) -> Confirmed:
    return Confirmed(**{**stored, "options": Options(**stored["options"])})


def find(connection: sqlite3.Connection, run_id: str) -> RunRecord:
    """One run, inside a transaction.

    Raises:
        NotFound: there is none.
        LedgerBroken: its rows hold something else than was written.
    """
    row = connection.execute(f"{_SELECT} WHERE run.id = ?", (run_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no run {run_id}", hint="`quash runs` lists them.")
    return _record(connection, row)


class SqliteRuns:
    """See ``tui_app.domain.stores.RunStore``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def confirm(self, run: NewRun, chunk_sizes: Mapping[str, int], who: Who) -> RunRecord:
        def work(connection: sqlite3.Connection) -> RunRecord:
            known = connection.execute("SELECT id, confirmed FROM run WHERE key = ?", (run.key,)).fetchone()
            if known is not None:
                if _confirmed(json.loads(known["confirmed"])).hash != run.confirmed.hash:
                    raise Conflict("this key was used for another confirmation", hint="Open the review again.")
                return find(connection, known["id"])
            store_run(connection, run, chunk_sizes, who)
            return find(connection, run.id)

        return await self._file.write(work)

    async def known(self, key: str) -> RunRecord | None:
        def work(connection: sqlite3.Connection) -> RunRecord | None:
            row = connection.execute(f"{_SELECT} WHERE run.key = ?", (key,)).fetchone()
            return None if row is None else _record(connection, row)

        return await self._file.read(work)

    async def get(self, run_id: str) -> RunRecord:
        return await self._file.read(lambda connection: find(connection, run_id))

    async def newest(self, limit: int, passed_over: list[str] | None = None) -> list[RunRecord]:
        def work(connection: sqlite3.Connection) -> list[RunRecord]:
            rows = connection.execute(f"{_SELECT} ORDER BY run.number DESC LIMIT ?", (limit,)).fetchall()
            return readable(rows, partial(_record, connection), passed_over)

        return await self._file.read(work)

    async def items(
        self,
        run_id: str,
        *,
        after: int = -1,
        limit: int = 500,
        state: ItemState | None = None,
        verified: Verified | None = None,
    ) -> list[RunItem]:
        wanted = partial(run_items, after=after, until=1 << 62, limit=limit, state=state, verified=verified)
        return await self._file.read(lambda connection: wanted(connection, run_id))

    async def ask_pause(self, run_id: str, facts: Mapping[str, Any], *, wanted: bool = True) -> RunRecord:
        def work(connection: sqlite3.Connection) -> RunRecord:
            run = _going_on(connection, run_id)
            if run.wanted is RunState.STOPPED:
                raise Conflict(f"run {run_id} is being stopped", hint="Nothing more is sent; what was is settled.")
            if run.state is RunState.PAUSED or wanted is (run.wanted is RunState.PAUSED):
                return run
            connection.execute("UPDATE run SET wanted = ? WHERE id = ?", ("paused" if wanted else None, run_id))
            entries.append(connection, Event.PAUSING if wanted else Event.RESUMED, facts, chain=run_id)
            return find(connection, run_id)

        return await self._file.write(work)

    async def ask_stop(self, run_id: str, facts: Mapping[str, Any]) -> RunRecord:
        def work(connection: sqlite3.Connection) -> RunRecord:
            _going_on(connection, run_id)
            stopping.ask_stop(connection, run_id, facts)
            return find(connection, run_id)

        return await self._file.write(work)

    async def move(
        self,
        run_id: str,
        state: RunState,
        event: Event,
        facts: Mapping[str, Any],
        *,
        pause: Pause | None = None,
    ) -> RunRecord:
        def work(connection: sqlite3.Connection) -> RunRecord:
            run = find(connection, run_id)
            check_run_move(run.state, state)
            wanted = None if state in OVER or state == run.wanted else run.wanted
            told = facts if pause is None else {**facts, **asdict(pause)}
            connection.execute(
                "UPDATE run SET state = ?, wanted = ?, pause = ?,"
                " started_at = coalesce(started_at, CASE WHEN ? = 'running' THEN ? END),"
                " ended_at = CASE WHEN ? THEN ? END WHERE id = ?",
                (
                    state,
                    wanted,
                    None if pause is None else json.dumps(asdict(pause)),
                    state,
                    facts["at"],
                    state in OVER,
                    facts["at"],
                    run_id,
                ),
            )
            last = entries.append(connection, event, told, chain=run_id)
            if state in OVER:
                _enter_head(connection, run_id, last.hash.hex(), facts)
            return find(connection, run_id)

        return await self._file.write(work)

    async def take_over(
        self,
        run_id: str,
        principal: str,
        targets: Mapping[str, str],
        bearers: Mapping[str, str],
        facts: Mapping[str, Any],
    ) -> RunRecord:
        def work(connection: sqlite3.Connection) -> RunRecord:
            was = find(connection, run_id)
            connection.execute(
                "UPDATE run SET principal = ?, targets = ?, bearers = ? WHERE id = ?",
                (principal, json.dumps(dict(targets)), json.dumps(dict(bearers)), run_id),
            )
            before = {"principal": was.principal, "targets": dict(was.targets), "bearers": dict(was.bearers)}
            told = {**facts, "before": before, "targets": dict(targets), "bearers": dict(bearers)}
            entries.append(connection, Event.TAKEN_OVER, told, chain=run_id)
            return find(connection, run_id)

        return await self._file.write(work)

    async def note_verified(
        self, run_id: str, found: Mapping[int, Verification], facts: Mapping[str, Any], at: str
    ) -> None:
        await self._file.write(lambda connection: write_verifications(connection, run_id, found, facts, at))


def _going_on(connection: sqlite3.Connection, run_id: str) -> RunRecord:
    run = find(connection, run_id)
    if run.state in OVER:
        raise Conflict(f"run {run_id} is {run.state}", hint="`quash runs RUN` shows what became of it.")
    return run


def _enter_head(connection: sqlite3.Connection, run_id: str, head: str, facts: Mapping[str, Any]) -> None:
    told = {"at": facts["at"], "operator": facts.get("operator"), "run": run_id, "head": head}
    entry = entries.append(connection, Event.HEAD, told, chain=GLOBAL)
    connection.execute("UPDATE run SET head = ? WHERE id = ?", (f"{entry.seq}:{entry.hash.hex()}", run_id))
