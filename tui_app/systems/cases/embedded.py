"""Cases in a SQLite file of their own: a case management that needs no server, with the rules of a real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from tui_app.clock import SystemClock
from tui_app.database.schema import identity
from tui_app.database.sqlite import SqliteFile, undone
from tui_app.domain import moments
from tui_app.domain.describe import Description, Verb
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Clock, Preview, Reply, TrailEntry
from tui_app.domain.rates import Rate
from tui_app.domain.run import Errand, Order, Verification, Verified
from tui_app.systems.cases import embedded_read as read
from tui_app.systems.cases import rules
from tui_app.systems.cases.answers import Found, taken_back, verifications
from tui_app.systems.cases.desk import CasesDesk
from tui_app.systems.cases.embedded_write import Times, clamp, complete
from tui_app.systems.cases.port import Port
from tui_app.systems.cases.schema import prepare
from tui_app.systems.cases.words import DESCRIPTION

T = TypeVar("T")

CHUNK_SIZE = 200
"""A twentieth of a second to accept, and as much to complete."""


class EmbeddedCases:
    """The cases of one SQLite file, as a system. ``version`` is a counter of the row's changes.

    Cancelling takes ``completion_seconds``, and can be undone for ``window_seconds`` from then on. ``server_rate`` is
    the limit of cancellations for one operator, and that of reinstatements; None is no limit.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock | None = None,
        *,
        completion_seconds: float = 1.0,
        window_seconds: float = 7_200.0,
        server_rate: Rate | None = None,
    ) -> None:
        self.file = SqliteFile(path, prepare)
        self.clock = clock or SystemClock()
        self.times = Times(timedelta(seconds=completion_seconds), timedelta(seconds=window_seconds))
        self._port = Port(self.times, server_rate)
        self._limited = server_rate is not None

    @property
    def description(self) -> Description:
        return DESCRIPTION

    @property
    def chunk_size(self) -> int:
        return 1 if self._limited else CHUNK_SIZE

    @property
    def desk(self) -> CasesDesk:
        """What the native routes call: the operations of the API on behalf of a user."""
        return CasesDesk(self)

    def check_id(self, text: str) -> str:
        return rules.check_id(text)

    async def identity(self) -> str:
        return await self.file.read(identity)

    def now(self) -> str:
        """The present moment, as it is stored."""
        return moments.stamp(self.clock.now())

    async def read(self, work: Callable[[sqlite3.Connection, str], T]) -> T:
        """Read in a snapshot in which every cancellation that is due has been completed, by this reader if need be.

        None of them counts for longer than its own span from now. ``work`` gets the moment up to which that holds.
        """

        def settled(connection: sqlite3.Connection) -> tuple[T, ...]:
            now = self.now()
            return (work(connection, now),) if read.settled(connection, now) else ()

        for value in await self.file.read(settled):
            return value
        now = await self.file.write(self._complete)
        return await self.file.read(lambda connection: work(connection, now))

    def _complete(self, connection: sqlite3.Connection) -> str:
        now = self.now()
        clamp(connection, now)
        complete(connection, now)
        return now

    async def write(self, work: Callable[[sqlite3.Connection, str], T]) -> T:
        """Write in a transaction that completes what is due first; ``work`` gets the moment when the file is ours."""

        def settled(connection: sqlite3.Connection) -> T:
            return work(connection, self._complete(connection))

        return await self.file.write(settled)

    async def page(self, query: PageQuery) -> Page:
        wanted = read.PAGES.matching(query.filter, query.as_of)
        check_sort(query.sort, self.description.sortable)
        # What is completed after this page was due after this moment, and is not on a later page of the same list.
        return await self.read(lambda connection, now: read.PAGES.read(connection, query, wanted, read.item_of, now))

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        if before is not None:
            check_sort(before[0], self.description.sortable)
        counting = read.PAGES.counting(wanted, as_of, before)
        return await self.read(lambda connection, _: counting(connection))

    async def item(self, item_id: str) -> Item:
        return await self.read(lambda connection, _: read.item_of(read.row_of(connection, item_id)))

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        window = self.times.window
        return await self.read(lambda connection, now: read.survey(connection, ids, verb, now, window))

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    async def preview(self, item_id: str) -> Preview:
        def work(connection: sqlite3.Connection, now: str) -> Preview:
            times = self.times
            return rules.preview(read.case_of(connection, item_id), now, times.completion, times.window)

        return await self.read(work)

    async def trail(self, item_id: str) -> list[TrailEntry]:
        return await self.read(lambda connection, _: read.trail(connection, item_id))

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """Accept what is still as it was seen, in one transaction; it is complete a moment later.

        What a limit holds back was not sent: its place holds how long to wait.
        """
        return await self.write(undone(lambda connection, now: self._port.send(connection, orders, errand, now)))

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """The same guarded write: what it finds accepted under our key was sent by us, and ends as it says."""

        def settle(connection: sqlite3.Connection, now: str) -> Sequence[Reply]:
            if errand.only_look:
                return self._port.look(connection, orders, errand, now)
            return self._port.send(connection, orders, errand, now, settling=True)

        return await self.write(undone(settle))

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        def work(connection: sqlite3.Connection, now: str) -> Mapping[str, Found]:
            return read.found(connection, [order.id for order in orders], now)

        found = await self.read(work)
        told = verifications(orders, found, errand.verb)
        for place, order in enumerate(orders):
            if told[place].verified is Verified.CONTRADICTED:
                ours = taken_back(order, found.get(order.id), errand.verb, await errand.intents(order.id))
                told[place] = ours or told[place]
        return told

    async def close(self) -> None:
        await self.file.close()
