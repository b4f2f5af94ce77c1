"""``quash`` without a verb: the console on a profile."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui_app import bootstrap
from tui_app.cli.session import invocation
from tui_app.cli.terminal import on_terminal
from tui_app.domain.errors import UsageProblem

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.config.setup import Setup


DUMB = ("dumb", "unknown")
"""Terminals that only take lines, by their names in ``TERM``."""


def check_draws(kind: str) -> None:
    """Refuse a terminal that obeys no control sequences: it would show them as text.

    Raises:
        UsageProblem: it is one of these.
    """
    if kind in DUMB:
        raise UsageProblem(
            f"this terminal (TERM={kind}) takes lines and draws no screens, so the console cannot be shown",
            hint="The verbs need no screen: quash list, show, plan, apply, runs, ledger. "
            "Where the terminal can do more, set TERM to what it is.",
        )


def open_console(call: Call) -> int:
    """The full screen, until it is left."""
    return show(call.setup, invocation(call.arguments, call.setup))


def show(setup: Setup, words: Sequence[str]) -> int:
    """Open the console on a profile; returns how it was left. ``words`` begin a command line that works on it, too.

    Raises:
        UsageProblem: there is no terminal, or none that draws screens; or the configuration names a theme or a key that
            is not there.
    """
    if not on_terminal():
        raise UsageProblem("the console needs a terminal", hint="For scripts: quash list, plan, apply, runs, ledger.")
    check_draws(os.environ.get("TERM", ""))
    setup.profile.check_served()
    from tui_app.tui.app import QuashApp
    from tui_app.tui.themes import NAMES, check_theme

    theme = check_theme(setup.config.theme or NAMES[0])
    folder = None if setup.profile.remote else setup.rooms.open().folder
    app = QuashApp(
        lambda: bootstrap.client(setup), keymap=setup.config.keys, theme=theme, reports=folder, invocation=words
    )
    return app.run() or app.return_code or 0
