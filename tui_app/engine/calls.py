"""What a chunk asks of its system, so that an error stays with the item that it was raised for.

Nothing is sent again where a sending may have had its effect: then it is only looked at. Where it is certain that
nothing was sent, or that all was rolled back, the orders are sent in halves until the one item is found. That item is
refused with the system's words where the system raised the error, else skipped with the id of a report.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tui_app.domain.errors import Fault, NotAllowed, NotSignedIn, OutcomeUnknown, Refused, Unavailable
from tui_app.domain.items import Seen
from tui_app.domain.ports import Deferred, Held, Reply, System
from tui_app.domain.rollback import RolledBack
from tui_app.domain.run import Answer, Errand, ItemState, Order, SkipCode, Verification, Verified, never
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.engine.containment import Caught, complete, contained, halved
from tui_app.engine.faults import Reports
from tui_app.engine.recall import Recall

LOOKS = 3
"""How often an item is looked at that raises an error even then, before its outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """That an order may have been sent, and could not be asked for, and why not: its intent stays."""

    why: Held | NotAllowed | Deferred


Told = Answer | Held | Deferred | OutcomeUnknown | Unsettled
"""What is known of one order after a call."""

_CONCERNS_ALL = (Unavailable, NotSignedIn)

_log = logging.getLogger("quash.runner")


