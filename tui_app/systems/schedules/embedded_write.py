"""What is written to the embedded schedules when some are cancelled: guarded, by sets, and one rule for all callers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from tui_app.database.bound import ascii_json, revision
from tui_app.domain import moments
from tui_app.domain.errors import RateLimited
from tui_app.domain.rates import Rate
from tui_app.domain.run import Answer, Errand, Order, first_of_each
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.answers import cancelled, passed_over
from tui_app.systems.schedules.embedded_read import SQL, found
from tui_app.systems.schedules.targets import Behalf, Target


def whole(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, sqlite3.Row]:
    """Schedules with their variant, connection and owner, keyed by id."""
    return {row["id"]: row for row in connection.execute(SQL["whole"], (ascii_json(list(ids)),))}


def cancel_guarded(
    connection: sqlite3.Connection,
    targets: Sequence[Target],
    originals: Mapping[str, sqlite3.Row],
    behalf: Behalf,
    now: str,
) -> set[str]:
    """Cancel what is pending or queued still: statuses, posts and audit, in the caller's transaction.

    The guard comes first, and what follows, follows from the rows that it returned. Nothing is taken off the queue: a
    publisher that comes to a message of a cancelled schedule finds that out when it claims.

    Args:
        connection: in a write transaction.
        targets: each id once.
        originals: the rows of the targets, read in this transaction.
        behalf: on whose behalf.
        now: a stamp.

    Returns:
        The ids that were changed.
    """
    guarded = ascii_json([[target.id, target.version] for target in targets])
    rows = connection.execute(SQL["cancel"], {"targets": guarded, "now": now, "reason": behalf.reason}).fetchall()
    changed = {row[0] for row in rows}
    hits = [target for target in targets if target.id in changed]
    posts = {originals[target.id]["post_id"] for target in hits}
    connection.execute(SQL["put_back"], {"posts": ascii_json(sorted(posts)), "now": now})
    connection.executemany(SQL["audit"], (_cancel_entry(target, originals[target.id], behalf, now) for target in hits))
    return changed


def _cancel_entry(target: Target, original: sqlite3.Row, behalf: Behalf, now: str) -> dict[str, Any]:
    details = rules.cancel_details(
        original=shapes.facts(original), reason=behalf.reason, run_id=behalf.run_id, idempotency_key=target.key
    )
    return entry(target.id, rules.CANCEL_EVENT, now, details, behalf.principal)


def entry(
    item_id: str, event: str, at: str, details: Mapping[str, Any], principal: str | None = None
) -> dict[str, Any]:
    """One row of the audit, to be bound."""
    return {"id": item_id, "event": event, "at": at, "principal": principal, "details": json.dumps(details)}


def cancel(connection: sqlite3.Connection, orders: Sequence[Order], errand: Errand, now: datetime) -> list[Answer]:
    """Cancel a chunk inside the caller's transaction."""
    first = first_of_each(orders)
    originals = whole(connection, first)
    targets = [Target(order.id, revision(order.seen.version), order.key) for order in first.values()]
    behalf = Behalf(errand.operator, errand.reason, errand.run_id)
    changed = cancel_guarded(connection, targets, originals, behalf, moments.stamp(now))
    # An id that is given twice has one effect; the second order finds what the first one did.
    done = {(order.id, order.key) for order in first.values() if order.id in changed}
    stand = found(connection, [order.id for order in orders if (order.id, order.key) not in done], now)
    return [
        cancelled(order, originals[order.id]["status"])
        if (order.id, order.key) in done
        else passed_over(order, stand.get(order.id))
        for order in orders
    ]


def over_limit(connection: sqlite3.Connection, principal: str, rate: Rate, now: datetime) -> RateLimited | None:
    """Count one request of a principal; what it has to be told where it has made as many as it may.

    The window slides, so that no stretch of that length ever holds more.
    """
    since = moments.stamp(now - rate.per)
    connection.execute(SQL["forget_requests"], {"principal": principal, "since": since})
    connection.execute(SQL["clamp_requests"], {"principal": principal, "now": moments.stamp(now)})
    made = connection.execute(SQL["requests"], {"principal": principal}).fetchone()
    if made["n"] < rate.items:
        connection.execute(SQL["request"], {"principal": principal, "at": moments.stamp(now)})
        return None
    wait = (moments.read(made["oldest"]) + rate.per - now).total_seconds()
    return RateLimited(f"schedules take {rate} bulk requests of one principal", retry_after=max(wait, 0.001))
