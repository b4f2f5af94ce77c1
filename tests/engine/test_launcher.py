"""Starting the detached runner."""

import os
import sys
import time
from pathlib import Path

import pytest

from tui_app.domain.errors import CannotConnect
from tui_app.engine.local import LOCK, LOG, LocalLauncher, held


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


@pytest.mark.parametrize("stands", ["a folder", "a link"])
def test_a_runner_works_without_a_log_that_cannot_be_opened(tmp_path: Path, stands: str) -> None:
    told = tmp_path / "told"
    if stands == "a folder":
        (tmp_path / LOG).mkdir()
    else:
        (tmp_path / "elsewhere").touch()
        (tmp_path / LOG).symlink_to(tmp_path / "elsewhere")
    starter = launcher(
        tmp_path, f"import sys; print('to the log', file=sys.stderr); open({str(told)!r}, 'w').write('worked')"
    )
    starter.start()
    until_idle(starter)
    assert told.read_text() == "worked"
    # A link in its place is not written through.
    assert stands == "a folder" or (tmp_path / "elsewhere").read_bytes() == b""


def test_a_runner_that_the_host_does_not_let_start_is_told_and_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # What there is to do is in the journal by then: an error would say that it is not.
    starter = LocalLauncher(tmp_path, [str(tmp_path / "no-such-program")])
    starter.start()
    assert not starter.at_work()
    assert "no runner could be started" in caplog.text


def test_something_else_in_place_of_the_lock_is_nobody_at_work(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    assert not LocalLauncher(tmp_path, ()).at_work()
    with pytest.raises(CannotConnect, match=r"the runner's lock .* cannot be opened: Is a directory"), held(tmp_path):
        pass
