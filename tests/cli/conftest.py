"""The command line as a script meets it: in this process, or as a process of its own; and the system's own tables."""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tui_app.cli.main import main
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
        with closing(sqlite3.connect(self.path)) as connection, connection:
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


@pytest.fixture
def runners(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runners]:
    found = Runners()
    monkeypatch.setattr(LocalLauncher, "start", lambda launcher: found.start(launcher))
    yield found
    found.finish()


Quash = Callable[..., Result]


@pytest.fixture
def quash(runners: Runners, capsys: pytest.CaptureFixture[str]) -> Quash:
    """A command line in this process."""

    def execute(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return execute


@pytest.fixture
def process() -> Quash:
    """A command line as a process of its own, without a terminal."""

    def execute(*words: object, stdin: str = "", **more: Any) -> Result:
        command = [sys.executable, "-m", "tui_app", *(str(word) for word in words)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False, **more)
        return Result(done.returncode, done.stdout, done.stderr)

    return execute


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeded")
    assert main(["demo", "--no-open", "--rows", str(ROWS), "--data", str(folder), "--output", "json"]) == 0
    return folder


@pytest.fixture
def bus(seeded: Path) -> Bus:
    """Demo commands in the state folder of this test."""
    data = Path(os.environ["QUASH_DATA"])
    shutil.copytree(seeded / "profiles", data / "profiles")
    return Bus(data)


@pytest.fixture
def config() -> Callable[[str], None]:
    """Writes the configuration file."""

    def write(text: str) -> None:
        Path(os.environ["QUASH_CONFIG"]).write_text(text, encoding="utf-8")

    return write


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
