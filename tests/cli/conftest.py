"""Fixtures of the command line's tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.command_line import ROWS, Bus, Drawer, Quash, Result, Runners
from support.letters import plug as letters
from support.letters.__main__ import PACKAGE
from tui_app import bootstrap
from tui_app.cli.main import main
from tui_app.engine import local
from tui_app.engine.local import LocalLauncher


@pytest.fixture
def runners(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runners]:
    found = Runners()
    monkeypatch.setattr(LocalLauncher, "start", lambda launcher: found.start(launcher))
    yield found
    found.finish()


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
def drawer(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Drawer:
    """Twenty letters beside the demo's items: one more package in the list of systems, in the runner too."""
    monkeypatch.setattr(bootstrap, "SYSTEMS", (*bootstrap.SYSTEMS, PACKAGE))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    here = local.runner_command

    def with_letters(*options: str) -> list[str]:
        return [PACKAGE if word == "tui_app" else word for word in here(*options)]

    monkeypatch.setattr(local, "runner_command", with_letters)
    letters.PLUG.seed(bus.folder / "letters.db", 20)
    return Drawer(bus.folder / "letters.db")


@pytest.fixture
def config() -> Callable[[str], None]:
    """Writes the configuration file."""

    def write(text: str) -> None:
        Path(os.environ["QUASH_CONFIG"]).write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def hospital(config: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the profile of a case server at an address."""
    monkeypatch.setenv("QUASH_CASES_TOKEN", "opaque")
    return lambda url: config(f"[profiles.hospital.cases]\nurl = '{url}'\ncontact = '#case-ops'\n")


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the default profile one that is served at an address, with a token file; the service keeps its own."""

    def point(url: str, token: object, more: str = "") -> None:
        file = tmp_path / "far.toml"
        file.write_text(f"[profiles.far]\nservice = '{url}'\ntoken_file = '{token}'\n{more}", encoding="utf-8")
        monkeypatch.setenv("QUASH_CONFIG", str(file))

    return point
