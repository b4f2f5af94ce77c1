"""Schedules in a PostgreSQL database that is ours: the post scheduler for several hosts, with its queue in a broker.

Cancelling needs the database alone. The guarded write decides, and a message of a cancelled schedule is passed over by
the publisher that comes to it, so whoever only looks and cancels needs no access to the broker.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property

from tui_app.database.encodings import UnencodableText, check_words
from tui_app.database.postgres import PATIENCE, Patience, Postgres
from tui_app.database.postgres_pages import COUNT_SECONDS
from tui_app.database.postgres_rows import Connection, encoding, identity, rows
from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import Conflict, InvalidReason, Refused
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Preview, Probed, Reply, TrailEntry
from tui_app.domain.rates import Rate
from tui_app.domain.rollback import RolledBack
from tui_app.domain.run import Answer, Errand, Order, Verification
from tui_app.systems.schedules import postgres_read as read
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.answers import looked_at, verification
from tui_app.systems.schedules.desk import Desk
from tui_app.systems.schedules.postgres_desk import PostgresDeskStore
from tui_app.systems.schedules.postgres_rows import PAGES, SQL, ScheduleDatabase, listed
from tui_app.systems.schedules.postgres_write import cancel, over_limit
from tui_app.systems.schedules.words import DESCRIPTION

CHUNK_SIZE = 500
"""Some tens of milliseconds under lock, and large enough for one commit not to matter."""

MISSING = "What is called scheduler in this database is not what quash makes; check the profile's url."


class PostgresSchedules:
    """The schedules of one database, as a system. ``version`` and ``server_rate`` are as in the embedded one."""

    def __init__(
        self,
        url: str,
        *,
        size: int = 4,
        patience: Patience = PATIENCE,
        count_seconds: float = COUNT_SECONDS,
        server_rate: Rate | None = None,
        broker: Callable[[], Awaitable[Probed]] | None = None,
    ) -> None:
        self.database = ScheduleDatabase(Postgres(url, missing=MISSING, size=size, patience=patience))
        self._count_seconds = count_seconds
        self._server_rate = server_rate
        self._broker = broker

    @property
    def description(self) -> Description:
        return DESCRIPTION

    @property
    def chunk_size(self) -> int:
        return CHUNK_SIZE

    @cached_property
    def desk(self) -> Desk:
        """What the native routes call."""
        return Desk(PostgresDeskStore(self.database))

    async def probe(self) -> list[Probed]:
        """See ``Probes``: the database, and the broker beside it where the profile names one."""
        number = await self.count(Filter())
        found = [Probed("how many there are", f"{number.value:,}", recognised=True)]
        return found if self._broker is None else [*found, await self._broker()]

    def make_nothing(self) -> None:
        self.database.makes = False

    def check_id(self, text: str) -> str:
        return rules.check_schedule_id(text)

    async def identity(self) -> str:
        return await self.database.read(identity)

    async def page(self, query: PageQuery) -> Page:
        check_sort(query.sort, self.description.sortable)
        clause = PAGES.matching(query.filter, query.as_of)
        return await self.database.read(lambda connection: PAGES.read(connection, query, clause, read.item_of))

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        if before is not None:
            check_sort(before[0], self.description.sortable)
        clause = PAGES.matching(wanted, as_of, before)
        return await self.database.read(lambda connection: PAGES.count(connection, clause, self._count_seconds))

    async def item(self, item_id: str) -> Item:
        return await self.database.read(lambda connection: read.item(connection, item_id))

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        """See the Protocol.

        Raises:
            Conflict: the verb is not to cancel.
        """
        _only_cancel(verb)
        return await self.database.read(lambda connection: read.survey(connection, ids))

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        """Soonest first: what goes out next is cancelled next."""
        return await self.database.read(lambda connection: read.arrange(connection, ids))

    async def preview(self, item_id: str) -> Preview:
        return await self.database.read(lambda connection: read.preview(connection, item_id))

    async def trail(self, item_id: str) -> list[TrailEntry]:
        return await self.database.read(lambda connection: read.trail(connection, item_id))

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """Cancel what is still as it was seen, in one transaction: there is no order among them to keep.

        Raises:
            Conflict: the errand is not a cancellation; a cancelled schedule cannot be brought back.
            Unavailable: nothing was changed.
            RolledBack: something raised, and nothing was changed.
            OutcomeUnknown: the connection was lost while the transaction was committing.
        """
        _only_cancel(errand.verb)

        async def work(connection: Connection) -> Sequence[Reply]:
            if self._server_rate is not None and orders:
                limited = await over_limit(connection, errand.operator, self._server_rate)
                if limited is not None:
                    return [limited] * len(orders)
            return await cancel(connection, orders, errand)

        try:
            return await self.database.change(work) if orders else []
        except (InvalidReason, UnencodableText) as error:
            return [Answer.refused(order, error) for order in orders]
        except Refused as error:
            # Where it is said for one of many, the rest is sent without it.
            raise RolledBack(error.message, code=error.code) from error

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """The same guarded write.

        It waits for a lost transaction that is still committing, since that holds the rows; what it finds done under
        our key was done by us. Where it may only look, it waits for the rows all the same.
        """
        if not errand.only_look:
            return await self.execute(orders, errand)
        ids = [order.id for order in orders]

        async def look(connection: Connection) -> Sequence[Reply]:
            await rows(connection, SQL["hold"], {"ids": listed(ids)})
            found = await read.found(connection, ids)
            return [looked_at(order, found.get(order.id)) for order in orders]

        return await self.database.change(look)

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        found = await self.database.read(lambda connection: read.found(connection, [order.id for order in orders]))
        return [verification(order, found.get(order.id)) for order in orders]

    async def check_words(self, operator: str, reason: str) -> None:
        """See :class:`tui_app.domain.ports.KeepsWords`."""
        check_words(operator, reason, await self.database.read(encoding))

    async def close(self) -> None:
        await self.database.close()


def _only_cancel(verb: Verb) -> None:
    if verb is not Verb.CANCEL:
        raise Conflict("a cancelled schedule cannot be brought back", hint="Schedule the post anew instead.")
