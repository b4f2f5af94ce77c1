"""Schedules of a service that others run, over HTTP, in either dialect."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from tui_app.clock import SystemClock
from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import (
    Conflict,
    MalformedFilter,
    NotAllowed,
    NotFound,
    RateLimited,
    Unavailable,
    UsageProblem,
)
from tui_app.domain.filters import Filter, check_filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Clock, Preview, Probed, Reply, TrailEntry
from tui_app.domain.run import Errand, Order, Verification, Verified
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.outbound.begun import Begun
from tui_app.outbound.http import CONCURRENCY, Auth, HttpService
from tui_app.outbound.recognition import Unrecognised, heard
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.bodies import UNREADABLE, Entry, Row, error_of, parted
from tui_app.systems.schedules.dialects import DIALECTS
from tui_app.systems.schedules.http_names import ALLOWANCE
from tui_app.systems.schedules.http_pages import Pages
from tui_app.systems.schedules.http_rules import (
    FORBIDDEN,
    description_of,
    item_of,
    preview_of,
    seen_of,
    verified,
)
from tui_app.systems.schedules.http_walk import Unlistable
from tui_app.systems.schedules.http_wire import Denied, NoAudit, NotTold, Unreadable, Wire, each
from tui_app.systems.schedules.http_write import Sender
from tui_app.systems.schedules.words import OPEN

BULK_CHUNK = 100
SINGLE_CHUNK = 32
"""One bulk request; or two rounds of single ones."""

LISTED = 8
"""So many schedules are read by themselves rather than looked for with one more request to each list of what waits."""

SURVEYED = 500
"""Schedules that a plan reads together: few requests to a list tell of all of them."""

ARRANGED = 20
"""List requests of each status at most, to put ids into the order in which they go out."""


class HttpSchedules:
    """The schedules of one service, as a system.

    The service guards by status alone: what changed without leaving ``pending`` and ``queued`` between our last look
    and our write is not noticed by it. A chunk is read again just before it is sent.

    ``dialect`` is ``seed``, ``luxaris`` or ``auto``, which finds out by reading.

    Raises:
        UsageProblem: plain http to another host, or no address of a service.
    """

    def __init__(
        self,
        url: str,
        *,
        tokens: TokenSource | None = None,
        dialect: str = "auto",
        auth: Auth = "bearer",
        ca_file: str | None = None,
        contact: str | None = None,
        clock: Clock | None = None,
        http: HttpService | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._tokens = tokens
        service = http or HttpService(url, tokens=tokens, auth=auth, shape=error_of, ca_file=ca_file)
        self._identity = f"{service.origin}{urlsplit(url).path.rstrip('/')}"
        self._wire = Wire(service, DIALECTS.get(dialect), contact, self._clock)
        self._pages = Pages(self._wire, self._clock)
        self._sender = Sender(self._wire, self._clock)
        self._begun: Begun[str, Seen | None] = Begun()
        """What was read for each survey, by id; none where the list did not tell of it."""

    @property
    def description(self) -> Description:
        return description_of(self._wire.known)

    @property
    def chunk_size(self) -> int:
        return BULK_CHUNK if self._wire.bulk else SINGLE_CHUNK

    @property
    def silent_since(self) -> datetime | None:
        """See ``TellsSilence``."""
        return self._wire.silent_since

    @property
    def survey_size(self) -> int:
        """See ``ReadsMany``."""
        return SURVEYED

    @property
    def credentials_expire(self) -> datetime | None:
        return None if self._tokens is None else self._tokens.expires_at

    @property
    def signed_in_as(self) -> str | None:
        return None if self._tokens is None else self._tokens.subject

    async def sign_in(self) -> None:
        if self._tokens is None:
            return
        await self._tokens.current()
        if self._tokens.subject is None and (await self._wire.dialect()).whoami is not None:
            self._tokens.ask_whose(self._wire.whose)
            await self._tokens.identify()

    def check_id(self, text: str) -> str:
        return rules.check_schedule_id(text)

    async def identity(self) -> str:
        """The origin and the path under which the API is: all that tells one service from another."""
        return self._identity

    async def probe(self) -> list[Probed]:
        return await self._wire.probe()

    async def page(self, query: PageQuery) -> Page:
        check_sort(query.sort, self.description.sortable)
        await self._check(query.filter)
        return await self._pages.page(query)

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        if before is not None:
            check_sort(before[0], self.description.sortable)
        await self._check(wanted)
        return await self._pages.count(wanted, as_of, before)

    async def _check(self, wanted: Filter) -> None:
        """Refuse a filter by what this service does not tell, which whoever asked could not know before it was asked.

        Raises:
            MalformedFilter: naming the field.
        """
        dialect = await self._wire.dialect()
        told = description_of(dialect)
        check_filter(wanted, told.filterable, untold=told.untold)
        by_name = not dialect.lists_names and any(term.field == "channel" for term in wanted.terms)
        if by_name and not await self._wire.names.know_channels():
            raise MalformedFilter(
                "the names of channels could not be read from the service",
                hint="Filter by channel_connection, or later.",
            )

    async def item(self, item_id: str) -> Item:
        return item_of(await self._row(item_id), self._clock.now())

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        """See the Protocol; by the list where that takes fewer requests, else one read for each.

        What was read before a limit or another trouble is kept, and the same survey goes on with it.

        Raises:
            Conflict: the verb is not to cancel.
        """
        _only_cancel(verb)
        once = list(dict.fromkeys(ids))
        seen = self._begun.take(once, verb, self._clock.now())
        troubles: list[Unavailable] = []
        strangers: dict[str, Unrecognised] = {}
        places = asyncio.Semaphore(CONCURRENCY)

        async def look(item_id: str) -> None:
            async with places:
                strange = len(strangers) >= CONCURRENCY and not any(seen.values())
                if seen[item_id] is not None or troubles or strange:
                    return
                try:
                    seen[item_id] = await self._seen(item_id)
                except Unrecognised as stranger:
                    strangers[item_id] = stranger
                except Unavailable as trouble:
                    # The others would meet it as well, each for as long.
                    troubles.append(trouble)

        try:
            seen.update(await self._listed([one for one in once if one not in seen]))
            await each(once, look)
        except Unavailable as trouble:
            # Of the list: whoever looks for one schedule keeps its trouble.
            troubles.append(trouble)
        if troubles:
            limits = [one for one in troubles if isinstance(one, RateLimited)]
            self._begun.keep(once, verb, seen, (limits or troubles)[0], self._clock.now())
            raise (limits or troubles)[0]
        if strangers and not any(seen.values()):
            raise next(iter(strangers.values()))
        first = next(iter(strangers.values()), None)
        return [
            seen[item_id] or _unread(item_id, f"it could not be read: {strangers.get(item_id, first)}")
            for item_id in ids
        ]

    async def _listed(self, ids: Sequence[str]) -> dict[str, Seen | None]:
        """What the list tells of each, as far as that takes a quarter of the requests; none where it does not.

        What waits is looked for first; then, where many are left, what does not wait any more.

        Raises:
            Unavailable: the service cannot be asked at present, also as ``RateLimited``.
        """
        found: dict[str, Seen | None] = dict.fromkeys(ids)
        if len(ids) < LISTED:
            return found
        try:
            rows = await self._pages.soonest(ids, len(ids) // LISTED)
            left = set(ids).difference(row.id for row in rows)
            others = [status for status in (await self._wire.dialect()).statuses if status not in OPEN]
            if most := len(left) // LISTED // len(others):
                rows += await self._pages.soonest(list(left), most, others)
        except (Unlistable, Unrecognised, NotAllowed, UsageProblem, MalformedFilter):
            # There is no list for us that can be walked: each is read by itself.
            return found
        now = self._clock.now()
        return found | {row.id: seen_of(row, now) for row in rows if row.id in found}

    async def _seen(self, item_id: str) -> Seen:
        if item_id.startswith(UNREADABLE):
            return _unread(item_id, "the service tells of it without an id, so it cannot be asked for")
        try:
            row = await self._wire.row(item_id)
        except Denied:
            return Seen(item_id, "", "", FORBIDDEN)
        except NotTold as error:
            return _unread(item_id, error.message)
        return rules.missing(item_id) if row is None else seen_of(row, self._clock.now())

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        """Soonest first, by the list of what waits; ids that are not among the soonest stay as given, behind them."""
        if len(ids) < 2:
            return list(ids)
        places = {row.id: place for place, row in enumerate(await self._pages.soonest(ids, ARRANGED))}
        return sorted(ids, key=lambda item_id: places.get(item_id, len(places)))

    async def preview(self, item_id: str) -> Preview:
        return preview_of(await self._row(item_id), await self._wire.dialect(), self._clock.now())

    async def trail(self, item_id: str) -> list[TrailEntry]:
        """See the Protocol.

        Raises:
            NotFound: the service has no audit, or none for us.
        """
        try:
            return [_trail_entry(entry) for entry in await self._wire.audit(item_id)]
        except NoAudit as error:
            raise NotFound(str(error), hint="What quash did itself stands in its ledger.") from error

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """See the Protocol.

        Raises:
            Conflict: the errand is not a cancellation; a cancelled schedule cannot be brought back.
        """
        _only_cancel(errand.verb)
        self._pages.forget()
        return await self._sender.execute(orders, errand)

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        _only_cancel(errand.verb)
        self._pages.forget()
        return await self._sender.reconcile(orders, errand)

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        dialect = await self._wire.dialect()

        async def one(order: Order) -> Verification | Unrecognised:
            try:
                row = await self._wire.row(order.id)
            except Denied:
                return Verification(Verified.NOT_KNOWN, FORBIDDEN.reason)
            except NotTold as error:
                return Verification(Verified.NOT_KNOWN, error.message)
            except Unrecognised as stranger:
                return stranger
            try:
                audit = None if row is None else await self._wire.evidence(order.id)
            except Unrecognised:
                # The schedule itself tells its reason, where the service keeps reasons.
                audit = None
            return verified(order, errand.run_id, row, audit, dialect)

        return heard(await each(orders, one))

    async def close(self) -> None:
        self._pages.forget()
        await self._wire.close()

    async def _row(self, item_id: str) -> Row:
        try:
            row = await self._wire.row(item_id)
        except Denied as error:
            raise NotFound(f"{FORBIDDEN.reason}: {item_id}", hint="Ask for a permission there.") from error
        except Unreadable as error:
            return error.row
        except NotTold as error:
            raise NotFound(error.message, hint=error.hint) from error
        if row is None:
            raise NotFound(f"there is no schedule {item_id!r}", hint="Copy the id from the table.")
        return (await self._wire.named([row], ALLOWANCE))[0]


def _unread(item_id: str, why: str) -> Seen:
    return Seen(item_id, "", "", Verdict.no(VerdictCode.NOT_KNOWN, why))


def _trail_entry(entry: Entry) -> TrailEntry:
    """One entry, with the token taken off the operator's words, and beside them."""
    details = dict(entry.details)
    if isinstance(reason := details.get("reason"), str):
        words, run, chunk = parted(reason)
        if run is not None:
            details |= {"reason": words, "quash": f"{run}/{chunk}"}
    return TrailEntry(entry.at, entry.event, entry.principal, details)


def _only_cancel(verb: Verb) -> None:
    if verb is not Verb.CANCEL:
        raise Conflict("a cancelled schedule cannot be brought back", hint="Schedule the post anew instead.")
