"""The limit of the embedded case management itself: so many requests of one user in a stretch of time.

It stands in the file, so that every process that works on it is counted. The window slides: what was asked longer ago
than the stretch counts no more. The native routes have limits of their own, for whoever asks over the network.
"""

from __future__ import annotations

import sqlite3

from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import RateLimited
from tui_app.domain.rates import Rate
from tui_app.systems.cases.embedded_write import SQL


def spend(
    connection: sqlite3.Connection, rate: Rate, verb: Verb, user: str, wanted: int, now: str
) -> tuple[int, RateLimited | None]:
    """Take what is left of a user's requests of one verb: how many of those wanted, and the answer to the rest.

    Cancelling and reinstating are counted apart.
    """
    moment = moments.read(now)
    values = {"bucket": verb.value, "user_id": user, "since": moments.stamp(moment - rate.per)}
    connection.execute(SQL["forget_spent"], values)
    connection.execute(SQL["clamp_spent"], {**values, "now": now})
    spent = [row[0] for row in connection.execute(SQL["spent"], (verb.value, user))]
    granted = min(wanted, max(0, rate.items - len(spent)))
    connection.executemany(SQL["spend"], [(verb.value, user, now)] * granted)
    if granted == wanted:
        return granted, None
    times = [*spent, *[now] * granted]
    # The next request is free once so many have left the window that there is room for one.
    free = moments.read(times[len(times) - rate.items]) + rate.per
    wait = max((free - moment).total_seconds(), 0.001)
    return granted, RateLimited(f"{user or 'this user'} has used up {rate}; nothing was sent", retry_after=wait)
