"""How many rows of a table have each status, kept up to date by the table itself.

A count of ten million rows takes a second; kept up to date row by row it costs a microsecond each.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui_app.database.where import SQLITE, Clause, Field, where
from tui_app.domain.describe import Kind
from tui_app.domain.filters import Filter, Op

if TYPE_CHECKING:
    from sqlite_utils import Database

_TRIGGERS = (
    """
CREATE TRIGGER {item}_counted AFTER INSERT ON {table} BEGIN
    INSERT INTO tally (status, n) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET n = n + 1;
END""",
    """
CREATE TRIGGER {item}_moved AFTER UPDATE OF status ON {table} WHEN old.status <> new.status BEGIN
    UPDATE tally SET n = n - 1 WHERE status = old.status;
    INSERT INTO tally (status, n) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET n = n + 1;
END""",
    """
CREATE TRIGGER {item}_gone AFTER DELETE ON {table} BEGIN
    UPDATE tally SET n = n - 1 WHERE status = old.status;
END""",
)


@dataclass(frozen=True, slots=True)
class StatusTally:
    """The tally of one table of a file; ``item`` is what its triggers are named after."""

    table: str
    item: str

    def make(self, database: Database, statuses: Sequence[str]) -> None:
        """Make it beside its table, which is empty; ``statuses`` are those that are known from the start."""
        tally = database.table("tally").create({"status": str, "n": int}, pk="status", strict=True)
        tally.insert_all({"status": status, "n": 0} for status in statuses)
        for trigger in _TRIGGERS:
            database.execute(trigger.format(item=self.item, table=self.table))

    @contextmanager
    def added_at_once(self, connection: sqlite3.Connection, statuses: Iterable[str]) -> Iterator[None]:
        """Count rows of these statuses, which are inserted within, in the caller's transaction, all at once.

        The trigger that counts each of them takes longer than the insert itself.
        """
        name = f"{self.item}_counted"
        found = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?", (name,))
        [trigger] = found.fetchone()
        connection.execute(f"DROP TRIGGER {name}")
        yield
        added = ((n, status) for status, n in Counter(statuses).items())
        connection.executemany("UPDATE tally SET n = n + ? WHERE status = ?", added)
        connection.execute(trigger)


def status_only(wanted: Filter) -> Clause | None:
    """The filter on a tally, where it asks for statuses and nothing else."""
    if any(term.field != "status" or term.op is not Op.ANY for term in wanted.terms):
        return None
    return where(wanted, {"status": Field("status", Kind.STATUS)}, (), SQLITE)


def tallied(connection: sqlite3.Connection, statuses: Clause) -> int:
    """The rows that the tally has of these statuses."""
    sql = f"SELECT coalesce(sum(n), 0) FROM tally WHERE {statuses.sql}"  # noqa: S608 - the values are bound
    return int(connection.execute(sql, statuses.values).fetchone()[0])
