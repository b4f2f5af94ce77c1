"""A journal with a bit of everything, every change of one row of it, and everything that its readers tell."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from support.mixed import everything, fill_all, mixed_world
from support.watched import Watched, watching
from support.world import WHO, World, fill
from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotSignedIn, QuashError
from tui_app.domain.items import Selection
from tui_app.domain.ledger import Event
from tui_app.domain.legible import readable
from tui_app.domain.ports import Reply
from tui_app.domain.rates import Rate
from tui_app.domain.records import LedgerQuery, Waiting
from tui_app.domain.report import Format, run_report
from tui_app.domain.run import Answer, Errand, ItemState, Order, Verification, Verified, item_key
from tui_app.engine.recall import made_by
from tui_app.service.backend import Facts
from tui_app.service.words import ledger_line, plan_item_model, plan_model, run_item_model, run_model
from tui_app.store.sqlite.ledger import SqliteLedger
from tui_app.store.sqlite.plans import SqlitePlans
from tui_app.store.sqlite.runs import SqliteRuns

OTHER = replace(WHO, operator="joe@example.com", os_user="joe")
FACTS = Facts("local", "local", "ops1", "SQLite")
GARBAGE = "2099-01-01T00:00:00.000000Z"

LIVE = {"gates", "paced", "silent", "drift", "waiting"}
"""What readers are told of the present moment alone: no report holds it, and no entry speaks of it."""


@dataclass
class Odd(Watched):
    """A system that answers its first three orders in a way of its own, and finds the fourth otherwise than told."""

    first: list[str] = field(default_factory=list)

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        self.first += [one.id for one in orders]
        odd = {
            0: Answer(ItemState.REFUSED, "FORBIDDEN", "no right to it", before="x", after="x"),
            1: Answer(ItemState.UNKNOWN, None, "no answer came"),
            2: Answer(ItemState.ALREADY_CANCELLED, None, None, ours=False, by="joe@example.com", before="x", after="x"),
        }
        replies = await self.inner.execute(orders, errand)
        return [
            odd.get(self.first.index(one.id), reply) if isinstance(reply, Answer) else reply
            for one, reply in zip(orders, replies, strict=True)
        ]

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        found = await self.inner.verify(orders, errand)
        contradicted = Verification(Verified.CONTRADICTED, "it goes on")
        return [contradicted if self.first.index(one.id) == 3 else it for one, it in zip(orders, found, strict=True)]


async def make_journal(folder: Path) -> Path:
    """A journal with runs of three systems that are over, stopped, paused, taken over, interrupted and undone."""
    world = mixed_world(folder, chunk=3)
    await _finished(world)
    await _paused(world)
    await _stopped(world)
    await _interrupted(world)
    fill_all(folder, 2)
    await world.planner.start(everything(), Verb.CANCEL, "maybe later", None, WHO)
    await world.planner.idle()
    plan = (await world.store.plans.newest(1))[0]
    await world.planner.check(plan.id)
    await world.planner.idle()
    await world.store.ledger.append(Event.REFUSED, {"operator": "bob", "at": plan.head.created_at, "what": "stop"})
    await world.close()
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return folder / "journal.db"


async def _finished(world: World) -> None:
    """A run with every outcome there is, verified again; what it cancelled of the cases is undone."""
    ids = fill_all(world.folder, 5)
    done = fill(world.folder / "commands.db", 1, status="COMPLETED")
    chosen = [Selection(name, ids=tuple(some)) for name, some in ids.items()]
    chosen[0] = replace(chosen[0], ids=(*chosen[0].ids, *done, "payments/nobody"))
    run = await world.confirm(await world.plan(*chosen), key="finished")
    systems = {name: Odd(system, world) for name, system in world.systems.items()}
    await world.worker(systems=systems).drive(run.id)
    await world.steering.verify(run.id, WHO)
    back = await world.confirm(await world.undo(run.id), key="undo")
    await world.worker().drive(back.id)


async def _paused(world: World) -> None:
    """One run that its operator paused with items on their way, and one without credentials that was taken over."""
    fill_all(world.folder, 4, "cases")
    run = await world.confirm(await world.plan(*everything("cases")), key="paused")
    world.launcher.working = True
    systems = watching(world, then=lambda: world.steering.pause(run.id, WHO))
    await world.worker(systems=systems).drive(run.id)
    world.launcher.working = False
    ids = fill(world.folder / "commands.db", 4)
    other = await world.confirm(await world.plan(Selection("commands", ids=tuple(ids))), key="taken over")

    async def refuse() -> None:
        raise NotSignedIn("nobody gives a token")

    await world.worker(systems=watching(world, then=refuse)).drive(other.id)
    await world.steering.resume(other.id, OTHER, take_over=True)
    await world.worker(who=OTHER, systems=watching(world, then=refuse)).drive(other.id)


async def _stopped(world: World) -> None:
    ids = fill(world.folder / "commands.db", 7)
    run = await world.confirm(await world.plan(Selection("commands", ids=tuple(ids))), key="stopped")
    world.launcher.working = True
    await world.worker(systems=watching(world, then=lambda: world.steering.stop(run.id, WHO))).drive(run.id)
    world.launcher.working = False


async def _interrupted(world: World) -> None:
    """A run whose worker died between its intents and their outcomes, and that is asked to pause."""
    ids = fill(world.folder / "commands.db", 7)
    run = await world.confirm(await world.plan(Selection("commands", ids=tuple(ids))), key="interrupted")
    run = await world.store.runs.move(run.id, run.state.RUNNING, Event.STARTED, world.steering._facts(WHO))
    for _ in range(2):
        claim = await world.store.work.claim(run.id, "w1", world.clock.read())
        assert claim is not None
        keys = {
            one.item.position: item_key(run.secret, run.id, one.item.system, one.item.seen.id) for one in claim.items
        }
        await world.store.work.take(claim, len(keys), Rate(3, timedelta(seconds=1)), world.clock.read())
        at = world.steering._facts(WHO)["at"]
        await world.store.work.intend(claim, keys, at)
        await world.store.work.note(claim, {min(keys): Answer(ItemState.CANCELLED, before="x", after="y")}, at)
    await world.store.work.note_silence(run.id, "commands", at)
    await world.store.plans.note_waiting(run.plan.id, Waiting("commands", at, None, at))
    await world.store.work.close_gate("commands", world.clock.now(), Rate(3, timedelta(seconds=1)))
    world.launcher.working = True
    await world.steering.pause(run.id, WHO)
    world.launcher.working = False


# What readers tell


@dataclass(frozen=True)
class Readers:
    """The reading side of a store."""

    plans: SqlitePlans
    runs: SqliteRuns
    ledger: SqliteLedger


@dataclass(frozen=True)
class OpenFile:
    """What reads a journal on a connection that is open, in the transaction that is open."""

    connection: sqlite3.Connection

    async def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return work(self.connection)


async def listed(connection: sqlite3.Connection) -> tuple[list[Any], list[Any], list[str]]:
    """The runs and plans that readers are shown in lists, and the names of those that cannot be read."""
    store, unreadable = _readers(connection), list[str]()
    runs = readable(await store.runs.newest(100, unreadable), lambda run: run_model(run, at_work=False), unreadable)
    plans = readable(await store.plans.newest(100, unreadable), lambda plan: plan_model(plan, (), FACTS), unreadable)
    return [one.model_dump(exclude=LIVE) for one in runs], [one.model_dump(exclude=LIVE) for one in plans], unreadable


def _readers(connection: sqlite3.Connection) -> Readers:
    file: Any = OpenFile(connection)
    return Readers(SqlitePlans(file), SqliteRuns(file), SqliteLedger(file))


async def told(connection: sqlite3.Connection) -> dict[str, Any]:
    """Everything that readers are told of a journal, by what is asked; an error in place of what cannot be read."""
    store = _readers(connection)
    runs, plans, unreadable = await listed(connection)
    found: dict[str, Any] = {"runs": runs, "plans": plans, "unreadable": unreadable}

    async def ask(name: str, reading: Any) -> None:
        try:
            found[name] = await reading()
        except QuashError as error:
            found[name] = repr(error)

    async def lines(newest: bool) -> list[Any]:
        return [
            ledger_line(row).model_dump() for row in await store.ledger.lines(LedgerQuery(limit=10_000, newest=newest))
        ]

    for run in runs:
        await ask(f"run {run['id']}", lambda run=run: _run_told(store, run["id"]))
    for plan in plans:
        await ask(f"plan {plan['id']}", lambda plan=plan: _plan_told(store, plan["id"]))
    await ask("ledger", lambda: lines(newest=False))
    await ask("newest", lambda: lines(newest=True))
    return found


async def _run_told(store: Readers, run_id: str) -> list[Any]:
    run = run_model(await store.runs.get(run_id), at_work=False)
    items = [run_item_model(one).model_dump() for one in await store.runs.items(run_id, limit=10_000)]
    by_state = [
        [one.item.position for one in await store.runs.items(run_id, limit=10_000, state=state)] for state in ItemState
    ]
    by_verified = [
        [one.item.position for one in await store.runs.items(run_id, limit=10_000, verified=it)] for it in Verified
    ]
    report = run_report(Format.MARKDOWN, run.model_dump(mode="json"), run.standing)
    text = report.head() + "".join(map(report.row, items))
    undo = [one async for one in made_by(store.runs, run_id)]
    lines = [ledger_line(row).model_dump() for row in await store.ledger.lines(LedgerQuery(run=run_id, limit=10_000))]
    return [run.model_dump(exclude=LIVE), items, by_state, by_verified, text, undo, lines]


async def _plan_told(store: Readers, plan_id: str) -> list[Any]:
    plan = await store.plans.get(plan_id)
    items = [plan_item_model(one).model_dump() for one in await store.plans.items(plan_id, limit=10_000)]
    return [plan_model(plan, (), FACTS).model_dump(exclude=LIVE), await store.plans.selections(plan_id), items]


# Changes of one row


@dataclass(frozen=True)
class Change:
    """A change of one row, or an exchange between two: what it does, and the statements with their values."""

    what: str
    statements: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass
class Table:
    """One table as its schema tells: its stored columns, those of its key, and some rows of it."""

    name: str
    columns: list[str]
    key: list[str]
    rows: list[dict[str, Any]]

    def where(self, row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        return " AND ".join(f"{name} IS ?" for name in self.key), tuple(row[name] for name in self.key)


def table_of(connection: sqlite3.Connection, name: str) -> Table:
    """One table, with a row for each value of a column that has few, and a few more."""
    info = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
    columns = [row[1] for row in info if row[6] == 0]
    key = [row[1] for row in sorted(info, key=lambda row: row[5]) if row[5]]
    everything = [
        dict(zip(columns, row, strict=True))
        for row in connection.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY {', '.join(key)}")
    ]
    chosen: dict[int, None] = {}
    for column in columns:
        first: dict[Any, int] = {}
        for index, row in enumerate(everything):
            first.setdefault(row[column], index)
        if len(first) <= 5:
            chosen.update(dict.fromkeys(first.values()))
    step = max(1, len(everything) // 2)
    chosen.update(dict.fromkeys(range(0, len(everything), step)))
    return Table(name, columns, key, [everything[index] for index in sorted(chosen)])


def changes(table: Table) -> Iterator[Change]:
    """Each column of each row changed, each row deleted and repeated, and columns exchanged between two rows."""
    for row in table.rows:
        where, at = table.where(row)
        named = f"{table.name} {dict(zip(table.key, at, strict=True))}"
        yield Change(f"DELETE {named}", ((f"DELETE FROM {table.name} WHERE {where}", at),))
        for column in table.columns:
            for value in _others(table, row, column):
                statement = f"UPDATE {table.name} SET {column} = ? WHERE {where}"
                yield Change(f"{named}: {column} {row[column]!r:.60} -> {value!r:.60}", ((statement, (value, *at)),))
        yield from _repeated(table, row, named)
    for one, other in zip(table.rows, table.rows[1:], strict=False):
        yield from _exchanged(table, one, other)


def _others(table: Table, row: dict[str, Any], column: str) -> list[Any]:
    value = row[column]
    elsewhere = [one[column] for one in table.rows if one[column] != value]
    # A document that says nothing is easily taken for none.
    others = [None, *elsewhere[-1:], *(["{}"] if value is None else [])]
    if isinstance(value, int):
        others.append(value + 1)
    elif isinstance(value, bytes):
        others.append(bytes([value[0] ^ 1]) + value[1:])
    elif isinstance(value, str):
        others += [f"{value}x", value.encode(), *_in_json(value)]
    return [*dict.fromkeys(one for one in [*others, GARBAGE] if one != value)]


def _in_json(value: str) -> list[str]:
    """The same document with one of its values changed, for each of them."""
    try:
        document = json.loads(value)
    except ValueError:
        return []
    if not isinstance(document, dict):
        return []
    return [json.dumps({**document, name: GARBAGE}, separators=(",", ":"), sort_keys=True) for name in document]


def _repeated(table: Table, row: dict[str, Any], named: str) -> Iterator[Change]:
    """The row once more, under a key of its own: the last part of the key, and what else is unique, is another."""
    for number in (1, 1000):
        copy = dict(row)
        for column in (table.key[-1], *(name for name in ("id", "key", "plan") if name in table.columns)):
            if column == "plan" and table.name != "run":
                continue
            value = copy[column]
            copy[column] = value + number if isinstance(value, int) else f"{value}{number}"
        marks = ", ".join("?" * len(table.columns))
        statement = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})"
        yield Change(f"INSERT {named} again, {number} further", ((statement, tuple(copy.values())),))


def _exchanged(table: Table, one: dict[str, Any], other: dict[str, Any]) -> Iterator[Change]:
    (where, at), (_, there) = table.where(one), table.where(other)
    for column in table.columns:
        if one[column] == other[column] or column in table.key:
            continue
        statement = f"UPDATE {table.name} SET {column} = ? WHERE {where}"
        between = b"between" if isinstance(one[column], bytes) else "between"
        yield Change(
            f"{table.name} {at} and {there}: {column} exchanged",
            ((statement, (between, *at)), (statement, (one[column], *there)), (statement, (other[column], *at))),
        )


@contextmanager
def changed(connection: sqlite3.Connection, change: Change) -> Iterator[bool]:
    """The journal with a change, until the block ends; false where its constraints do not let it be.

    Triggers are taken away for it and put back, as by somebody who knows them.
    """
    connection.execute("BEGIN")
    try:
        yield apply(connection, change)
    finally:
        connection.execute("ROLLBACK")


def apply(connection: sqlite3.Connection, change: Change) -> bool:
    """Make a change in the transaction that is open; false where the constraints of its table refuse it."""
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    try:
        for statement, values in change.statements:
            connection.execute(statement, values)
    except (sqlite3.IntegrityError, sqlite3.OperationalError, OverflowError):
        return False
    for _, sql in triggers:
        connection.execute(sql)
    return True
