"""A PostgreSQL database for asynchronous callers: a few pooled connections, and every error as one of ours.

What makes an outcome unknown is decided here and nowhere else: a connection that is lost before COMMIT was sent
has changed nothing, one that is lost afterwards may have.

A pooler between us and the server may lend our server connection to somebody else after each transaction. Therefore
every statement of ours runs in a transaction, every setting ends with that transaction, and nothing is prepared.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from tui_app.database.postgres_rows import any_bytes, read_anything
from tui_app.domain.errors import (
    Busy,
    CannotConnect,
    Fault,
    MalformedFilter,
    NotAllowed,
    OutcomeUnknown,
    QuashError,
    Refused,
    StorageFull,
    UsageProblem,
)
from tui_app.domain.rollback import RolledBack, RollingBack

T = TypeVar("T")
Work = Callable[[AsyncConnection[Any]], Awaitable[T]]

# The pool tells of each failed attempt to connect; with no handler installed that would land on the terminal.
logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())

TRIES = 3
"""How often a transaction is begun that lost a deadlock or found a table gone."""

_LOST_RACE = (errors.DeadlockDetected, errors.SerializationFailure)
_AGAIN = (*_LOST_RACE, errors.UndefinedTable)
_IN_USE = (*_LOST_RACE, errors.LockNotAvailable, errors.QueryCanceled)
_NOT_THERE = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.InvalidSchemaName,
)
_LOST_CLASSES = ("08", "57")

# A server that stopped being the primary may say one of these, and keep the connection.
_DEMOTED = (errors.ReadOnlySqlTransaction, errors.FeatureNotSupported)

# What a statement raised for what it was given. The other classes speak of the server, the connection or the database.
_OF_THE_STATEMENT = ("09", "0A", "21", "22", "23", "27", "2F", "38", "39", "42", "44", "55", "HV", "P0", "XX")

_STANDBY = "It may be a standby. Name its primary, or all hosts and target_session_attrs=read-write, in the url."

# What the caller's conninfo says goes before these. The keepalives notice within half a minute that a network is
# gone.
_DEFAULTS = {
    "connect_timeout": "5",
    "application_name": "quash",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait, in seconds: for a connection of our own, for a lock, for one statement."""

    connection: float = 5.0
    lock: float = 10.0
    statement: float = 30.0


PATIENCE = Patience()


