"""What a terminal sends, told apart: what an operator typed, and what a paste brought.

Textual's parser looks for keys inside a paste as soon as there is an escape character in it, and a paste may hold the
very sequence that ends it. Either way text that somebody else wrote becomes keys, and keys can confirm a run.
"""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Iterable

from textual._xterm_parser import BRACKETED_PASTE_END as END
from textual._xterm_parser import BRACKETED_PASTE_START as START
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

ESCAPE = "\x1b"
INSTEAD = "\N{REPLACEMENT CHARACTER}"
"""Stands for an escape character in what was pasted, so that it is seen and not obeyed."""

QUIET = 0.25
"""Seconds of silence after a paste until what comes is taken for keys again: longer than a lost packet holds up the
rest of a paste, and about as soon as a hand is back on a key."""

_LOOK = 0.1
_READ = 4096


class PasteGuard:
    """Makes a stream of terminal input safe: no escape character inside a paste, and nothing right behind one."""

    def __init__(self) -> None:
        self._inside = False
        self._tail = ""
        self.wary = False

    def passed(self, text: str) -> str:
        """What of the next part of the stream may be parsed; pasted text may be held back until its end is known."""
        if self.wary:
            return ""
        if not self._inside:
            seen = self._tail + text
            before, start, pasted = seen.partition(START)
            if not start:
                self._tail = seen[1 - len(START) :]
                return text
            typed = (before + start)[len(self._tail) :]
            self._inside, self._tail = True, ""
            return typed + self.passed(pasted)
        pasted, end, _ = (self._tail + text).partition(END)
        if end:
            self._inside, self._tail, self.wary = False, "", True
        else:
            kept = _begun(pasted)
            pasted, self._tail = pasted[: len(pasted) - kept], pasted[len(pasted) - kept :]
        return pasted.replace(ESCAPE, INSTEAD) + end

    def quiet(self) -> None:
        """Nothing has come for a while: the paste is over, and what comes next is typed."""
        self.wary = False


def _begun(text: str) -> int:
    """How many characters at the end of a text may be the beginning of the end of a paste."""
    return next((length for length in range(len(END) - 1, 0, -1) if text.endswith(END[:length])), 0)


class TypedDriver(LinuxDriver):
    """The terminal as Textual drives it, except that a paste is one ``Paste`` and never a key."""

    def run_input_thread(self) -> None:
        """Read, guard, parse and dispatch until the console leaves its screen or the terminal is gone."""
        guard, parser = PasteGuard(), XTermParser(self._debug)
        decoder = getincrementaldecoder("utf-8")("replace")
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(QUIET if guard.wary else _LOOK):
                    data = os.read(self.fileno, _READ)
                    if not data:
                        return
                    # To the parser an empty text is the end of everything.
                    if text := guard.passed(decoder.decode(data)):
                        self._dispatch(parser.feed(text))
                else:
                    guard.quiet()
                self._dispatch(parser.tick())

    def _dispatch(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)
