"""The actions that every screen has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.tui.text import phrase

if TYPE_CHECKING:
    from tui_app.tui.app import QuashApp


class Everywhere:
    """What the app does itself, when no screen does it otherwise."""

    def __init__(self, app: QuashApp) -> None:
        self._app = app

    def act_go(self, place: str) -> None:
        app = self._app
        if app.notice is not None and app.notice.retry is None:
            app.notice = None
        app.switch_mode(place)

    def act_help(self) -> None:
        from tui_app.tui.screens.help import HelpScreen

        self._app.push_screen(HelpScreen(self._app.top.PLACE))

    def act_palette(self) -> None:
        self._app.action_command_palette()

    def act_command_line(self) -> None:
        from tui_app.tui.screens.command_line import CommandLine

        self._app.push_screen(CommandLine())

    def act_back(self) -> None:
        app = self._app
        if app.top.step_back():
            return
        if len(app.screen_stack) > 1:
            app.top.dismiss(None)
        elif app.notice is not None and app.notice.retry is None:
            app.notice = None

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
        self._app.start(self._quit())

    async def _quit(self) -> None:
        from tui_app.tui.screens.ask import Ask

        app = self._app
        stakes = app.stakes()
        if not stakes or await app.push_screen_wait(Ask(stakes)):
            app.exit(0)

    def act_suspend(self) -> None:
        self._app.action_suspend_process()

    def act_refresh(self) -> None:
        self._app.retry()

    def act_next_field(self) -> None:
        self._app.top.focus_next()

    def act_previous_field(self) -> None:
        self._app.top.focus_previous()
