"""Many consoles for the price of one start: a process that has loaded quash and forks for each terminal.

    python -m support.forked WORD...

Reads lines of ``PTS`` or ``PTS controlling``, and opens a console there with the words of its command line; with
``controlling`` the terminal is that of a session, which the kernel then tells that it went. Prints the process's id.
"""

from __future__ import annotations

import os
import sys

from tui_app.cli.dispatch import execute
from tui_app.tui import app, screens  # noqa: F401 - loaded before the forks


def console(terminal: str, controlling: bool, words: list[str]) -> int:
    """In a process of its own: take the terminal and open the console."""
    os.setsid()
    descriptor = os.open(terminal, os.O_RDWR | (0 if controlling else os.O_NOCTTY))
    for standard, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(descriptor, standard)
        # Those of the parent are of its pipes.
        stream = open(standard, "w" if standard else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.close(descriptor)
    return execute(words)


def main() -> None:
    """Fork for each line, until there is none; then wait for what is left."""
    while line := sys.stdin.readline():
        terminal, *rest = line.split()
        child = os.fork()
        if child == 0:
            os._exit(console(terminal, bool(rest), sys.argv[1:]))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    sys.stdout.close()


if __name__ == "__main__":
    main()
