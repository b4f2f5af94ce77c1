"""Cases at an HTTP API of somebody else, as its runbook has them cancelled: check, preview, cancel, verify."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import NotFound, QuashError, RateLimited, Unavailable
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Preview, Probed, Reply, TrailEntry
from tui_app.domain.rollback import RollingBack
from tui_app.domain.run import Answer, Errand, Made, Order, Verification
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.outbound.answers import Response
from tui_app.outbound.begun import Begun
from tui_app.outbound.recognition import Unrecognised, heard
from tui_app.outbound.slices import Slices
from tui_app.systems.cases import rules
from tui_app.systems.cases.conduct import Conduct
from tui_app.systems.cases.dialects import Operation
from tui_app.systems.cases.impact import preview
from tui_app.systems.cases.inquiry import Inquiry, Standing
from tui_app.systems.cases.line import CaseLine, Kept
from tui_app.systems.cases.lists import MOST, Lists, item_of
from tui_app.systems.cases.shapes import Impact
from tui_app.systems.cases.words import SUMMED

T = TypeVar("T")

LISTED = 3
"""Cases that are looked for in the server's list rather than read by themselves, at least."""

TOGETHER = 16
"""Cases of one chunk where the server has no limit that we know."""


class HttpCases:
    """The cases of an HTTP API, as a system. ``version`` is the server's own, else what was read of the case.

    ``limited``: the profile says that cancellations are limited, so that each is a chunk of its own.
    """

    def __init__(self, line: CaseLine, base: str, *, limited: bool = False) -> None:
        self._line = line
        self._base = base
        self._limited = limited
        self._inquiry = Inquiry(line)
        self._conduct = Conduct(line, self._inquiry)
        self._lists = Lists(self._inquiry)
        self._slices = Slices(line.clock)
        self._begun: Begun[tuple[str, ...], Response] = Begun()

    @property
    def description(self) -> Description:
        verbs = SUMMED.verbs if self._line.dialect.has(Operation.REINSTATE) else (Verb.CANCEL,)
        return replace(SUMMED, lists=self._lists.there is not False, verbs=verbs)

    def act_for(self, operator: str) -> None:
        self._line.operator = operator

    @property
    def credentials_expire(self) -> datetime | None:
        """When the token at hand ends; none where it does not say, or none was needed yet."""
        return None if self._line.tokens is None else self._line.tokens.expires_at

    @property
    def signed_in_as(self) -> str | None:
        """Whom the token at hand names; none where it does not say, or none was needed yet."""
        return None if self._line.tokens is None else self._line.tokens.subject

    async def sign_in(self) -> None:
        if self._line.tokens is not None:
            await self._line.tokens.current()

    @property
    def chunk_size(self) -> int:
        return 1 if self._limited else TOGETHER

    @property
    def silent_since(self) -> datetime | None:
        """See ``TellsSilence``."""
        return self._line.service.silent_since

    @property
    def survey_size(self) -> int:
        """See ``ReadsMany``: where the server has a list, as many as one page of it tells of."""
        return MOST if self._lists.there else self.chunk_size

    def check_id(self, text: str) -> str:
        return rules.check_id(text)

    async def identity(self) -> str:
        """The origin and base path: another address is another system, as far as anyone can tell from here."""
        return self._base

    async def probe(self) -> list[Probed]:
        return await self._inquiry.probe()

    async def page(self, query: PageQuery) -> Page:
        return await self._lists.page(query)

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        if before is not None:
            # The API cannot be asked how many stand before a row.
            check_sort(before[0], SUMMED.sortable)
            return Count(0, exact=False)
        return await self._lists.count(wanted, as_of)

    async def item(self, item_id: str) -> Item:
        return item_of(await self._standing(item_id))

    async def _standing(self, case_id: str) -> Standing:
        found = await self._inquiry.standing(case_id)
        if found is None:
            raise NotFound(f"there is no case {case_id!r}", hint="Copy the id again.")
        return found

    async def survey_undo(self, ids: Sequence[str], made: Mapping[str, Made]) -> list[Seen]:
        return await self.survey(ids, Verb.REINSTATE, made)

    async def survey(
        self, ids: Sequence[str], verb: Verb = Verb.CANCEL, made: Mapping[str, Made] = MappingProxyType({})
    ) -> list[Seen]:
        """Each case by itself, as far as the server's list does not tell of it; what was read before a limit is kept.

        One that cannot be read is not known, and blocks itself; where none can be, the server is unavailable.
        """
        kept = self._begun.take(ids, verb, self._line.clock.now())
        try:
            listed = await self._lists.standings(ids) if len(ids) >= LISTED else {}
        except Unavailable as trouble:
            self._begun.keep(ids, verb, kept, trouble, self._line.clock.now())
            raise
        found = await _all(self._seen(one, verb, kept, made.get(one), listed.get(one)) for one in ids)
        troubles = [one for one in found if isinstance(one, Unavailable)]
        limits = [one for one in troubles if isinstance(one, RateLimited)]
        if limits:
            # The longest: before that there is nothing to come back for.
            longest = max(limits, key=lambda one: one.retry_after or 0.0)
            self._begun.keep(ids, verb, kept, longest, self._line.clock.now())
            raise longest
        if troubles and len(troubles) == len(found):
            self._begun.keep(ids, verb, kept, troubles[0], self._line.clock.now())
            raise troubles[0]
        return [_unread(one, told) for one, told in zip(ids, found, strict=True)]

    async def _seen(
        self, case_id: str, verb: Verb, kept: Kept, made: Made | None, listed: Standing | None
    ) -> Seen | Unavailable:
        try:
            return await self._inquiry.seen(case_id, verb, kept, made, listed)
        except Unavailable as trouble:
            return trouble

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    async def preview(self, item_id: str) -> Preview:
        found = await self._standing(item_id)
        verdict, impact, missing = found.verdict(), Impact(), ""
        if verdict.cancellable:
            impact, missing = await self._inquiry.impact(item_id)
        title = found.told.fields.get("title")
        shown = None if title is None else str(title)
        return preview(verdict, found.holds, found.unread, impact, missing, shown)

    async def trail(self, item_id: str) -> list[TrailEntry]:
        audit = await self._inquiry.audit(item_id)
        if audit.unread and await self._inquiry.standing(item_id) is not None:
            told = f"the audit of case {item_id} cannot be read: {audit.unread}"
            raise NotFound(told, hint="Ask whoever runs the API.")
        return list(audit.entries)

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """Send the orders, each under its key. The first goes alone: what it meets, the others need not."""
        with RollingBack():
            await self._inquiry.check_permission(errand.run_id)
        held: RateLimited | None = None

        async def send(order: Order) -> Reply:
            nonlocal held
            if held is not None:
                return held
            reply = await self._conduct.send(order, errand)
            if isinstance(reply, RateLimited):
                held = reply
            return reply

        alone = [(0, order) for order in orders[:1]]
        return await self._handed_out([alone, *_groups(orders, 1)], send, errand)

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        """Read what became of each; what is as it was is sent again under the same key, while that lives."""
        return await self._handed_out(_groups(orders), lambda order: self._conduct.settle(order, errand), errand)

    async def _handed_out(
        self,
        groups: Sequence[Sequence[tuple[int, Order]]],
        work: Callable[[Order], Coroutine[Any, Any, Reply]],
        errand: Errand,
    ) -> list[Reply]:
        """The replies to all orders, by their places; one group after another."""

        async def heard(order: Order) -> Reply:
            reply = await work(order)
            if isinstance(reply, Answer):
                errand.arrived(order, reply)
            return reply

        replies: dict[int, Reply] = {}
        slice_ = self._slices.begin(errand.halted)
        for together in groups:
            told = await slice_.hand_out([order for _, order in together], heard)
            replies.update(zip((place for place, _ in together), told, strict=True))
        return [replies[place] for place in sorted(replies)]

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        """See the Protocol. What a stranger answered is not known; where nothing else was answered it is raised.

        Raises:
            Unavailable: nothing was learned of some of them.
        """
        told = await _all(self._verified(order, errand) for order in orders)
        return heard(told)

    async def _verified(self, order: Order, errand: Errand) -> Verification | Unrecognised:
        try:
            return await self._conduct.verify(order, errand)
        except Unrecognised as stranger:
            return stranger

    async def close(self) -> None:
        await self._line.service.close()


