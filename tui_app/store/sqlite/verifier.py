"""Verifying a journal in SQLite: the ledger's chains, and everything that readers are told, recomputed from them.

The ledger is the evidence; plans, runs, items and counts are projections of it that are quick to read. A projection
that says something else than its entries is as broken as a hash that does not match. Rows are read entry by entry, so
memory grows with the number of plans and runs, and not with that of their items.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from tui_app.database.statements import load
from tui_app.domain.canonical import digest
from tui_app.domain.errors import LedgerBroken, QuashError
from tui_app.domain.ledger import Entry, Event, check_chains, rows_digest
from tui_app.domain.legible import UNREADABLE
from tui_app.domain.plan import PlanHasher, PlanState, head_from
from tui_app.domain.records import LedgerReport, Who
from tui_app.domain.replay import RunReplay
from tui_app.domain.run import ItemState, RunState, intent_hash, item_key, note_hash
from tui_app.store.sqlite.plans import ITEM_COLUMNS, drift_digest, plan_item, selections_digest
from tui_app.store.sqlite.schema import schema_problems

_SQL = load("tui_app.store.sqlite", "verifier.sql")

MOST_PROBLEMS = 20
"""Problems that a report names; more only say that there are more."""

ON_THE_WAY = {ItemState.SENDING.value, ItemState.ACCEPTED.value}

_CHAIN, _SCHEMA, _ROWS = 0, 1, 2
"""What is told first: that the chain is broken, then that the tables are others, then which rows differ."""

Problem = tuple[int, int | None, str]
"""Its rank, the number of the entry that it concerns, where it concerns one, and a sentence."""


@dataclass(slots=True)
class _Run:
    """A run in the course of being replayed, with the counts of what its entries cover."""

    number: int
    plan: int
    secret: bytes
    seq: int
    replay: RunReplay
    outcomes: int = 0
    verifications: int = 0
    verified: Counter[str] = field(default_factory=Counter)


class Verifier:
    """One verification of one journal, inside a read transaction.

    ``projections`` are the names of what is recomputed beside the chains; all of them, but for tests that show that
    each is needed.
    """

    PROJECTIONS = (
        "schema", "integrity", "plans", "confirmations", "runs", "outcomes", "verifications", "intents", "tallies",
        "chunks", "strays",
    )  # fmt: skip

    def __init__(self, connection: sqlite3.Connection, projections: Collection[str] = PROJECTIONS) -> None:
        self._connection = connection
        self._projections = frozenset(projections)
        self._problems: list[Problem] = []
        self._more = 0
        self._runs: dict[str, _Run] = {}
        self._plans: set[str] = set()
        self._entries = 0
        self._items = 0
        self._stored: Counter[str] = Counter()

    def report(self, anchors: Iterable[tuple[int, str]] = ()) -> LedgerReport:
        """Verify everything, and hold the heads that were kept elsewhere against it."""
        wanted = dict.fromkeys(anchors)
        number, last = len(wanted), None
        self._guarded(None, "the schema", self._check_schema)
        try:
            for entry in check_chains(self._read_entries()):
                self._entries, last = self._entries + 1, entry
                wanted.pop((entry.seq, entry.hash.hex()), None)
                self._guarded(entry.seq, "what it speaks of", partial(self._check_entry, entry))
        except LedgerBroken as broken:
            self._note(broken.details.get("seq"), broken.message, _CHAIN)
        except sqlite3.Error as error:
            self._note(None, f"the ledger cannot be read: {error}", _CHAIN)
        else:
            # After a broken chain nothing tells what the projections have to be.
            self._guarded(None, "the journal", self._check_projections)
        for seq, anchor in wanted:
            self._note(seq, f"the anchor {seq}:{anchor} is not in this ledger", _CHAIN)
        return self._made(last, number)

    def _made(self, last: Entry | None, anchors: int) -> LedgerReport:
        problems = sorted(self._problems, key=lambda one: one[0])
        told = [sentence for _, _, sentence in problems]
        if self._more:
            told.append(f"{self._more:,} more problems")
        return LedgerReport(
            entries=self._entries,
            items=self._items,
            head=None if told or last is None else f"{last.seq}:{last.hash.hex()}",
            seq=problems[0][1] if problems else None,
            problems=tuple(told),
            anchors=anchors,
            uncovered=tuple(self._drafts()),
        )

    # Problems

    def _note(self, seq: int | None, sentence: str, rank: int = _ROWS) -> None:
        if rank == _ROWS and len(self._problems) >= MOST_PROBLEMS:
            self._more += 1
        else:
            self._problems.append((rank, seq, sentence))

    def _guarded(self, seq: int | None, what: str, check: Callable[[], None]) -> None:
        """Check something that may hold anything; what cannot be read is a problem like any other."""
        where = "" if seq is None else f"entry {seq}: "
        try:
            check()
        except LedgerBroken as broken:
            self._note(seq, broken.message)
        except (*UNREADABLE, sqlite3.Error, QuashError) as error:
            self._note(seq, f"{where}{what} cannot be read ({type(error).__name__})")

    def _is(self, projection: str) -> bool:
        return projection in self._projections

    def _differs(self, seq: int | None, whose: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Note each column that says something else than its entries."""
        for name, value in wanted.items():
            if found[name] != value or type(found[name]) is not type(value):
                self._note(seq, f"{whose}: {name} says {_shown(found[name])}, the ledger says {_shown(value)}")

    # The file

    def _check_schema(self) -> None:
        if self._is("schema"):
            for sentence in schema_problems(self._connection):
                self._note(None, sentence, _SCHEMA)
        if self._is("integrity"):
            for (said,) in self._connection.execute("PRAGMA integrity_check(5)"):
                if said != "ok":
                    self._note(None, f"the file is damaged: {said}", _SCHEMA)

    def _read_entries(self) -> Iterator[Entry]:
        for row in self._connection.execute("SELECT seq, chain, previous, hash, body FROM ledger ORDER BY seq"):
            if [type(value) for value in row] != [int, str, bytes, bytes, str]:
                raise LedgerBroken(f"entry {row['seq']}: it cannot be read", seq=row["seq"])
            yield Entry(row["seq"], row["chain"], row["previous"], row["hash"], row["body"].encode())

    # Entry by entry

    def _check_entry(self, entry: Entry) -> None:
        facts, event = entry.facts, entry.facts["event"]
        if event == Event.PLANNED:
            self._plans.add(facts["plan"])
            if self._is("plans"):
                self._check_plan(entry, facts)
        elif event == Event.CONFIRMED:
            self._begin_run(entry, facts)
        elif event == Event.CHUNK:
            self._check_outcomes(entry, facts)
        elif event == Event.VERIFIED:
            self._check_verifications(entry, facts)
        elif event == Event.HEAD:
            self._runs[facts["run"]].replay.head = f"{entry.seq}:{entry.hash.hex()}"
        elif entry.chain in self._runs:
            self._runs[entry.chain].replay.apply(event, facts)

    def _check_plan(self, entry: Entry, facts: Mapping[str, Any]) -> None:
        row = self._connection.execute("SELECT * FROM plan WHERE id = ?", (facts["plan"],)).fetchone()
        if row is None:
            raise LedgerBroken(f"entry {entry.seq}: its plan {facts['plan']} is gone")
        totals, head = json.loads(row["totals"]), head_from(json.loads(row["head"]))
        hasher = PlanHasher(head)
        query = f"SELECT {ITEM_COLUMNS} FROM plan_item i WHERE plan = ? ORDER BY position"
        for item in self._connection.execute(query, (row["number"],)):
            hasher.add(plan_item(item))
        if hasher.finish(totals) != facts["plan_hash"]:
            raise LedgerBroken(f"entry {entry.seq}: plan {row['id']} is not the one it was written for")
        items, whose = totals["counts"]["items"], f"entry {entry.seq}: plan {row['id']}"
        wanted = {
            "number": facts["plan_number"],
            "id": head.id,
            "state": PlanState.READY.value,
            "reason": facts["reason"],
            "hash": facts["plan_hash"],
            "read": items,
            "expected": items,
            **dict.fromkeys(("error", "place", "holder", "lease_until")),
        }
        self._differs(entry.seq, whose, wanted, dict(row))
        if selections_digest(row["selections"]) != facts["selections"]:
            self._note(entry.seq, f"{whose}: its selections are not the ones it was made from")
        if json.loads(row["maker"]) != {one.name: facts[one.name] for one in fields(Who)}:
            self._note(entry.seq, f"{whose}: its maker is not the one of its entry")
        drift = None if row["drift"] is None else json.loads(row["drift"])
        # A plan that came as a file selects nothing itself, and was read again before it was ready.
        if drift["digest"] != drift_digest(row["id"], drift) if drift is not None else row["selections"] == "[]":
            self._note(entry.seq, f"{whose}: what reading it again has found was changed")

    def _begin_run(self, entry: Entry, facts: Mapping[str, Any]) -> None:
        row = self._connection.execute("SELECT number, plan, secret FROM run WHERE id = ?", (entry.chain,)).fetchone()
        if row is None:
            raise LedgerBroken(f"entry {entry.seq}: its run {entry.chain} is gone")
        self._runs[entry.chain] = _Run(row["number"], row["plan"], row["secret"], entry.seq, RunReplay.begin(facts))

    def _check_outcomes(self, entry: Entry, facts: Mapping[str, Any]) -> None:
        run = self._runs[entry.chain]
        rows = self._rows("outcome", entry, facts, run)
        self._items += len(rows)
        if not self._is("outcomes"):
            return
        for row, record in rows:
            whose = f"entry {entry.seq}: item {record['item']}"
            if row["run_item"] is None or row["outcome"] is None or row["outcome"] < entry.seq:
                self._note(entry.seq, f"{whose}: the run does not point to its outcome")
            elif row["outcome"] == entry.seq:
                run.outcomes += 1
                wanted = {
                    name: record[name] for name in ("system", "item", "state", "code", "key", "sent_at", "undo_until")
                }
                self._differs(entry.seq, whose, wanted, dict(row))
            if (row["plan_system"], row["plan_item"]) != (record["system"], record["item"]):
                self._note(entry.seq, f"{whose}: it is not the item at this place of the plan")

    def _check_verifications(self, entry: Entry, facts: Mapping[str, Any]) -> None:
        run = self._runs[entry.chain]
        for row, record in self._rows("verification", entry, facts, run):
            if row["verification"] == entry.seq:
                run.verifications += 1
                run.verified[record["verified"]] += 1
            elif self._is("verifications") and (row["verification"] is None or row["verification"] < entry.seq):
                self._note(
                    entry.seq,
                    f"entry {entry.seq}: the item at position {record['position']} of run {entry.chain}"
                    " does not point to its last verification",
                )

    def _rows(
        self, table: str, entry: Entry, facts: Mapping[str, Any], run: _Run
    ) -> list[tuple[sqlite3.Row, dict[str, Any]]]:
        """The rows of an entry with their records, each under its hash, all under the entry's digest."""
        values = {"seq": entry.seq, "run": run.number, "plan": run.plan}
        rows = self._connection.execute(_SQL[table], values).fetchall()
        self._stored[table] += len(rows)
        read = []
        for row in rows:
            record = json.loads(row["record"])
            whole = hashlib.sha256(row["record"].encode()).digest() == row["hash"]
            if not whole or record["position"] != row["position"]:
                item = record.get("item", f"at position {row['position']}")
                raise LedgerBroken(f"entry {entry.seq}: the row of item {item} was changed")
            read.append((row, record))
        if len(rows) != facts["items"] or rows_digest(row["hash"] for row in rows) != facts["digest"]:
            raise LedgerBroken(f"entry {entry.seq}: its {table} rows are not the ones it was written for")
        return read

    # When all entries are read

    def _check_projections(self) -> None:
        numbers = 0
        for run_id, run in self._runs.items():
            if run.number <= numbers:
                self._note(run.seq, f"run {run_id} does not stand in the order of the confirmations")
            numbers = run.number
            self._guarded(run.seq, f"run {run_id}", partial(self._check_run, run_id, run))
        if self._is("strays"):
            self._check_strays()

    def _check_run(self, run_id: str, run: _Run) -> None:
        replay, whose = run.replay, f"run {run_id}"
        row = self._connection.execute(_SQL["run"], {"run": run.number}).fetchone()
        if self._is("confirmations"):
            if digest(json.loads(row["confirmed"])) != replay.confirmed:
                self._note(run.seq, f"{whose} is not as it was confirmed")
            if hashlib.sha256(row["secret"]).hexdigest() != replay.secret_hash:
                self._note(run.seq, f"{whose}: its secret is not the one it was confirmed with")
        if self._is("runs"):
            wanted = {name: getattr(replay, name) for name in _RUN_TEXTS}
            self._differs(run.seq, whose, {**wanted, "plan_id": replay.plan, "plan_hash": replay.plan_hash}, dict(row))
            parsed = {name: None if row[name] is None else json.loads(row[name]) for name in _RUN_JSON}
            self._differs(run.seq, whose, {name: getattr(replay, name) for name in _RUN_JSON}, parsed)
        if self._is("intents"):
            self._check_intents(run_id, run)
        if self._is("outcomes") or self._is("verifications"):
            self._check_covered(run_id, run)
        if self._is("tallies"):
            self._check_tallies(run_id, run)
        if self._is("chunks"):
            self._check_chunks(run_id, run)

    def _check_intents(self, run_id: str, run: _Run) -> None:
        """Items on their way have no entry yet: they stand under a keyed hash, and only in a run that is not over."""
        for row in self._connection.execute(_SQL["intents"], {"run": run.number, "plan": run.plan}):
            whose = f"run {run_id}: item {_shown(row['item'])}"
            if row["state"] not in ON_THE_WAY or run.replay.state in (RunState.FINISHED, RunState.STOPPED):
                self._note(None, f"{whose} is {_shown(row['state'])}, and no entry says so")
                continue
            key = item_key(run.secret, run_id, row["system"], row["item"])
            told = (row["plan_system"], row["plan_item"], row["key"], row["intent"], row["code"], row["undo_until"])
            hashed = intent_hash(run.secret, row["position"], row["key"], row["sent_at"])
            if told != (row["system"], row["item"], key, hashed, None, None):
                self._note(None, f"{whose} is on its way, and not as it was written")
        for row in self._connection.execute(_SQL["notes"], {"run": run.number}):
            hashed = note_hash(run.secret, row["position"], row["answer"], row["at"])
            if row["state"] not in ON_THE_WAY or row["hash"] != hashed:
                self._note(
                    None, f"run {run_id}: the note at position {_shown(row['position'])} is not as it was written"
                )

    def _check_covered(self, run_id: str, run: _Run) -> None:
        outcomes, verifications = self._connection.execute(_SQL["pointers"], {"run": run.number}).fetchone()
        for what, stored, covered in (
            ("outcomes", outcomes, run.outcomes), ("verifications", verifications, run.verifications)
        ):  # fmt: skip
            if self._is(what) and stored != covered:
                self._note(run.seq, f"run {run_id}: {stored:,} items point to {what}, the entries cover {covered:,}")

    def _check_tallies(self, run_id: str, run: _Run) -> None:
        values = {"run": run.number}
        wanted = {("item", *row[:2]): row[2] for row in map(tuple, self._connection.execute(_SQL["states"], values))}
        wanted |= {("verified", state, ""): number for state, number in run.verified.items()}
        found = {tuple(row)[:3]: row["number"] for row in self._connection.execute(_SQL["tally"], values)}
        for kind, state, code in sorted({*wanted, *found}, key=repr):
            what = f"{kind} {state} {code}".strip()
            self._differs(
                run.seq, f"run {run_id}: the count of {what}",
                {"number": wanted.get((kind, state, code), 0)}, {"number": found.get((kind, state, code), 0)},
            )  # fmt: skip

    def _check_chunks(self, run_id: str, run: _Run) -> None:
        place = 0
        for index, row in enumerate(self._connection.execute(_SQL["chunks"], {"run": run.number})):
            if (row["number"], row["first_position"]) != (index, place) or row["last_position"] < place:
                raise LedgerBroken(f"run {run_id}: chunk {_shown(row['number'])} does not stand in its place")
            place = row["last_position"] + 1
        if place != run.replay.items:
            self._note(run.seq, f"run {run_id}: its chunks hold {place:,} items, its plan has {run.replay.items:,}")
        astray = self._connection.execute(_SQL["astray"], {"run": run.number, "plan": run.plan}).fetchone()
        if astray is not None:
            self._note(run.seq, f"run {run_id}: the item at position {astray[0]} is not in the chunk that it names")

    def _check_strays(self) -> None:
        """Rows that no entry speaks of."""
        for table in ("outcome", "verification"):
            stored, covered = self._connection.execute(_SQL[f"count_{table}"]).fetchone()[0], self._stored[table]
            if stored != covered:
                self._note(None, f"{stored:,} {table}s are stored, the entries cover {covered:,}")
        for (plan,) in self._connection.execute("SELECT id FROM plan WHERE state = 'ready' OR hash IS NOT NULL"):
            if plan not in self._plans:
                self._note(None, f"plan {_shown(plan)} is ready, and no entry says so")
        for (run,) in self._connection.execute("SELECT id FROM run"):
            if run not in self._runs:
                self._note(None, f"run {_shown(run)} is there, and no entry says so")
        for row in self._connection.execute("PRAGMA foreign_key_check"):
            self._note(None, f"table {row[0]} has a row that belongs to nothing in {row[2]}")

    def _drafts(self) -> Iterator[str]:
        """Plans that are not made: the ledger says nothing of them yet."""
        try:
            rows = self._connection.execute(_SQL["drafts"]).fetchall()
        except sqlite3.Error:
            return
        yield from (f"plan {_shown(row['id'])} is {_shown(row['state'])}" for row in rows)


_RUN_TEXTS = (
    "principal", "state", "items", "wanted", "created_at", "started_at", "ended_at", "stopped_by", "head",
)  # fmt: skip
_RUN_JSON = ("targets", "bearers", "pause")


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else "nothing" if value is None else repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def verify(
    connection: sqlite3.Connection,
    anchors: Collection[tuple[int, str]] = (),
    projections: Collection[str] = Verifier.PROJECTIONS,
) -> LedgerReport:
    """Verify a journal inside a read transaction; see :class:`Verifier`."""
    return Verifier(connection, projections).report(anchors)
