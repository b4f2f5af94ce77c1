"""Files and queries that stores and systems share: transactions, errors in our words, bound values."""

import asyncio
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_app.database import sqlite
from tui_app.database.sqlite import SqliteFile, connect, transaction, translate
from tui_app.database.statements import load
from tui_app.database.where import (
    LONGEST_TEXT,
    MOST_TERMS,
    MOST_VALUES,
    POSTGRES,
    SQLITE,
    Clause,
    Field,
    Place,
    beyond,
    both,
    ordering,
    where,
)
from tui_app.domain.describe import Kind
from tui_app.domain.errors import Busy, CannotConnect, Fault, MalformedFilter, QuashError, StorageFull
from tui_app.domain.filters import Filter, Op, Term, parse
from tui_app.domain.items import Sort
from tui_app.store.sqlite.migrate import migrate

DESCRIPTORS = Path("/proc/self/fd")


def make_table(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")


def put(text):
    return lambda connection: connection.execute("INSERT INTO note (text) VALUES (?)", (text,)).lastrowid


def texts(connection):
    return [row["text"] for row in connection.execute("SELECT text FROM note ORDER BY id")]


@pytest.fixture
async def file(tmp_path):
    opened = SqliteFile(tmp_path / "notes.db", make_table)
    yield opened
    await opened.close()


async def test_what_is_written_is_read(file):
    assert await file.write(put("a")) == 1
    await file.write(put("b"))
    assert await file.read(texts) == ["a", "b"]


async def test_a_file_is_made_by_its_first_reader(file):
    assert not file.path.exists()
    assert await file.read(texts) == []


async def test_a_write_that_fails_leaves_nothing(file):
    def half(connection):
        put("half")(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await file.write(half)
    assert await file.read(texts) == []
    await file.write(put("after"))
    assert await file.read(texts) == ["after"]


async def test_reading_cannot_write(file):
    with pytest.raises(QuashError):
        await file.read(put("a"))
    assert await file.read(texts) == []


async def test_a_reading_sees_one_moment(file):
    """What is written in the middle of a reading is not seen by it."""
    await file.write(put("before"))
    started, written = threading.Event(), threading.Event()

    def twice(connection):
        first = texts(connection)
        started.set()
        assert written.wait(10)
        return first, texts(connection)

    reading = asyncio.ensure_future(file.read(twice))
    assert await asyncio.to_thread(started.wait, 10)
    await file.write(put("meanwhile"))
    written.set()
    first, second = await reading
    assert first == second == ["before"]
    assert await file.read(texts) == ["before", "meanwhile"]


async def test_a_cancelled_caller_does_not_tear_a_transaction(file):
    await file.write(put("first"))
    inside, go = threading.Event(), threading.Event()

    def slow(connection):
        put("whole")(connection)
        inside.set()
        assert go.wait(10)
        put("and all")(connection)

    writing = asyncio.ensure_future(file.write(slow))
    assert await asyncio.to_thread(inside.wait, 10)
    writing.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    # The writer goes on in its thread, and the next one waits for its turn.
    await file.write(put("last"))
    assert await file.read(texts) == ["first", "whole", "and all", "last"]


async def test_files_are_their_owners_alone(tmp_path):
    path = tmp_path / "deep" / "down" / "notes.db"
    file = SqliteFile(path, make_table)
    await file.write(put("a"))
    await file.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_what_is_written_is_on_disk(file):
    def pragmas(connection):
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]

    assert await file.write(pragmas) == [2, "wal"]


async def test_a_locked_file_is_busy(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    holder = connect(tmp_path / "notes.db")
    make_table(holder)
    file = SqliteFile(tmp_path / "notes.db", lambda _: None)
    await file.write(put("before"))
    with transaction(holder), pytest.raises(Busy):
        await file.write(put("refused"))
    assert await file.read(texts) == ["before"]
    await file.close()
    holder.close()


async def test_a_locked_file_is_read_by_whoever_opens_it_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.01)
    first = SqliteFile(tmp_path / "journal.db", migrate)
    assert await first.read(lambda connection: connection.execute("SELECT count(*) FROM run").fetchone()[0]) == 0
    holder = connect(tmp_path / "journal.db")
    second = SqliteFile(tmp_path / "journal.db", migrate)
    with transaction(holder):
        assert await second.read(lambda connection: connection.execute("SELECT count(*) FROM run").fetchone()[0]) == 0
        with pytest.raises(Busy):
            await second.write(lambda _: None)
    for opened in (first, second):
        await opened.close()
    holder.close()


async def test_a_full_disk_is_told_and_leaves_nothing(file):
    await file.write(put("small"))

    def fill(connection):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")
        put("x" * 1_000_000)(connection)

    with pytest.raises(StorageFull):
        await file.write(fill)
    assert await file.read(texts) == ["small"]


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"no database at all" * 100)]
)
async def test_what_is_no_database_cannot_be_used(tmp_path, make):
    path = tmp_path / "notes.db"
    make(path)
    file = SqliteFile(path, make_table)
    with pytest.raises(CannotConnect) as refused:
        await file.read(texts)
    assert refused.value.hint
    await file.close()


