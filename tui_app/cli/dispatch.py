"""From words to an exit code: parsing, the verb's own module, and what went wrong in one place."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from tui_app import bootstrap
from tui_app.cli.deadline import TimeIsUp
from tui_app.cli.exits import Exit, of_error
from tui_app.cli.output import Output, Talk
from tui_app.cli.parser import OUTPUTS, parse
from tui_app.config.setup import Flags, Setup, find
from tui_app.domain.errors import Fault, QuashError, StorageFull, Unavailable


class Call:
    """One command line being executed: its arguments, where data and talk go, and where to work."""

    def __init__(self, arguments: Namespace) -> None:
        form = getattr(arguments, "output", "table")
        self.arguments = arguments
        self.output = Output(form)
        self.talk = Talk(form)

    @cached_property
    def flags(self) -> Flags:
        """What the command line says about where to work."""
        said = self.arguments
        return Flags(
            profile=getattr(said, "profile", None),
            operator=getattr(said, "operator", None),
            data=getattr(said, "data", None),
            config=getattr(said, "config", None),
            no_config=getattr(said, "no_config", False),
        )

    @cached_property
    def setup(self) -> Setup:
        """Where to work, and as whom.

        Raises:
            UsageProblem: the configuration makes no sense.
        """
        return find(self.flags, os.environ, bootstrap.kinds())


Handler = Callable[[Call], int | Coroutine[Any, Any, Exit]]
"""A verb: its exit code, at once or awaited. The console's is any number."""


def execute(words: Sequence[str]) -> int:
    """Execute a command line; returns its exit code."""
    os.umask(0o077)
    _fill_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    talk = Talk(_form(words))
    try:
        return _execute(words)
    except QuashError as error:
        talk.error(error)
        return int(of_error(error))
    except TimeIsUp as late:
        talk.error(Unavailable(str(late), hint="Nothing was sent. Take a longer --timeout, or look later."))
        return int(Exit.TIMEOUT)
    except KeyboardInterrupt:
        talk.say("interrupted")
        return int(Exit.INTERRUPTED)
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.NO_READER)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        full = StorageFull(f"the output could not be written: {error.strerror}", hint="Free some space.")
        talk.error(full)
        return int(of_error(full))


def _fill_closed_streams() -> None:
    """Let a standard stream that the caller closed lead nowhere: else the next file to be opened takes its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - it stays open


def _execute(words: Sequence[str]) -> int:
    try:
        arguments = parse(words)
    except SystemExit as end:
        return Exit.DONE if end.code in (None, 0) else Exit.USAGE
    if arguments.version:
        from tui_app import __version__

        print(f"quash {__version__}")
        return Exit.DONE
    module, _, function = arguments.handler.partition(":")
    handler: Handler = getattr(import_module(f"tui_app.cli.{module}"), function)
    ended = handler(Call(arguments))
    code = ended if isinstance(ended, int) else asyncio.run(ended)
    sys.stdout.flush()
    return int(code)


def _form(words: Sequence[str]) -> str:
    """The form of the output, also of a command line that does not parse."""
    for before, word in zip(["", *words], words, strict=False):
        option, _, value = word.partition("=")
        wanted = value if option == "--output" else word if before == "--output" else ""
        if wanted in OUTPUTS:
            return wanted
    return "table"


def report_faults(words: Sequence[str]) -> None:
    """From now on a defect of ours ends this process with its own code, and leaves a report without values."""
    talk = Talk(_form(words))

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        from tui_app.tui.report import write_report

        path = write_report(error)
        talk.error(Fault(f"something in quash broke ({kind.__name__})", hint=f"The report is at {path}."))
        raise SystemExit(int(Exit.FAULT))

    sys.excepthook = report
