"""Opens SQLite files that cannot be written: on a read-only medium, or in a folder that is somebody else's.

SQLite wants to write beside a file in write-ahead mode even to read it. Where it may not, the file is opened as one
that nobody changes, or, where a log of writes stands beside it, as a copy into which the log goes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote


def is_frozen(path: Path) -> bool:
    """Whether a file is there and cannot be written, or its folder cannot."""
    there = os.access(path, os.F_OK)
    return there and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


class FrozenFile:
    """A file that is only read; ``connect`` may be called from several threads, and ``close`` once at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy: tempfile.TemporaryDirectory[str] | None = None

    def connect(self) -> sqlite3.Connection:
        """Open the file for reading.

        Raises:
            sqlite3.Error: it cannot be read, or is not a SQLite file.
            OSError: there is no room for a copy of it.
        """
        with suppress(sqlite3.OperationalError):
            return _opened(_uri(self._path, "mode=ro"))
        log = Path(f"{self._path}-wal")
        if not log.exists() or log.stat().st_size == 0:
            return _opened(_uri(self._path, "immutable=1"))
        return _opened(_uri(self._copied(log), "mode=rw"))

    def _copied(self, log: Path) -> Path:
        if self._copy is None:
            copy = tempfile.TemporaryDirectory(prefix="quash-")
            for one in (self._path, log):
                shutil.copyfile(one, Path(copy.name) / one.name)
            self._copy = copy
        return Path(self._copy.name) / self._path.name

    def close(self) -> None:
        """Remove the copy, where one was made."""
        if self._copy is not None:
            self._copy.cleanup()


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path))}?{mode}"


def _opened(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection
