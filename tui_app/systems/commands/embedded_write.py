"""What is written to the embedded command bus when a chunk is cancelled: guarded, and by sets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from tui_app.database.bound import ascii_json, revision
from tui_app.domain.run import Answer, Errand, Order, first_of_each
from tui_app.systems.commands import rules
from tui_app.systems.commands.answers import cancelled, passed_over
from tui_app.systems.commands.embedded_read import SQL, found


def cancel(connection: sqlite3.Connection, orders: Sequence[Order], errand: Errand, now: str) -> list[Answer]:
    """Cancel a chunk inside the caller's transaction: statuses, replies, audit and batches, or nothing."""
    first = first_of_each(orders)
    guarded = ascii_json([[order.id, revision(order.seen.version)] for order in first.values()])
    rows = connection.execute(SQL["cancel"], {"orders": guarded, "now": now}).fetchall()
    changed = {row[0] for row in rows}
    # An id that is given twice has one effect; the second order finds what the first one did.
    hits = [order for order in first.values() if order.id in changed]
    if hits:
        _follow(connection, hits, errand, now)
    done = {(order.id, order.key) for order in hits}
    stand = found(connection, [order.id for order in orders if (order.id, order.key) not in done])
    return [
        cancelled(order) if (order.id, order.key) in done else passed_over(order, stand.get(order.id))
        for order in orders
    ]


def _follow(connection: sqlite3.Connection, hits: Sequence[Order], errand: Errand, now: str) -> None:
    """What follows from a changed status: one reply and one audit event each, and the batches' counters."""
    values = {"hits": ascii_json([[order.id, order.key] for order in hits]), "now": now}
    template = ascii_json(rules.reply_template(errand.reason, now))
    connection.execute(SQL["cancel_replies"], {**values, "template": template, "suffix": rules.RESPONSE_SUFFIX})
    details = rules.audit_details(
        operator=errand.operator,
        reason=errand.reason,
        reply_to=None,
        run_id=errand.run_id,
        idempotency_key=None,
    )
    connection.execute(SQL["cancel_audit"], {**values, "template": ascii_json(details)})
    touched = connection.execute(SQL["cancel_batches"], {"hits": values["hits"]}).fetchall()
    complete_batches(connection, ((row[0], row[1]) for row in touched), now)


def complete_batches(connection: sqlite3.Connection, touched: Iterable[tuple[str, str]], now: str) -> None:
    """End the batches of which every command has come to its end, and record it."""
    for domain, batch_id in touched:
        key = {"domain": domain, "batch_id": batch_id, "now": now}
        for row in connection.execute(SQL["complete_batch"], key).fetchall():
            details = {name: row[name] for name in row.keys() if name != "domain"}  # noqa: SIM118
            audit(connection, rules.join_id(domain, batch_id), "BATCH_COMPLETED", now, details)


def audit(connection: sqlite3.Connection, item_id: str, event: str, now: str, details: object) -> None:
    """One event in the bus' own audit."""
    values = {"id": item_id, "event": event, "at": now, "details": ascii_json(details)}
    connection.execute(SQL["audit"], values)
