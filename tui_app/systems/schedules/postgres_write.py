"""What is written to schedules in PostgreSQL when some are cancelled: guarded, by sets, one rule for all callers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from tui_app.database.bound import revision
from tui_app.database.encodings import check_words
from tui_app.database.postgres_rows import Connection, Row, encoding_of, row, rows
from tui_app.domain.errors import RateLimited
from tui_app.domain.rates import Rate
from tui_app.domain.run import Answer, Errand, Order, first_of_each
from tui_app.systems.schedules import rules, shapes
from tui_app.systems.schedules.answers import cancelled, passed_over
from tui_app.systems.schedules.postgres_read import found
from tui_app.systems.schedules.postgres_rows import SQL, listed
from tui_app.systems.schedules.targets import Behalf, Target


async def cancel_guarded(connection: Connection, targets: Sequence[Target], behalf: Behalf) -> dict[str, Row]:
    """Cancel what is pending or queued still: statuses, posts and audit, in the caller's transaction.

    The guard comes first, and what follows, follows from the rows that it returned. Nothing is taken off the queue: a
    publisher that comes to a message of a cancelled schedule finds that out when it claims.

    Args:
        connection: in a transaction.
        targets: each id once.
        behalf: on whose behalf.

    Returns:
        Those that were changed, as they were, keyed by id.

    Raises:
        InvalidReason: the database cannot keep a character of the reason.
        UnencodableText: it cannot keep one of the principal's name.
    """
    check_words(behalf.principal, behalf.reason or "", encoding_of(connection))
    guarded = listed([{"id": target.id, "version": target.version} for target in targets])
    changed = await rows(connection, SQL["cancel"], {"targets": guarded, "reason": behalf.reason})
    if not changed:
        return {}
    before: dict[str, Row] = {one["id"]: one for one in changed}
    posts = {"posts": listed(sorted({one["post_id"] for one in changed}))}
    await rows(connection, SQL["hold_posts"], posts)
    await rows(connection, SQL["put_back"], posts)
    hits = [target for target in targets if target.id in before]
    await record(connection, [_cancel_entry(target, before[target.id], behalf) for target in hits])
    return before


def _cancel_entry(target: Target, original: Row, behalf: Behalf) -> dict[str, Any]:
    details = rules.cancel_details(
        original=shapes.facts(original), reason=behalf.reason, run_id=behalf.run_id, idempotency_key=target.key
    )
    return entry(target.id, rules.CANCEL_EVENT, details, behalf.principal)


def entry(item_id: str, event: str, details: Mapping[str, Any], principal: str | None = None) -> dict[str, Any]:
    """One row of the audit, for :func:`record`."""
    return {"id": item_id, "event": event, "principal": principal, "details": details}


async def record(connection: Connection, entries: Collection[Mapping[str, Any]]) -> None:
    """Put entries at the end of the audit, in one statement."""
    if entries:
        await rows(connection, SQL["audit"], {"entries": listed(list(entries))})


async def cancel(connection: Connection, orders: Sequence[Order], errand: Errand) -> list[Answer]:
    """Cancel a chunk inside the caller's transaction."""
    first = first_of_each(orders)
    targets = [Target(order.id, revision(order.seen.version), order.key) for order in first.values()]
    before = await cancel_guarded(connection, targets, Behalf(errand.operator, errand.reason, errand.run_id))
    # An id that is given twice has one effect; the second order finds what the first one did.
    done = {(order.id, order.key) for order in first.values() if order.id in before}
    # A statement of its own: only a snapshot taken after the locks sees what others committed meanwhile.
    stand = await found(connection, [order.id for order in orders if (order.id, order.key) not in done])
    return [
        cancelled(order, before[order.id]["status"])
        if (order.id, order.key) in done
        else passed_over(order, stand.get(order.id))
        for order in orders
    ]


async def over_limit(connection: Connection, principal: str, rate: Rate) -> RateLimited | None:
    """Count one request of a principal; what it has to be told where it has made as many as it may.

    The window slides, so that no stretch of that length ever holds more.
    """
    values: dict[str, str | timedelta] = {"principal": principal, "per": rate.per}
    await rows(connection, SQL["queue_up"], values)
    made = await row(connection, SQL["requests"], values)
    if made["n"] < rate.items:
        await rows(connection, SQL["request"], values)
        return None
    return RateLimited(f"schedules take {rate} bulk requests of one principal", retry_after=max(made["wait"], 0.001))
