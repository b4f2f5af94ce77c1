"""A real runner that is killed by the very server that it sends to, right after some of its requests were answered.

``quash`` confirms in this process and starts no runner; each one that works on the run is started here, as the launcher
starts it, and gets SIGKILL from :class:`Cut` while a further request of its own is held without an answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tui_app.cli.main import main
from tui_app.domain.records import RunItem
from tui_app.engine.local import LocalLauncher
from tui_app.store.sqlite import open_store

PATIENCE = 120


@dataclass(frozen=True)
class Change:
    """One request that changes an item, as the server took it; ``answered`` unless it was on its way at a kill."""

    item: str
    key: str
    body: bytes
    answered: bool


@dataclass
class Cut:
    """The server's log of changes. Armed, it lets so many of them be answered, holds the next one, and kills."""

    changes: list[Change] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    done: threading.Event = field(default_factory=threading.Event)
    _left: int | None = None
    _held: float = 0.0

    def arm(self, process: subprocess.Popen[bytes], after: int, held: float) -> None:
        """Kill this process once so many further changes were answered, ``held`` seconds after the last of them."""
        self.done.clear()
        self.process, self._left, self._held = process, after, held

    def took(self, item: str, key: str, body: bytes) -> None:
        """A change had its effect, and is answered when this returns: if the runner still lives by then."""
        lives = self.process is not None and self.process.poll() is None
        if self._left == 0 and lives:
            assert self.process is not None
            # Nobody sets it: it is the time that is shown.
            threading.Event().wait(self._held)
            self.process.kill()
            self.process.wait(PATIENCE)
            self._left, lives = None, False
        elif self._left is not None:
            self._left -= 1
        self.changes.append(Change(item, key, body, answered=lives))
        if not lives:
            self.done.set()


@dataclass
class Confirmed:
    """A run that is confirmed and waits, the command line of its runner, and where its journal is."""

    run_id: str
    command: Sequence[str]
    state: Path
    broken: Sequence[str] = ()

    def start(self) -> subprocess.Popen[bytes]:
        """A runner, as the launcher starts one; a broken one where it is named."""
        command = list(self.command)
        if self.broken:
            place = command.index("tui_app")
            command[place : place + 1] = ["support.broken_notes", *self.broken]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, cwd="/", env=environment)

    def killed(self, cut: Cut, after: int, held: float) -> None:
        """One more runner, until the server kills it."""
        process = self.start()
        cut.arm(process, after, held)
        try:
            assert cut.done.wait(PATIENCE), "so many requests did not come"
            assert process.returncode == -signal.SIGKILL
        finally:
            process.kill()
            process.wait(PATIENCE)

    def finish(self) -> None:
        """The next runner, to the end."""
        process = self.start()
        try:
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()

    def items(self) -> Mapping[str, RunItem]:
        """The items as the next runner finds them."""

        async def read() -> Mapping[str, RunItem]:
            store = open_store(self.state / "journal.db")
            try:
                found = await store.runs.items(self.run_id, limit=10_000)
            finally:
                await store.close()
            return {one.item.seen.id: one for one in found}

        return asyncio.run(read())


def confirmed(words: Sequence[str], patch: pytest.MonkeyPatch, capsys: Any, *broken: str) -> Confirmed:
    """Confirm by the command line, and start no runner."""
    wanted: list[LocalLauncher] = []
    patch.setattr(LocalLauncher, "start", lambda launcher: wanted.append(launcher))
    patch.setattr(LocalLauncher, "at_work", lambda _: False)
    capsys.readouterr()
    code = main([*words, "--detach", "--yes", "--output", "json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    return Confirmed(json.loads(told.out)["run"]["id"], wanted[0].command, wanted[0].state, broken)
