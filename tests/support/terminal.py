"""A program in a terminal of its own: a pty that is written to and read from, and the text of what was drawn."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE = float(os.environ.get("QUASH_TEST_PATIENCE", "30.0"))
APART = 1.0
"""Seconds between two keys of a hand that waits for what the first one does."""

ROOT = Path(__file__).parents[2]
OBEYED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]])")


class Terminal:
    """The terminal's end of a pty. ``raw`` is every byte that the program wrote."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, slave: int) -> None:
        self.process, self._master, self.slave = process, master, slave
        self.raw = bytearray()
        self._wiped = 0

    @property
    def text(self) -> str:
        """What was drawn since the last ``wipe``, one thing after another and whatever was drawn over it since."""
        return OBEYED.sub(b"", bytes(self.raw[self._wiped :])).decode(errors="replace")

    def wipe(self) -> None:
        """Another program has drawn over everything."""
        self._wiped = len(self.raw)

    @property
    def modes(self) -> list[object]:
        """The line discipline, as the next program will find it."""
        return termios.tcgetattr(self.slave)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Read until a condition holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what} did not come:\n{self.text}"
            self._read(0.2)

    def sees(self, text: str) -> None:
        self.until(lambda: text in self.text, repr(text))

    def found(self, pattern: str) -> str:
        """Wait for a text of a form; its first group."""
        self.until(lambda: re.search(pattern, self.text), pattern)
        match = re.search(pattern, self.text)
        assert match is not None
        return match[1]

    def insists(self, key: str, text: str) -> None:
        """Type a key until something is seen: behind a paste, and before a screen stands, it is dropped."""

        def seen() -> bool:
            self.type(key)
            end = time.monotonic() + APART
            while text not in self.text and time.monotonic() < end:
                self._read(APART / 4)
            return text in self.text

        self.until(seen, repr(text))

    def stops(self) -> None:
        """Wait until it is stopped, as a shell waits."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        self.until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the stop")

    def ends(self) -> int:
        """Wait for the program's end; how it ended."""
        self.until(lambda: self.process.poll() is not None, "the end")
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, wait: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], wait)
        if not ready:
            return False
        with contextlib.suppress(OSError):
            read = os.read(self._master, 65536)
            self.raw += read
            return bool(read)
        return False


@contextmanager
def terminal(
    command: list[str], size: tuple[int, int] = (80, 24), environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run a command in a terminal of a size; it is killed in the end if it still runs."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        yield Terminal(process, master, slave)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
        os.close(slave)
