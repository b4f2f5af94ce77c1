"""Made-up rows for the file of an embedded system, chunk by chunk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from tui_app.database.sqlite import connect


def seed(
    path: Path,
    rows: int,
    chunk: int,
    prepare: Callable[[sqlite3.Connection], None],
    seed_chunk: Callable[[sqlite3.Connection, int, int], int],
) -> int:
    """Put the first ``rows`` made-up rows into a file, made where there is none; how many were new.

    A seeding that was interrupted is completed by the next one.

    Args:
        path: of the file.
        rows: how many are to be there at the end, at the least.
        chunk: how many at a time.
        prepare: makes the schema.
        seed_chunk: adds the rows from one number up to another that are not there, in a transaction of its own, and
            returns their number; those that are there stay as they are.

    Raises:
        CannotConnect: the file cannot be opened, or is not a SQLite file.
        sqlite3.Error: it is locked, or the disk is full.
    """
    connection = connect(path)
    try:
        # Made-up rows can be made again; what is done to them later is written with full durability.
        connection.execute("PRAGMA synchronous=OFF")
        prepare(connection)
        connection.execute("PRAGMA cache_size=-400000")
        made = sum(seed_chunk(connection, start, min(start + chunk, rows)) for start in range(0, rows, chunk))
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return made
