"""A real command bus' own records, read with a plain connection."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from support.records import CommandTables, Effect
from tui_app.domain.describe import Verb


class PostgresRecords(CommandTables):
    """The same reads as ``support.records.CommandRecords``, of the tables that reliable-cmd and PGMQ made."""

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

    def effects(self) -> list[Effect]:
        """Without moments: the database has a clock of its own."""
        rows = self._rows(
            "SELECT domain || '/' || command_id, details_json FROM commandbus.audit"
            " WHERE event_type = 'OPERATOR_CANCEL' ORDER BY audit_id"
        )
        return [Effect(item, Verb.CANCEL, told.get("idempotency_key"), told.get("run_id")) for item, told in rows]
