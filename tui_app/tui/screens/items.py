"""The items of one system: filter, table, preview. It draws what the service describes and knows no system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import check_fields, parse
from tui_app.tui.actions import ITEMS, State
from tui_app.tui.copying import Copying
from tui_app.tui.marking import Marking
from tui_app.tui.moving import Moving
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import phrase, safe
from tui_app.tui.widgets.filter_bar import FilterBar
from tui_app.tui.widgets.item_table import ItemTable
from tui_app.tui.widgets.numbers import Beside, Numbers
from tui_app.tui.widgets.preview_panel import PreviewPanel
from tui_app.tui.widgets.window import View, Window

if TYPE_CHECKING:
    from tui_app.contract.models import SystemModel

WIDE = 120
"""Columns from which the preview panel is open."""

PREVIEW_AFTER = 0.12
"""Seconds that the cursor rests before its item is previewed."""

AUTO = 5.0
"""Seconds between two automatic refreshes."""


class ItemsScreen(QuashScreen[None], inherit_bindings=False):
    """One screen for every system."""

    PLACE = ITEMS

    def __init__(self, system: str) -> None:
        super().__init__()
        self.system_name = system
        self.system: SystemModel | None = None
        self.marking = Marking(self)
        self._moving = Moving(self)
        self._copying = Copying(self)
        self._filter = ""
        self._sort = ""
        self._edited_at: str | None = None
        self._panel_wanted: bool | None = None
        self._resting: Timer | None = None
        self._auto: Timer | None = None

    def body(self) -> Iterator[Widget]:
        yield FilterBar()
        with_panel = Horizontal(ItemTable(), PreviewPanel(), id="items-body")
        yield with_panel
        yield Numbers()

    def on_mount(self) -> None:
        super().on_mount()
        self.table.focus()
        self._fit_panel()

    # What there is

    @property
    def table(self) -> ItemTable:
        """The table."""
        return self.query_one(ItemTable)

    @property
    def bar(self) -> FilterBar:
        """The filter bar."""
        return self.query_one(FilterBar)

    @property
    def filter(self) -> str:
        """The filter in force, in its text form."""
        return self._filter

    @property
    def view(self) -> View:
        """What the table is to show."""
        only = self.marking.only
        view = View(self.system_name, self._filter if only is None else only.filter, self._sort)
        return view if only is None else replace(view, as_of=only.as_of)

    def targets(self) -> tuple[object, ...]:
        return (self, self._moving, self.marking, self._copying)

    def state(self) -> State:
        table = self.query(ItemTable).first(ItemTable) if self.query(ItemTable) else None
        if table is None:
            return super().state()
        column = table.described
        window = table.window
        return replace(
            super().state(),
            connected=self.about is not None and (self.system is not None or self.about is None),
            rows=(window.total or len(window.rows)) if window else 0,
            item=table.item is not None,
            marked=table.marks.count,
            column=column.title if column else "",
            sortable=column is not None and column.sortable,
        )

    def at_stake(self) -> Content | None:
        count = self.table.marks.count if self.is_mounted else 0
        return phrase("{} marked in {}", count, self.quash.title_of(self.system_name)) if count else None

    def step_back(self) -> bool:
        if self.bar.editing:
            self._apply(self.bar.before)
            self.bar.restore()
            self.table.focus()
            return True
        return self.marking.step_back()

    # Reading

    def connected(self) -> None:
        if self.system is None:
            self.system = self.quash.system(self.system_name)
            if self.system is None:
                self._nothing_here(
                    f"This profile has no {self.system_name}. A profile names the systems it has; see `quash profile`."
                )
                return
            self.table.system = self.system
            self._filter, self._sort = self.system.default_filter, self.system.default_sort
            self.bar.show(self._filter)
        self.read()

    def read(self) -> None:
        """Read the rows of the view; the cursor stays on its item."""
        item = self.table.item
        around = self._edited_at if self.bar.editing else item.id if item else None
        self.start(self._read(Window(self.client.items, self.view), around), group="rows")

    async def _read(self, window: Window, around: str | None) -> None:
        await window.load(around)
        if not window.rows:
            self.table.message = await self._why_empty(window.view)
        self.table.show(window, around)
        self.marking.rows_changed()

    async def _why_empty(self, view: View) -> str:
        words = self.system.many if self.system else "items"
        found = await self.client.items.count(view.system)
        if found.value:
            key = self.quash.key_of("filter")
            return f"No {words} match the filter; there are {found.value:,} in all. {key} changes the filter."
        return f"There are no {words} here. `quash demo` opens the console on made-up ones."

    def _nothing_here(self, why: str) -> None:
        self.table.message = why
        self.query_one(Numbers).update("")
        self.query_one(PreviewPanel).empty(Content(""))
        self.table.refresh()

    def show_last(self) -> None:
        """The last rows, with the cursor on the last."""
        self.start(self._read_last(Window(self.client.items, self.view)), group="rows")

    async def _read_last(self, window: Window) -> None:
        await window.load_last()
        self.table.show(window, last=True)
        self.marking.rows_changed()

    def show_first(self) -> None:
        """The first rows, with the cursor on the first."""
        self.table.start_over()
        self.read()

    def sort_by(self, sort: str) -> None:
        """Another order; the cursor stays on its item."""
        self._sort = sort
        self.read()

    # Filter

    def act_filter(self) -> None:
        self.bar.edit()

    def on_filter_bar_edited(self, event: FilterBar.Edited) -> None:
        event.stop()
        # What is half typed may not match the item; once it does again the cursor is back on it.
        self._edited_at = self.table.item.id if self.table.item else None

    def filter_by(self, text: str) -> None:
        """Put a filter in force that was not typed into the bar."""
        if self._apply(text):
            self.bar.show(self._filter)

    def on_filter_bar_typed(self, event: FilterBar.Typed) -> None:
        event.stop()
        self._apply(event.text)

    def on_filter_bar_applied(self, event: FilterBar.Applied) -> None:
        event.stop()
        if self._apply(event.text):
            self.bar.done(self._filter)
            self.table.focus()

    def _apply(self, text: str) -> bool:
        try:
            wanted = parse(text)
            check_fields(wanted, frozenset(self.system.filterable if self.system else ()))
        except MalformedFilter as error:
            self.bar.problem(phrase("{}; the rows are those of {}", safe(error.message), self._filter or "no filter"))
            return False
        self.bar.problem(None)
        if str(wanted) != self._filter:
            self._filter = str(wanted)
            self.marking.leave_only()
            self.read()
        return True

    # The cursor moves

    def on_item_table_moved(self, event: ItemTable.Moved) -> None:
        event.stop()
        self.tell_numbers()
        self.marking.look()
        self.state_changed()
        if self.query_one(PreviewPanel).display:
            self._preview_soon()

    def tell_numbers(self) -> None:
        """Say the numbers anew, where they changed."""
        auto = AUTO if self._auto else None
        beside = Beside(self.marking.hidden, self.marking.only is not None, auto)
        self.query_one(Numbers).tell(self.table, beside)

    def _preview_soon(self) -> None:
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(PREVIEW_AFTER, self._preview)

    def _preview(self) -> None:
        panel, item = self.query_one(PreviewPanel), self.table.item
        if item is not None and self.about is not None:
            self.start(panel.read(self.client, item), group="preview")
        else:
            panel.empty(Content(""))

    # The panel, and automatic refresh

    def act_preview(self) -> None:
        self._panel_wanted = not self.query_one(PreviewPanel).display
        self._fit_panel()

    def on_resize(self) -> None:
        super().on_resize()
        self._fit_panel()

    def _fit_panel(self) -> None:
        panel = self.query_one(PreviewPanel)
        shown = self.app.size.width >= WIDE if self._panel_wanted is None else self._panel_wanted
        self.table.jump = shown
        if shown != panel.display:
            panel.display = shown
            if shown:
                self._preview()

    def act_auto(self) -> None:
        if self._auto is None:
            self._auto = self.set_interval(AUTO, self.read)
        else:
            self._auto.stop()
            self._auto = None
        self.tell_numbers()
