"""A journal that cannot be written is evidence: it is listed, shown, verified and exported; nothing is changed."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.command_line import TROUBLED, Result
from tui_app.cli.exits import Exit

READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
"""In a mount namespace of its own: a folder on a medium that nobody can write."""


def on_read_only_medium(folder: Path, *words: object) -> Result:
    """A command line for which a folder is read-only, also where root asks."""
    command = [sys.executable, "-m", "tui_app", *map(str, words)]
    if os.getuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", READ_ONLY, str(folder), *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    else:
        folder.chmod(0o500)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        finally:
            folder.chmod(0o700)
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(params=["closed", "with a log", "with a log and its index"])
def frozen(request: pytest.FixtureRequest, quash: Any, runners: Any, bus: Any, tmp_path: Path) -> Path:
    """The state folder of a journal with a run, closed or as a killed process leaves it; readers find it read-only."""
    words = ("--reason", "duplicate request", "--yes", "--expect-count", 2, "--output", "json")
    quash("cancel", "commands", *bus.in_status(TROUBLED)[:2], *words)
    runners.finish()
    with closing(sqlite3.connect(bus.folder / "journal.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if request.param != "closed":
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute("UPDATE chunk SET failures = failures + 1")
            connection.commit()
        folder = tmp_path / "medium" / "profiles" / "local"
        folder.mkdir(parents=True, mode=0o700)
        endings = ["", "-wal", "-shm"][: {"closed": 1, "with a log": 2}.get(request.param, 3)]
        for ending in endings:
            shutil.copyfile(bus.folder / f"journal.db{ending}", folder / f"journal.db{ending}")
        shutil.copyfile(bus.folder / "commands.db", folder / "commands.db")
        assert (folder / "journal.db-wal").exists() is (request.param != "closed")
    return tmp_path / "medium"


def test_a_journal_on_a_read_only_medium_is_read_verified_and_exported(frozen: Path) -> None:
    folder = frozen / "profiles" / "local"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def ask(*words: object) -> Result:
        return on_read_only_medium(folder, "--data", frozen, *words, "--output", "json")

    [run] = json.loads(ask("runs").out)["runs"]
    assert run["counts"]["cancelled"] == 2
    check = ask("ledger", "verify")
    assert (check.code, json.loads(check.out)["ledger"]["holds"]) == (Exit.DONE, True)
    if (folder / "journal.db-wal").exists():
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        return
    assert json.loads(ask("runs", run["id"]).out)["run"] == run
    assert json.loads(ask("ledger", "--run", run["id"]).out)["lines"]
    for words in (("runs", "report", run["id"]), ("ledger", "export")):
        found = ask(*words)
        foot = json.loads(found.out.splitlines()[-1])
        assert (found.code, foot["holds"]) == (Exit.DONE, True)
    assert json.loads(ask("plans").out)["plans"]
    for words in (("runs", "retry", run["id"], "--yes", "--expect-count", 1), ("plan", "commands", "payments/any")):
        refused = ask(*words)
        assert (refused.code, refused.out) == (Exit.NO_ACCESS, ""), refused.err
        assert "cannot be written" in refused.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
