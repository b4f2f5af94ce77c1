"""The command ``quash``: answers ``--version`` at once, and hands everything else on."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tui_app import __version__


def main(words: Sequence[str] | None = None) -> int:
    """Execute a command line, by default the one of this process; returns its exit code."""
    given = sys.argv[1:] if words is None else list(words)
    if given == ["--version"]:
        print(f"quash {__version__}")
        return 0
    from tui_app.cli.dispatch import execute, report_faults

    if words is None:
        report_faults(given)
    return execute(given)
