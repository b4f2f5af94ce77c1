"""The words of the command line: what they do, and how they are completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.domain.errors import UsageProblem
from tui_app.domain.filters import nearest
from tui_app.tui.bringing import bring, ids_in
from tui_app.tui.themes import NAMES, check_theme

if TYPE_CHECKING:
    from tui_app.contract.models import SystemModel
    from tui_app.tui.app import QuashApp
    from tui_app.tui.screens.items import ItemsScreen

WORDS = ("ids", "filter", "theme", "help", "refresh", "q")


def completions(app: QuashApp) -> list[str]:
    """Everything that can be completed."""
    return [*app.places.all, *WORDS, *(f"theme {name}" for name in NAMES)]


async def run(app: QuashApp, text: str) -> None:
    """Do what a command line says.

    Raises:
        UsageProblem: there is no such command, or it lacks what it needs.
    """
    word, _, rest = text.strip().removeprefix(":").partition(" ")
    rest = rest.strip()
    if word in app.places.all:
        app.everywhere.act_go(word)
    elif word in ("q", "quit"):
        app.everywhere.act_quit()
    elif word == "help":
        app.everywhere.act_help()
    elif word == "refresh":
        app.retry()
    elif word == "theme":
        _theme(app, rest)
    elif word == "ids":
        await _ids(app, rest)
    elif word == "filter":
        _items(app, word)[0].filter_by(rest)
    elif word:
        words = (*app.places.all, *WORDS)
        near = nearest(word, words)
        hint = f"Did you mean :{near}?" if near else f"There are {', '.join(words)}."
        raise UsageProblem(f"there is no command {word!r}", hint=hint)


def _theme(app: QuashApp, name: str) -> None:
    app.theme = check_theme(name)


async def _ids(app: QuashApp, text: str) -> None:
    if not ids_in(text):
        raise UsageProblem("ids wants at least one id", hint="Write :ids ID ID ..., separated by spaces.")
    await bring(*_items(app, "ids"), text)


def _items(app: QuashApp, word: str) -> tuple[ItemsScreen, SystemModel]:
    from tui_app.tui.screens.items import ItemsScreen

    if not isinstance(app.top, ItemsScreen) or app.top.system is None:
        raise UsageProblem(f"{word} is for a table of items", hint="Go to one first, as with :commands.")
    return app.top, app.top.system
