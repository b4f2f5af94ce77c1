"""An embedded command bus with a sender and a worker, and its own tables read with a plain connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.world import MovableClock
from tui_app.systems.commands.bus import EmbeddedBus, Failure, Message
from tui_app.systems.commands.embedded import EmbeddedCommands
from tui_app.systems.commands.operator import TroubleshootingQueue

FAILURE = Failure("INVALID_ACCOUNT", "no such account")


class CommandBus:
    """The store under test, the two sides of the bus, and the records that prove what happened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = MovableClock()
        self.store = EmbeddedCommands(path, self.clock)
        self.bus = EmbeddedBus(self.store.file, self.clock)
        self.operator = TroubleshootingQueue(self.store)

    async def pending(self, command_id: str, reply_to: str = "payments__replies", **more: Any) -> str:
        """A command that was sent, and that no worker has taken yet; its id."""
        if reply_to:
            await self.bus.create_queue(reply_to)
        return await self.bus.send(Message("payments", command_id, "DebitAccount", reply_queue=reply_to, **more))

    async def troubled(self, command_id: str, reply_to: str = "payments__replies", **more: Any) -> str:
        """A command that a worker has given up."""
        item_id = await self.pending(command_id, reply_to, **more)
        await self.bus.receive(item_id)
        await self.bus.move_to_troubleshooting(item_id, FAILURE)
        return item_id

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What stands in the file."""
        connection = sqlite3.connect(self.path)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    def status(self, item_id: str) -> str:
        [row] = self.rows("SELECT status FROM command WHERE id = ?", item_id)
        return str(row["status"])

    def replies(self, queue: str = "payments__replies") -> list[dict[str, Any]]:
        return [json.loads(row["body"]) for row in self.rows("SELECT body FROM message WHERE queue = ?", queue)]

    def events(self, item_id: str, event: str) -> list[dict[str, Any]]:
        """The details of each audit event of one kind."""
        found = self.rows("SELECT details FROM audit WHERE id = ? AND event = ?", item_id, event)
        return [json.loads(row["details"]) for row in found]

    def dump(self) -> list[str]:
        """Everything in the file, to tell that nothing changed."""
        connection = sqlite3.connect(self.path)
        try:
            return list(connection.iterdump())
        finally:
            connection.close()


@asynccontextmanager
async def command_bus(path: Path) -> AsyncIterator[CommandBus]:
    """A bus in a file of its own."""
    opened = CommandBus(path)
    try:
        yield opened
    finally:
        await opened.store.close()
