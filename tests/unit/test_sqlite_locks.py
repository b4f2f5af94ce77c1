"""A file in use stays whole while other processes come and go."""

import asyncio
import sqlite3
import sys
from pathlib import Path

from tui_app.database.sqlite import SqliteFile

PASSER_BY = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO seen VALUES ('passer-by')")
connection.commit()
connection.close()
"""


def prepare(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS seen (who TEXT)")


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO seen VALUES ('owner')")


def everybody(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT who FROM seen ORDER BY rowid")]


async def test_a_process_that_leaves_does_not_take_the_log_of_a_file_in_use_with_it(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    log = tmp_path / "shared.db-wal"
    file, other = SqliteFile(path, prepare), SqliteFile(path, prepare)
    await file.write(insert)
    # Opens a second connection of this process, and a third: each may cost the first one its locks.
    assert await file.read(everybody) == ["owner"]
    await other.write(insert)
    before = log.stat().st_ino
    passer_by = await asyncio.create_subprocess_exec(sys.executable, "-c", PASSER_BY, str(path))
    assert await passer_by.wait() == 0
    assert log.exists()
    assert log.stat().st_ino == before
    await file.write(insert)
    assert await other.read(everybody) == ["owner", "owner", "passer-by", "owner"]
    await file.close()
    await other.close()


async def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "new.db", prepare)
    await file.write(insert)
    assert (tmp_path / "new.db").stat().st_mode & 0o077 == 0
    await file.close()
