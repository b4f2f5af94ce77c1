"""Ends that come from outside: a full disk, a reader that goes away, a defect of ours."""

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command_line import TROUBLED
from tui_app.cli import items
from tui_app.cli.exits import Exit

GIVEN = ("--reason", "duplicate request", "--yes", "--output", "json")


def at_most(size: int) -> Callable[[], None]:
    """No file of the process grows beyond this, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("kilobytes", [4, 120])
def test_a_full_disk_changes_nothing_in_the_system(process, bus, kilobytes):
    process("runs")  # the journal is there
    before = bus.effects()
    ids = bus.in_status(TROUBLED)
    found = process(
        "cancel", "commands", *ids, *GIVEN, "--expect-count", len(ids), preexec_fn=at_most(kilobytes * 1024)
    )  # fmt: skip
    assert (found.code, found.out, found.error["code"]) == (Exit.NO_ACCESS, "", "STORAGE_FULL")
    assert "Free some space" in found.error["hint"]
    assert bus.effects() == before
    assert process("cancel", "commands", *ids[:2], *GIVEN, "--expect-count", 2).code == Exit.DONE
    assert process("ledger", "verify").code == Exit.DONE


def test_an_output_that_is_full(bus):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "tui_app", "list", "commands"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == Exit.NO_ACCESS
    assert b"could not be written" in done.stderr


def test_a_reader_that_goes_away_is_no_fault(bus):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "tui_app", "list", "commands"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert done.returncode == Exit.NO_READER
    assert b"Traceback" not in done.stderr


def test_a_defect_of_ours_leaves_a_report_without_values(bus, tmp_path):
    broken = (
        "import sys; from tui_app.cli import main, items\n"
        "async def broken(call):\n    secret = 'hunter2'\n    raise LookupError(secret)\n"
        "items.list_items = broken\n"
        "sys.argv = ['quash', 'list', 'commands', '--output', 'json']\n"
        "sys.exit(main.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == Exit.FAULT
    assert '"code":"FAULT"' in done.stderr
    [report] = tmp_path.glob("quash-crash-*")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert "LookupError" in report.read_text(encoding="utf-8")
    assert "hunter2" not in done.stderr + report.read_text(encoding="utf-8")


def test_in_a_test_a_defect_is_an_exception(quash, monkeypatch):
    def broken(call):
        raise LookupError("broken")

    before = sys.excepthook
    monkeypatch.setattr(items, "list_items", broken)
    with pytest.raises(LookupError):
        quash("list", "commands")
    assert sys.excepthook is before


@pytest.mark.parametrize("closed", [(1,), (1, 2), (0, 1, 2)])
def test_standard_streams_that_are_closed_lead_nowhere(bus, closed):
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    command = [sys.executable, "-m", "tui_app", "list", "commands"]
    assert subprocess.run(command, preexec_fn=close, check=False).returncode == Exit.DONE
