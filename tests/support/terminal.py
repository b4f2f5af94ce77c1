"""A program in a terminal of its own: a pty that is written to and read from, and a screen of what was drawn."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyte

PATIENCE = 30.0
ROOT = Path(__file__).parents[2]


class Terminal:
    """The terminal's end of a pty. ``raw`` is every byte that the program wrote."""

    def __init__(self, process: subprocess.Popen[bytes], master: int, slave: int, size: tuple[int, int]) -> None:
        self.process, self._master, self._slave = process, master, slave
        self.raw = bytearray()
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    @property
    def modes(self) -> list[object]:
        """The line discipline, as the next program will find it."""
        return termios.tcgetattr(self._slave)

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
            self._stream.feed(read)
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
        yield Terminal(process, master, slave, size)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
        os.close(slave)
