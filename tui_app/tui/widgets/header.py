"""The line that always says where we are: profile, environment, operator, and whether it may write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from tui_app.domain.plan import PRODUCTION
from tui_app.tui.actions import FIXED
from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.contract.models import About
    from tui_app.tui.app import QuashApp

SHORTEST = 2
"""Cells that a name keeps at least."""


class Header(Widget):
    """Places on the left, identity on the right; what does not fit is left out from the places first."""

    app: QuashApp

    def on_mount(self) -> None:
        self.watch(self.app, "about", self._about_changed)
        self.watch(self.app, "token_ends", self._token_ends_changed)
        self.watch(self.app, "acts_as", self._token_ends_changed)

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
        if self.app.token_ends and who.cell_length > room:
            who = self._identity(self.app.about, room)
            if who.cell_length > room:
                where = self._places(long=False, others=False)
                room = max(width - where.cell_length - 2, 0)
                who = self._identity(self.app.about, room)
        who = who.truncate(room, ellipsis=True)
        return Content("").join([where, Content(" " * max(width - where.cell_length - who.cell_length, 1)), who])

    def _places(self, *, long: bool, others: bool = True) -> Content:
        current = self.app.current_mode
        absent = self.app.places.absent
        parts: list[Content] = []
        for number, place in enumerate(FIXED, 1):
            name = self.app.places.title_of(place)
            if place == current:
                parts.append(phrase(" {} {} ", number, name).stylize("reverse bold"))
            elif long:
                parts.append(phrase(" {} {} ", number, name).stylize("dim" if place in absent else ""))
            elif others:
                parts.append(phrase(" {} ", number))
        if current in self.app.places.further:
            parts.append(phrase(" {} ", self.app.places.title_of(current)).stylize("reverse bold"))
        return Content("").join(parts)

    def _identity(self, about: About | None, room: int | None = None) -> Content:
        """Who we are and where; in so much ``room`` names are cut, so that it is seen when a token ends."""
        if about is None:
            return safe("connecting ")
        named = about.environment.upper() if about.environment == PRODUCTION else about.environment
        parts = [named] if about.environment == about.profile else [about.profile, named]
        parts.append(about.operator)
        if self.app.acts_as:
            parts.append(self.app.acts_as)
        if about.read_only:
            parts.append("read-only")
        elif room is None:
            parts.append("may write")
        if self.app.token_ends:
            parts.append(self.app.token_ends)
        over = 0 if room is None else _line(parts).cell_length - room
        for name in (about.operator, about.profile, self.app.acts_as):
            if over > 0 and name in parts:
                cut = safe(name).truncate(max(cell_len(name) - over, SHORTEST), ellipsis=True).plain
                over -= cell_len(name) - cell_len(cut)
                parts[parts.index(name)] = cut
        return _line(parts)


def _line(parts: list[str]) -> Content:
    return phrase("{} ", phrase(" | ").join(safe(part) for part in parts))
