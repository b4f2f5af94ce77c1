"""Each system's own records, read from its file with a plain connection and never through quash."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tui_app.domain.describe import Verb


@dataclass(frozen=True)
class Effect:
    """One cancellation or reinstatement, as a system's own audit tells it.

    ``key`` and ``run`` are empty where it was not quash's. ``at`` is None where the system's clock is not the
    journal's.
    """

    item: str
    verb: Verb
    key: str | None
    run: str | None
    at: str | None = None


class Records(Protocol):
    """What the invariants need to know of a system."""

    system: str

    def cancelled(self) -> set[str]:
        """The items whose status says so."""

    def effects(self) -> list[Effect]:
        """Everything that was done, oldest first."""

    def taken(self) -> Counter[str]:
        """How often the system took something up under each of our keys, whether or not it is done with it."""

    def contradictions(self) -> list[str]:
        """What its own tables say against each other, where cancelling promises that they agree."""


@dataclass(frozen=True)
class SqliteRecords:
    """Tables in a file."""

    path: Path

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()


def _events(rows: list[tuple[Any, ...]], verbs: dict[str, Verb]) -> list[Effect]:
    """Rows of item, event, moment and details."""
    return [
        Effect(item, verbs[event], told.get("idempotency_key"), told.get("run_id"), at)
        for item, event, at, details in rows
        if event in verbs
        for told in [json.loads(details)]
    ]


def _unanswered(effects: list[Effect], reply_queues: dict[str, str], replies: dict[str, list[Any]]) -> list[str]:
    """Where there is not exactly one reply for each cancelled command that has a reply queue, and none else."""
    wanted = {one.item: 1 for one in effects if reply_queues[one.item]}
    sent = {item: len(told) for item, told in replies.items()}
    return [
        f"{item}: {sent.get(item, 0)} replies in place of {wanted.get(item, 0)}"
        for item in sorted(wanted.keys() | sent.keys())
        if sent.get(item, 0) != wanted.get(item, 0)
    ]


class CommandTables(ABC):
    """What the tables of any command bus say together, however each of them is read."""

    system = "commands"

    @abstractmethod
    def statuses(self) -> dict[str, str]:
        """The status of each command, in the bus' own words."""

    @abstractmethod
    def reply_queues(self) -> dict[str, str]:
        """Where the sender of each command wants its reply; empty where it wants none."""

    @abstractmethod
    def replies(self) -> dict[str, list[dict[str, Any]]]:
        """Messages on all reply queues by the id of their command."""

    @abstractmethod
    def effects(self) -> list[Effect]: ...

    def cancels(self) -> Counter[str]:
        """How often each command was cancelled, by the bus' audit."""
        return Counter(one.item for one in self.effects())

    def cancelled(self) -> set[str]:
        return {item for item, status in self.statuses().items() if status == "CANCELED"}

    def taken(self) -> Counter[str]:
        return Counter(one.key for one in self.effects() if one.key)

    def contradictions(self) -> list[str]:
        return _unanswered(self.effects(), self.reply_queues(), self.replies())


class CommandRecords(SqliteRecords, CommandTables):
    """An embedded command bus."""

    def statuses(self) -> dict[str, str]:
        return dict(self.rows("SELECT id, status FROM command"))

    def reply_queues(self) -> dict[str, str]:
        return dict(self.rows("SELECT id, reply_queue FROM command"))

    def replies(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for (body,) in self.rows("SELECT body FROM message ORDER BY msg_id"):
            reply = json.loads(body)
            found.setdefault(f"{reply['domain']}/{reply['command_id']}", []).append(reply)
        return found

    def effects(self) -> list[Effect]:
        rows = self.rows("SELECT id, event, at, details FROM audit ORDER BY audit_id")
        return _events(rows, {"OPERATOR_CANCEL": Verb.CANCEL})


class CaseRecords(SqliteRecords):
    """An embedded case management."""

    system = "cases"

    def cancelled(self) -> set[str]:
        return {item for (item,) in self.rows("SELECT id FROM cases WHERE status = 'cancelled'")}

    def effects(self) -> list[Effect]:
        rows = self.rows("SELECT case_id, event, at, details FROM audit ORDER BY audit_id")
        return _events(rows, {"CASE_CANCELLED": Verb.CANCEL, "CASE_REINSTATED": Verb.REINSTATE})

    def taken(self) -> Counter[str]:
        """Cancellations that were accepted, and reinstatements, which are done at once."""
        accepted = self.rows("SELECT key FROM cancellation WHERE key IS NOT NULL")
        back = [one.key for one in self.effects() if one.verb is Verb.REINSTATE and one.key]
        return Counter([*(key for (key,) in accepted), *back])

    def contradictions(self) -> list[str]:
        """One notification for each stakeholder of each cancellation that notifies; work ends with the case."""
        found = self.rows(
            "SELECT x.case_id, count(n.notification_id) AS sent,"
            " x.notify * (SELECT count(*) FROM stakeholder s WHERE s.case_id = x.case_id) AS wanted"
            " FROM cancellation x"
            " LEFT JOIN notification n ON n.cancellation_id = x.cancellation_id AND n.status = 'sent'"
            " WHERE x.state IN ('completed', 'reinstated') GROUP BY x.cancellation_id HAVING sent <> wanted"
        )
        told = [f"{item}: {sent} notifications in place of {wanted}" for item, sent, wanted in found]
        running = self.rows(
            "SELECT DISTINCT c.id FROM cases c JOIN workflow w ON w.case_id = c.id"
            " WHERE c.status = 'cancelled' AND w.status <> 'ended'"
        )
        return told + [f"{item}: it is cancelled, and work on it goes on" for (item,) in running]


class ScheduleRecords(SqliteRecords):
    """An embedded post scheduler."""

    system = "schedules"

    def cancelled(self) -> set[str]:
        return {item for (item,) in self.rows("SELECT id FROM schedule WHERE status = 'cancelled'")}

    def effects(self) -> list[Effect]:
        rows = self.rows("SELECT id, event, at, details FROM audit ORDER BY audit_id")
        return _events(rows, {"SCHEDULE_CANCELLED": Verb.CANCEL})

    def taken(self) -> Counter[str]:
        return Counter(one.key for one in self.effects() if one.key)

    def contradictions(self) -> list[str]:
        """Never both published and cancelled, and never published twice."""
        published = Counter(item for (item,) in self.rows("SELECT schedule_id FROM outbox"))
        stopped = self.cancelled() | {one.item for one in self.effects()}
        both = [f"{item}: published and cancelled" for item in sorted(published.keys() & stopped)]
        return both + [f"{item}: published {number} times" for item, number in published.items() if number > 1]
