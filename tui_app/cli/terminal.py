"""Whether somebody is there, and asking them."""

from __future__ import annotations

import signal
import sys


def on_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """A line that is typed on the terminal, without its end.

    Raises:
        KeyboardInterrupt: ctrl+c, or the input ended.
    """
    # The event loop's own handler would only take note while the line is being read. Ours is there before the question
    # is, since whoever sees that may press ctrl+c at once.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, previous)
    if not line:
        raise KeyboardInterrupt
    return line.rstrip("\r\n")
