"""A terminal that goes away while rows are drawn leaves no process; one that nobody reads holds up no run."""

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.terminal import PATIENCE, ROOT, Terminal, terminal

TERMINALS = int(os.environ.get("QUASH_TEST_TERMINALS", "50"))
TOGETHER = 10
UNREAD = float(os.environ.get("QUASH_TEST_UNREAD", "60" if os.environ.get("CI") == "true" else "0"))
"""Seconds for which a terminal is left unread after its run is over. What is held against it is the same from the first
on: the whole minute is waited where nobody waits for the tests."""

CALL = [sys.executable, "-m", "tui_app"]
FRAME = 0.03
"""Seconds between two keys, so that each is drawn in a frame of its own."""

KEYS = b"jG\x04gpp"
"""What is typed while the terminal goes: it moves, scrolls and draws panels."""


@contextmanager
def consoles(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that opens consoles on the demo of a folder, one for each terminal that it is told of."""
    words = ["demo", "--rows", "60", "--data", str(folder)]
    subprocess.run([*CALL, *words, "--no-open"], check=True, capture_output=True, cwd=ROOT)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}"}
    forking = subprocess.Popen(
        [sys.executable, "-m", "support.forked", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment,
    )
    try:
        yield forking
    finally:
        forking.kill()
        forking.communicate()


def opened(forking: subprocess.Popen[bytes], controlling: bool) -> tuple[int, int]:
    """The terminal's end and the process of one console."""
    assert forking.stdin is not None
    assert forking.stdout is not None
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    forking.stdin.write(f"{os.ttyname(slave)}{' controlling' if controlling else ''}\n".encode())
    forking.stdin.flush()
    child = int(forking.stdout.readline())
    at_console = b""
    # Until something is drawn the console may not have opened the terminal, which ours keeps there meanwhile.
    while not at_console:
        at_console = _read(master)
    os.close(slave)
    return master, child


def _read(master: int) -> bytes:
    ready, _, _ = select.select([master], [], [], PATIENCE)
    assert ready, "the console draws nothing"
    return os.read(master, 65_536)


def lives(process: int) -> bool:
    """Whether a process still does something; its parent does not wait for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_terminals_that_vanish_while_rows_are_drawn_leave_no_process(tmp_path: Path):
    left: list[int] = []
    with consoles(tmp_path) as forking:
        for first in range(0, TERMINALS, TOGETHER):
            wave = range(first, min(first + TOGETHER, TERMINALS))
            ends = [opened(forking, controlling=number % 2 == 0) for number in wave]
            for number, (master, _) in zip(wave, ends, strict=True):
                # Each goes at another moment: before the first row, while rows are drawn, and later.
                room = number * 1_237 % 40_000
                while room > 0:
                    os.write(master, KEYS)
                    room -= len(_read(master))
                os.write(master, KEYS * 60)
                _read(master)
                os.close(master)
            waited_for(lambda ends=ends: not any(lives(child) for _, child in ends), fail=False)
            left += [child for _, child in ends if lives(child)]
        for child in left:
            os.kill(child, signal.SIGKILL)
    assert left == []


def waited_for(condition: Callable[[], bool], *, fail: bool = True) -> None:
    """Wait for a condition without reading the terminal."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            assert not fail, "it did not come"
            return
        select.select([], [], [], 0.05)


def unread(console: Terminal) -> bool:
    """Whether the terminal takes nothing more, so that who writes to it waits."""
    return not select.select([], [console.slave], [], 0)[1]


def test_a_terminal_that_nobody_reads_holds_up_no_run_and_a_signal_ends_the_console(tmp_path: Path):
    words = ["--data", str(tmp_path)]
    with terminal([*CALL, "demo", "--rows", "12000", *words], (120, 40)) as console:
        console.sees("as of")
        console.type("a")
        console.sees("marked")
        console.type("x")
        console.sees("will be cancelled")
        console.type("duplicate request")
        console.sees("duplicate request")
        console.type("\r")
        phrase = console.found(r"type (\d+) to cancel")
        assert int(phrase) >= 3_000
        console.type(phrase)
        console.insists("\r", "items · by ")

        def filled() -> bool:
            console.type("jk")
            return unread(console)

        waited_for(filled)
        # More is drawn meanwhile than any queue of texts holds.
        for key in "jk" * 50:
            console.type(key)
            waited_for(lambda: pending(console) == 0)
            select.select([], [], [], FRAME)
        run = finished(words)
        assert run["counts"]["cancelled"] == int(phrase)
        end = time.monotonic() + UNREAD
        while time.monotonic() < end:
            select.select([], [], [], 0.5)
        assert unread(console)
        console.signal(signal.SIGTERM)
        # Nobody reads yet: what the console still has to say goes ahead of what waits.
        waited_for(lambda: console.process.poll() is not None)
        assert console.ends() == 128 + signal.SIGTERM
        assert b"\x1b[?1049l" in console.raw[-200:]


def pending(console: Terminal) -> int:
    """Bytes that were typed and not read yet."""
    told = fcntl.ioctl(console.slave, termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", told)[0])


def finished(words: list[str]) -> dict:
    """The one run, once it is over: as the command line tells it, which needs no terminal."""
    environment = {**os.environ, "QUASH_DATA": words[1]}
    end = time.monotonic() + PATIENCE
    while True:
        listing = [*CALL, "--no-config", "runs", "--output", "json"]
        told = subprocess.run(listing, capture_output=True, check=True, cwd=ROOT, env=environment)
        [run] = json.loads(told.stdout)["runs"]
        if run["state"] == "finished":
            return run
        assert time.monotonic() < end, run
