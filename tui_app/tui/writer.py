"""The way of what is drawn to the terminal: it never waits for the terminal, and notices when that is gone.

Textual's own writer hands texts to a thread through a queue of thirty and waits while that is full. A terminal that is
not read, or one that is gone, thereby stops the whole console, and signals with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections import deque
from collections.abc import Callable, Iterator
from threading import Condition, Thread

MOST = 1 << 20
"""Bytes that wait for the terminal at most; a full screen is drawn with about a twentieth of it."""

PIECE = 512
"""Bytes that are handed to the terminal at a time: one piece may still come out after the rest was dropped."""

PATIENCE = 1.0
"""Seconds that the last texts may take; a terminal that takes longer is not being read."""

CANCEL = b"\x18"
"""Ends a control sequence that was cut (CAN)."""


class TerminalWriter:
    """Writes texts in a thread of its own. ``write`` may be called from any thread, and never waits.

    While more than ``MOST`` bytes wait, further texts are dropped; ``behind`` is called, in the thread, once the
    terminal has caught up, since what it shows then is not what was drawn. ``gone`` is called, in the thread, when the
    terminal takes nothing any more; everything that follows is dropped.
    """

    def __init__(self, descriptor: int, *, gone: Callable[[], None], behind: Callable[[], None]) -> None:
        self._descriptor, self._gone, self._behind = descriptor, gone, behind
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._changed = Condition()
        self._dropped = self._lost = self._closing = self._idle = False
        self._thread = Thread(target=self._run, name="terminal-output", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether the terminal is gone."""
        return self._lost

    def write(self, text: str) -> None:
        """Have a text written, unless the terminal is gone or too far behind."""
        data = text.encode("utf-8", "replace")
        with self._changed:
            if self._lost:
                return
            if self._dropped or self._size + len(data) > MOST:
                self._dropped = True
                return
            self._add(data)

    def last(self, text: str) -> None:
        """Have a last text written; where the terminal is not read, what waits is dropped for it.

        Called from the main thread alone, which is where signals are handled.
        """
        data = text.encode("utf-8", "replace")
        with self._changed:
            if self._lost:
                return
            self._dropped = False
            self._add(data)
            if self._changed.wait_for(self._is_over, PATIENCE):
                return
            self._waiting.clear()
            self._size = 0
            self._add(CANCEL + data)
        with contextlib.suppress(termios.error):
            # What the kernel holds for the terminal goes, too.
            termios.tcflush(self._descriptor, termios.TCOFLUSH)
        with self._woken(), self._changed:
            self._changed.wait_for(self._is_over, PATIENCE)

    def close(self) -> None:
        """End the thread. One that still waits for the terminal is left behind, and ends with the process."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(PATIENCE)

    def _is_over(self) -> bool:
        return self._idle or self._lost

    @contextlib.contextmanager
    def _woken(self) -> Iterator[None]:
        """Interrupt a write that waits for room: the kernel does not, when it throws away what it holds."""
        if self._thread.ident is None:
            yield
            return
        previous = signal.signal(signal.SIGWINCH, lambda *_: None)
        try:
            signal.pthread_kill(self._thread.ident, signal.SIGWINCH)
            yield
        finally:
            signal.signal(signal.SIGWINCH, previous)

    def _add(self, data: bytes) -> None:
        self._idle = False
        self._waiting.extend(data[start : start + PIECE] for start in range(0, len(data), PIECE))
        self._size += len(data)
        self._changed.notify_all()

    def _run(self) -> None:
        while (piece := self._next()) is not None:
            try:
                while piece:
                    piece = piece[os.write(self._descriptor, piece) :]
            except OSError:
                with self._changed:
                    self._lost = True
                    self._waiting.clear()
                    self._changed.notify_all()
                self._gone()
                return

    def _next(self) -> bytes | None:
        with self._changed:
            if not self._waiting:
                self._idle = True
                self._changed.notify_all()
                if self._dropped:
                    self._dropped = False
                    self._behind()
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                return None
            self._size -= len(self._waiting[0])
            return self._waiting.popleft()
