"""Reading one row of the journal's file, which may hold anything."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any

from tui_app.database.sqlite import translate
from tui_app.domain import legible
from tui_app.domain.errors import Fault


class reading:  # noqa: N801 - used as a statement
    """Read what belongs to one row, such as the run with an id; further rows may be read for it.

    Raises:
        LedgerBroken: what stands there cannot be read.
        sqlite3.Error: the file is locked, full or cannot be used.
    """

    # A class, and named only when it fails: a generator costs several times as much for each row.
    __slots__ = ("_kind", "_name")

    def __init__(self, kind: str, name: Any) -> None:
        self._kind = kind
        self._name = name

    def __enter__(self) -> None:
        """Nothing has to be prepared."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        with legible.reading(f"{self._kind} {shown(self._name)}"):
            if isinstance(error, sqlite3.Error) and isinstance(translate(error, Path()), Fault):
                raise ValueError(str(error)) from error
            raise error


def shown(value: Any) -> str:
    """A value of a row as a name of it: what is no short plain text is shown as escapes."""
    text = value if isinstance(value, str) else repr(value)
    return text[:64].encode("unicode_escape").decode()
