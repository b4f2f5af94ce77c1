"""Reports written from a screen: the name is asked for until a file could be made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tui_app.domain.errors import StorageFull, UsageProblem
from tui_app.tui.screens.ask_text import AskText
from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.tui.app import QuashApp


async def export(app: QuashApp, name: str, write: Callable[[Path], Awaitable[Path]]) -> None:
    """Ask for a file, offering ``name``, and say where it is."""
    from tui_app.client.export import place

    title, problem = phrase("Write a report (.md, .jsonl or .csv) to a new file"), None
    while True:
        entered = await app.push_screen_wait(AskText(title, name, problem))
        if entered is None:
            return
        name = entered
        try:
            path = await write(place(name))
        except (UsageProblem, StorageFull) as error:
            problem = phrase("{}. {}", safe(error.message), safe(error.hint))
        else:
            app.say(phrase("Written to {}", safe(path, 1000)))
            return
