"""The other side of the embedded command bus: senders and workers, so that operators meet something real.

Terminal is enforced here: a worker that comes late with a cancelled command is refused, and that is recorded.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui_app.database.bound import ascii_json
from tui_app.database.sqlite import SqliteFile
from tui_app.database.statements import load
from tui_app.domain import moments
from tui_app.domain.errors import Conflict, NotFound
from tui_app.domain.ports import Clock
from tui_app.systems.commands import rules
from tui_app.systems.commands.embedded_write import audit, complete_batches
from tui_app.systems.commands.words import COMPLETED, FAILED, IN_PROGRESS, IN_TROUBLESHOOTING, PENDING

SQL = load("tui_app.systems.commands", "bus.sql")

REFUSED_EVENT = "LATE_WORKER_REFUSED"


@dataclass(frozen=True, slots=True)
class Message:
    """A command as its sender hands it in; an empty ``reply_queue`` wants no reply."""

    domain: str
    command_id: str
    type: str
    payload: Any = None
    reply_queue: str = ""
    correlation_id: str | None = None
    batch_id: str | None = None
    max_attempts: int = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker could not do it. ``type`` is ``TRANSIENT`` or ``PERMANENT``."""

    code: str
    message: str
    type: str = "PERMANENT"


@dataclass(frozen=True, slots=True)
class _Step:
    """One move of a command: from where, to where, the event it leaves, what its batch counts.

    ``late``: a worker that is refused it has come too late, which is recorded.
    """

    origins: tuple[str, ...]
    status: str
    event: str
    outcome: str = ""
    late: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


_RECEIVE = _Step((PENDING,), IN_PROGRESS, "RECEIVED")
_COMPLETE = _Step((IN_PROGRESS,), COMPLETED, "COMPLETED", "SUCCESS", True, {"completed": 1})
_COMPLETE_LATE = _Step((IN_TROUBLESHOOTING,), COMPLETED, "COMPLETED", "SUCCESS", True, {"completed": 1, "troubled": -1})
_FAIL = _Step((IN_PROGRESS,), FAILED, "BUSINESS_RULE_FAILED", "FAILED", True, {"failed": 1})
_TROUBLE = _Step((IN_PROGRESS,), IN_TROUBLESHOOTING, "MOVED_TO_TSQ", "", True, {"troubled": 1})
_RETRY = _Step((IN_TROUBLESHOOTING,), PENDING, "OPERATOR_RETRY", "", False, {"troubled": -1})


