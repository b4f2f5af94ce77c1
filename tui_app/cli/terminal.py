"""Whether somebody is there, and asking them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let ctrl+c end what is read from the terminal, from before whoever sees what is asked may press it.

    The event loop's own handler would only take note while a line is being read.
    """
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def ask(question: str) -> str:
    """A line that is typed on the terminal, without its end.

    Raises:
        KeyboardInterrupt: ctrl+c, or the input ended.
    """
    with interruptible():
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.rstrip("\r\n")
