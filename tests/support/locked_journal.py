"""A process that holds the journal as a backup does: ``python -m support.locked_journal FILE``, until it is told."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Lock:
    """An exclusive lock of another process on a journal."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def end(self) -> None:
        """Let go."""
        self._process.communicate("\n", timeout=30)


@contextmanager
def locked(folder: Path) -> Iterator[Lock]:
    """The journal of a folder, locked until the lock is ended, at the latest at the end of the block."""
    command = [sys.executable, "-m", "support.locked_journal", str(folder / "journal.db")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield Lock(process)
        finally:
            process.kill()


if __name__ == "__main__":
    connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    sys.stdout.write("locked\n")
    sys.stdout.flush()
    sys.stdin.readline()
    connection.execute("ROLLBACK")
