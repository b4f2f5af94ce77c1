"""A chunk of orders as the embedded case management takes it: what is known already, the limit, the guarded write."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui_app.domain.describe import Verb
from tui_app.domain.errors import Unavailable
from tui_app.domain.ports import Reply
from tui_app.domain.rates import Rate
from tui_app.domain.run import Answer, Errand, Order, first_of_each
from tui_app.systems.cases import rules
from tui_app.systems.cases.answers import Found, accepted, looked_at, not_reinstated, passed_over, reinstated
from tui_app.systems.cases.embedded_read import found
from tui_app.systems.cases.embedded_write import Behalf, Times, Wish, accept, reinstate
from tui_app.systems.cases.limit import spend


@dataclass(frozen=True, slots=True)
class Port:
    """How the file answers the orders of a run."""

    times: Times
    rate: Rate | None = None

    def send(
        self,
        connection: sqlite3.Connection,
        orders: Sequence[Order],
        errand: Errand,
        now: str,
        *,
        settling: bool = False,
    ) -> list[Reply]:
        """Carry out a chunk inside the caller's transaction; an answer each, or why an order was not sent."""
        sent, late = self._within_limit(connection, orders, errand, now)
        done = self._write(connection, list(first_of_each(sent).values()), errand, now)
        # An id that is given twice has one effect; the second order finds what the first one did.
        left = [order.id for order in sent if done.get((order.id, order.key)) is None]
        stand = found(connection, left, now)
        told: list[Reply] = []
        for place, order in enumerate(orders):
            answer = done.get((order.id, order.key))
            if late is not None and place in late[0]:
                told.append(late[1])
            else:
                told.append(answer or _passed_over(order, stand.get(order.id), errand.verb, settling=settling))
        return told

    def look(self, connection: sqlite3.Connection, orders: Sequence[Order], errand: Errand, now: str) -> list[Reply]:
        """What became of orders that may have been sent; nothing is sent, and no limit counts it."""
        stand = found(connection, [order.id for order in orders], now)
        return [looked_at(order, stand.get(order.id), errand.verb) for order in orders]

    def _within_limit(
        self, connection: sqlite3.Connection, orders: Sequence[Order], errand: Errand, now: str
    ) -> tuple[list[Order], tuple[frozenset[int], Unavailable] | None]:
        """The orders that may be sent now, and the places of those that may not, with the reason.

        What was sent before is asked for again: it costs nothing.
        """
        if self.rate is None:
            return list(orders), None
        stand = found(connection, [order.id for order in orders], now)
        new = [place for place, order in enumerate(orders) if not _known(order, stand.get(order.id), errand.verb)]
        granted, limited = spend(connection, self.rate, errand.verb, errand.operator, len(new), now)
        if limited is None:
            return list(orders), None
        late = frozenset(new[granted:])
        return [order for place, order in enumerate(orders) if place not in late], (late, limited)

    def _write(
        self, connection: sqlite3.Connection, orders: Sequence[Order], errand: Errand, now: str
    ) -> Mapping[tuple[str, str], Answer]:
        wishes = [Wish(order.id, order.key, order.seen.version) for order in orders]
        if errand.verb is Verb.REINSTATE:
            behalf = Behalf(errand.operator, rules.ROLLBACK_CODE, errand.reason, run_id=errand.run_id)
            back = reinstate(connection, wishes, behalf, now)
            return {(one.id, one.key): reinstated(one, back[one.id]) for one in orders if one.id in back}
        notify = errand.options.notify_stakeholders
        behalf = Behalf(errand.operator, rules.REASON_CODE, errand.reason, notify, errand.run_id)
        hits = accept(connection, wishes, behalf, now, self.times)
        return {(one.id, one.key): accepted(one) for one in orders if one.id in hits}


def _passed_over(order: Order, stand: Found | None, verb: Verb, *, settling: bool) -> Answer:
    if verb is Verb.REINSTATE:
        return not_reinstated(order, stand)
    return passed_over(order, stand, settling=settling)


def _known(order: Order, stand: Found | None, verb: Verb) -> bool:
    if stand is None:
        return False
    if verb is Verb.REINSTATE:
        return any(one.key == order.key and one.event == rules.REINSTATE_EVENT for one in stand.events)
    return any(request.key == order.key for request in stand.requests)
