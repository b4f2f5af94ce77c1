"""Schedules in a SQLite file of their own: a post scheduler that needs no server, with the guards of a real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tui_app.clock import SystemClock
from tui_app.database.schema import identity
from tui_app.database.sqlite import SqliteFile, undone
from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import Conflict
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Clock, Preview, Reply, TrailEntry
from tui_app.domain.rates import Rate
from tui_app.domain.run import Errand, Order, Verification
from tui_app.systems.schedules import embedded_read as read
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.answers import looked_at, verification
from tui_app.systems.schedules.desk import Desk
from tui_app.systems.schedules.embedded_desk import EmbeddedDeskStore
from tui_app.systems.schedules.embedded_write import cancel, over_limit
from tui_app.systems.schedules.schema import prepare
from tui_app.systems.schedules.words import DESCRIPTION

if TYPE_CHECKING:
    from tui_app.systems.schedules.runners import Runners

CHUNK_SIZE = 500
"""One bulk request: short enough for publishers to wait, long enough for pages to be written once."""


class EmbeddedSchedules:
    """The schedules of one SQLite file, as a system.

    ``version`` counts changes of what a schedule is: its time, its channel, its attempts, its end. That the scanner
    moves it from pending to queued is none: it is the same schedule, nearer to its time, and is cancelled as planned.

    ``server_rate`` limits the bulk requests of each principal, as a service would; a chunk is one request.
    """

    def __init__(self, path: Path, clock: Clock | None = None, *, server_rate: Rate | None = None) -> None:
        self.file = SqliteFile(path, prepare)
        self.clock = clock or SystemClock()
        self._server_rate = server_rate

    @property
    def description(self) -> Description:
        return DESCRIPTION

    @property
    def chunk_size(self) -> int:
        return CHUNK_SIZE

    @cached_property
    def desk(self) -> Desk:
        """What the native routes call."""
        return Desk(EmbeddedDeskStore(self.file, self.clock))

    @cached_property
    def runners(self) -> Runners:
        """Scanner and publisher of this file: what `quash scanner` and `quash publisher` start."""
        from tui_app.systems.schedules.embedded_runners import runners  # the console never needs them

        return runners(self.file, self.clock)

    def check_id(self, text: str) -> str:
        return rules.check_schedule_id(text)

    async def identity(self) -> str:
        return await self.file.read(identity)

    async def page(self, query: PageQuery) -> Page:
        wanted = read.PAGES.matching(query.filter, query.as_of)
        check_sort(query.sort, self.description.sortable)
        now = self.clock.now()
        return await self.file.read(lambda connection: read.page(connection, query, wanted, now))

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        if before is not None:
            check_sort(before[0], self.description.sortable)
        return await self.file.read(read.PAGES.counting(wanted, as_of, before))

    async def item(self, item_id: str) -> Item:
        now = self.clock.now()
        return await self.file.read(lambda connection: read.item_of(read.row_of(connection, item_id), now))

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        """See the Protocol.

        Raises:
            Conflict: the verb is not to cancel.
        """
        _only_cancel(verb)
        now = self.clock.now()
        return await self.file.read(lambda connection: read.survey(connection, ids, now))

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        """Soonest first: what goes out next is cancelled next."""
        return await self.file.read(lambda connection: read.arrange(connection, ids))

    async def preview(self, item_id: str) -> Preview:
        now = self.clock.now()
        return await self.file.read(lambda connection: read.preview(connection, item_id, now))

    async def trail(self, item_id: str) -> list[TrailEntry]:
        return await self.file.read(lambda connection: read.trail(connection, item_id))

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """Cancel what is still as it was seen, in one transaction: there is no order among them to keep.

        Raises:
            Conflict: the errand is not a cancellation; a cancelled schedule cannot be brought back.
        """
        _only_cancel(errand.verb)

        def work(connection: sqlite3.Connection) -> Sequence[Reply]:
            # The clock is read once the file is ours: whoever waits for a turn has changed nothing.
            now = self.clock.now()
            if self._server_rate is not None and orders:
                limited = over_limit(connection, errand.operator, self._server_rate, now)
                if limited is not None:
                    return [limited] * len(orders)
            return cancel(connection, orders, errand, now)

        return await self.file.write(undone(work))

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """The same guarded write: what it finds done under our key was done by us."""
        if not errand.only_look:
            return await self.execute(orders, errand)

        def look(connection: sqlite3.Connection) -> Sequence[Reply]:
            found = read.found(connection, [order.id for order in orders], self.clock.now())
            return [looked_at(order, found.get(order.id)) for order in orders]

        # In a turn of its own as a writer: what another one has begun is over then.
        return await self.file.write(undone(look))

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        now = self.clock.now()

        def work(connection: sqlite3.Connection) -> list[Verification]:
            found = read.found(connection, [order.id for order in orders], now)
            return [verification(order, found.get(order.id)) for order in orders]

        return await self.file.read(work)

    async def close(self) -> None:
        await self.file.close()


def _only_cancel(verb: Verb) -> None:
    if verb is not Verb.CANCEL:
        raise Conflict("a cancelled schedule cannot be brought back", hint="Schedule the post anew instead.")
