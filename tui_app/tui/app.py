"""The console: five places, one registry of actions, one presenter for what goes wrong."""

from __future__ import annotations

import asyncio
import inspect
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from weakref import WeakKeyDictionary

from rich.text import Text
from textual import constants, events
from textual._time import get_time
from textual.app import App, SystemCommand
from textual.content import Content
from textual.filter import LineFilter
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Input

from tui_app.domain.errors import Fault, QuashError
from tui_app.glyphs import Glyphs, speaks_utf8
from tui_app.resources import styles_dir
from tui_app.tui.actions import BY_ID, FIXED, Action, State
from tui_app.tui.basket import Basket
from tui_app.tui.connection import Connection
from tui_app.tui.credentials import Tokens
from tui_app.tui.everywhere import Everywhere
from tui_app.tui.keymap import Keymap
from tui_app.tui.left import now
from tui_app.tui.notices import Notice, Tone, told
from tui_app.tui.places import Places
from tui_app.tui.plain import PlainFilter
from tui_app.tui.report import write_report
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import phrase, safe, speak
from tui_app.tui.themes import THEMES
from tui_app.tui.typed import TypedDriver
from tui_app.tui.widgets.fields import ConfirmationField, Field, ReasonField
from tui_app.tui.work import Deferred

if TYPE_CHECKING:
    from tui_app.client.backend import BackendClient
    from tui_app.contract.models import About

T = TypeVar("T")

ALWAYS_HEARD = frozenset({"ctrl+q", "ctrl+c", "ctrl+z"})

OPENING = "opening"
"""The group of workers that end in another screen."""


