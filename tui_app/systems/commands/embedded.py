"""Commands in a SQLite file of their own: a bus that needs no server, with the guards of a real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tui_app.clock import SystemClock
from tui_app.database.bound import ascii_json
from tui_app.database.schema import identity
from tui_app.database.sqlite import SqliteFile, undone
from tui_app.domain import moments
from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import Conflict
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Clock, Preview, TrailEntry
from tui_app.domain.run import Answer, Errand, Order, Verification
from tui_app.systems.commands import embedded_read as read
from tui_app.systems.commands import rules
from tui_app.systems.commands.answers import looked_at, verifications
from tui_app.systems.commands.embedded_write import cancel
from tui_app.systems.commands.schema import prepare

CHUNK_SIZE = 1_000
"""A fifth of a second: short enough for another writer to wait, long enough for pages to be written once."""


class EmbeddedCommands:
    """The commands of one SQLite file, as a system. ``version`` is a counter of the row's changes."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.file = SqliteFile(path, prepare)
        self.clock = clock or SystemClock()

    @property
    def description(self) -> Description:
        return rules.DESCRIPTION

    @property
    def chunk_size(self) -> int:
        return CHUNK_SIZE

    def check_id(self, text: str) -> str:
        return rules.join_id(*rules.split_id(text))

    async def identity(self) -> str:
        return await self.file.read(identity)

    async def page(self, query: PageQuery) -> Page:
        wanted = read.PAGES.matching(query.filter, query.as_of)
        check_sort(query.sort, self.description.sortable)
        as_of = moments.stamp(self.clock.now())
        return await self.file.read(lambda connection: read.PAGES.read(connection, query, wanted, read.item_of, as_of))

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        if before is not None:
            check_sort(before[0], self.description.sortable)
        return await self.file.read(read.PAGES.counting(wanted, as_of, before))

    async def item(self, item_id: str) -> Item:
        return await self.file.read(lambda connection: read.item(connection, item_id))

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        return await self.file.read(lambda connection: read.survey(connection, ids))

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    async def preview(self, item_id: str) -> Preview:
        return await self.file.read(lambda connection: read.preview(connection, item_id))

    async def trail(self, item_id: str) -> list[TrailEntry]:
        def work(connection: sqlite3.Connection) -> list[TrailEntry]:
            rows = connection.execute(read.SQL["trail"], (ascii_json([item_id]),))
            return [read.entry(row) for row in rows]

        return await self.file.read(work)

    async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        """Cancel what is still as it was seen, in one transaction.

        Raises:
            Conflict: the errand is not a cancellation; a cancelled command cannot be brought back.
        """
        if errand.verb is not Verb.CANCEL:
            raise Conflict("a cancelled command cannot be brought back", hint="Send a new command instead.")

        def work(connection: sqlite3.Connection) -> list[Answer]:
            # The clock is read once the file is ours: whoever waits for a turn has changed nothing.
            return cancel(connection, orders, errand, moments.stamp(self.clock.now()))

        return await self.file.write(undone(work))

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        """The same guarded write: what it finds done under our key was done by us."""
        if not errand.only_look:
            return await self.execute(orders, errand)

        def look(connection: sqlite3.Connection) -> list[Answer]:
            found = read.found(connection, [order.id for order in orders])
            return [looked_at(order, found.get(order.id)) for order in orders]

        # In a turn of its own as a writer: what another one has begun is over then.
        return await self.file.write(undone(look))

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        def work(connection: sqlite3.Connection) -> list[Verification]:
            found = read.found(connection, [order.id for order in orders])
            return verifications(orders, found, again=errand.again)

        return await self.file.read(work)

    async def close(self) -> None:
        await self.file.close()
