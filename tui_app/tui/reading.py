"""Which rows a table of items shows, and reading them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tui_app.domain.errors import MalformedFilter, QuashError, Refused
from tui_app.tui.notices import told
from tui_app.tui.widgets.window import View, Window

if TYPE_CHECKING:
    from tui_app.tui.screens.items import ItemsScreen


class Reading:
    """The filter and the order in force, both in their text forms; whoever changes them reads again.

    ``anchor`` is the item that the cursor was on when a filter began to be typed: what is half typed may not match it,
    and once it is matched again the cursor is back on it.
    """

    def __init__(self, screen: ItemsScreen) -> None:
        self._screen = screen
        self.filter = ""
        self.sort = ""
        self.anchor: str | None = None

    @property
    def view(self) -> View:
        """What the table is to show."""
        only = self._screen.marking.only
        view = View(self._screen.system_name, self.filter if only is None else only.filter, self.sort)
        return view if only is None else replace(view, as_of=only.as_of)

    def read(self, *, by_itself: bool = False) -> None:
        """Read the rows of the view; the cursor stays on its item.

        ``by_itself``: nobody asked for it, so that nothing is drawn where nothing is different.
        """
        screen = self._screen
        item = screen.table.item
        around = self.anchor if screen.bar.editing else item.id if item else None
        screen.start(self._read(Window(screen.client.items, self.view), around, by_itself=by_itself), group="rows")

    @property
    def going_on(self) -> bool:
        """Whether rows are being read."""
        screen = self._screen
        return any(one.group == "rows" and one.node is screen and not one.is_finished for one in screen.workers)

    async def _read(self, window: Window, around: str | None, *, by_itself: bool) -> None:
        screen, table = self._screen, self._screen.table
        try:
            await window.load(around)
        except MalformedFilter as error:
            screen.filter_refused(self._why_refused(error))
            screen.nothing_here(self._why_refused(error))
            return
        except Refused as error:
            screen.filter_refused(told(error).text.plain)
            if table.window is None:
                screen.nothing_here(told(error).text.plain)
            if by_itself:
                # Refused once, it would be refused again and again, with a message each time.
                screen.refresh_by_itself(on=False)
            raise
        except QuashError:
            screen.filter_refused()
            raise
        message = "" if window.rows else await self._why_empty(window.view)
        if table.show(window, around, message=message):
            screen.marking.rows_changed()
        else:
            screen.marking.asking.look()
        screen.filter_read()
        if not by_itself:
            screen.read_anew()

    async def _why_empty(self, view: View) -> str:
        screen = self._screen
        words = screen.system.many if screen.system else "items"
        found = await screen.client.items.count(view.system)
        if found.value:
            key = screen.quash.key_of("filter")
            return f"No {words} match the filter; there are {found.value:,} in all. {key} changes the filter."
        return f"There are no {words} here. `quash demo` opens the console on made-up ones."

    def _why_refused(self, error: MalformedFilter) -> str:
        said = f"{error.message[:1].upper()}{error.message[1:]}."
        if not error.details.get("names_only"):
            return f"{said} {error.hint}"
        command, filter = self._screen.quash.key_of("command_line"), self._screen.quash.key_of("filter")
        return (
            f"{said} {command}ids ID ID marks them, and so does pasting them here; {filter} with id:ID,ID shows them."
        )

    def read_last(self) -> None:
        """The last rows, with the cursor on the last."""
        screen = self._screen
        screen.start(self._read_last(Window(screen.client.items, self.view)), group="rows")

    async def _read_last(self, window: Window) -> None:
        await window.load_last()
        self._screen.table.show(window, last=True)
        self._screen.marking.rows_changed()

    def read_first(self) -> None:
        """The first rows, with the cursor on the first."""
        self._screen.table.start_over()
        self.read()

    def sort_by(self, sort: str) -> None:
        """Another order; the cursor stays on its item."""
        self.sort = sort
        self.read()
