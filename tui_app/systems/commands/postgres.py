"""Commands in the database of a command bus (PostgreSQL with PGMQ), as the bus itself made it.

The bus is not ours: it has several shapes in the wild, its operators and workers go on while we work, and its own
cancelling is not guarded. So columns are named, every write judges each row under its lock, and whose a cancellation
was is read from the audit.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import errors

from tui_app.database.encodings import UnencodableText, check_words, unescaped_json
from tui_app.database.postgres import PATIENCE, Patience, Postgres, sentence
from tui_app.database.postgres_pages import COUNT_SECONDS
from tui_app.database.postgres_parts import in_parts
from tui_app.database.postgres_rows import Connection, encoding, encoding_of, identity, rows
from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import Conflict, InvalidReason, MalformedId, NotAllowed, Refused
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.domain.run import Answer, Errand, ItemState, Order, Verification, first_of_each
from tui_app.domain.verdict import Verdict, VerdictCode
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
            RolledBack: an error of ours or of the driver, and nothing was changed.
            OutcomeUnknown: the connection was lost while the transaction was committing.
        """
        if errand.verb is not Verb.CANCEL:
            raise Conflict("a cancelled command cannot be brought back", hint="Send it again as a new command.")
        try:
            return await self._cancelled(orders, errand)
        except (InvalidReason, UnencodableText) as error:
            return [Answer.refused(order, error) for order in orders]
        except NotAllowed as error:
            now = {seen.id: seen.verdict for seen in await self.survey([order.id for order in orders])}
            return [_forbidden(order, now[order.id], error) for order in orders]
        except Refused:
            # The commit was refused, of which nobody can say for which command: so that is asked of each part.
            return await self._cancelled(orders, errand, immediate=True)

    async def _cancelled(self, orders: Sequence[Order], errand: Errand, *, immediate: bool = False) -> list[Answer]:
        by_id = first_of_each(orders)

        async def work(connection: Connection) -> list[Answer]:
            ids = list(by_id)
            parts = await in_parts(
                connection,
                sorted(by_id.values(), key=_reply_queue),
                lambda part: _cancel(connection, part, errand),
                lambda: rows(connection, SQL["hold"], {"ids": listed(ids)}),
                immediate=immediate,
            )
            changed = {item_id for part in parts.done for item_id in part}
            refusals = {order.id: error for order, error in parts.refused}
            # A statement of its own: only a snapshot taken after the locks sees what others committed meanwhile.
            rest = [order.id for order in orders if order.id not in changed or by_id[order.id] is not order]
            found = await read.found(connection, rest)
            lacking = {seen.id: seen.verdict for seen in await read.survey(connection, list(refusals))}
            return [
                cancelled(order)
                if order.id in changed and by_id[order.id] is order
                else _refusal(order, found.get(order.id), refusals[order.id], lacking[order.id])
                if order.id in refusals
                else passed_over(order, found.get(order.id))
                for order in orders
            ]

        return await self.database.change(work)

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

        found = await self.database.change(look)
        return [looked_at(order, found.get(order.id)) for order in orders]

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        found = await self.database.read(lambda connection: read.found(connection, [order.id for order in orders]))
        return verifications(orders, found, again=errand.again)

    async def check_words(self, operator: str, reason: str) -> None:
        """See :class:`tui_app.domain.ports.KeepsWords`."""
        check_words(operator, reason, await self.database.read(encoding))

    async def close(self) -> None:
        await self.database.close()


def _reply_queue(order: Order) -> str:
    """Commands of one reply queue stand together: what refuses one message of a queue may refuse them all."""
    return next((effect.target for effect in order.seen.effects if effect.target), "")


def _refusal(order: Order, found: Found | None, error: psycopg.Error, now: Verdict) -> Answer:
    """The answer for a command that the database refused by itself: why it is blocked now, else in its own words."""
    standing = passed_over(order, found)
    if standing.state is not ItemState.REFUSED or standing.code != VerdictCode.NOT_KNOWN:
        return standing
    said = f"the database refused this one and rolled it back: {sentence(error)}"
    if isinstance(error, errors.InsufficientPrivilege):
        return _forbidden(order, now, NotAllowed(said))
    return Answer.refused(order, Refused(said))


def _forbidden(order: Order, now: Verdict, error: NotAllowed) -> Answer:
    """The answer for a command that our role may not cancel, with the grant that is missing where it is known."""
    if now.code is VerdictCode.FORBIDDEN and now.reason is not None:
        error = NotAllowed(now.reason)
    return Answer.refused(order, error)


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
