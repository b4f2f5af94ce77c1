"""Every change of one row of a journal is found by verifying, or changes nothing that a reader is told."""

import asyncio
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from typing import Any, cast

import pytest

from support.journal import Change, OpenFile, changed, changes, listed, make_journal, table_of, told
from tui_app.domain.errors import LedgerBroken
from tui_app.store.sqlite.migrate import migrate
from tui_app.store.sqlite.runs import SqliteRuns
from tui_app.store.sqlite.verifier import Verifier, verify


def tables() -> list[str]:
    """Every table that the migrations make."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        rows = fresh.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        return sorted(name for (name,) in rows)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    journal = asyncio.run(make_journal(tmp_path_factory.mktemp("journal")))
    with closing(sqlite3.connect(journal, isolation_level=None)) as opened:
        opened.row_factory = sqlite3.Row
        yield opened


@pytest.fixture(scope="module")
def before(connection: sqlite3.Connection) -> dict[str, Any]:
    """What readers are told of the journal as it was written."""
    return asyncio.run(told(connection))


def hidden(
    connection: sqlite3.Connection,
    before: dict[str, Any],
    table: str,
    projections: Collection[str] = Verifier.PROJECTIONS,
) -> Iterator[Change]:
    """The changes of one table that verifying does not find, and by which readers are told something else."""
    for change in changes(table_of(connection, table)):
        with changed(connection, change) as made:
            found = not made or verify(connection, projections=projections).problem is not None
            if not found and asyncio.run(told(connection)) != before:
                yield change


def test_the_journal_verifies_and_holds_a_row_of_every_table(
    connection: sqlite3.Connection, before: dict[str, Any]
) -> None:
    assert verify(connection).problems == ()
    assert [name for name in tables() if not table_of(connection, name).rows] == []
    assert [name for name, said in before.items() if isinstance(said, str)] == []


@pytest.mark.parametrize("table", tables())
def test_every_change_of_one_row_is_found_or_changes_nothing_that_is_told(
    connection: sqlite3.Connection, before: dict[str, Any], table: str
) -> None:
    assert [change.what for change in hidden(connection, before, table)] == []


@pytest.mark.parametrize("table", ["plan", "run", "tally", "run_item", "ledger"])
def test_a_row_that_cannot_be_read_is_named_and_hides_no_other(connection: sqlite3.Connection, table: str) -> None:
    # Whatever a row holds, nothing but the errors of ours that name it may be raised.
    runs, plans, _ = asyncio.run(listed(connection))
    for change in changes(table_of(connection, table)):
        with changed(connection, change):
            (there,) = connection.execute("SELECT count(*) FROM run").fetchone()
            runs_now, plans_now, unreadable = asyncio.run(listed(connection))
            # Whoever is told that a row cannot be read is sent to the verification.
            assert not unreadable or verify(connection).problem is not None, change.what
        assert len(runs_now) + sum(name.startswith("run ") for name in unreadable) == there, change.what
        assert len(runs_now) >= len(runs) - 2, change.what
        assert len(plans_now) >= len(plans) - 2, change.what


def test_a_reader_that_stops_at_the_first_row_it_cannot_read_hides_the_others(connection: sqlite3.Connection) -> None:
    garbage = Change("run 1: state", (("UPDATE run SET state = 'zz' WHERE number = 1", ()),))
    with changed(connection, garbage), pytest.raises(LedgerBroken, match=r"run \w+ cannot be read"):
        asyncio.run(SqliteRuns(cast("Any", OpenFile(connection))).newest(100))


@pytest.mark.parametrize(
    ("left_out", "table"),
    [
        ({"plans"}, "plan"),
        ({"confirmations"}, "run"),
        ({"runs"}, "run"),
        ({"outcomes"}, "run_item"),
        ({"verifications", "tallies"}, "run_item"),
        ({"intents"}, "run_item"),
        ({"tallies"}, "tally"),
        ({"strays"}, "run"),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else value,
)
def test_a_verification_that_leaves_out_a_projection_misses_a_change(
    connection: sqlite3.Connection, before: dict[str, Any], left_out: set[str], table: str
) -> None:
    rest = set(Verifier.PROJECTIONS) - left_out
    assert next(hidden(connection, before, table, rest), None) is not None


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (("DROP TRIGGER ledger_kept",), "the trigger ledger_kept is missing"),
        (("DROP INDEX run_item_claim",), "the index run_item_claim is missing"),
        (("CREATE TABLE notes (text TEXT)",), "the table notes is not one of quash"),
        (
            ("CREATE TRIGGER late AFTER INSERT ON outcome BEGIN DELETE FROM tally; END",),
            "the trigger late is not one of quash",
        ),
        (
            (
                "ALTER TABLE verification RENAME TO kept",
                "CREATE VIEW verification AS SELECT seq, position, hash, record FROM kept",
            ),
            "the view verification is not the table that quash makes",
        ),
        (
            ("ALTER TABLE ledger ADD COLUMN who TEXT GENERATED ALWAYS AS ('bob') VIRTUAL",),
            "the table ledger is not the table that quash makes",
        ),
    ],
)
def test_a_schema_that_is_not_the_one_of_the_migrations_is_named(
    connection: sqlite3.Connection, statements: tuple[str, ...], found: str
) -> None:
    connection.execute("BEGIN")
    try:
        for statement in statements:
            connection.execute(statement)
        assert found in verify(connection).problems
        rest = set(Verifier.PROJECTIONS) - {"schema"}
        assert found not in verify(connection, projections=rest).problems
    finally:
        connection.execute("ROLLBACK")


def test_an_event_column_generated_otherwise_is_named(connection: sqlite3.Connection) -> None:
    """The readers filter by it, and the entries themselves do not change."""
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'ledger'").fetchone()
    connection.execute("BEGIN")
    try:
        connection.execute("PRAGMA writable_schema=ON")
        changed = sql.replace("'$.event'", "'$.operator'")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'ledger'", (changed,))
        assert "the table ledger is not the table that quash makes" in verify(connection).problems
    finally:
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA writable_schema=OFF")


def test_chunks_that_do_not_hold_the_plan_are_found(connection: sqlite3.Connection) -> None:
    """No reader is told of a chunk, but a runner would leave out what no chunk holds."""
    for change in changes(table_of(connection, "chunk")):
        if change.what.startswith("DELETE") or ": last_position" in change.what or ": first_position" in change.what:
            with changed(connection, change) as made:
                assert not made or verify(connection).problem is not None, change.what
