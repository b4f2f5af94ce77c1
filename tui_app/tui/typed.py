"""The terminal: what it sends, told apart into what was typed and what a paste brought, and that it may go away.

Textual's parser looks for keys inside a paste as soon as there is an escape character in it, and a paste may hold the
very sequence that ends it. Either way text that somebody else wrote becomes keys, and keys can confirm a run.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events
from textual._xterm_parser import BRACKETED_PASTE_END as END
from textual._xterm_parser import BRACKETED_PASTE_START as START
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from tui_app.tui.writer import TerminalWriter

if TYPE_CHECKING:
    from textual.app import App

ESCAPE = "\x1b"
INSTEAD = "\N{REPLACEMENT CHARACTER}"
"""Stands for an escape character in what was pasted, so that it is seen and not obeyed."""

QUIET = 0.25
"""Seconds of silence after a paste until what comes is taken for keys again: longer than a lost packet holds up the
rest of a paste, and about as soon as a hand is back on a key."""

ESCAPE_WAIT, SLOW_ESCAPE_WAIT = 0.1, 0.5
"""Seconds that the rest of a sequence may take after its ESC: at first, and once one was seen to take longer."""

_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")
_REST = re.compile(r"\[[0-?]*[ -/]*[@-~]|O[ -~]")
_REST_BEGUN = re.compile(r"\[[0-?]*[ -/]*")
"""A sequence that is begun, one without its ESC, and the beginning of that (ECMA-48, CSI and SS3)."""

STDERR = 2
"""What Textual draws on."""

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


class SequenceGuard:
    """Keeps the sequence of one key together, where a slow line brings it in parts.

    What follows an ESC late would otherwise be keys of its own: the rest of ``delete`` goes to the third place. An ESC
    with nothing behind it for ``patience`` seconds is the key; when its rest comes after all, that is dropped, and from
    then on the line is given more time.
    """

    def __init__(self) -> None:
        self.patience = ESCAPE_WAIT
        self._held = ""
        self._rest: str | None = None

    @property
    def waits(self) -> bool:
        """Whether an ESC is held back that may be the key or the beginning of one."""
        return self._held == ESCAPE

    def passed(self, text: str) -> str:
        """What of the next part of the stream is whole; the beginning of a sequence is held back."""
        whole = self._held + self._without_rest(text)
        unfinished = _UNFINISHED.search(whole)
        cut = unfinished.start() if unfinished else len(whole)
        self._held = whole[cut:]
        return whole[:cut]

    def give_up(self) -> bool:
        """Nothing came for ``patience`` seconds: whether the escape key was pressed."""
        if not self.waits:
            return False
        self._held, self._rest = "", ""
        return True

    def _without_rest(self, text: str) -> str:
        if self._rest is None:
            return text
        text, self._rest = self._rest + text, None
        if _REST_BEGUN.fullmatch(text):
            self._rest = text
            return ""
        rest = _REST.match(text)
        if rest is None:
            return text
        self.patience = SLOW_ESCAPE_WAIT
        return text[rest.end() :]


class LineEnd(events.Key):
    """An enter that came in one read with characters before it, as a paste brings it where the terminal marks none."""

    def __init__(self) -> None:
        super().__init__("enter", "\r")


# Textual calls handlers by the name of the class: whoever hears of keys hears of this one too.
LineEnd.handler_name = events.Key.handler_name


class TypedInput:
    """The stream of a terminal, as messages."""

    def __init__(self, debug: bool = False) -> None:
        self._pastes, self._sequences, self._parser = PasteGuard(), SequenceGuard(), XTermParser(debug)

    @property
    def wait(self) -> float:
        """Seconds after which nothing more having come is a silence."""
        return QUIET if self._pastes.wary else self._sequences.patience if self._sequences.waits else _LOOK

    def feed(self, text: str) -> Iterator[Message]:
        """The messages of what came in one read."""
        # To the parser an empty text is the end of everything.
        if safe := self._sequences.passed(self._pastes.passed(text)):
            typed = False
            for message in self._parser.feed(safe):
                if isinstance(message, events.Key):
                    if typed and message.key in ("enter", "ctrl+j"):
                        yield LineEnd()
                        continue
                    typed = typed or message.is_printable
                yield message

    def silence(self) -> Iterator[Message]:
        """Nothing has come for ``wait`` seconds."""
        self._pastes.quiet()
        if self._sequences.give_up():
            yield events.Key("escape", ESCAPE)

    def tick(self) -> Iterator[Message]:
        """What the parser no longer waits for."""
        yield from self._parser.tick()


class TypedDriver(LinuxDriver):
    """The terminal as Textual drives it, except that a paste is one ``Paste`` and never a key.

    It waits for no terminal, and ends the console where there is none any more.
    """

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: Any = None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._writer: TerminalWriter | None = None
        self._restoring: list[str] | None = None

    def start_application_mode(self) -> None:
        descriptor = STDERR if self._file is None else self._file.fileno()
        self._writer = TerminalWriter(descriptor, gone=self._gone, behind=self._behind)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def write(self, data: str) -> None:
        if self._restoring is not None:
            self._restoring.append(data)
        elif self._writer is not None:
            self._writer.write(data)

    def stop_application_mode(self) -> None:
        restoring: list[str] = []
        self._restoring = restoring
        try:
            super().stop_application_mode()
        finally:
            self._restoring = None
            if self._writer is not None:
                self._writer.last("".join(restoring))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        super().close()

    def _gone(self) -> None:
        """End the console as the signal does that a terminal sends when it goes."""
        self._call(partial(self._app.exit, return_code=128 + signal.SIGHUP))

    def _behind(self) -> None:
        self._call(partial(self._app.refresh, layout=True))

    def _call(self, callback: Callable[[], object]) -> None:
        # The console may have ended meanwhile, and its loop with it.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def run_input_thread(self) -> None:
        """Read, guard, parse and dispatch until the console leaves its screen or the terminal is gone."""
        typed = TypedInput(self._debug)
        decoder = getincrementaldecoder("utf-8")("replace")
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(typed.wait):
                    data = self._read()
                    if not data:
                        self._gone()
                        return
                    self._dispatch(typed.feed(decoder.decode(data)))
                else:
                    self._dispatch(typed.silence())
                self._dispatch(typed.tick())

    def _read(self) -> bytes:
        """What the terminal sent; nothing where it is gone."""
        try:
            return os.read(self.fileno, _READ)
        except OSError:
            return b""

    def _dispatch(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)
