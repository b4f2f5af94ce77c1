"""Commands in the database of a command bus (PostgreSQL with PGMQ), as the bus itself made it.

The bus is not ours: it has several shapes in the wild, its operators and workers go on while we work, and its own
cancelling is not guarded. So columns are named, every write judges each row under its lock, and whose a cancellation
was is read from the audit.
"""

from __future__ import annotations

from collections.abc import Sequence

from tui_app.database.encodings import UnencodableText, check_words, unescaped_json
from tui_app.database.postgres import PATIENCE, Patience, Postgres
from tui_app.database.postgres_pages import COUNT_SECONDS
from tui_app.database.postgres_rows import Connection, encoding, encoding_of, identity, rows
from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import Conflict, InvalidReason, MalformedId, NotAllowed
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.domain.run import Answer, Errand, Order, Verification, first_of_each
from tui_app.systems.commands import postgres_read as read
from tui_app.systems.commands import rules
from tui_app.systems.commands.answers import Found, cancelled, looked_at, passed_over, verifications
from tui_app.systems.commands.postgres_rows import PAGES, SQL, listed

CHUNK_SIZE = 500
"""Some tens of milliseconds under lock, and large enough for one commit not to matter."""

MISSING = "This database holds no command bus that quash knows; check the profile's url and the bus' migrations."


class PostgresCommands:
    """The commands of one database, as a system. ``version`` is when the row was changed, and its attempts."""

    def __init__(
        self,
        url: str,
        *,
        size: int = 4,
        patience: Patience = PATIENCE,
        count_seconds: float = COUNT_SECONDS,
    ) -> None:
        self.database = Postgres(url, missing=MISSING, size=size, patience=patience)
        self._count_seconds = count_seconds

    @property
    def description(self) -> Description:
        return rules.DESCRIPTION

    @property
    def chunk_size(self) -> int:
        return CHUNK_SIZE

    def check_id(self, text: str) -> str:
        checked = rules.check_uuid_id(text)
        try:
            checked.encode()
        except UnicodeEncodeError as error:
            raise MalformedId(f"{text!r} holds half a character", hint="Copy the id again.") from error
        return checked

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
        return await self.database.read(lambda connection: read.survey(connection, ids))

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    async def preview(self, item_id: str) -> Preview:
        return await self.database.read(lambda connection: read.preview(connection, item_id))

    async def trail(self, item_id: str) -> list[TrailEntry]:
        return await self.database.read(lambda connection: read.trail(connection, item_id))

    async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        """Cancel what is still as it was seen, in one transaction.

        Raises:
            Conflict: the errand is not a cancellation; a cancelled command cannot be brought back.
            Unavailable: nothing was changed.
            OutcomeUnknown: the connection was lost while the transaction was committing.
        """
        if errand.verb is not Verb.CANCEL:
            raise Conflict("a cancelled command cannot be brought back", hint="Send it again as a new command.")
        by_id = first_of_each(orders)

        async def work(connection: Connection) -> tuple[set[str], dict[str, Found]]:
            changed = await _cancel(connection, list(by_id.values()), errand)
            # A statement of its own: only a snapshot taken after the locks sees what others committed meanwhile.
            rest = [order.id for order in orders if order.id not in changed or by_id[order.id] is not order]
            return changed, await read.found(connection, rest)

        try:
            changed, found = await self.database.write(work)
        except (NotAllowed, InvalidReason, UnencodableText) as error:
            return [Answer.refused(order, error) for order in orders]
        return [
            cancelled(order)
            if order.id in changed and by_id[order.id] is order
            else passed_over(order, found.get(order.id))
            for order in orders
        ]

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        """The same guarded write.

        It waits for a lost transaction that is still committing, since that holds the rows; what it finds done under
        our key was done by us. Where it may only look, it waits for the rows all the same.
        """
        if not errand.only_look:
            return await self.execute(orders, errand)
        ids = [order.id for order in orders]

        async def look(connection: Connection) -> dict[str, Found]:
            await rows(connection, SQL["hold"], {"ids": listed(ids)})
            return await read.found(connection, ids)

        found = await self.database.write(look)
        return [looked_at(order, found.get(order.id)) for order in orders]

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        found = await self.database.read(lambda connection: read.found(connection, [order.id for order in orders]))
        return verifications(orders, found)

    async def check_words(self, operator: str, reason: str) -> None:
        """See :class:`tui_app.domain.ports.KeepsWords`."""
        check_words(operator, reason, await self.database.read(encoding))

    async def close(self) -> None:
        await self.database.close()


async def _cancel(connection: Connection, orders: Sequence[Order], errand: Errand) -> set[str]:
    """Cancel these commands where they still are as they were seen; the ids that were changed."""
    if not orders:
        return set()
    check_words(errand.operator, errand.reason, encoding_of(connection))
    details = rules.audit_details(
        operator=errand.operator,
        reason=errand.reason,
        reply_to=None,
        run_id=errand.run_id,
        idempotency_key=None,
    )
    values = {
        "orders": listed(
            [order.id for order in orders],
            ("version", [order.seen.version for order in orders]),
            ("key", [order.key for order in orders]),
        ),
        "details": unescaped_json(details),
        # When it was completed is said by the database's clock, as in the audit.
        "reply": unescaped_json(rules.reply_template(errand.reason, "")),
        "suffix": rules.RESPONSE_SUFFIX,
    }
    return {row["id"] for row in await rows(connection, SQL["cancel"], values)}