async def test_a_folder_that_is_a_file_cannot_be_used(tmp_path):
    (tmp_path / "folder").write_text("")
    file = SqliteFile(tmp_path / "folder" / "notes.db", make_table)
    with pytest.raises(CannotConnect):
        await file.write(put("a"))
    await file.close()


def test_an_error_of_ours_is_a_fault():
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite3.connect(":memory:").execute("SELECT nothing FROM nowhere")
    assert isinstance(translate(raised.value, Path("x")), Fault)


async def test_closing_ends_the_threads(tmp_path):
    file = SqliteFile(tmp_path / "named.db", make_table)
    await file.write(put("a"))
    await file.read(texts)
    assert any("named.db" in thread.name for thread in threading.enumerate())
    await file.close()
    assert not any("named.db" in thread.name for thread in threading.enumerate())


# Statements in files


def test_statements_are_found_by_name(tmp_path, monkeypatch):
    (tmp_path / "sqlpack").mkdir()
    (tmp_path / "sqlpack" / "__init__.py").write_text("")
    (tmp_path / "sqlpack" / "good.sql").write_text(
        "-- why\n-- name: one\nSELECT 1;\n\n-- name: two\n-- why\nSELECT\n2\n"
    )
    (tmp_path / "sqlpack" / "twice.sql").write_text("-- name: one\nSELECT 1\n-- name: one\nSELECT 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load("sqlpack", "good.sql") == {"one": "SELECT 1", "two": "-- why\nSELECT\n2"}
    with pytest.raises(ValueError, match="twice"):
        load("sqlpack", "twice.sql")
    with pytest.raises(FileNotFoundError):
        load("sqlpack", "none.sql")


# Filters as SQL

FIELDS = {
    "name": Field("t.name"),
    "status": Field("t.status", Kind.STATUS),
    "tries": Field("t.tries", Kind.NUMBER),
    "at": Field("t.at", Kind.TIME),
    "sure": Field("t.sure", nullable=False),
}
ROWS = [
    (number, name, status, tries, f"2026-01-0{number % 3 + 1}T00:00:00.000000Z", name or "-")
    for number, (name, status, tries) in enumerate(
        [("a", "S", 1), ("A%b", "S", 0), (None, "T", 2), ("a_b", "T", None), ("", "S", 3), ("x\\y", "U", -1)]
    )
]


@pytest.fixture(scope="module")
def table():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id INTEGER, name TEXT, status TEXT, tries INTEGER, at TEXT, sure TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    yield connection
    connection.close()


def matched(table, wanted):
    clause = where(wanted, FIELDS, ("name", "status"), SQLITE)
    return [row[0] for row in table.execute(f"SELECT id FROM t WHERE {clause.sql} ORDER BY id", clause.values)]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("name:a", [0]),
        ("name:a,a_b", [0, 3]),
        ('name:""', [2, 4]),
        ("!name:a", [1, 2, 3, 4, 5]),
        ("status:S", [0, 1, 4]),
        ("tries>1", [2, 4]),
        ("tries<=0", [1, 3, 5]),
        ("tries:0", [1, 3]),
        ("tries>=0.5", [0, 2, 4]),
        ("at>=2026-01-02", [1, 2, 4, 5]),
        ("at>2026-01-01T23:59:59+00:00", [1, 2, 4, 5]),
        ("!at>2026-01-01", [0, 3]),
        ("a", [0, 1, 3]),
        ("%", [1]),
        ("_", [3]),
        ('"\\\\"', [5]),
        ("s", [0, 1, 4]),
        ("!s", [2, 3, 5]),
        ("status:S tries:0 a", [1]),
        ("sure:-", [2, 4]),
    ],
)
def test_filters_match(table, text, ids):
    assert matched(table, parse(text)) == ids