@dataclass(slots=True)
class Doubts:
    """Items of a run, by key, that raised an error and could not be looked at since: the error, and how often not."""

    errors: dict[str, Exception] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one chunk. ``name`` is that of its system; ``heard`` are answers that came one by one, by key."""

    name: str
    system: System
    errand: Errand
    reports: Reports
    doubts: Doubts
    heard: dict[str, Answer] = field(default_factory=dict)

    async def execute(self, orders: Sequence[Order]) -> list[Told]:
        """Send the orders; one reply each."""
        told: dict[int, Told] = {}
        left = [list(range(len(orders)))]
        while left:
            places = left.pop()
            part = [orders[place] for place in places]
            sent = await contained(complete(part, self._execute))
            if not isinstance(sent, Caught):
                for place, order, reply in zip(places, part, sent, strict=True):
                    told[place] = reply if isinstance(reply, Answer) else await self._one(order, reply)
                continue
            error = sent.error
            if isinstance(error, Unavailable | NotSignedIn | NotAllowed):
                why = error if isinstance(error, Unavailable) else Unsettled(error)
                told.update((place, self._known(orders[place], why)) for rest in (places, *left) for place in rest)
                break
            after = await self._after(part, error)
            told.update((place, one) for place, one in zip(places, after, strict=True) if one is not None)
            unsent = [place for place, one in zip(places, after, strict=True) if one is None]
            if len(places) == 1:
                told.update((place, self._failed(orders[place], error)) for place in unsent)
            elif unsent:
                middle = (len(unsent) + 1) // 2
                left += [part for part in (unsent[middle:], unsent[:middle]) if part]
        return [told[place] for place in range(len(orders))]

    async def reconcile(self, orders: Sequence[Order]) -> list[Told]:
        """Settle the orders; one reply each. Those that raised an error when they were sent are only looked at."""
        doubted = [order for order in orders if order.key in self.doubts.errors]
        asked = [order for order in orders if order.key not in self.doubts.errors]
        settled = await halved(asked, self._reconcile, ends=_CONCERNS_ALL)
        barred = all(isinstance(one, Caught) and isinstance(one.error, NotAllowed) for one in settled)
        told: dict[str, Told] = {}
        for order, one in zip(asked, settled, strict=True):
            if barred and isinstance(one, Caught) and isinstance(one.error, NotAllowed):
                told[order.key] = Unsettled(one.error)
            else:
                told[order.key] = await self._one(order, one)
        for order in doubted:
            told[order.key] = await self._looked_at(order, self.doubts.errors[order.key])
        return [told[order.key] for order in orders]

    async def survey(self, recall: Recall, ids: Sequence[str]) -> list[Seen | Caught]:
        """What is to be seen of each id now, or why one cannot be read.

        Raises:
            Unavailable, NotSignedIn, NotAllowed: none can be read now.
        """
        return await surveyed(recall, self.name, self.system, ids)

    async def verify(self, orders: Sequence[Order]) -> list[Verification | Held]:
        """What reading each says of what was recorded; where the system does not answer, that."""
        found = await halved(orders, lambda part: self.system.verify(part, self.errand), ends=_CONCERNS_ALL)
        return [
            self._verified(order, one.error) if isinstance(one, Caught) else one
            for order, one in zip(orders, found, strict=True)
        ]

    async def _execute(self, orders: Sequence[Order]) -> Sequence[Reply]:
        return await self.system.execute(orders, self.errand)

    async def _reconcile(self, orders: Sequence[Order]) -> Sequence[Reply]:
        return await self.system.reconcile(orders, self.errand)

    async def _look(self, orders: Sequence[Order]) -> Sequence[Reply]:
        return await self.system.reconcile(orders, replace(self.errand, only_look=True, halted=never))

    def _known(self, order: Order, otherwise: Unavailable | Unsettled) -> Told:
        return self.heard.get(order.key, otherwise)

    async def _after(self, orders: Sequence[Order], error: Exception) -> list[Told | None]:
        """What became of orders whose sending raised an error; none of those for which certainly nothing was done."""
        if isinstance(error, RolledBack):
            return [self.heard.get(order.key) for order in orders]
        silent = [order for order in orders if order.key not in self.heard]
        if isinstance(error, OutcomeUnknown):
            settled = await self.reconcile(silent)
            told: dict[str, Told | None] = {
                order.key: Unsettled(one) if isinstance(one, Unavailable | NotSignedIn | Deferred) else one
                for order, one in zip(silent, settled, strict=True)
            }
        else:
            _log.warning("%s: %s; what was sent is looked at", self._where, type(error).__name__)
            looked = await halved(silent, self._look, ends=_CONCERNS_ALL)
            told = {order.key: self._judged(order, error, one) for order, one in zip(silent, looked, strict=True)}
        return [self.heard.get(order.key) or told[order.key] for order in orders]

    async def _one(self, order: Order, reply: Reply | Caught) -> Told:
        """The reply to one order; where it is an error of that order, what looking at it tells."""
        if isinstance(reply, (Answer, Unavailable, NotSignedIn, Deferred, OutcomeUnknown)):
            return reply
        error = reply.error if isinstance(reply, Caught) else reply
        if isinstance(error, Unavailable | NotSignedIn | OutcomeUnknown):
            return error
        if isinstance(error, NotAllowed):
            status = order.seen.status
            return Answer(ItemState.UNKNOWN, VerdictCode.FORBIDDEN.value, error.message, before=status)
        return await self._looked_at(order, error)

    async def _looked_at(self, order: Order, error: Exception) -> Told:
        looked = await contained(complete([order], self._look))
        judged = self._judged(order, error, looked if isinstance(looked, Caught) else looked[0])
        return self._failed(order, error) if judged is None else judged

    def _judged(self, order: Order, error: Exception, looked: Reply | Caught) -> Told | None:
        """What looking at an order tells that raised an error; none where certainly nothing was done for it."""
        if isinstance(looked, Answer):
            if looked.state is ItemState.SKIPPED and looked.code == SkipCode.STOPPED:
                return None
            return self._unknown(order, error) if looked.state is ItemState.UNKNOWN else looked
        trouble = looked.error if isinstance(looked, Caught) else looked
        self.doubts.errors[order.key] = error
        if isinstance(trouble, Unavailable | NotSignedIn | OutcomeUnknown):
            return OutcomeUnknown(f"{order.id} could not be looked at: {trouble.message}")
        self.doubts.looks[order.key] += 1
        if self.doubts.looks[order.key] < LOOKS:
            return OutcomeUnknown(f"{order.id} could not be looked at: {type(trouble).__name__}")
        return self._unknown(order, error)

    def _failed(self, order: Order, error: Exception) -> Answer:
        """The answer for an item that an error ended, where nothing was done for it."""
        status, words = order.seen.status, said(error)
        if words is not None:
            _log.warning("%s: %s is refused: %s", self._where, order.id, words[1])
            return Answer(ItemState.REFUSED, *words, before=status, after=status)
        report = self._reported(order, error)
        told = f"an error in quash ended this item, and nothing was sent for it (report {report} in faults.log)"
        return Answer(ItemState.SKIPPED, SkipCode.FAULT.value, told, before=status, after=status)

    def _unknown(self, order: Order, error: Exception) -> Answer:
        report = self._reported(order, error)
        told = f"an error in quash came when it was sent: look in {self.name} what became of it"
        told = f"{told} (report {report} in faults.log)"
        return Answer(ItemState.UNKNOWN, SkipCode.FAULT.value, told, before=order.seen.status)

    def _verified(self, order: Order, error: Exception) -> Verification | Held:
        if isinstance(error, Unavailable | NotSignedIn):
            return error
        if isinstance(error, Refused | OutcomeUnknown):
            return Verification(Verified.NOT_KNOWN, error.message)
        report = self._reported(order, error)
        return Verification(
            Verified.NOT_KNOWN, f"an error in quash came when it was read (report {report} in faults.log)"
        )

    def _reported(self, order: Order, error: Exception) -> str:
        report = self.reports.note(cause(error))
        _log.error("%s: %s: %s (report %s)", self._where, order.id, type(cause(error)).__name__, report)
        return report

    @property
    def _where(self) -> str:
        return f"run {self.errand.run_id}, chunk {self.errand.chunk}, {self.name}"


async def surveyed(recall: Recall, name: str, system: System, ids: Sequence[str]) -> list[Seen | Caught]:
    """What is to be seen of each id of a system now, or why one cannot be read.

    Raises:
        Unavailable, NotSignedIn, NotAllowed: none can be read now.
    """
    concern_all = (*_CONCERNS_ALL, NotAllowed)
    found = await halved(ids, lambda part: recall.survey(name, system, part), ends=concern_all)
    for one in found:
        if isinstance(one, Caught) and isinstance(one.error, concern_all):
            raise one.error
    return found


def cause(error: Exception) -> Exception:
    """The error behind one that only says how far it reaches."""
    behind = error.__cause__
    return behind if isinstance(error, RolledBack | Fault) and isinstance(behind, Exception) else error


def said(error: Exception) -> tuple[str, str] | None:
    """The code and the words of a system that raised an error; none where our own code or a driver did."""
    if isinstance(error, RolledBack) and error.said is not None:
        return error.code, error.said
    told = cause(error)
    return (told.code, told.message) if isinstance(told, Refused) else None


def unread(item_id: str, error: Exception, reports: Reports) -> Seen:
    """An item that raised an error when it was read: blocked, with the system's words or the id of a report."""
    words = said(error)
    if words is None:
        told = f"an error in quash came when it was read (report {reports.note(cause(error))} in faults.log)"
    else:
        told = f"it could not be read: {words[1]}"
    return Seen(item_id, "", "", Verdict.no(VerdictCode.NOT_KNOWN, told))
