"""A PostgreSQL database for asynchronous callers: a few pooled connections, and every error as one of ours.

What makes an outcome unknown is decided here and nowhere else: a connection that is lost before COMMIT was sent
has changed nothing, one that is lost afterwards may have.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, IsolationLevel, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from tui_app.domain.errors import (
    Busy,
    CannotConnect,
    Fault,
    MalformedFilter,
    NotAllowed,
    OutcomeUnknown,
    QuashError,
    StorageFull,
    UsageProblem,
)

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

# What the caller's conninfo says goes before these. The keepalives notice within half a minute that a network is
# gone.
_DEFAULTS = {
    "connect_timeout": "5",
    "application_name": "quash",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "client_encoding": "utf8",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait, in seconds: for a connection of our own, for a lock, for one statement."""

    connection: float = 5.0
    lock: float = 10.0
    statement: float = 30.0


PATIENCE = Patience()


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
        self._conninfo = make_conninfo(url, **{k: v for k, v in _DEFAULTS.items() if k not in given})
        self.place = f"{given.get('dbname') or 'PostgreSQL'} on {given.get('host') or 'the local socket'}"
        self._missing = missing
        self._patience = patience
        self._size = size
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None
        self._opening = asyncio.Lock()

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on a connection, each statement in a snapshot of its own.

        Raises:
            Unavailable: no connection, or no answer in time.
            Refused: what was asked for is not there, not allowed, or is no value of its column's type.
        """
        async with self._lent() as connection:
            try:
                return await work(connection)
            except UnicodeEncodeError as error:
                raise MalformedFilter("a value holds half a character, which no database can hold") from error
            except psycopg.DataError as error:
                raise MalformedFilter(f"a value does not fit: {_sentence(error)}") from error
            except psycopg.Error as error:
                raise self._translated(error) from error

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction at READ COMMITTED, again where it lost a deadlock.

        Raises:
            Unavailable: nothing was changed.
            Refused: nothing was changed, and it will not be.
            OutcomeUnknown: the connection was lost while the commit was under way.
        """
        for attempt in range(1, TRIES + 1):
            committing = False
            try:
                async with self._lent() as connection, connection.transaction():
                    result = await work(connection)
                    committing = True
                return result
            except psycopg.Error as error:
                if committing and _may_have_committed(error):
                    raise OutcomeUnknown(f"the connection to {self.place} was lost while it was committing") from error
                if attempt == TRIES or not isinstance(error, _AGAIN):
                    raise self._translated(error) from error
        raise AssertionError("the last try either returns or raises")

    async def close(self) -> None:
        """Give the connections back."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncConnection[Any]]:
        pool = self._pool or await self._opened()
        try:
            connection = await pool.getconn()
        except PoolClosed as error:
            raise CannotConnect(f"{self.place} was closed meanwhile") from error
        except PoolTimeout as error:
            await self._probe()
            raise Busy(f"no connection to {self.place} came free within {self._patience.connection:g} s") from error
        try:
            yield connection
        finally:
            await pool.putconn(connection)

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
                    configure=self._configure,
                    check=AsyncConnectionPool.check_connection,
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
            raise CannotConnect(f"{self.place} does not let us in: {_sentence(error)}") from error
        await connection.close()

    async def _configure(self, connection: AsyncConnection[Any]) -> None:
        await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
        await connection.execute(
            "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
            " set_config('TimeZone', 'UTC', false)",
            (f"{int(self._patience.statement * 1000)}ms", f"{int(self._patience.lock * 1000)}ms"),
        )

    def _translated(self, error: psycopg.Error) -> QuashError:
        """The error of ours for one that changed nothing."""
        said = _sentence(error)
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
            return CannotConnect(
                f"{self.place} only takes reads: {said}", hint="It may be a standby; name its primary."
            )
        if _is_lost(error):
            return CannotConnect(f"the connection to {self.place} was lost: {said}")
        if isinstance(error, psycopg.OperationalError):
            return Busy(f"{self.place} cannot do it now: {said}")
        return Fault(f"{self.place}: {said}")


def _is_lost(error: psycopg.Error) -> bool:
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_LOST_CLASSES)


def _may_have_committed(error: psycopg.Error) -> bool:
    """An error that the server sent in answer to COMMIT says that it rolled back; all else says nothing."""
    return _is_lost(error) or error.sqlstate == errors.StatementCompletionUnknown.sqlstate


def _sentence(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error).strip() or type(error).__name__).splitlines()[0]