class _RollingBack(RollingBack):
    """Our own errors inside a transaction; those of the database are told apart where its end is known."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, psycopg.Error | Refused):
            super().__exit__(kind, error, trace)


class Postgres:
    """One database; connections are made on first use.

    ``missing`` is the hint where the tables that we expect are not there.
    """

    def __init__(self, url: str, *, missing: str, size: int = 4, patience: Patience = PATIENCE) -> None:
        try:
            given = conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            raise UsageProblem(
                "this is not the address of a PostgreSQL database", hint="postgresql://user@host:port/database"
            ) from error
        unsaid = {name: value for name, value in _DEFAULTS.items() if name not in given}
        # Every character can then be sent to us, and whether one can be kept there is known from the server's encoding.
        self._conninfo = make_conninfo(url, **unsaid, client_encoding="utf8")
        self.place = f"{given.get('dbname') or 'PostgreSQL'} on {given.get('host') or 'the local socket'}"
        self._missing = missing
        self._patience = patience
        self._size = size
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None
        self._opening = asyncio.Lock()

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a connection, each statement in a snapshot of its own; the server refuses any write in it.

        Raises:
            Unavailable: no connection, or no answer in time.
            Refused: what was asked for is not there, not allowed, or is no value of its column's type.
        """
        try:
            async with self._transaction(" READ ONLY") as connection:
                return await work(connection)
        except UnicodeEncodeError as error:
            raise MalformedFilter("a value holds half a character, which no database can hold") from error
        except psycopg.DataError as error:
            raise MalformedFilter(f"a value does not fit: {sentence(error)}") from error
        except psycopg.Error as error:
            raise self._translated(error) from error

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction at READ COMMITTED, again where it lost a deadlock or met a demoted primary.

        Raises:
            Unavailable: nothing was changed.
            Refused: everything was rolled back, and it will not be done.
            OutcomeUnknown: the connection was lost while the commit was under way.
        """
        for attempt in range(1, TRIES + 1):
            committing = False
            try:
                async with self._transaction("") as connection:
                    result = await work(connection)
                    committing = True
                    await _commit(connection)
                return result
            except psycopg.Error as error:
                if committing and _may_have_committed(error):
                    raise OutcomeUnknown(f"the connection to {self.place} was lost while it was committing") from error
                demoted = isinstance(error, _DEMOTED)
                if demoted:
                    await self._replace_connections()
                if attempt == TRIES or not (demoted or isinstance(error, _AGAIN)):
                    raise self._translated(error) from error
        raise AssertionError("the last try either returns or raises")

    async def change(self, work: Work[T]) -> T:
        """Run ``work`` as ``write`` does, and say where an error changed nothing.

        Raises:
            RolledBack: our own code or a driver raised, and the transaction was rolled back.
            Unavailable, Refused, OutcomeUnknown: as for ``write``.
        """

        async def undoing(connection: AsyncConnection[Any]) -> T:
            with _RollingBack():
                return await work(connection)

        try:
            return await self.write(undoing)
        except Fault as error:
            raise RolledBack(error.message) from error

    async def close(self) -> None:
        """Give the connections back."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    @asynccontextmanager
    async def _transaction(self, mode: str) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in a new transaction, which is rolled back at the end where nobody has committed it."""
        pool = self._pool or await self._opened()
        connection = await self._begun(pool, f"BEGIN ISOLATION LEVEL READ COMMITTED{mode}; {self._settings}".encode())
        try:
            yield connection
        finally:
            if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                # A connection that is lost here has rolled back as well, and the pool replaces it.
                with suppress(psycopg.Error):
                    await connection.rollback()
            await pool.putconn(connection)

    @property
    def _settings(self) -> str:
        return (
            f"SET LOCAL statement_timeout = {int(self._patience.statement * 1000)}; "
            f"SET LOCAL lock_timeout = {int(self._patience.lock * 1000)}; "
            "SET LOCAL TimeZone = 'UTC'"
        )

    async def _begun(self, pool: AsyncConnectionPool[AsyncConnection[Any]], begin: bytes) -> AsyncConnection[Any]:
        """Begin a transaction on a connection of the pool.

        A connection that was cut off while nobody used it is noticed here, where nothing was sent yet, and replaced.
        """
        for left in range(self._size, -1, -1):
            connection = await self._lent(pool)
            try:
                async with asyncio.timeout(self._patience.connection):
                    await connection.execute(begin + any_bytes(connection))
                return connection
            except psycopg.Error as error:
                await pool.putconn(connection)
                if not left or not _is_lost(error):
                    raise self._translated(error) from error
            except TimeoutError as error:
                await self._dropped(pool, connection)
                raise Busy(f"{self.place} began no transaction within {self._patience.connection:g} s") from error
            except BaseException:
                await self._dropped(pool, connection)
                raise
        raise AssertionError("the last try either returns or raises")

    async def _lent(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> AsyncConnection[Any]:
        try:
            return await pool.getconn()
        except PoolClosed as error:
            raise CannotConnect(f"{self.place} was closed meanwhile") from error
        except PoolTimeout as error:
            await self._probe()
            raise Busy(f"no connection to {self.place} came free within {self._patience.connection:g} s") from error

    async def _dropped(self, pool: AsyncConnectionPool[AsyncConnection[Any]], connection: AsyncConnection[Any]) -> None:
        """Close a connection of which nobody knows what it waits for; the pool makes another one."""
        await connection.close()
        await pool.putconn(connection)

    async def _replace_connections(self) -> None:
        """Make new connections: the address may lead to another server by now."""
        if self._pool is not None:
            await self._pool.drain()

    async def _opened(self) -> AsyncConnectionPool[AsyncConnection[Any]]:
        async with self._opening:
            if self._pool is None:
                await self._probe()
                pool = AsyncConnectionPool(
                    self._conninfo,
                    # Plans made for one set of values serve another badly, and poolers in between know no statements.
                    kwargs={"autocommit": True, "prepare_threshold": None},
                    min_size=0,
                    max_size=self._size,
                    timeout=self._patience.connection,
                    configure=read_anything,
                    open=False,
                )
                await pool.open()
                self._pool = pool
            return self._pool

    async def _probe(self) -> None:
        """Connect once, since a pool only says that it was late, never why."""
        try:
            connection = await AsyncConnection.connect(self._conninfo)
        except psycopg.Error as error:
            raise CannotConnect(f"{self.place} does not let us in: {sentence(error)}") from error
        await connection.close()

    def _translated(self, error: psycopg.Error) -> QuashError:
        """The error of ours for one that changed nothing."""
        said = sentence(error)
        if isinstance(error, _IN_USE):
            return Busy(f"{self.place} is busy: {said}", hint="Nothing was changed; try again in a moment.")
        if isinstance(error, errors.DiskFull):
            return StorageFull(f"{self.place} has no space left: {said}")
        if isinstance(error, errors.InsufficientPrivilege):
            return NotAllowed(
                f"{self.place} does not allow it: {said}", hint="Ask its owner to grant this to our role."
            )
        if isinstance(error, _NOT_THERE):
            return CannotConnect(f"{self.place}: {said}", hint=self._missing)
        if isinstance(error, errors.ReadOnlySqlTransaction):
            return CannotConnect(f"{self.place} only takes reads: {said}", hint=_STANDBY)
        if _is_lost(error):
            return CannotConnect(f"the connection to {self.place} was lost: {said}")
        if isinstance(error, psycopg.OperationalError):
            return Busy(f"{self.place} cannot do it now: {said}")
        if is_of_the_statement(error):
            return Refused(
                f"{self.place} refused this, and rolled all of it back: {said}",
                hint="Read what the database says; nothing was changed.",
            )
        return Fault(f"{self.place}: {said}")


async def _commit(connection: AsyncConnection[Any]) -> None:
    """Commit. A transaction with an error in it is answered as if nothing were wrong, and is rolled back."""
    ended = await connection.execute("COMMIT")
    if ended.statusmessage != "COMMIT":
        raise errors.InFailedSqlTransaction("the transaction was rolled back because of an earlier error")


def is_of_the_statement(error: psycopg.Error) -> bool:
    """Whether the server refused one statement for what is in it, so that others may be taken all the same."""
    if isinstance(error, _IN_USE):
        return False
    return error.sqlstate is not None and error.sqlstate.startswith(_OF_THE_STATEMENT)


def _is_lost(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_LOST_CLASSES) and not isinstance(error, errors.QueryCanceled)


def _may_have_committed(error: psycopg.Error) -> bool:
    """An error that the server sent in answer to COMMIT says that it rolled back; all else says nothing."""
    return _is_lost(error) or error.sqlstate == errors.StatementCompletionUnknown.sqlstate


def sentence(error: psycopg.Error) -> str:
    """What the server or the driver says, in one line."""
    return (error.diag.message_primary or str(error).strip() or type(error).__name__).splitlines()[0]
