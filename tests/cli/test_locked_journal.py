"""A journal that another process locks while a run is live: the verbs that look say so, and who waits goes on."""

import os
import subprocess
import sys
import time

import pytest

from support.command_line import TROUBLED, Bus, Quash, Runners, runner_at_work
from support.locked_journal import locked
from tui_app.cli.exits import Exit
from tui_app.database import sqlite

HELD = "the journal is held by another process"
PATIENCE = 60


def test_a_run_in_a_locked_journal_is_told_waited_for_and_done(
    quash: Quash, bus: Bus, runners: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = bus.in_status(TROUBLED)[:3]
    with runner_at_work(bus, runners):
        given = ("--reason", "duplicate request", "--yes", "--expect-count", 3, "--detach", "--output", "json")
        run = quash("cancel", "commands", *ids, *given).json["run"]["id"]
    log = bus.folder / "runner.log"
    with locked(bus.folder) as lock:
        # This one waits for the run, and its runner for the journal.
        watching = subprocess.Popen([sys.executable, "-m", "tui_app", "runs", "resume", run], env={**os.environ})
        try:
            end = time.monotonic() + PATIENCE
            while not (log.exists() and "waiting until it is free" in log.read_text(encoding="utf-8")):
                assert time.monotonic() < end, "the runner does not wait"
                assert watching.poll() is None, "it is not waited for"
            told = quash("runs", run)
            assert (told.code, HELD in told.out) == (Exit.DONE, True), told
            assert quash("runs", run, "--output", "json").json["run"]["held"] is not None
            for words in (("runs",), ("plans",), ("ledger",), ("ledger", "verify")):
                assert quash(*words).code == Exit.DONE, words
            with monkeypatch.context() as patch:
                patch.setattr(sqlite, "BUSY_SECONDS", 0.05)
                refused = quash("runs", "pause", run)
            assert (refused.code, "is held by another process" in refused.err) == (Exit.NO_ACCESS, True), refused
            assert watching.poll() is None
            lock.end()
            assert watching.wait(PATIENCE) == Exit.DONE
        finally:
            watching.kill()
            watching.wait()
    told = quash("runs", run)
    assert (told.code, "3 cancelled" in told.out, HELD in told.out) == (Exit.DONE, True, False), told
    assert [bus.status(item) for item in ids] == ["CANCELED"] * 3
    assert not (bus.folder / "faults.log").exists()
