"""Numbered migrations, applied in order, each in one transaction."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from importlib.resources.abc import Traversable

from tui_app.database.sqlite import transaction
from tui_app.domain.errors import CannotConnect


def check_version(connection: sqlite3.Connection) -> None:
    """Refuse a journal that cannot be migrated, since it cannot be written, and is not of this version.

    Raises:
        CannotConnect: another version of quash wrote it.
    """
    if _version(connection) != len(_scripts()):
        raise CannotConnect(
            "this journal was written by another version of quash, and cannot be brought up to this one here",
            hint="Use that version, or copy its folder to one that you may write to.",
        )


def _scripts() -> list[Traversable]:
    return sorted(
        (one for one in files("tui_app.store.sqlite").joinpath("migrations").iterdir() if one.name.endswith(".sql")),
        key=lambda one: one.name,
    )


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a journal up to this version; ``user_version`` counts what has been applied.

    Raises:
        CannotConnect: the journal was written by a newer quash, or its tables are not those of its version.
    """
    scripts = _scripts()
    applied = _version(connection)
    if applied > len(scripts):
        raise CannotConnect(
            "this journal was written by a newer quash", hint="Use that version, or another state folder with --data."
        )
    for number, script in enumerate(scripts[applied:], start=applied + 1):
        with transaction(connection):
            if _version(connection) >= number:
                continue
            try:
                for statement in _statements(script.read_text(encoding="utf-8")):
                    connection.execute(statement)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                    raise
                raise CannotConnect(
                    f"the tables of this journal are not those of its version {number - 1}: {error}",
                    hint="Something else than quash changed the file. Keep it as it is, and use an earlier copy.",
                ) from error
            connection.execute(f"PRAGMA user_version={number}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    """The statements of a script one by one: ``executescript`` would commit between them."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current)
            current = ""
    return found