@given(st.text(max_size=40), st.sampled_from(["", "name", "status", "tries", "at", "sure"]), st.sampled_from(list(Op)))
def test_a_value_is_bound_or_refused_and_never_sql(table, text, name, op):
    if (op is Op.TEXT) is not (name == ""):
        return
    try:
        ids = matched(table, Filter((Term(name, op, (text,)),)))
    except MalformedFilter:
        return
    # a negated term matches exactly the rest
    rest = matched(table, Filter((Term(name, op, (text,), True),)))
    assert sorted([*ids, *rest]) == [row[0] for row in ROWS]


@pytest.mark.parametrize(
    ("term", "says"),
    [
        (Term("colour", Op.ANY, ("red",)), "colour"),
        (Term("tries", Op.GT, ("many",)), "number"),
        (Term("tries", Op.GT, (str(2**63),)), "number"),
        (Term("tries", Op.GT, ("1" * 400 + ".0",)), "number"),
        (Term("at", Op.GT, ("yesterday",)), "ISO 8601"),
        (Term("at", Op.GT, ("0001-01-01T00:00:00+14:00",)), "ISO 8601"),
        (Term("name", Op.ANY, ("\x00",)), "NUL"),
        (Term("name", Op.ANY, ("\udcff",)), "half"),
        (Term("name", Op.ANY, ("x",) * (MOST_VALUES + 1)), "values"),
        (Term("", Op.TEXT, ("x" * (LONGEST_TEXT + 1),)), "too long"),
    ],
)
def test_what_cannot_be_bound_is_refused_with_a_sentence(table, term, says):
    with pytest.raises(MalformedFilter, match=says):
        matched(table, Filter((term,)))


def test_the_longest_allowed_are_understood(table):
    assert matched(table, Filter((Term("", Op.TEXT, ("%" * LONGEST_TEXT,)),))) == []
    assert matched(table, Filter((Term("name", Op.ANY, ("a",) * MOST_VALUES),))) == [0]
    assert matched(table, Filter((Term("", Op.TEXT, ("zz",), negated=True),) * MOST_TERMS)) != []
    with pytest.raises(MalformedFilter, match="terms"):
        matched(table, Filter((Term("", Op.TEXT, ("zz",), negated=True),) * (MOST_TERMS + 1)))


def test_postgres_gets_its_own_marks():
    clause = where(parse("at>2026-01-01 name:a x"), FIELDS, ("name",), POSTGRES)
    assert clause.sql.count("%s") == len(clause.values) == 3
    assert "ILIKE" in clause.sql
    assert "%s::timestamptz" in clause.sql


def test_clauses_join():
    assert both() == Clause("TRUE")
    assert both(Clause(""), Clause("a = ?", (1,)), Clause("b = ?", (2,))) == Clause("a = ? AND b = ?", (1, 2))


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("backward", [True, False])
def test_places_are_strict_and_total(table, descending, backward):
    sort = Sort("status", descending)
    expected = [row[0] for row in sorted(ROWS, key=lambda row: (row[2], row[0]), reverse=descending is not backward)]
    for position, number in enumerate(expected):
        place = Place(ROWS[number][2], (number,))
        clause = beyond("t.status", ("t.id",), sort, place, backward=backward, mark=("?", "?"))
        order = ordering("t.status", ("t.id",), sort, backward=backward)
        rows = table.execute(f"SELECT id FROM t WHERE {clause.sql} ORDER BY {order}", clause.values)
        assert [row[0] for row in rows] == expected[position + 1 :]


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="this system does not list open descriptors")
def test_no_descriptor_outlives_a_closed_file(tmp_path):
    async def cycle():
        for number in range(20):
            file = SqliteFile(tmp_path / f"{number}.db", make_table)
            await file.write(put("a"))
            await file.read(texts)
            await file.close()

    before = len(list(DESCRIPTORS.iterdir()))
    asyncio.run(cycle())
    assert len(list(DESCRIPTORS.iterdir())) <= before


async def test_a_schema_that_fails_is_tried_again(tmp_path):
    tries = []

    def failing_once(connection):
        tries.append(connection)
        if len(tries) == 1:
            raise sqlite3.OperationalError("no such luck")
        make_table(connection)

    file = SqliteFile(tmp_path / "notes.db", failing_once)
    with pytest.raises(Fault):
        await file.write(put("a"))
    # the first connection is closed, and another one is opened
    with pytest.raises(sqlite3.ProgrammingError):
        tries[0].execute("SELECT 1")
    await file.write(put("a"))
    assert await file.read(texts) == ["a"]
    await file.close()
