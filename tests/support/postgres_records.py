"""A real command bus' own records, read with a plain connection."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
from psycopg import sql


class PostgresRecords:
    """The same reads as ``support.world.Records``, of the tables that reliable-cmd and PGMQ made."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _rows(self, query: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(query).fetchall()

    def statuses(self) -> dict[str, str]:
        return dict(self._rows("SELECT domain || '/' || command_id, status FROM commandbus.command"))

    def reply_queues(self) -> dict[str, str]:
        return dict(self._rows("SELECT domain || '/' || command_id, reply_queue FROM commandbus.command"))

    def replies(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for (queue,) in self._rows("SELECT queue_name FROM pgmq.meta WHERE queue_name NOT LIKE '%%\\_\\_commands'"):
            table = sql.Identifier(f"q_{queue.lower()}")
            for (reply,) in self._rows(sql.SQL("SELECT message FROM pgmq.{} ORDER BY msg_id").format(table)):
                found.setdefault(f"{reply['domain']}/{reply['command_id']}", []).append(reply)
        return found

    def cancels(self) -> Counter[str]:
        rows = self._rows(
            "SELECT domain || '/' || command_id FROM commandbus.audit WHERE event_type = 'OPERATOR_CANCEL'"
        )
        return Counter(item for (item,) in rows)
