"""A SQLite file for asynchronous callers: a thread for writing, one for reading and one for long reads.

Writes are single transactions that are on disk when they return (``synchronous=FULL``). Every error of SQLite
leaves here as one of ours.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from tui_app.database.illegible import legible
from tui_app.database.sqlite_frozen import FrozenFile, is_frozen
from tui_app.domain.errors import Busy, CannotConnect, Fault, QuashError, StorageFull
from tui_app.domain.rollback import RolledBack, RollingBack

T = TypeVar("T")
P = ParamSpec("P")

_NOT_UTF_8 = "Could not decode to UTF-8"
"""How the driver says that a text is not UTF-8."""

BUSY_SECONDS = 10.0
"""How long a writer waits for another process before it gives up."""

HELD_MILLISECONDS = 250
"""How long a lock is looked at before it counts as held: longer than a transaction of ours takes."""

BUSY_PAUSE = 0.2
"""Seconds between two attempts of a file that waits."""

_log = logging.getLogger("quash.journal")

_FULL = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    # The index of the write-ahead log does not fit any more: the first that fails on a disk without a free page.
    sqlite3.SQLITE_IOERR_SHMSIZE,
}
_UNUSABLE = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
}


def translate(error: sqlite3.Error, path: Path) -> QuashError:
    """The error of ours for an error of SQLite."""
    extended = getattr(error, "sqlite_errorcode", None)
    primary = None if extended is None else extended & 0xFF
    if extended in _FULL or primary == sqlite3.SQLITE_FULL:
        return StorageFull(f"the disk is full: {path} could not be written")
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        hint = "Nothing was changed. A backup may hold it: try again in a moment."
        return Busy(f"{path} is held by another process", hint=hint)
    if primary in _UNUSABLE:
        return CannotConnect(f"{path} cannot be used: {error}", hint="Check the file, its owner and its folder.")
    return Fault(f"SQLite said {error} on {path}")


def connect(path: Path) -> sqlite3.Connection:
    """Open a file, creating it for its owner alone; WAL, full durability, manual transactions.

    Raises:
        CannotConnect: it cannot be opened, or is not a SQLite file.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise translate(error, path) from error
    except OSError as error:
        raise CannotConnect(
            f"{path} cannot be opened: {error.strerror}", hint="Check the folder and its owner."
        ) from error
    connection.row_factory = sqlite3.Row
    return connection


def _connect_alone(path: Path) -> sqlite3.Connection:
    """Open a file that is there for reading, on a disk that has no room even for the index of its log.

    Nobody else has it open then, since the index would be there. The lock says so while it is read: with it the index
    is kept in memory. It lasts until the connection is closed.
    """
    uri = f"file:{quote(str(path))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA query_only=ON")
    except sqlite3.Error:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def _make(path: Path) -> None:
    """Make the file, for its owner alone, where it is not there.

    One that is there is not touched: closing any descriptor of a file takes away every lock that this process holds on
    it, and another process would then throw away the log of a file that is in use.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _read_legibly(
    connection: sqlite3.Connection,
    run: Callable[[sqlite3.Connection, Callable[[sqlite3.Connection], T]], T],
    work: Callable[[sqlite3.Connection], T],
) -> T:
    """Run ``work``, once more where a text turned out not to be UTF-8: from then on such texts are read as well."""
    try:
        return run(connection, work)
    except sqlite3.OperationalError as error:
        if connection.text_factory is legible or not _is_illegible(error):
            raise
        # It costs a call for each text, which most files never need.
        connection.text_factory = legible
        return run(connection, work)


def _is_illegible(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith(_NOT_UTF_8)


def _in_snapshot(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        connection.execute("ROLLBACK")


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    with transaction(connection):
        return work(connection)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One write transaction: all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class _RollingBack(RollingBack):
    """What a statement or our own code raises before the commit, as the error of a transaction that is undone."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error):
            if _is_illegible(error):
                # It is done again, and then such texts are read.
                return
            if isinstance(translate(error, Path()), Fault):
                raise RolledBack(str(error)) from error
            return
        super().__exit__(kind, error, trace)


def undone(work: Callable[P, T]) -> Callable[P, T]:
    """The work of one transaction, whose errors say that it was rolled back (``RolledBack``).

    Errors of the file itself (locked, full, unusable) are translated as for every transaction.
    """

    def undoing(*given: P.args, **named: P.kwargs) -> T:
        with _RollingBack():
            return work(*given, **named)

    return undoing


