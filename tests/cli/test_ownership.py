"""Root makes no file among those of another user that this user could not open afterwards."""

import os
from pathlib import Path

import pytest

from support.command_line import Quash
from tui_app.cli.exits import Exit
from tui_app.client.export import NewFile
from tui_app.config import places
from tui_app.domain.errors import UsageProblem

SOMEBODY = os.getuid() or 65_534

VERBS = {
    "demo": ["demo", "--no-open", "--rows", "20"],
    "list": ["list", "commands"],
    "plan": ["plan", "commands", "payments/c1"],
    "runs": ["runs"],
    "ledger": ["ledger", "verify"],
    "token": ["token", "--user", "jane"],
    "runner": ["runner"],
    "publisher": ["publisher"],
    "scanner": ["scanner"],
    "serve": ["serve", "--port", "0"],
}
"""Every verb that makes files in the state folder."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of somebody else's, seen by root."""
    folder = tmp_path / "home"
    folder.mkdir(0o700)
    if os.getuid() == 0:
        os.chown(folder, SOMEBODY, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return folder


def made(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("there", [False, True], ids=["to be made", "there"])
def test_root_makes_nothing_in_a_state_folder_of_somebody_else(quash: Quash, home: Path, verb: str, there: bool):
    state = home / "state"
    if there:
        (state / "profiles" / "local").mkdir(0o700, parents=True)
        for folder in made(home):
            os.chown(folder, SOMEBODY, -1)
    before = made(home)
    answer = quash(*VERBS[verb], "--data", state, *([] if verb == "demo" else ["--no-config"]))
    assert answer.code == Exit.USAGE
    assert "and you are root" in answer.err
    assert "sudo -u" in answer.err
    assert made(home) == before


def test_without_the_check_root_makes_folders_there(home: Path, monkeypatch: pytest.MonkeyPatch):
    rooms = places.Rooms.of(places.Named(home / "state"), "local")
    with pytest.raises(UsageProblem):
        rooms.open()
    assert made(home) == []
    monkeypatch.setattr(places, "check_owner", lambda *_: None)
    if os.getuid() == 0:
        rooms.open()
        assert rooms.folder.stat().st_uid == 0


def test_root_works_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", os.getuid)
    assert places.Rooms.of(places.Named(tmp_path), "local").open().folder.is_dir()


@pytest.mark.parametrize("user", [SOMEBODY, 0], ids=["somebody's folder", "root's folder"])
def test_a_report_that_root_writes_belongs_to_whom_its_folder_does(
    home: Path, monkeypatch: pytest.MonkeyPatch, user: int
):
    given: list[int] = []
    monkeypatch.setattr(os, "fchown", lambda _, owner, group: given.append(owner))
    if user == 0:
        monkeypatch.setattr(places.Path, "stat", lambda path: os.stat_result((0o40700, 1, 1, 1, 0, 0, 0, 0, 0, 0)))
    with NewFile(home / "report.md") as file:
        file.write("x")
    assert given == ([user] if user else [])
