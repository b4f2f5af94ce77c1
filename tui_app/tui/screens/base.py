"""What every screen has: header, banner, body, footer, its keys from the registry, and the app with its own type."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from tui_app.tui.actions import State
from tui_app.tui.widgets.banner import Banner, TooSmall
from tui_app.tui.widgets.footer import Footer
from tui_app.tui.widgets.header import Header
from tui_app.tui.work import Deferred

if TYPE_CHECKING:
    from tui_app.client.backend import BackendClient
    from tui_app.contract.models import About
    from tui_app.tui.app import QuashApp

R = TypeVar("R")


class QuashScreen(Screen[R], inherit_bindings=False):
    """Base of all screens.

    A subclass names its ``PLACE`` in the registry, composes ``body()``, and does its actions in methods ``act_<id>``,
    its own or those of the objects in ``targets()``. ``connected()`` is called when the backend first answers, also
    when it already had before the screen was there.
    """

    PLACE: ClassVar[str]
    GIVES_WAY: ClassVar[bool] = False
    """Whether it is closed when the operator goes to the place that it stands on: nothing is entered here."""

    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._bindings = BindingsMap.merge([self._bindings, BindingsMap(self.quash.keymap.bindings(self.PLACE))])

    @property
    def quash(self) -> QuashApp:
        """The app, typed."""
        return cast("QuashApp", self.app)

    @property
    def client(self) -> BackendClient:
        """The backend.

        Raises:
            Unavailable: it has not answered yet.
        """
        return self.quash.client

    @property
    def about(self) -> About | None:
        """Who we are and what is there, once the backend answered."""
        return self.quash.about

    def compose(self) -> ComposeResult:
        yield Header()
        yield Banner()
        yield from self.body()
        yield Footer(self.PLACE)
        yield TooSmall()

    def body(self) -> Iterator[Widget]:
        """What stands between banner and footer; nothing, unless a screen has something."""
        return iter(())

    def state(self) -> State:
        """The facts that decide what makes sense now; subclasses replace what they know better."""
        about = self.about
        return State(
            connected=about is not None,
            may_write=about is not None and not about.read_only,
            systems=frozenset(system.system for system in about.systems) if about else frozenset(),
            depth=len(self.quash.screen_stack),
        )

    def targets(self) -> tuple[object, ...]:
        """Where actions are looked for, before the app."""
        return (self,)

    def connected(self) -> None:
        """The backend answered: read what is shown."""

    def step_back(self) -> bool:
        """End what is open within this screen, as a filter being typed; False where there is nothing to end."""
        return False

    def at_stake(self) -> Content | None:
        """What quitting now would lose; None for nothing."""
        return None

    def start(self, work: Coroutine[Any, Any, object], *, group: str = "default", exclusive: bool = True) -> None:
        """Work in the background; what goes wrong is presented, and a later one of the same group replaces it."""
        guarded = Deferred(self.quash.guarded(Deferred(work), reads=True, owner=self))
        self.run_worker(guarded, group=group, exclusive=exclusive, exit_on_error=False)

    def state_changed(self) -> None:
        """Draw the footer anew: something that decides about actions is different."""
        for footer in self.query(Footer):
            footer.refresh_actions()

    def on_mount(self) -> None:
        self.watch(self.app, "about", self._about_changed)

    def _about_changed(self, about: About | None) -> None:
        if about is not None:
            self.connected()
        self.state_changed()

    def on_resize(self) -> None:
        for notice in self.query(TooSmall):
            notice.fit(*self.app.size)

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self.quash.screen_stands, self)


class Dialog(QuashScreen[R], ModalScreen[R], inherit_bindings=False):
    """A screen over another one, which stays visible around it; it has no header and no footer."""

    def compose(self) -> ComposeResult:
        yield from self.body()
