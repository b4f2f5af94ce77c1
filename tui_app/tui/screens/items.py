"""The items of one system: filter, table, preview. It draws what the service describes and knows no system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import events
from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget

from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import check_filter, parse
from tui_app.tui.actions import ITEMS, State
from tui_app.tui.basket import named
from tui_app.tui.bringing import bring, ids_in
from tui_app.tui.copying import Copying
from tui_app.tui.marking import Marking
from tui_app.tui.moving import Moving
from tui_app.tui.panel import Panel
from tui_app.tui.reading import Reading
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import phrase, safe
from tui_app.tui.widgets.filter_bar import FilterBar
from tui_app.tui.widgets.item_table import ItemTable
from tui_app.tui.widgets.marks import Marks
from tui_app.tui.widgets.numbers import Beside, Numbers
from tui_app.tui.widgets.preview_panel import PreviewPanel

if TYPE_CHECKING:
    from tui_app.contract.models import SystemModel

AUTO = 5.0
"""Seconds between two automatic refreshes."""


class ItemsScreen(QuashScreen[None], inherit_bindings=False):
    """One screen for every system."""

    PLACE = ITEMS
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012

    def __init__(self, system: str) -> None:
        super().__init__()
        self.system_name = system
        self.system: SystemModel | None = None
        self.marking = Marking(self)
        self._moving = Moving(self)
        self._copying = Copying(self)
        self.reading = Reading(self)
        self._panel = Panel(self)
        self._auto: Timer | None = None
        self._entered = False

    def body(self) -> Iterator[Widget]:
        yield FilterBar()
        with_panel = Horizontal(ItemTable(), PreviewPanel(), id="items-body")
        yield with_panel
        yield Numbers()

    def on_mount(self) -> None:
        super().on_mount()
        self.table.focus()
        self._panel.fit()
        self.quash.basket.join(self)

    # What there is

    @property
    def table(self) -> ItemTable:
        """The table."""
        return self.query_one(ItemTable)

    @property
    def bar(self) -> FilterBar:
        """The filter bar."""
        return self.query_one(FilterBar)

    def targets(self) -> tuple[object, ...]:
        return (self, self._moving, self.marking, self._copying, self._panel)

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
            elsewhere=sum(screen.table.marks.count for screen in self.quash.basket.beside(self)),
            column=column.title if column else "",
            sortable=column is not None and column.sortable,
        )

    def at_stake(self) -> Content | None:
        count = self.table.marks.count if self.is_mounted else 0
        return phrase("{} marked in {}", count, self.quash.places.title_of(self.system_name)) if count else None

    def step_back(self) -> bool:
        if self.bar.editing:
            self._entered = False
            self._apply(self.bar.before)
            self.bar.restore()
            self.table.focus()
            return True
        return self.marking.step_back()

    # Reading

    def connected(self) -> None:
        if self.system is None:
            self.system = self.quash.places.system(self.system_name)
            if self.system is None:
                self.nothing_here(
                    f"This profile has no {self.system_name}. A profile names the systems it has; see `quash profile`."
                )
                return
            self.table.system = self.system
            self.table.ticking.start()
            self.reading.filter, self.reading.sort = self.system.default_filter, self.system.default_sort
            self.bar.show(self.reading.filter)
            # Where the system acts by itself at a moment, rows that stand still are soon not so any more.
            self.refresh_by_itself(on=self.system.deadline is not None)
        elif (told := self.quash.places.system(self.system_name)) is not None:
            self.system = self.table.system = told
            self.table.move_column(0)
        self.reading.read()

    def read_anew(self) -> None:
        """What the operator asked for has been read: say as of when, and preview the item of the cursor again."""
        self.tell_numbers()
        self._panel.follow()

    def nothing_here(self, why: str) -> None:
        """Show no rows, and why there can be none; those of another view would be taken for those that were asked."""
        self.table.window, self.table.message = None, why
        self.table.refresh()
        self.query_one(PreviewPanel).empty(Content(""))
        self.tell_numbers()
        self.state_changed()

    def run_started(self, used: Marks) -> None:
        """These marks were for a run that is under way.

        Marks that were changed since are another intention, and stay.
        """
        if self.table.marks == used:
            self.marking.act_clear()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self.table.window is not None:
            self.reading.read()
        if self.system is not None:
            # Meanwhile something may have been marked in another place, or used up.
            self.tell_numbers()
            self.state_changed()

    def on_paste(self, event: events.Paste) -> None:
        if self.system is not None and ids_in(event.text):
            self.quash.open_later(bring(self, self.system, event.text))

    # Filter

    def act_filter(self) -> None:
        self.bar.edit()

    def on_filter_bar_edited(self, event: FilterBar.Edited) -> None:
        event.stop()
        self.reading.anchor = self.table.item.id if self.table.item else None

    def filter_by(self, text: str) -> None:
        """Put a filter in force that was not typed into the bar."""
        if self._apply(text):
            self.bar.show(self.reading.filter)

    def on_filter_bar_typed(self, event: FilterBar.Typed) -> None:
        event.stop()
        # What is typed after enter, before its rows came, is meant for neither the filter nor the rows of another.
        if not self._entered:
            self._apply(event.text)

    def on_filter_bar_applied(self, event: FilterBar.Applied) -> None:
        event.stop()
        if self._entered or not self._apply(event.text):
            return
        self._entered = True
        window = self.table.window
        if window is not None and window.view == self.reading.view:
            self.filter_read()
        elif not self.reading.going_on:
            self.reading.read()

    def filter_read(self) -> None:
        """The rows of the filter came: where enter was pressed, its field is left now, and not before."""
        if self._entered:
            self._entered = False
            self.bar.done(self.reading.filter)
            self.table.focus()

    def filter_refused(self, why: str = "") -> None:
        """The service takes no such filter, or gave no answer: the field stays, so that what is typed corrects it."""
        self._entered = False
        if self.bar.editing and why:
            self.bar.problem(safe(why))

    def _apply(self, text: str) -> bool:
        try:
            wanted = parse(text)
            if self.system is not None:
                closed = {name: tuple(values) for name, values in self.system.closed_values.items()}
                check_filter(wanted, self.system.filterable, closed, self.system.untold)
        except MalformedFilter as error:
            self.bar.problem(
                phrase(
                    "{}. {} The rows are those of {}",
                    safe(error.message),
                    safe(error.hint),
                    self.reading.filter or "no filter",
                )
            )
            return False
        if str(wanted) != self.reading.filter or self.table.window is not None:
            # What the service refused stays refused while the filter is the same.
            self.bar.problem(None)
        if str(wanted) != self.reading.filter:
            self.reading.filter = str(wanted)
            self.marking.leave_only()
            self.reading.read()
        return True

    # The cursor moves

    def on_item_table_moved(self, event: ItemTable.Moved) -> None:
        event.stop()
        self.tell_numbers()
        self.marking.asking.look()
        self.state_changed()
        self._panel.follow()

    def on_item_table_extended(self, event: ItemTable.Extended) -> None:
        event.stop()
        self.marking.asking.look()

    def tell_numbers(self) -> None:
        """Say the numbers anew, where they changed."""
        auto = AUTO if self._auto else None
        others = self.quash.basket.beside(self)
        also = phrase("also marked: {}; {} reviews all", named(others), self.quash.key_of("review_all"))
        beside = Beside(self.marking.asking.hidden, self.marking.only is not None, auto, also if others else None)
        self.query_one(Numbers).tell(self.table, beside)

    def on_resize(self) -> None:
        super().on_resize()
        self._panel.fit()

    def act_auto(self) -> None:
        self.refresh_by_itself(on=self._auto is None)

    def refresh_by_itself(self, *, on: bool) -> None:
        """Whether the rows are read again every few seconds."""
        if self._auto is not None:
            self._auto.stop()
        self._auto = self.set_interval(AUTO, self.read_by_itself) if on else None
        self.tell_numbers()

    def read_by_itself(self) -> None:
        """Read the rows again, unless nobody looks, somebody is in the middle of something, or there is no answer."""
        table, notice = self.table, self.quash.notice
        unreachable = notice is not None and notice.retry is not None
        in_the_middle = self.bar.editing or table.range_from is not None or self.reading.going_on
        if self.is_current and table.window is not None and not unreachable and not in_the_middle:
            self.reading.read(by_itself=True)