@dataclass(frozen=True, slots=True)
class _Raised:
    error: QuashError


async def _all(asked: Iterable[Awaitable[T]]) -> list[T]:
    """What all of them return, once all have; what one of them raises is raised after that, and ends no other."""

    async def kept(one: Awaitable[T]) -> T | _Raised:
        try:
            return await one
        except QuashError as error:
            return _Raised(error)

    told = await asyncio.gather(*(kept(one) for one in asked))
    for one in told:
        if isinstance(one, _Raised):
            raise one.error
    return [one for one in told if not isinstance(one, _Raised)]


def _unread(case_id: str, found: Seen | Unavailable) -> Seen:
    if isinstance(found, Seen):
        return found
    return Seen(case_id, "", "", Verdict.no(VerdictCode.NOT_KNOWN, f"it could not be read: {found}"))


def _groups(orders: Sequence[Order], start: int = 0) -> list[list[tuple[int, Order]]]:
    """The orders from a place on with their places, in groups; none holds a case twice."""
    groups: list[list[tuple[int, Order]]] = []
    met: Counter[str] = Counter(order.id for order in orders[:start])
    for place, order in enumerate(orders[start:], start):
        number = met[order.id]
        met[order.id] += 1
        while len(groups) <= number:
            groups.append([])
        groups[number].append((place, order))
    return groups
