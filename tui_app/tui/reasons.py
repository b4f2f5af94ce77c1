"""Where a reason can be had from: the templates of the systems, the last ones used, and the operator's editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.tui.editor import edit
from tui_app.tui.screens.choose import Choose
from tui_app.tui.text import phrase

if TYPE_CHECKING:
    from tui_app.tui.screens.review import ReviewScreen

LAST = 5


class Reasons:
    """The actions beside the reason's field."""

    def __init__(self, screen: ReviewScreen) -> None:
        self._screen = screen

    def act_templates(self) -> None:
        self._screen.quash.open_later(self._choose())

    async def _choose(self) -> None:
        from tui_app.tui.screens.review import drafts_of

        screen = self._screen
        runs = await screen.client.runs.list()
        last = list(dict.fromkeys(run.reason for run in runs))[:LAST]
        templates = [reason for system in screen.systems() for reason in system.reason_templates]
        others = [reason for reason in drafts_of(screen.quash).reasons if reason != screen.form.reason.value]
        choices = list(dict.fromkeys([*others, *last, *templates]))
        if not choices:
            screen.quash.say(phrase("There are no templates, and no reason was used yet."))
            return
        chosen = await screen.app.push_screen_wait(Choose(phrase("The last reasons, and templates"), choices))
        if chosen is not None:
            screen.form.write(chosen)

    def act_editor(self) -> None:
        screen = self._screen
        with screen.app.suspend():
            written = edit(screen.form.reason.value)
        screen.form.write(written)
