"""What is drawn waits for no terminal: not for one that is gone, and not for one that nobody reads."""

import os
import pty
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.drivers._writer_thread import WriterThread

from tui_app.tui.writer import CANCEL, MOST, TerminalWriter

PATIENCE = 20.0
FRAME = "\x1b[1;1H" + "x" * 8_000
TEXTS = 400
"""More than any queue holds, and more bytes than the writer keeps."""


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    with_condition = threading.Event()
    while not condition():
        assert time.monotonic() < end
        with_condition.wait(0.01)


@pytest.fixture
def ends() -> Iterator[list[int]]:
    """The two ends of a terminal: ours, and that of the program."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    opened = [master, slave]
    yield opened
    for end in opened:
        os.close(end)


class Noted(TerminalWriter):
    def __init__(self, descriptor: int) -> None:
        self.told: list[str] = []
        super().__init__(descriptor, gone=lambda: self.told.append("gone"), behind=lambda: self.told.append("behind"))


class Stock(WriterThread):
    """Textual's own, which this is to find."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(os.fdopen(os.dup(descriptor), "w"))
        self.start()

    def stuck(self) -> bool:
        """Whether nobody will ever make room in its queue again."""
        return self._queue.full() and not self.is_alive()


def drawing(writer: Any) -> threading.Thread:
    """Somebody who draws, in a thread that may be left behind."""

    def draw() -> None:
        for _ in range(TEXTS):
            writer.write(FRAME)

    thread = threading.Thread(target=draw, daemon=True)
    thread.start()
    return thread


def test_a_terminal_that_is_gone_holds_nobody_up(ends):
    os.close(ends.pop(0))
    writer = Noted(ends[0])
    thread = drawing(writer)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    until(lambda: writer.told == ["gone"])
    writer.write(FRAME)
    writer.last("restored")
    writer.close()
    assert writer.lost
    assert writer.told == ["gone"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_textuals_own_writer_waits_for_ever_for_a_terminal_that_is_gone(ends):
    os.close(ends.pop(0))
    writer = Stock(ends[0])
    thread = drawing(writer)
    until(lambda: writer.stuck() or not thread.is_alive())
    assert thread.is_alive()


def test_a_terminal_that_is_not_read_holds_nobody_up_and_is_restored_in_the_end(ends):
    writer = Noted(ends[1])
    thread = drawing(writer)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert len(FRAME) * TEXTS > MOST
    until(lambda: not select.select([], [ends[1]], [], 0)[1])
    writer.last("\x1b[?1049l restored")
    writer.close()
    # It has all gone out, though nobody has read anything yet.
    assert not writer._thread.is_alive()
    seen = bytearray()
    while select.select([ends[0]], [], [], 0)[0]:
        seen += os.read(ends[0], 65_536)
    assert seen.endswith(CANCEL + b"\x1b[?1049l restored")


def test_a_terminal_that_catches_up_is_drawn_anew(ends):
    writer = Noted(ends[1])
    drawing(writer).join(PATIENCE)
    assert writer.told == []

    def read() -> bool:
        if select.select([ends[0]], [], [], 0.1)[0]:
            os.read(ends[0], 65_536)
        return "behind" in writer.told

    until(read)
    writer.write("again")
    seen = bytearray()

    def read_again() -> bool:
        if select.select([ends[0]], [], [], 0.1)[0]:
            seen.extend(os.read(ends[0], 65_536))
        return seen.endswith(b"again")

    until(read_again)
    writer.close()
    assert writer.told == ["behind"]


def test_what_is_written_arrives_whole_and_in_its_order(ends):
    writer = Noted(ends[1])
    texts = [f"<{number}>" * 500 for number in range(40)]
    for text in texts:
        writer.write(text)
    seen = bytearray()
    wanted = "".join(texts).encode()

    def read() -> bool:
        if select.select([ends[0]], [], [], 0.1)[0]:
            seen.extend(os.read(ends[0], 65_536))
        return len(seen) >= len(wanted)

    until(read)
    writer.last("")
    writer.close()
    assert bytes(seen) == wanted
    assert termios.tcgetattr(ends[1])
