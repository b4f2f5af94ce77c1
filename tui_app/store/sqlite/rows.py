"""Reading one row of the journal's file, which may hold anything."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tui_app.database.sqlite import translate
from tui_app.domain import legible
from tui_app.domain.errors import Fault


@contextmanager
def reading(kind: str, name: Any) -> Iterator[None]:
    """Read what belongs to one row, such as the run with an id; further rows may be read for it.

    Raises:
        LedgerBroken: what stands there cannot be read.
        sqlite3.Error: the file is locked, full or cannot be used.
    """
    with legible.reading(f"{kind} {shown(name)}"):
        try:
            yield
        except sqlite3.Error as error:
            if isinstance(translate(error, Path()), Fault):
                raise ValueError(str(error)) from error
            raise


def shown(value: Any) -> str:
    """A value of a row as a name of it: what is no short plain text is shown as escapes."""
    text = value if isinstance(value, str) else repr(value)
    return text[:64].encode("unicode_escape").decode()