class QuashApp(App[int], inherit_bindings=False):
    """The full-screen console.

    ``client_factory`` is called after the first paint, so that nothing of the wire is loaded before there is something
    to look at. ``keymap`` gives actions other keys, as the config does; ``reports`` is where a crash leaves its report;
    ``clock`` says from when a time left is counted; a command line that is shown or copied begins with ``invocation``.

    Raises:
        UsageProblem: the keymap makes no sense.
    """

    CSS_PATH: ClassVar = [str(path) for path in sorted(styles_dir().glob("*.tcss"))]
    TITLE = "quash"
    ENABLE_COMMAND_PALETTE = True
    DEFAULT_MODE = FIXED[0]
    ESCAPE_TO_MINIMIZE = False

    about: reactive[About | None] = reactive(None, init=False)
    notice: reactive[Notice | None] = reactive(None, init=False)
    countdown: reactive[int] = reactive(0, init=False)
    token_ends: reactive[str] = reactive("", init=False)
    acts_as: reactive[str] = reactive("", init=False)

    def __init__(
        self,
        client_factory: Callable[[], BackendClient],
        *,
        keymap: Mapping[str, str] | None = None,
        theme: str = "quash-dark",
        reports: Path | None = None,
        utf8: bool | None = None,
        clock: Callable[[], datetime] = now,
        invocation: Sequence[str] = ("quash",),
    ) -> None:
        # A driver that is named in Textual's own environment variable wins, as in every program of its kind.
        super().__init__(driver_class=None if constants.DRIVER else TypedDriver)
        self.clock = clock
        self.invocation = tuple(invocation)
        self.keymap = Keymap(keymap)
        self.glyphs = Glyphs(speaks_utf8() if utf8 is None else utf8)
        speak(utf8=self.glyphs.utf8)
        self._plain = PlainFilter(enabled=not self.glyphs.utf8)
        self.animation_level = "none"
        self.crash: Path | None = None
        self.help_state: State | None = None
        self.everywhere = Everywhere(self)
        self.link = Connection(self, client_factory)
        self.tokens = Tokens(self)
        self._reports = reports
        self._standing: Screen[Any] | None = None
        self._since = 0.0
        self._left: Screen[Any] | None = None
        self._typed_at: WeakKeyDictionary[events.Key, Screen[Any]] = WeakKeyDictionary()
        for each in THEMES:
            self.register_theme(each)
        self.theme = theme
        self.places = Places(self)
        self.basket = Basket()

    # What screens read

    @property
    def client(self) -> BackendClient:
        """The backend, once it has answered.

        Raises:
            CannotConnect: it has not.
        """
        return self.link.client

    @property
    def top(self) -> QuashScreen[Any]:
        """The screen that actions are for."""
        return next(screen for screen in reversed(self.screen_stack) if isinstance(screen, QuashScreen))

    def key_of(self, action: str) -> str:
        """The key of an action, as it is shown."""
        return self.keymap.shown(BY_ID[action])

    def stakes(self) -> list[Content]:
        """What quitting now would lose, over all places."""
        screens = [screen for stack in self._screen_stacks.values() for screen in stack]
        found = [screen.at_stake() for screen in screens if isinstance(screen, QuashScreen)]
        return [stake for stake in found if stake is not None]

    # Life

    def on_mount(self) -> None:
        self.set_interval(1, self._tick)
        # The shell has drawn over everything, and a terminal that kept its size draws nothing by itself.
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
        if not self.is_headless:
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self.exit, None, 128 + number)
        self.call_after_refresh(self.retry)

    async def on_unmount(self) -> None:
        await self.link.close()

    def retry(self) -> None:
        """Reach the backend again; where it was reached, read again."""
        if self.about is None:
            self.start(self.link.open(), group="connection")
        else:
            self.top.connected()

    def _tick(self) -> None:
        self.tokens.tell()
        if self.notice is None or self.notice.retry is None:
            return
        if self.countdown > 1:
            self.countdown -= 1
        else:
            self.retry()

    # What goes wrong

    def start(self, work: Coroutine[Any, Any, object], *, group: str = "app") -> None:
        """Work of the app's own in the background; a later one of the same group replaces it."""
        guarded = Deferred(self.guarded(Deferred(work), reads=True))
        self.run_worker(guarded, group=group, exclusive=True, exit_on_error=False)

    async def guarded(self, work: Awaitable[T], *, reads: bool = False, owner: Screen[Any] | None = None) -> T | None:
        """Await, and present what goes wrong. With ``reads`` a success ends the banner of an unreachable backend.

        ``owner`` is the screen that the work is for.
        """
        try:
            result = await work
        except QuashError as error:
            self.present(error)
        except Exception as error:
            # An answer may come when its screen was just left, and finds no widgets to be shown in.
            if owner is None or self._stands(owner):
                path = self._report(error)
                self.present(Fault(type(error).__name__, hint=f"The report is at {path}."))
        else:
            if reads:
                self.link.answered()
            return result
        return None

    def _stands(self, screen: Screen[Any]) -> bool:
        left = self._exit or not screen.is_running or screen._pruning
        return not left and any(screen in stack for stack in self._screen_stacks.values())

    def present(self, error: QuashError) -> None:
        """Tell the operator: a banner for what lasts, else a message that fades."""
        notice = told(error)
        if notice.lasts:
            self.notice = notice
            self.countdown = round(notice.retry or 0)
        else:
            self.say(notice.text, notice.tone)

    def drop_notice(self) -> None:
        """End a banner that lasts until it is answered; one that tries again by itself stays until that succeeds."""
        if self.notice is not None and self.notice.retry is None:
            self.notice = None

    def say(self, message: Content, tone: Tone = "info") -> None:
        """A message that fades."""
        severity = "information" if tone == "info" else tone
        self.notify(message.plain, severity=cast("Any", severity), markup=False)

    def _report(self, error: BaseException) -> Path:
        self.crash = write_report(error, self._reports)
        return self.crash

    def _fatal_error(self) -> None:
        # The stock one prints local variables, tokens included.
        path = self._report(self._exception or RuntimeError("unknown"))
        self._exit_renderables.append(Text(f"quash had to end; runs go on. The report is at {path}"))
        self._close_messages_no_wait()

    # Actions

    async def action_perform(self, id: str) -> None:
        """Do an action of the registry, or say why not."""
        action, screen = BY_ID[id], self.top
        why = action.why_disabled(screen.state())
        if why is not None:
            self.say(safe(why))
            return
        handler = self._handler(screen, action)
        arguments = () if action.argument is None else (action.argument,)
        await self.guarded(_called(handler, *arguments))

    def _handler(self, screen: QuashScreen[Any], action: Action) -> Callable[..., object]:
        name = f"act_{action.handler or action.id}"
        for target in (*screen.targets(), self.everywhere):
            handler = getattr(target, name, None)
            if handler is not None:
                return cast("Callable[..., object]", handler)
        raise LookupError(f"no {name} for {screen.PLACE}")

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Those of Textual, and the one that keeps every line to ASCII where the terminal takes nothing else."""
        filters = super().get_line_filters()
        return [*filters, self._plain] if self._plain.enabled else filters

    # Keys while screens change

    @property
    def dropping(self) -> bool:
        """Whether a screen is on its way, so that a key would act on one that the operator does not look at."""
        here = self.screen
        return here is self._left or (isinstance(here, QuashScreen) and here is not self._standing)

    def for_another(self, event: events.Key) -> bool:
        """Whether a key was typed for another screen than the one it would act on.

        A key meant for the screen that is being opened would act on the one that is being left; and one that was typed
        before this screen stood, or that comes up from the widgets of a screen that was left meanwhile, on this one.
        """
        typed_at = self._typed_at.setdefault(event, self.screen)
        return self.dropping or typed_at is not self.screen or event.time < self._since

    def screen_stands(self, screen: Screen[Any]) -> None:
        """A screen has been drawn; where it is the present one, it may be typed at."""
        if screen is self.screen:
            if screen is not self._standing:
                self._standing, self._since = screen, get_time()
            if screen is not self._left:
                self._left = None

    def open_later(self, work: Coroutine[Any, Any, object]) -> None:
        """Do in the background what opens a screen in the end.

        Keys are dropped until that screen stands, or until the work has ended without one; escape gives it up.
        """
        self._left = self.screen
        self.run_worker(Deferred(self._opened(Deferred(work))), group=OPENING, exclusive=True, exit_on_error=False)

    async def _opened(self, work: Awaitable[object]) -> None:
        left = self._left
        try:
            await self.guarded(work, reads=True, owner=left)
        finally:
            if self._left is left:
                self._left = None

    def _give_up_opening(self) -> None:
        self._left = None
        self.workers.cancel_group(self, OPENING)
        self.say(phrase("Given up. {} goes to Runs, which show what came of it.", self.key_of("go_runs")))

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key) or not await self._kept(event):
            await super().on_event(event)

    async def _kept(self, event: events.Key) -> bool:
        """Whether a key goes no further."""
        if event.key not in ALWAYS_HEARD and self.for_another(event):
            if event.key == "escape" and self.screen is self._left:
                self._give_up_opening()
            return True
        if event.is_forwarded:
            return False
        # A field hears of a key only after the next one has been handed out, which would then go to the wrong field.
        focused = self.focused
        if isinstance(focused, (ReasonField, ConfirmationField)) and await focused.takes(event):
            return True
        return await self._done_at_once(event)

    async def _done_at_once(self, event: events.Key) -> bool:
        """Whether a key is that of an action, which is done before the next key is handed out.

        A key comes up to the bindings of the screen only after the next ones went to whatever had the focus: letters
        that were typed behind the key of a field would be keys of the list that the field is for.
        """
        focused = self.focused
        if isinstance(focused, Input):
            if not isinstance(focused, Field) or focused.types(event):
                return False
            await focused.heard()
        done = await self._check_bindings(event.key, priority=True) or await self._check_bindings(event.key)
        if done:
            event.stop()
        return done

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: the registry, as far as the screen has it."""
        place = screen.PLACE if isinstance(screen, QuashScreen) else self.top.PLACE
        for action in self.keymap.at(place):
            title = f"{action.help.rstrip('.')} ({self.keymap.shown(action)})"
            yield SystemCommand(title, action.label, partial(self.action_perform, action.id))
        for name in self.places.further:
            yield SystemCommand(f"Go to {name.capitalize()} (:{name})", name, partial(self.everywhere.act_go, name))


async def _called(handler: Callable[..., object], *arguments: object) -> object:
    result = handler(*arguments)
    return await result if inspect.isawaitable(result) else result
