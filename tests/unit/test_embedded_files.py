"""What holds for the file of every embedded system: made once, named for good, opened quickly, counted as it grows."""

import sqlite3
import subprocess
import sys
from importlib import import_module

import pytest

from tui_app.database.schema import identity
from tui_app.database.sqlite import connect
from tui_app.database.tally import tallied
from tui_app.database.where import Clause

CLASSES = {"commands": "EmbeddedCommands", "cases": "EmbeddedCases", "schedules": "EmbeddedSchedules"}
ROWS = 200


@pytest.fixture(params=CLASSES)
def system(request):
    return request.param


@pytest.fixture
def path(system, tmp_path):
    made = tmp_path / f"{system}.db"
    import_module(f"tui_app.systems.{system}.plug").PLUG.seed(made, ROWS)
    return made


@pytest.fixture
def schema(system):
    return import_module(f"tui_app.systems.{system}.schema")


@pytest.fixture
def connection(path):
    opened = connect(path)
    yield opened
    opened.close()


def test_an_existing_file_is_opened_without_what_takes_long_to_import(system, path):
    code = f"""
import asyncio, sys, pathlib
from tui_app.systems.{system}.embedded import {CLASSES[system]} as Embedded
from tui_app.domain.items import PageQuery
async def main():
    system = Embedded(pathlib.Path({str(path)!r}))
    described = system.description
    page = await system.page(PageQuery(described.default_filter, described.default_sort, 10))
    await system.close()
    heavy = {{"sqlite_utils", "psycopg", "pydantic", "httpx", "tui_app.systems.schedules.runners"}}
    print(len(page.items), sorted(set(sys.modules) & heavy))
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "10 []"


def test_a_file_keeps_its_name_and_another_has_another(schema, connection, tmp_path):
    named = identity(connection)
    schema.prepare(connection)
    assert identity(connection) == named
    other = connect(tmp_path / "other.db")
    schema.prepare(other)
    assert identity(other) != named
    other.close()


def counted(connection, table):
    return dict(map(tuple, connection.execute(f"SELECT status, count(*) FROM {table} GROUP BY status")))


def in_tally(connection):
    return dict(map(tuple, connection.execute("SELECT status, n FROM tally WHERE n <> 0")))


def test_the_tally_follows_what_is_added_changed_and_taken_away(schema, connection):
    table = schema.TALLY.table
    assert in_tally(connection) == counted(connection, table)
    assert sum(in_tally(connection).values()) == ROWS
    [common, rare] = sorted(in_tally(connection), key=in_tally(connection).get, reverse=True)[:2]
    [one, another] = [
        row[0] for row in connection.execute(f"SELECT id FROM {table} WHERE status = ? LIMIT 2", (common,))
    ]
    connection.execute(f"UPDATE {table} SET status = ? WHERE id = ?", (rare, one))
    connection.execute(f"DELETE FROM {table} WHERE id = ?", (another,))
    assert in_tally(connection) == counted(connection, table)
    assert tallied(connection, Clause("status = ?", (common,))) == counted(connection, table)[common]


def test_an_addition_that_fails_leaves_the_tally_as_it_was(schema, connection):
    before = in_tally(connection)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.IntegrityError), schema.TALLY.added_at_once(connection, ["anything"]):
        connection.execute(f"INSERT INTO {schema.TALLY.table} (id) VALUES (NULL)")
    connection.execute("ROLLBACK")
    assert in_tally(connection) == before
    connection.execute(f"DELETE FROM {schema.TALLY.table} WHERE id = (SELECT min(id) FROM {schema.TALLY.table})")
    assert sum(in_tally(connection).values()) == ROWS - 1
