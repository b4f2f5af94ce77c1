"""What a script sees of the command line, the system's own tables, and the runners that are started."""

import fcntl
import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui_app.engine.local import LOCK, LocalLauncher

ROWS = 120
TROUBLED = "IN_TROUBLESHOOTING_QUEUE"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err.splitlines()[-1])

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Bus:
    """The embedded command bus behind the profile `local`, read with a plain connection."""

    data: Path

    @property
    def folder(self) -> Path:
        return self.data / "profiles" / "local"

    @property
    def path(self) -> Path:
        return self.folder / "commands.db"

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.of("commands", query, *values)

    def of(self, system: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The same of any embedded system."""
        with closing(sqlite3.connect(self.folder / f"{system}.db")) as connection, connection:
            return connection.execute(query, values).fetchall()

    def in_status(self, status: str) -> list[str]:
        query = "SELECT id FROM command WHERE status = ? AND reply_queue <> 'billing__replies' ORDER BY updated_at DESC"
        return [row[0] for row in self.rows(query, status)]

    def status(self, item: str) -> str:
        return str(self.rows("SELECT status FROM command WHERE id = ?", item)[0][0])

    def set_status(self, item: str, status: str) -> None:
        self.rows("UPDATE command SET status = ?, revision = revision + 1 WHERE id = ?", status, item)

    def effects(self) -> tuple[Counter[str], int, int]:
        """Everything that a cancellation changes: statuses, audit entries, replies."""
        statuses = Counter(row[0] for row in self.rows("SELECT status FROM command"))
        return statuses, self.rows("SELECT count(*) FROM audit")[0][0], self.rows("SELECT count(*) FROM message")[0][0]


@dataclass(frozen=True)
class Drawer:
    """The letters behind the profile `local`, read with a plain connection."""

    path: Path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(query, values).fetchall()

    def ids(self, status: str) -> list[str]:
        """Those in a status, the one that is posted first in front."""
        return [row[0] for row in self.rows("SELECT id FROM letter WHERE status = ? ORDER BY posts_at", status)]

    def told(self) -> list[str]:
        """Whoever was told that a letter does not come."""
        return [row[0] for row in self.rows("SELECT told FROM note WHERE told IS NOT NULL")]


Quash = Callable[..., Result]


class Runners:
    """Starts real runners as the launcher does, and waits for them at the end of a test."""

    def __init__(self) -> None:
        self.held = False
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, launcher: LocalLauncher) -> None:
        if not self.held:
            quiet = subprocess.DEVNULL
            self._started.append(
                subprocess.Popen(
                    list(launcher.command), stdin=quiet, stdout=quiet, stderr=quiet, cwd="/", start_new_session=True
                )
            )

    def finish(self) -> None:
        for process in self._started:
            process.wait(60)


@contextmanager
def runner_at_work(bus: Bus, runners: Runners | None = None) -> Iterator[None]:
    """As long as this lasts a runner seems to be at work, and gets nothing done."""
    with (bus.folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if runners is not None:
            runners.held = True
        yield
    if runners is not None:
        runners.held = False
