"""Chunks in execution, in SQLite: claims, intents, outcomes, verifications."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from tui_app.database.sqlite import SqliteFile
from tui_app.database.statements import load
from tui_app.domain.clocks import Look, Reading
from tui_app.domain.describe import Verb
from tui_app.domain.errors import Conflict
from tui_app.domain.moments import LATEST, clamped, known, read, stamp
from tui_app.domain.rates import Rate, longest_gate
from tui_app.domain.records import Claim, Grant
from tui_app.domain.run import Answer, Intent, ItemState, Outcome, SkipCode, Verification, intent_hash, note_hash
from tui_app.domain.verdict import VerdictCode
from tui_app.store.sqlite import permits, stopping
from tui_app.store.sqlite.outcomes import end_notes, write_outcomes
from tui_app.store.sqlite.run_items import run_items
from tui_app.store.sqlite.verifications import add_to_tally, run_number, write_verifications

_SQL = load("tui_app.store.sqlite", "work.sql")
ASIDE = timedelta(minutes=1)
"""A chunk that its system works on is asked for again after a second; none is put aside for longer than this."""

_CHUNK = "run = (SELECT number FROM run WHERE id = ?) AND number = ? AND generation = ?"


def _hold(connection: sqlite3.Connection, claim: Claim) -> sqlite3.Row:
    """Refuse a late worker: the chunk has been claimed again since. What its run tells comes with it."""
    held = connection.execute(_SQL["held"], (claim.run_id, claim.chunk, claim.generation)).fetchone()
    if held is None:
        raise _late(claim)
    return held  # type: ignore[no-any-return]


def _late(claim: Claim) -> Conflict:
    return Conflict(f"chunk {claim.chunk} of run {claim.run_id} has been claimed by another worker")


def _clamp(connection: sqlite3.Connection, run_id: str, now: datetime) -> None:
    """Bring back what was put off while the clock was ahead: gates, and chunks of a run that are set aside."""
    connection.execute(_SQL["clamp_due"], {"run": run_id, "latest": stamp(clamped(LATEST, now, ASIDE))})
    for gate in connection.execute(_SQL["shut_gates"], {"now": stamp(now)}).fetchall():
        until = clamped(read(gate["not_before"]), now, longest_gate(gate["rate"]))
        if stamp(until) != gate["not_before"]:
            connection.execute(_SQL["set_gate"], {"system": gate["system"], "until": stamp(until)})


def _note(connection: sqlite3.Connection, held: sqlite3.Row, answers: Mapping[int, Answer], at: str) -> None:
    run, secret = held["number"], held["secret"]
    told = [(position, json.dumps(asdict(answer))) for position, answer in answers.items()]
    connection.executemany(
        _SQL["note"],
        (
            {
                "run": run,
                "position": position,
                "answer": answer,
                "at": at,
                "hash": note_hash(secret, position, answer, at),
            }
            for position, answer in told
        ),
    )


class SqliteWork:
    """See ``tui_app.domain.stores.WorkStore``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def unfinished(self) -> list[str]:
        query = "SELECT id FROM run WHERE state IN ('queued', 'running') ORDER BY number"
        rows = await self._file.read(lambda connection: connection.execute(query).fetchall())
        return [row["id"] for row in rows]

    async def claim(self, run_id: str, worker: str, at: Reading) -> Claim | None:
        def work(connection: sqlite3.Connection) -> Claim | None:
            _clamp(connection, run_id, at.now)
            chunk = connection.execute(
                _SQL["next_chunk"],
                {"run": run_id, "now": stamp(at.now), "worker": worker},
            ).fetchone()
            if chunk is None:
                return None
            connection.execute(
                "UPDATE chunk SET state = 'claimed', worker = ?, due_at = NULL, generation = generation + 1"
                " WHERE run = ? AND number = ?",
                (worker, chunk["run"], chunk["number"]),
            )
            permits.come_back(connection, run_id, chunk["number"], at)
            first, last = chunk["first_position"], chunk["last_position"]
            items = run_items(connection, run_id, after=first - 1, until=last, limit=last - first + 1)
            generation, closed = chunk["generation"] + 1, bool(chunk["closed"])
            return Claim(run_id, chunk["number"], generation, chunk["system"], tuple(items), closed)

        # A claim that a power cut undoes has written no intent, and is made again.
        return await self._file.write(work, durable=False)

    async def halted(self, run_id: str) -> bool:
        query = "SELECT wanted IS NOT NULL FROM run WHERE id = ?"
        return bool(await self._file.read(lambda connection: connection.execute(query, (run_id,)).fetchone()[0]))

    async def next_due(self, run_id: str, now: datetime) -> str | None:
        values = {"run": run_id, "now": stamp(now)}
        return await self._file.read(lambda connection: connection.execute(_SQL["next_due"], values).fetchone()[0])

    async def close_gate(self, system: str, until: datetime, rate: Rate | None = None) -> None:
        values = (system, stamp(until), None if rate is None else str(rate))
        await self._file.write(lambda connection: connection.execute(_SQL["close_gate"], values))

    async def note_silence(self, run_id: str, system: str, since: str | None) -> None:
        def work(connection: sqlite3.Connection) -> None:
            run = run_number(connection, run_id)
            if since is None:
                connection.execute("DELETE FROM silence WHERE run = ? AND system = ?", (run, system))
            else:
                connection.execute("INSERT OR REPLACE INTO silence VALUES (?, ?, ?)", (run, system, since))

        # It is told to whoever looks now, and means nothing after a power cut.
        await self._file.write(work, durable=False)

    async def last_look(self, run_id: str) -> Look | None:
        row = await self._file.read(lambda connection: connection.execute(_SQL["last_look"], (run_id,)).fetchone())
        now = None if row is None else known(row["now"])
        # What cannot be read is no reason to leave a run: it only tells of a jump.
        if row is None or now is None or not isinstance(row["steady"], float):
            return None
        return Look(Reading(now, row["steady"], row["boot"]), row["jump"])

    async def keep_look(self, run_id: str, look: Look) -> None:
        told = {"now": stamp(look.reading.now), "steady": look.reading.steady, "boot": look.reading.boot}
        values = {"run": run_id, "jump": look.jump, **told}
        # After a power cut it would be of another start of the host.
        await self._file.write(lambda connection: connection.execute(_SQL["keep_look"], values), durable=False)

    async def take(self, claim: Claim, wanted: int, rate: Rate, at: Reading) -> Grant:
        def work(connection: sqlite3.Connection) -> Grant:
            _hold(connection, claim)
            return permits.take(connection, claim, wanted, rate, at)

        # The intents that follow are durable, and this with them.
        return await self._file.write(work, durable=False)

    async def give_back(self, claim: Claim, unused: int, at: Reading) -> None:
        def work(connection: sqlite3.Connection) -> None:
            if unused:
                permits.return_unused(connection, claim, unused)
            permits.come_back(connection, claim.run_id, claim.chunk, at)

        await self._file.write(work, durable=False)

    async def intend(self, claim: Claim, keys: Mapping[int, str], at: str) -> dict[int, SkipCode | VerdictCode]:
        items = {one.item.position: one.item for one in claim.items}

        def work(connection: sqlite3.Connection) -> dict[int, SkipCode | VerdictCode]:
            held = _hold(connection, claim)
            if held["stopping"]:
                return dict.fromkeys(keys, SkipCode.STOPPED)
            run, secret = held["number"], held["secret"]
            connection.executemany(
                _SQL["intend"],
                (
                    (
                        run,
                        position,
                        claim.chunk,
                        one.system,
                        one.seen.id,
                        key,
                        at,
                        intent_hash(secret, position, key, at),
                    )
                    for position, key in keys.items()
                    for one in (items[position],)
                ),
            )
            rows = connection.execute(
                "SELECT position FROM run_item WHERE run = ? AND position BETWEEN ? AND ? AND state = 'sending'",
                (run, min(keys), max(keys)),
            )
            written = {row["position"] for row in rows}
            add_to_tally(connection, run, "item", {(ItemState.SENDING, ""): len(written & keys.keys())})
            return dict.fromkeys(keys.keys() - written, VerdictCode.CLAIMED)

        return await self._file.write(work)

    async def intents(self, system: str, item_id: str) -> list[Intent]:
        values = {"system": system, "item": item_id}
        rows = await self._file.read(lambda connection: connection.execute(_SQL["intents"], values).fetchall())
        return [
            Intent(row["run"], row["key"], Verb(row["verb"]), row["sent_at"], row["settled"], bool(row["done"]))
            for row in rows
        ]

    async def record(self, claim: Claim, outcomes: Sequence[Outcome], facts: Mapping[str, Any], at: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _hold(connection, claim)
            told = {**facts, "chunk": claim.chunk, "generation": claim.generation}
            write_outcomes(connection, claim.run_id, [(claim.chunk, one) for one in outcomes], told, at)

        await self._file.write(work)

    async def skip(self, run_id: str, after: int, limit: int, facts: Mapping[str, Any], at: str) -> int | None:
        return await self._file.write(lambda connection: stopping.skip(connection, run_id, after, limit, facts, at))

    async def note(self, claim: Claim, answers: Mapping[int, Answer], at: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _note(connection, _hold(connection, claim), answers, at)

        await self._file.write(work)

    async def accept(
        self, claim: Claim, positions: Sequence[int], due_at: str, taken: Mapping[int, Answer] = MappingProxyType({})
    ) -> None:
        def work(connection: sqlite3.Connection) -> None:
            held = _hold(connection, claim)
            _note(connection, held, taken, due_at)
            run = held["number"]
            changed = connection.executemany(
                "UPDATE run_item SET state = 'accepted' WHERE run = ? AND position = ? AND state = 'sending'",
                ((run, position) for position in positions),
            ).rowcount
            moved: dict[tuple[str, str], int] = {
                (ItemState.SENDING, ""): -changed,
                (ItemState.ACCEPTED, ""): changed,
            }
            add_to_tally(connection, run, "item", moved)
            end_notes(connection, run, min(positions), max(positions))
            connection.execute(
                f"UPDATE chunk SET state = 'aside', due_at = ? WHERE {_CHUNK}",
                (due_at, claim.run_id, claim.chunk, claim.generation),
            )

        await self._file.write(work)

    async def withdraw(self, claim: Claim, positions: Sequence[int]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            run = _hold(connection, claim)["number"]
            gone = connection.executemany(
                "DELETE FROM run_item WHERE run = ? AND position = ? AND state = 'sending'",
                ((run, position) for position in positions),
            ).rowcount
            add_to_tally(connection, run, "item", {(ItemState.SENDING, ""): -gone})
            end_notes(connection, run, min(positions), max(positions))

        await self._file.write(work)

    async def verify(self, claim: Claim, found: Mapping[int, Verification], facts: Mapping[str, Any], at: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _hold(connection, claim)
            told = {**facts, "chunk": claim.chunk, "generation": claim.generation}
            write_verifications(connection, claim.run_id, found, told, at)

        # A verification that a power cut undoes is made again, since its chunk is not complete then either.
        await self._file.write(work, durable=False)

    async def complete(self, claim: Claim) -> None:
        await self._leave(claim, "state = 'done'")

    async def release(self, claim: Claim, *, failed: bool = False) -> None:
        given_back = "state = CASE WHEN state IN ('aside', 'done') THEN state ELSE 'waiting' END"
        await self._leave(claim, f"{given_back}, failures = failures + {int(failed)}")

    async def _leave(self, claim: Claim, changes: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            left = connection.execute(
                f"UPDATE chunk SET {changes}, worker = NULL WHERE {_CHUNK}",
                (claim.run_id, claim.chunk, claim.generation),
            )
            if left.rowcount == 0:
                raise _late(claim)

        await self._file.write(work, durable=False)
