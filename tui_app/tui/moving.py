"""The actions that move through a table of items, order it, and open what is under the cursor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tui_app.tui.basket import hidden, selections
from tui_app.tui.text import phrase
from tui_app.tui.widgets.marks import Marks

if TYPE_CHECKING:
    from tui_app.tui.screens.items import ItemsScreen


class Moving:
    """Cursor, column, order, detail, review."""

    def __init__(self, screen: ItemsScreen) -> None:
        self._screen = screen

    def act_move(self, where: str) -> None:
        screen, table = self._screen, self._screen.table
        window = table.window
        if where in ("left", "right"):
            table.move_column(-1 if where == "left" else 1)
        elif window is None:
            return
        elif where == "first" and window.more_before:
            self._far(screen.reading.read_first)
        elif where == "last" and window.more_after:
            self._far(screen.reading.read_last)
        else:
            table.move(where)

    def _far(self, go: object) -> None:
        screen = self._screen
        if screen.table.range_from is not None:
            key = screen.quash.key_of("mark_all")
            screen.quash.say(phrase("A range ends at the rows that were read; {} marks all.", key), "warning")
        elif callable(go):
            go()

    def act_sort(self) -> None:
        column, window = self._screen.table.described, self._screen.table.window
        if column is not None and window is not None and window.view.sort.removeprefix("-") != column.field:
            # A time is looked at from its newest end.
            self._screen.reading.sort_by(f"-{column.field}" if column.kind == "time" else column.field)

    def act_sort_reverse(self) -> None:
        window = self._screen.table.window
        if window is not None:
            sort = window.view.sort
            self._screen.reading.sort_by(sort.removeprefix("-") if sort.startswith("-") else f"-{sort}")

    def act_refresh(self) -> None:
        self._screen.quash.retry()

    def act_detail(self) -> None:
        from tui_app.tui.screens.detail import DetailScreen

        screen = self._screen
        if screen.table.item is not None and screen.system is not None:
            screen.quash.push_screen(DetailScreen(screen.table.item, screen.system))

    def act_review(self) -> None:
        from tui_app.contract.plans import PlanRequest, SelectionModel
        from tui_app.tui.path import open_review

        screen = self._screen
        item = screen.table.item
        if screen.table.range_from is not None:
            # What is drawn as a range is what the operator means; reviewing the cursor's item alone would be less.
            screen.marking.act_range()
        if screen.table.marks:
            self._review([screen])
        elif item is not None:
            of = SelectionModel(system=item.system, ids=[item.id])
            open_review(screen.quash, PlanRequest(selections=[of]), started=partial(screen.run_started, Marks()))

    def act_review_all(self) -> None:
        screen = self._screen
        if screen.table.range_from is not None:
            screen.marking.act_range()
        self._review(screen.quash.basket.marked)

    def _review(self, screens: list[ItemsScreen]) -> None:
        """One plan over what is marked on these; what became a run of it is marked no longer."""
        from tui_app.contract.plans import PlanRequest
        from tui_app.tui.path import open_review

        used = [(screen, screen.table.marks) for screen in screens]

        def started() -> None:
            for screen, marks in used:
                screen.run_started(marks)

        of = PlanRequest(selections=selections(screens))
        open_review(self._screen.quash, of, started=started, hidden=hidden(screens))

    def act_preview_marked(self) -> None:
        self.act_review()
