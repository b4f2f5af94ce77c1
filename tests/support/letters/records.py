"""The file of the letters."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from support.letters.words import POSTED, WAITING
from tui_app.database.sqlite import connect, transaction
from tui_app.domain import moments

SCHEMA = """
CREATE TABLE IF NOT EXISTS letter (
    id TEXT PRIMARY KEY, addressee TEXT NOT NULL, status TEXT NOT NULL, posts_at TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1, undo_until TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS note (
    id TEXT NOT NULL, at TEXT NOT NULL, event TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, told TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS drawer (identity TEXT NOT NULL) STRICT;
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where they are not."""
    for statement in SCHEMA.split(";\n"):
        connection.execute(statement)
    with transaction(connection):
        connection.execute(
            "INSERT INTO drawer SELECT ? WHERE NOT EXISTS (SELECT 1 FROM drawer)", (f"letters:{uuid4()}",)
        )


def seed(path: Path, rows: int) -> None:
    """Letters of which every tenth is in the post; the others are posted a minute after each other from tomorrow on."""
    first = datetime.now(UTC) + timedelta(days=1)
    connection = connect(path)
    try:
        prepare(connection)
        with transaction(connection):
            connection.executemany(
                "INSERT OR IGNORE INTO letter (id, addressee, status, posts_at) VALUES (?, ?, ?, ?)",
                (
                    (
                        f"L-{number:04}",
                        f"team{number % 3}@example.com",
                        POSTED if number % 10 == 9 else WAITING,
                        moments.stamp(first + timedelta(minutes=number)),
                    )
                    for number in range(rows)
                ),
            )
    finally:
        connection.close()
