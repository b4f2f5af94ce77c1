"""The console in a real terminal: what it leaves behind, however it ends."""

import re
import signal
import sys
from pathlib import Path

import pytest

from support.terminal import Terminal, terminal

DEMO = [sys.executable, "-m", "tui_app", "demo", "--rows", "60"]

# Back to the main screen, the cursor shown, the mouse and bracketed paste off.
RESTORING = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l")
SETTING = (b"\x1b[?1049h", b"\x1b[?25l", b"\x1b[?1000h", b"\x1b[?2004h")


def assert_restored(console: Terminal, before: list[object]) -> None:
    assert console.modes == before
    for on, off in zip(SETTING, RESTORING, strict=True):
        assert console.raw.rfind(off) > console.raw.rfind(on), (on, off)


def test_it_shows_rows_and_leaves_the_terminal_as_it_was(tmp_path: Path):
    with terminal([*DEMO, "--data", str(tmp_path)]) as console:
        before = console.modes
        console.sees("as of")
        console.type("p")
        console.sees("What would happen")
        console.type("Q")
        assert console.ends() == 0
        assert_restored(console, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_restores_the_terminal(tmp_path: Path, number: signal.Signals):
    with terminal([*DEMO, "--data", str(tmp_path)]) as console:
        before = console.modes
        console.sees("as of")
        console.signal(number)
        assert console.ends() == 128 + number
        assert_restored(console, before)


def test_without_utf8_every_byte_of_a_session_is_ascii(tmp_path: Path):
    with terminal([*DEMO, "--data", str(tmp_path)], (120, 40), {"LC_ALL": "C", "PYTHONUTF8": ""}) as console:
        console.sees("as of")
        console.type("2p")
        console.sees("CASE-")
        console.type("x")
        console.sees("type yes to cancel 1")
        console.type("duplicate request\ryes\r")
        console.sees("Press enter to go on")
        console.type("\r")
        console.type("yes")
        console.insists("\r", "1 cancelled")
        console.sees("finished")
        console.insists("4", "newest first")
        console.insists("5", "confirmed")
        console.insists("?", "type to search")
        console.wipe()
        console.type("\x1b")
        console.sees("confirmed")
        console.insists("3", "\\u")
        console.type("Q")
        assert console.ends() == 0
    drawn = bytes(console.raw)
    assert drawn.isascii(), {sign for sign in drawn.decode(errors="replace") if not sign.isascii()}
    assert b"|" in drawn
    assert b"---" in drawn


@pytest.mark.parametrize("hidden", ["\x1b yes\x01\x04\r", "\x1b\x7fyes\r", "\x1b[201~yes\r", "yes\r"])
def test_no_paste_confirms_a_run(tmp_path: Path, hidden: str):
    with terminal([*DEMO, "--data", str(tmp_path)]) as console:
        console.sees("as of")
        console.type("x")
        console.sees("type yes to cancel 1")
        console.type("duplicate request")
        console.sees("duplicate request")
        console.type("\r")
        console.type(f"\x1b[200~{hidden}\x1b[201~")
        console.sees("A paste confirms nothing")
        console.wipe()
        console.insists("\x1b", "as of")
        console.insists("4", "0 runs")


def test_it_draws_everything_again_when_the_shell_brings_it_back(tmp_path: Path):
    with terminal([*DEMO, "--data", str(tmp_path)]) as console:
        console.sees("as of")
        console.type("\x1a")
        console.stops()
        console.wipe()
        console.signal(signal.SIGCONT)
        for part in ("1 Commands", "status:IN_TROUBLESHOOTING_QUEUE", "Error code", "as of", "Q quit"):
            console.sees(part)


def test_a_crash_restores_the_terminal_and_names_a_report_without_values(tmp_path: Path):
    code = f"""
from pathlib import Path
from tui_app.domain.errors import CannotConnect
from tui_app.tui.app import QuashApp

def client():
    raise CannotConnect("not there")

class Broken(QuashApp):
    def on_key(self, event):
        token = "token-" + "3f9a"
        raise ValueError(token)

Broken(client, reports=Path({str(tmp_path)!r})).run()
"""
    with terminal([sys.executable, "-c", code]) as console:
        before = console.modes
        console.sees("Not there")
        console.type("z")
        console.ends()
        assert_restored(console, before)
        written = console.raw.decode(errors="replace")
    [report] = tmp_path.glob("quash-crash-*.txt")
    assert report.stat().st_mode & 0o777 == 0o600
    assert report.name in re.sub(r"\s", "", written)
    assert "token-3f9a" not in written
    assert "token-3f9a" not in report.read_text()
    assert "builtins.ValueError" in report.read_text()
