"""Cancelling over HTTP: in bulk where the service can, else one by one; and settling what got no answer.

There is no idempotency key. What a run has cancelled is known again by the token in the reason, where the service keeps
reasons. A write without an answer is read back; what is still to go out is sent again, since the service guards it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tui_app.domain.errors import NotSignedIn, OutcomeUnknown, Unavailable
from tui_app.domain.ports import DEFERRED, Clock, Deferred, Reply
from tui_app.domain.reasons import LONGEST
from tui_app.domain.rollback import RollingBack
from tui_app.domain.run import Answer, Errand, ItemState, Order
from tui_app.domain.verdict import VerdictCode
from tui_app.domain.versions import changes
from tui_app.outbound.recognition import Said
from tui_app.outbound.slices import Slices
from tui_app.systems.schedules import dialects
from tui_app.systems.schedules.answers import Cancel, Found, cancelled, passed_over
from tui_app.systems.schedules.bodies import Row, signed
from tui_app.systems.schedules.http_rules import FORBIDDEN, cancels_of, is_open, refused, stands, version
from tui_app.systems.schedules.http_wire import Denied, Wire, each
from tui_app.systems.schedules.words import CANCELLED, SUCCESS

_LOOKED_AT = (dialects.ALREADY_CANCELLED, dialects.CANNOT)
"""Refusals behind which more than one thing may stand: the schedule is read to tell which."""


@dataclass
class _Gate:
    """Closed by the first order that cannot be sent: those that have not been sent then are not sent either."""

    closed: Unavailable | NotSignedIn | None = None


class Sender:
    """Sends the orders of one service.

    What was answered for a part of a chunk, while the rest of it could not even be read, is kept until the engine comes
    back for the chunk: a service that keeps no reasons could not tell it again.
    """

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._slices = Slices(clock)
        self._answered: dict[str, Answer] = {}

    async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Reply]:
        """Send, soonest first; an id that is given twice is sent once.

        Raises:
            OutcomeUnknown: some were sent and could not be read afterwards.
            Unavailable, NotSignedIn: nothing was sent.
        """
        reason = signed(errand)
        if len(reason) > LONGEST:
            long = Answer(
                ItemState.SKIPPED, "INVALID_REASON", f"with the run's id the reason has {len(reason)} characters"
            )
            return [replace(long, before=order.seen.status) for order in orders]
        once = {order.id: order for order in sorted(orders, key=lambda order: order.seen.due or "~")}
        for order in orders:
            self._answered.pop(order.key, None)
        replies = await self._send(list(once.values()), reason, errand)
        return [replies[order.id] for order in orders]

    async def _send(self, orders: list[Order], reason: str, errand: Errand) -> dict[str, Reply]:
        if not orders or await errand.halted():
            return {order.id: DEFERRED for order in orders}
        sent = await self._bulk(orders, reason, errand) if self._wire.bulk else None
        if sent is None:
            sent = await self._one_by_one(orders, reason, errand)
        unknown = [order for order in orders if sent[order.id] is None]
        for order, settled in zip(
            unknown, await each(unknown, lambda order: self._settled(order, errand)), strict=True
        ):
            sent[order.id] = settled
        replies = {item_id: reply for item_id, reply in sent.items() if reply is not None}
        if len(replies) < len(sent):
            self._answered |= {order.key: one for order in orders if isinstance(one := sent[order.id], Answer)}
            raise OutcomeUnknown(f"{len(sent) - len(replies)} cancellations got no answer, and could not be looked at")
        return replies

    async def _bulk(self, orders: Sequence[Order], reason: str, errand: Errand) -> dict[str, Reply | None] | None:
        """One request for all. None of an order is unknown; none at all: they have to be sent one by one."""
        with RollingBack():
            dialect = await self._wire.dialect()
        if not dialect.bulk:
            return None
        try:
            failures = await self._wire.bulk_cancel([order.id for order in orders], reason)
        except OutcomeUnknown:
            return dict.fromkeys((order.id for order in orders), None)
        if failures is None:
            return None
        replies: dict[str, Reply | None] = {
            order.id: cancelled(order, order.seen.status) for order in orders if order.id not in failures
        }
        failed = [order for order in orders if order.id in failures]

        async def why(order: Order) -> Answer | None:
            try:
                return await self._refused(order, failures[order.id], errand)
            except OutcomeUnknown:
                return None

        answers = await each(failed, why)
        return replies | dict(zip((order.id for order in failed), answers, strict=True))

    async def _one_by_one(self, orders: Sequence[Order], reason: str, errand: Errand) -> dict[str, Reply | None]:
        gate = _Gate()

        async def send(order: Order) -> Answer | Unavailable | None:
            if gate.closed is not None:
                return _unsent(gate.closed)
            try:
                answer = await self._single(order, reason, errand)
            except OutcomeUnknown:
                return None
            except (Unavailable, NotSignedIn) as error:
                gate.closed = error
                return _unsent(error)
            errand.arrived(order, answer)
            return answer

        replies = await self._slices.begin(errand.halted).hand_out(orders, send)
        nothing_sent = all(isinstance(reply, Unavailable | Deferred) for reply in replies)
        if isinstance(gate.closed, NotSignedIn) and nothing_sent:
            raise gate.closed
        return dict(zip((order.id for order in orders), replies, strict=True))

    async def _single(self, order: Order, reason: str, errand: Errand) -> Answer:
        answer = await self._wire.cancel(order.id, reason)
        if isinstance(answer, Row):
            return cancelled(order, order.seen.status)
        return await self._refused(order, answer, errand)

    async def _refused(self, order: Order, told: Said, errand: Errand) -> Answer:
        """What a refusal means, by its code; where the code leaves it open, by the schedule as it stands.

        Raises:
            OutcomeUnknown: it could not be read how it stands.
        """
        no = refused(order, told, self._wire.contact)
        # Somebody in between can copy the form of these answers, and send them after the effect.
        copied = told.code in (dialects.NOT_FOUND, dialects.DENIED, dialects.VARIANT_DENIED)
        if told.code == dialects.NOT_FOUND:
            no = passed_over(order, None)
        elif copied:
            no = replace(no, code=VerdictCode.FORBIDDEN.value)
        elif told.code == dialects.ALREADY_PUBLISHED:
            return passed_over(order, Found(SUCCESS))
        elif told.code not in _LOOKED_AT:
            return no
        try:
            row = await self._wire.row(order.id)
            if copied and (row is None or row.status != CANCELLED):
                return no
            if row is None or not is_open(row.status):
                return stands(order, row, await self._cancels(order, row, errand), self._clock.now())
        except Denied:
            if told.code == dialects.ALREADY_CANCELLED:
                said = f"{told.message}; by whom is not for us to see"
                return Answer(ItemState.ALREADY_CANCELLED, message=said, before=order.seen.status)
        except (Unavailable, NotSignedIn) as error:
            # Behind the refusal may stand a cancellation of our own, by an earlier sending.
            raise OutcomeUnknown(f"{no.message}, and it could not be looked at: {error.message}") from error
        return no

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> list[Reply]:
        """Read back; what is still to go out is sent again, unless it may only be looked at.

        Raises:
            NotSignedIn: they cannot be read.
        """
        once = {order.id: order for order in sorted(orders, key=lambda order: order.seen.due or "~")}

        async def settle(order: Order) -> Reply:
            if order.key in self._answered:
                return self._answered.pop(order.key)
            try:
                answer = await self._settle(order, errand)
            except Unavailable as error:
                return error
            errand.arrived(order, answer)
            return answer

        told = await self._slices.begin(errand.halted).hand_out(list(once.values()), settle)
        replies = dict(zip(once, told, strict=True))
        return [replies[order.id] for order in orders]

    async def _settled(self, order: Order, errand: Errand) -> Answer | None:
        """What became of an order that got no answer; none where that cannot be found out now."""
        try:
            return await self._settle(order, errand)
        except (Unavailable, NotSignedIn):
            return None

    async def _settle(self, order: Order, errand: Errand) -> Answer:
        """What became of an order that may have been sent.

        Raises:
            Unavailable: it could not be found out, and stays as it is.
        """
        for again in (True, False):
            try:
                row = await self._wire.row(order.id)
            except Denied:
                return Answer(
                    ItemState.UNKNOWN, VerdictCode.FORBIDDEN.value, FORBIDDEN.reason, before=order.seen.status
                )
            cancels = await self._cancels(order, row, errand)
            if row is None or not is_open(row.status) or any(one.key == order.key for one in cancels):
                return stands(order, row, cancels, self._clock.now())
            if version(row) != order.seen.version:
                told = changes(order.seen.version, version(row))
                said = (
                    f"it was sent without an answer, is {row.status} still, and has changed since"
                    f"{told and f' ({told})'}: it is not sent again"
                )
                return Answer(ItemState.UNKNOWN, message=said, before=order.seen.status, after=row.status)
            if errand.only_look:
                said = (
                    f"it may have been sent before the run was stopped, and is {row.status} still: it is not sent again"
                )
                return Answer(ItemState.UNKNOWN, message=said, before=order.seen.status, after=row.status)
            if again:
                try:
                    return await self._single(order, signed(errand), errand)
                except OutcomeUnknown:
                    continue
        raise Unavailable("it was sent again without an answer, and is as it was", hint="")

    async def _cancels(self, order: Order, row: Row | None, errand: Errand) -> list[Cancel]:
        if row is None:
            return []
        audit = await self._wire.evidence(order.id)
        return cancels_of(order, errand.run_id, row, audit, await self._wire.dialect())


def _unsent(error: Unavailable | NotSignedIn) -> Unavailable:
    """Why an order was not sent, in the place of its answer; what is behind it comes up again with the next read."""
    return error if isinstance(error, Unavailable) else Unavailable(error.message, hint=error.hint)
