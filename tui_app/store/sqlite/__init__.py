"""The store on one SQLite file: the default, for one operator on one host."""

from __future__ import annotations

from pathlib import Path

from tui_app.database.sqlite import SqliteFile
from tui_app.store.sqlite.ledger import SqliteLedger
from tui_app.store.sqlite.migrate import check_version, migrate
from tui_app.store.sqlite.plans import SqlitePlans
from tui_app.store.sqlite.runs import SqliteRuns
from tui_app.store.sqlite.work import SqliteWork


class SqliteStore:
    """Plans, runs, chunks and ledger in one file, so that an outcome and its entry are one transaction."""

    def __init__(self, path: Path, *, waits: bool = False) -> None:
        self._file = SqliteFile(path, migrate, check_version, waits=waits)
        self.plans = SqlitePlans(self._file)
        self.runs = SqliteRuns(self._file)
        self.work = SqliteWork(self._file)
        self.ledger = SqliteLedger(self._file)

    async def held(self) -> float | None:
        """For how many seconds another process was found to hold the file; none where none does."""
        return await self._file.held()

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


def open_store(path: Path, *, waits: bool = False) -> SqliteStore:
    """The store in a file, which is made on first use; one that ``waits`` does so for as long as others lock it."""
    return SqliteStore(path, waits=waits)
