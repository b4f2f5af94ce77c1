"""The actions that every screen has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import phrase

if TYPE_CHECKING:
    from tui_app.tui.app import QuashApp


class Everywhere:
    """What the app does itself, when no screen does it otherwise."""

    def __init__(self, app: QuashApp) -> None:
        self._app = app
        self._history: list[str] = []

    def act_go(self, place: str) -> None:
        """Go to a place itself: a view that stands on it, as of a run, is closed; nothing is entered in one."""
        app = self._app
        app.drop_notice()
        app.switch_mode(place)
        while len(app.screen_stack) > 1 and isinstance(app.screen, QuashScreen) and app.screen.GIVES_WAY:
            app.screen.dismiss(None)

    def act_help(self) -> None:
        from tui_app.tui.screens.help import HelpScreen

        app = self._app
        app.help_state = app.top.state()
        app.push_screen(HelpScreen(app.top.PLACE))

    def act_palette(self) -> None:
        self._app.action_command_palette()

    def act_command_line(self) -> None:
        from tui_app.tui.screens.command_line import CommandLine

        self._app.push_screen(CommandLine(self._history), self._entered)

    def _entered(self, text: str | None) -> None:
        if text:
            self._history.append(text)
            self._app.start(self._run(text))

    async def _run(self, text: str) -> None:
        from tui_app.tui.commands import run

        await run(self._app, text)

    def act_back(self) -> None:
        app = self._app
        if app.top.step_back():
            return
        if len(app.screen_stack) > 1:
            app.top.dismiss(None)
        else:
            app.drop_notice()

    def act_level_up(self) -> None:
        if len(self._app.screen_stack) > 1:
            self.act_back()
        else:
            self.act_quit()

    def act_leave(self) -> None:
        app = self._app
        if not app.top.step_back():
            if len(app.screen_stack) > 1:
                app.top.dismiss(None)
            else:
                app.say(phrase("{} quits; what runs goes on.", app.key_of("quit")))

    def act_quit(self) -> None:
        from tui_app.tui.screens.ask import Ask

        stakes = self._app.stakes()
        if stakes:
            self._app.push_screen(Ask(stakes), self._answered)
        else:
            self._app.exit(0)

    def _answered(self, leave: bool | None) -> None:
        if leave:
            self._app.exit(0)

    def act_suspend(self) -> None:
        self._app.action_suspend_process()

    def act_refresh(self) -> None:
        self._app.retry()

    def act_next_field(self) -> None:
        self._app.top.focus_next()

    def act_previous_field(self) -> None:
        self._app.top.focus_previous()
