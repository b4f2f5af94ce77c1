"""The line that always says where we are: profile, environment, operator, and whether it may write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from tui_app.domain.plan import PRODUCTION
from tui_app.tui.actions import FIXED
from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.contract.models import About
    from tui_app.tui.app import QuashApp


class Header(Widget):
    """Places on the left, identity on the right; what does not fit is left out from the places first."""

    app: QuashApp

    def on_mount(self) -> None:
        self.watch(self.app, "about", self._about_changed)
        self.watch(self.app, "token_ends", self._token_ends_changed)

    def _token_ends_changed(self) -> None:
        self.refresh()

    def _about_changed(self, about: About | None) -> None:
        self.set_class(about is not None and about.environment == PRODUCTION, "-production")
        self.refresh()

    def render(self) -> Content:
        width = self.size.width
        who = self._identity(self.app.about)
        where = self._places(long=True)
        if where.cell_length + who.cell_length + 2 > width:
            where = self._places(long=False)
        room = max(width - where.cell_length - 2, 0)
        who = who.truncate(room, ellipsis=True)
        return Content("").join([where, Content(" " * max(width - where.cell_length - who.cell_length, 1)), who])

    def _places(self, *, long: bool) -> Content:
        current = self.app.current_mode
        absent = self.app.places.absent
        parts: list[Content] = []
        for number, place in enumerate(FIXED, 1):
            name = self.app.places.title_of(place)
            if place == current:
                parts.append(phrase(" {} {} ", number, name).stylize("reverse bold"))
            elif long:
                parts.append(phrase(" {} {} ", number, name).stylize("dim" if place in absent else ""))
            else:
                parts.append(phrase(" {} ", number))
        if current in self.app.places.further:
            parts.append(phrase(" {} ", self.app.places.title_of(current)).stylize("reverse bold"))
        return Content("").join(parts)

    def _identity(self, about: About | None) -> Content:
        if about is None:
            return safe("connecting ")
        named = about.environment.upper() if about.environment == PRODUCTION else about.environment
        rights = "read-only" if about.read_only else "may write"
        if self.app.token_ends:
            rights = f"{rights} | {self.app.token_ends}"
        if about.environment == about.profile:
            return phrase("{} | {} | {} ", named, about.operator, rights)
        return phrase("{} | {} | {} | {} ", about.profile, named, about.operator, rights)
