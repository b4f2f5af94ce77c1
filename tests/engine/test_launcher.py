"""Starting the detached runner."""

import os
import sys
import time
from pathlib import Path

import pytest

from tui_app.engine.local import LOG, LocalLauncher, held


def launcher(folder: Path, program: str) -> LocalLauncher:
    return LocalLauncher(folder, [sys.executable, "-c", program])


def until_idle(starter: LocalLauncher) -> None:
    end = time.monotonic() + 20
    while starter.at_work():
        assert time.monotonic() < end, "the runner does not end"


def test_a_runner_that_is_still_starting_counts_as_at_work(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    starter = launcher(tmp_path, f"open({str(gate)!r}).read()")
    starter.start()
    assert starter.at_work()
    assert not LocalLauncher(tmp_path / "elsewhere", ()).at_work()
    gate.write_bytes(b"go")
    until_idle(starter)


def test_it_has_a_session_of_its_own_and_no_terminal(tmp_path: Path) -> None:
    told = tmp_path / "told"
    facts = "os.getsid(0) == os.getpid(), os.isatty(0), os.getcwd()"
    starter = launcher(tmp_path, f"import os; open({str(told)!r}, 'w').write(repr(({facts})))")
    starter.start()
    until_idle(starter)
    assert told.read_text() == "(True, False, '/')"


def test_its_log_says_why_it_could_not_start(tmp_path: Path) -> None:
    starter = launcher(tmp_path, "raise SystemExit('no such profile')")
    starter.start()
    until_idle(starter)
    log = tmp_path / LOG
    assert "no such profile" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_the_lock_is_what_tells_of_a_runner_of_another_process(tmp_path: Path) -> None:
    starter = LocalLauncher(tmp_path, ())
    assert not starter.at_work()
    with held(tmp_path) as ours:
        assert ours
        assert starter.at_work()
        with held(tmp_path) as second:
            assert not second
    assert not starter.at_work()


def test_a_link_in_place_of_the_log_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    (tmp_path / LOG).symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        launcher(tmp_path, "print()").start()
    assert target.read_bytes() == b""