class SqliteFile:
    """One file with a thread for writing and threads for reading; opened on first use, private to its owner.

    ``prepare`` runs once, in the writer thread, before anything else: it creates or migrates the schema. A file that
    cannot be written is only read, as it is; ``check`` then says whether it can be. So is one on a disk that is full,
    until there is room again. One that ``waits`` is never ``Busy``: it logs that another process holds the file, and
    waits for as long as that lasts.
    """

    def __init__(
        self,
        path: Path,
        prepare: Callable[[sqlite3.Connection], None],
        check: Callable[[sqlite3.Connection], None] = lambda _: None,
        *,
        waits: bool = False,
    ) -> None:
        self.path = path
        self._waits = waits
        self._busy_since: float | None = None
        self._held_since: float | None = None
        self._prepare = prepare
        self._check = check
        self._frozen: FrozenFile | None = None
        self._no_room = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"write {path.name}")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"read {path.name}")
        self._scanner = ThreadPoolExecutor(1, thread_name_prefix=f"scan {path.name}")
        self._connections: dict[str, sqlite3.Connection] = {}

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` on the reading connection, in a snapshot of its own.

        Raises:
            Unavailable: the file is locked, full or cannot be used.
        """
        await self._prepared()
        return await self._run(self._reader, partial(self._read_now, "read"), work)

    async def scan(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work``, which takes long, as :meth:`read` does, but on a thread of its own: nobody waits for it.

        Raises:
            Unavailable: the file is locked, full or cannot be used.
        """
        await self._prepared()
        return await self._run(self._scanner, partial(self._read_now, "scan"), work)

    async def held(self) -> float | None:
        """For how many seconds each call found that another process keeps others from writing; none where it does not.

        Nobody waits for the lock meanwhile, and nothing is changed.
        """
        loop = asyncio.get_running_loop()
        if self._frozen is not None or not await loop.run_in_executor(self._scanner, self._is_held):
            self._held_since = None
            return None
        self._held_since = self._held_since or loop.time()
        return loop.time() - self._held_since

    def _is_held(self) -> bool:
        try:
            connection = self._connections.get("probe")
            if connection is None:
                connection = self._connections["probe"] = connect(self.path)
            connection.execute(f"PRAGMA busy_timeout={HELD_MILLISECONDS}")
            with transaction(connection):
                return False
        except sqlite3.Error as error:
            return isinstance(translate(error, self.path), Busy)

    async def _prepared(self) -> None:
        if "write" not in self._connections and self._frozen is None:
            if is_frozen(self.path):
                self._frozen = FrozenFile(self.path)
            else:
                # Without a transaction: who only reads has no need of the lock that another process may hold.
                try:
                    await self._run(self._writer, self._prepare_now, lambda _: None)
                    self._no_room = False
                except StorageFull:
                    # Whoever only reads needs no room; an empty file has nothing to read.
                    if self.path.stat().st_size == 0:
                        raise
                    self._no_room = True

    async def write(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Run ``work`` in one transaction on the writing connection; on disk when this returns.

        A transaction that is not ``durable`` outlives this process, and is on disk with the next one that is: only a
        power cut between the two can undo it. That is for what is found out again when it is lost.

        Raises:
            Unavailable: the file is locked, full or cannot be used; nothing was written.
        """
        return await self._run(self._writer, self._write_now if durable else self._write_soon, work)

    async def _run(
        self,
        pool: ThreadPoolExecutor,
        call: Callable[[Callable[[sqlite3.Connection], T]], T],
        work: Callable[[sqlite3.Connection], T],
    ) -> T:
        loop = asyncio.get_running_loop()
        while True:
            try:
                done = await loop.run_in_executor(pool, call, work)
            except Busy as error:
                if not self._waits:
                    raise
                if self._busy_since is None:
                    self._busy_since = loop.time()
                    _log.warning("%s: waiting until it is free", error.message)
                await asyncio.sleep(BUSY_PAUSE)
                continue
            if self._busy_since is not None:
                _log.info("%s is free again after %.0f s", self.path, loop.time() - self._busy_since)
                self._busy_since = None
            return done

    def _read_now(self, name: str, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._no_room:
                with closing(_connect_alone(self.path)) as alone:
                    self._check(alone)
                    return _read_legibly(alone, _in_snapshot, work)
            connection = self._connections.get(name)
            if connection is None:
                connection = self._connections[name] = self._open_to_read()
                connection.execute("PRAGMA query_only=ON")
            return _read_legibly(connection, _in_snapshot, work)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _open_to_read(self) -> sqlite3.Connection:
        if self._frozen is None:
            return connect(self.path)
        try:
            connection = self._frozen.connect()
        except OSError as error:
            raise CannotConnect(f"{self.path} cannot be read: {error.strerror}") from error
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return work(self._opened_to_write())
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _write_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return _read_legibly(self._opened_to_write(), _in_transaction, work)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _opened_to_write(self) -> sqlite3.Connection:
        connection = self._connections.get("write")
        if connection is None:
            if is_frozen(self.path):
                raise CannotConnect(
                    f"{self.path} cannot be written: it is on a read-only medium, or another user's",
                    hint="It can be read. To go on with it, copy its folder to one that you may write to.",
                )
            connection = connect(self.path)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connections["write"] = connection
        return connection

    def _write_soon(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connections.get("write")
        if connection is None:
            return self._write_now(work)
        connection.execute("PRAGMA synchronous=NORMAL")
        try:
            return self._write_now(work)
        finally:
            connection.execute("PRAGMA synchronous=FULL")

    async def close(self) -> None:
        """Close the connections, each in its own thread, and end the threads."""
        pools = {"read": self._reader, "scan": self._scanner, "probe": self._scanner, "write": self._writer}
        for name, pool in pools.items():
            connection = self._connections.pop(name, None)
            if connection is not None:
                await asyncio.get_running_loop().run_in_executor(pool, connection.close)
        for pool in pools.values():
            pool.shutdown(wait=True)
        if self._frozen is not None:
            self._frozen.close()
