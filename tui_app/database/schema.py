"""The file of an embedded system: its schema is made once, and it has a name of its own.

sqlite-utils makes schemas, and is imported only then: that takes longer than opening a file that is made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import uuid4

from tui_app.database.sqlite import transaction

if TYPE_CHECKING:
    from sqlite_utils import Database


def prepare_once(connection: sqlite3.Connection, version: str, make: Callable[[Database], None]) -> None:
    """Make the schema where there is none; two processes that open a new file at once make it once.

    Args:
        connection: of a file that holds one system.
        version: of the schema, to be noted in the file.
        make: makes the tables of the system, in one transaction with the file's identity.

    Raises:
        sqlite3.Error: the file is locked, full or no database.
    """
    # Measured on runs of 40,000: the usual 1,000 pages are written back twice a chunk, and each trigger that may fail
    # keeps a journal of its own, on disk unless told otherwise.
    connection.execute("PRAGMA wal_autocheckpoint=8000")
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA temp_store=MEMORY")
    if not _made(connection):
        with transaction(connection):
            if not _made(connection):
                _make(connection, version, make)


def _made(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone())


def _make(connection: sqlite3.Connection, version: str, make: Callable[[Database], None]) -> None:
    from sqlite_utils import Database

    database = Database(connection, recursive_triggers=False, execute_plugins=False)
    make(database)
    database.table("meta").create({"key": str, "value": str}, pk="key", strict=True).insert_all(
        [{"key": "identity", "value": str(uuid4())}, {"key": "schema", "value": version}]
    )


def identity(connection: sqlite3.Connection) -> str:
    """A UUID made with the file: moved elsewhere it is the same system, a new file in its place is not."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()
    return f"sqlite:{row['value']}"
