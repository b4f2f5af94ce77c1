"""What happens on a terminal only: the typed confirmation, and the console itself."""

import fcntl
import io
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.command_line import TROUBLED
from support.serve_process import serving
from tui_app.cli.exits import Exit
from tui_app.cli.terminal import ask

PATIENCE = 40.0


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Tests that were started in the background ignore it, and so would what they start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A process on a terminal of its own, 24 lines by 80 columns."""

    def __init__(self, *words: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui_app", *words],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=_take_terminal,
        )  # fmt: skip

    def until(self, text: str) -> None:
        """Read until a text has come."""
        end = time.monotonic() + PATIENCE
        while text not in self.said:
            assert time.monotonic() < end, f"{text!r} did not come: {self.said[-2000:]!r}"
            assert self._read() or self.process.poll() is None, (
                f"it ended with {self.process.returncode}: {self.said!r}"
            )

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 0.1)[0]:
            return False
        self.said += os.read(self.master, 65_536).decode("utf-8", "replace")
        return True

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ended(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it did not end: {self.said[-2000:]!r}"
            self._read()
        while self._read():
            pass
        return self.process.returncode


@pytest.fixture
def terminal(monkeypatch) -> Iterator[type[Terminal]]:
    opened: list[Terminal] = []

    @contextmanager
    def open_one(*words: str) -> Iterator[Terminal]:
        opened.append(Terminal(*words))
        yield opened[-1]

    yield open_one
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        os.close(one.slave)
        os.close(one.master)


def test_the_reason_and_the_words_are_asked_for(terminal, bus):
    item = bus.in_status(TROUBLED)[0]
    with terminal("cancel", "commands", item) as one:
        one.until("reason: ")
        one.type("duplicate request\n")
        one.until("type 'yes' to confirm: ")
        assert "1 in the plan, 1 will be cancelled, 0 blocked" in one.said
        assert "cannot be brought back" in one.said
        assert bus.status(item) == TROUBLED
        one.type("yes\n")
        assert one.ended() == Exit.DONE
    assert bus.status(item) == "CANCELED"


def test_ids_that_are_read_from_the_terminal_say_what_they_wait_for_and_how_to_end(terminal, bus):
    item = bus.in_status(TROUBLED)[0]
    with terminal("plan", "commands", "--ids", "-") as one:
        one.until("ctrl+d on an empty line ends them")
        one.type(f"{item}\n\x04")
        assert one.ended() == Exit.DONE
        assert "1 in the plan" in one.said
    with terminal("plan", "commands", "--ids", "-") as one:
        one.until("ctrl+c gives up")
        one.type("\x03")
        assert one.ended() == Exit.INTERRUPTED


def test_nobody_is_told_to_type_where_ids_come_through_a_pipe(process, bus):
    answer = process("plan", "commands", "--ids", "-", stdin=f"{bus.in_status(TROUBLED)[0]}\n")
    assert answer.code == Exit.DONE
    assert "ctrl+d" not in answer.err


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_a_terminal_that_draws_no_screens_is_told_of_the_verbs(terminal, bus, monkeypatch, kind):
    monkeypatch.setenv("TERM", kind)
    with terminal() as one:
        assert one.ended() == Exit.USAGE
        assert "The verbs need no screen" in one.said
        assert "\x1b" not in one.said


@pytest.mark.parametrize("typed", ["\n", "y\n", "YES\n", "no\n", "yes yes\n"])
def test_other_words_send_nothing(terminal, bus, typed):
    item = bus.in_status(TROUBLED)[0]
    with terminal("cancel", "commands", item, "--reason", "duplicate") as one:
        one.until("to confirm: ")
        one.type(typed)
        assert one.ended() == Exit.USAGE
        assert "Nothing was sent" in one.said
    assert bus.status(item) == TROUBLED


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_leaving_the_question_sends_nothing(terminal, bus, key):
    item = bus.in_status(TROUBLED)[0]
    with terminal("cancel", "commands", item, "--reason", "duplicate") as one:
        one.until("to confirm: ")
        one.type(key)
        assert one.ended() == Exit.INTERRUPTED
    assert bus.status(item) == TROUBLED


def test_the_question_can_be_left_from_the_moment_it_is_seen(monkeypatch):
    class Seen(io.StringIO):
        def flush(self):
            os.kill(os.getpid(), signal.SIGINT)

    noted = []
    monkeypatch.setattr(sys, "stderr", Seen())
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    previous = signal.signal(signal.SIGINT, lambda *_: noted.append("as the event loop does"))
    try:
        with pytest.raises(KeyboardInterrupt):
            ask("to confirm: ")
    finally:
        signal.signal(signal.SIGINT, previous)
    assert noted == []


def test_a_service_that_this_profile_calls_production_wants_its_name(terminal, bus, far):
    item = bus.in_status(TROUBLED)[0]
    with serving() as (url, token, _):
        far(url, token, "environment = 'production'\n")
        with terminal("cancel", "commands", item, "--reason", "duplicate") as one:
            one.until("type 'production yes' to confirm: ")
            one.type("yes\n")
            assert one.ended() == Exit.USAGE
            assert "Nothing was sent" in one.said
        assert bus.status(item) == TROUBLED
        with terminal("cancel", "commands", item, "--reason", "duplicate") as one:
            one.until("type 'production yes' to confirm: ")
            one.type("production yes\n")
            assert one.ended() == Exit.DONE
        assert bus.status(item) == "CANCELED"


def test_production_wants_its_name_and_many_want_their_number(terminal, bus, config):
    config("[profiles.local]\nenvironment = 'production'\n[profiles.local.commands]\n")
    ids = bus.in_status(TROUBLED)[:21]
    with terminal("cancel", "commands", *ids, "--reason", "duplicate", "--expect-count", "21") as one:
        one.until("type 'production 21' to confirm: ")
        one.type("21\n")
        assert one.ended() == Exit.USAGE
    assert {bus.status(item) for item in ids} == {TROUBLED}


def test_nothing_to_cancel_is_not_asked_for(terminal, bus):
    with terminal("cancel", "commands", bus.in_status("COMPLETED")[0], "--reason", "duplicate") as one:
        assert one.ended() == Exit.STALE
        assert "nothing in this plan can be cancelled" in one.said


def test_the_console_opens_on_the_demo_and_leaves_the_terminal_as_it_was(terminal, bus, tmp_path):
    with terminal("demo", "--rows", "100", "--data", str(tmp_path)) as one:
        one.until("RefundPayment")
        one.type("Q")
        assert one.ended() == Exit.DONE
        assert termios.tcgetattr(one.slave) == one.before
        assert "\x1b[?1049l" in one.said


def test_the_console_leaves_the_terminal_as_it_was_when_it_is_told_to_end(terminal, bus):
    with terminal() as one:
        one.until("RefundPayment")
        one.process.send_signal(signal.SIGTERM)
        assert one.ended() == 128 + signal.SIGTERM
        assert termios.tcgetattr(one.slave) == one.before


def test_the_console_needs_a_terminal(process):
    found = process()
    assert (found.code, "needs a terminal" in found.err) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [("theme = 'quash-drak'", "Did you mean 'quash-dark'?"), ("[keys]\nreviw = 'x'", "review")],
)
def test_a_console_that_is_configured_wrongly_says_so_before_it_opens(terminal, config, text, message):
    config(text)
    with terminal() as one:
        assert one.ended() == Exit.USAGE
        assert message in one.said
        assert "\x1b[?1049h" not in one.said