class EmbeddedBus:
    """Senders and workers on the file of :class:`EmbeddedCommands`. Ids are ``domain/command_id``."""

    def __init__(self, file: SqliteFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    async def create_queue(self, name: str) -> None:
        """A queue that replies can go to."""
        await self._file.write(lambda connection: connection.execute(SQL["queue"], (name,)))

    async def drop_queue(self, name: str) -> None:
        """Take a queue away; the messages that went there stay in the file."""
        await self._file.write(lambda connection: connection.execute(SQL["drop_queue"], (name,)))

    async def open_batch(self, domain: str, batch_id: str, total: int, name: str | None = None) -> None:
        """A batch of ``total`` commands, which are sent with its id."""
        values = {"domain": domain, "batch_id": batch_id, "total": total, "name": name, "now": self._now()}
        await self._file.write(lambda connection: connection.execute(SQL["batch"], values))

    async def register_process(self, correlation_id: str, process_type: str) -> None:
        """A process manager that waits for the replies of this correlation id."""
        await self._file.write(lambda connection: connection.execute(SQL["process"], (correlation_id, process_type)))

    async def send(self, message: Message) -> str:
        """Hand in a command; its id.

        Raises:
            MalformedId: domain or command id is empty or has control characters.
            Conflict: there is a command of this id.
        """
        item_id = rules.join_id(message.domain, message.command_id)
        rules.split_id(item_id)

        def work(connection: sqlite3.Connection) -> None:
            now = self._now()
            values = {name: getattr(message, name) for name in Message.__slots__ if name != "payload"}
            values |= {"id": item_id, "now": now, "queue": f"{message.domain}__commands"}
            if connection.execute(SQL["send"], values).rowcount == 0:
                raise Conflict(f"there is a command {item_id} already")
            if message.payload is not None:
                connection.execute(SQL["payload"], {"id": item_id, "body": ascii_json(message.payload)})
            audit(connection, item_id, "SENT", now, {"reply_to": message.reply_queue or None})

        await self._file.write(work)
        return item_id

    async def receive(self, item_id: str) -> bool:
        """Take a command in hand; false where it is not waiting any more."""
        return await self._step(item_id, _RECEIVE)

    async def complete(self, item_id: str, data: Any = None) -> bool:
        """A worker is done; the sender gets its reply. False, and recorded, where the command had ended."""
        return await self._step(item_id, _COMPLETE, _COMPLETE_LATE, data=data)

    async def fail(self, item_id: str, failure: Failure) -> bool:
        """A worker found that it can never be done. False, and recorded, where the command had ended."""
        return await self._step(item_id, _FAIL, failure=failure)

    async def move_to_troubleshooting(self, item_id: str, failure: Failure) -> bool:
        """A worker gives up, and operators decide. False, and recorded, where the command had ended."""
        return await self._step(item_id, _TROUBLE, failure=failure)

    async def retry(self, item_id: str) -> bool:
        """An operator lets it be tried once more; false where it is not in troubleshooting."""
        return await self._step(item_id, _RETRY)

    async def messages(self, queue: str) -> list[dict[str, Any]]:
        """What was sent to a reply queue, oldest first."""

        def work(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            return [json.loads(row["body"]) for row in connection.execute(SQL["messages"], (queue,))]

        return await self._file.read(work)

    def _now(self) -> str:
        return moments.stamp(self._clock.now())

    async def _step(self, item_id: str, *steps: _Step, failure: Failure | None = None, data: Any = None) -> bool:
        return await self._file.write(lambda connection: _move(connection, item_id, steps, self._now(), failure, data))


def _move(
    connection: sqlite3.Connection,
    item_id: str,
    steps: Sequence[_Step],
    now: str,
    failure: Failure | None,
    data: Any,
) -> bool:
    """Take the step that starts where the command is.

    Raises:
        NotFound: there is no such command.
    """
    standing = connection.execute(SQL["standing"], (item_id,)).fetchone()
    if standing is None:
        raise NotFound(f"there is no command {item_id!r}")
    step = next((step for step in steps if standing["status"] in step.origins), None)
    if step is None:
        if steps[0].late:
            refused = {"status": standing["status"], "wanted": steps[0].status}
            audit(connection, item_id, REFUSED_EVENT, now, refused)
        return False
    tries = {_RECEIVE.event: standing["attempts"] + 1, _RETRY.event: 0}
    values: dict[str, Any] = {
        "id": item_id,
        "status": step.status,
        "from": ascii_json(step.origins),
        "now": now,
    }
    values |= {"attempts": tries.get(step.event), **_error(failure)}
    row = connection.execute(SQL["move"], values).fetchone()
    audit(connection, item_id, step.event, now, _error(failure) if failure else {})
    if step.outcome and row["reply_queue"]:
        _answer(connection, row, step, now, failure, data)
    if row["batch_id"] is not None:
        _count(connection, row, step, now)
    return True


def _error(failure: Failure | None) -> dict[str, str | None]:
    if failure is None:
        return {"error_type": None, "error_code": None, "error": None}
    return {"error_type": failure.type, "error_code": failure.code, "error": failure.message}


def _answer(
    connection: sqlite3.Connection,
    row: sqlite3.Row,
    step: _Step,
    now: str,
    failure: Failure | None,
    data: Any,
) -> None:
    error = None if failure is None else {"code": failure.code, "message": failure.message, "class": failure.type}
    body = rules.reply_keys(row["domain"], row["command_id"], row["type"], row["correlation_id"])
    body |= {"outcome": step.outcome, "completed_at": now, "data": data, "error": error}
    connection.execute(SQL["reply"], {"queue": row["reply_queue"], "body": ascii_json(body), "now": now})


def _count(connection: sqlite3.Connection, row: sqlite3.Row, step: _Step, now: str) -> None:
    numbers = {"completed": 0, "failed": 0, "troubled": 0, **step.counts}
    batch = (row["domain"], row["batch_id"])
    connection.execute(SQL["count_batch"], {**numbers, "domain": batch[0], "batch_id": batch[1]})
    complete_batches(connection, [batch], now)
