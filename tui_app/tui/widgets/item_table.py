"""The windowed table: it draws the lines that are seen, from a window of rows around the eye."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, ClassVar, cast

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_app.domain.errors import Refused
from tui_app.tui.widgets.cells import fitted, telling_width
from tui_app.tui.widgets.eye import Eye
from tui_app.tui.widgets.layout import layout
from tui_app.tui.widgets.marks import Marks
from tui_app.tui.widgets.row_painter import RowPainter
from tui_app.tui.widgets.ticking import Ticking

if TYPE_CHECKING:
    from rich.style import Style

    from tui_app.contract.models import ColumnModel, ItemModel, SystemModel
    from tui_app.tui.app import QuashApp
    from tui_app.tui.screens.base import QuashScreen
    from tui_app.tui.widgets.window import Window

AHEAD = 60
"""Rows left beyond the last line on either side when more are read."""

PREFIX = "item-table--"


class ItemTable(Widget, can_focus=True):
    """Rows of one system with a cursor and marks. It reads more rows by itself, and changes nothing else."""

    COMPONENT_CLASSES: ClassVar = {f"{PREFIX}{look}" for look in RowPainter.LOOKS}
    app: QuashApp

    class Moved(Message):
        """The cursor is on another item, or other rows are seen."""

    class Extended(Message):
        """More rows are held, beyond those that are seen."""

    def __init__(self) -> None:
        super().__init__()
        self.window: Window | None = None
        self.system: SystemModel | None = None
        self.column = 0
        self.marks = Marks()
        self.members: set[str] = set()
        self.range_from: str | None = None
        self.message = ""
        self.eye = Eye()
        self.ticking = Ticking(self)
        self._reading = False
        self._drawn: tuple[object, RowPainter] | None = None
        self._id_width = 0

    # What is under the cursor, and what is seen

    @property
    def item(self) -> ItemModel | None:
        """The item of the cursor."""
        rows = self.rows
        return rows[self.eye.cursor] if 0 <= self.eye.cursor < len(rows) else None

    @property
    def rows(self) -> list[ItemModel]:
        """The rows of the window."""
        return self.window.rows if self.window else []

    @property
    def described(self) -> ColumnModel | None:
        """The column of the column cursor."""
        return self.system.columns[self.column] if self.system else None

    @property
    def lines(self) -> int:
        """How many rows there is room for."""
        return max(self.size.height - 1, 1)

    @property
    def seen(self) -> tuple[int, int] | None:
        """The numbers of the first and the last row that are seen, where they are known."""
        window = self.window
        if window is None or window.position is None or not window.rows:
            return None
        last = min(self.eye.top + self.lines, len(window.rows))
        return window.position + self.eye.top, window.position + last - 1

    def in_range(self) -> list[ItemModel]:
        """The items of the range that is being taken, in order; none where none is."""
        start = self.window.index_of(self.range_from) if self.window else None
        if start is None:
            return []
        first, last = sorted((start, self.eye.cursor))
        return self.rows[first : last + 1]

    # Rows

    def show(self, window: Window, wanted: str | None = None, *, last: bool = False, message: str = "") -> bool:
        """Draw another window. The cursor goes to the ``wanted`` item, else stays on what is left nearest to it.

        ``message`` is said in place of rows where there are none. Returns whether anything that is seen is different;
        where nothing is, nothing is drawn.
        """
        seen, before = self._sight(), self.rows
        self.window, self.message = window, message
        self.eye.look_at(before, window, wanted, last=last)
        self._tell_ids_apart()
        self.eye.clamp(len(self.rows), self.lines)
        different = self._redraw_unless(seen)
        self._read_ahead()
        return different

    def _sight(self) -> tuple[object, ...]:
        """All that decides how the table and its numbers look, but the moment at which they were read."""
        window, top = self.window, self.eye.top
        of = (window.view, window.total, window.exact) if window else ()
        words = "" if self.rows else self.message
        return (of, self.seen, self.rows[top : top + self.lines], self.eye.cursor - top, self._id_width, words)

    def _redraw_unless(self, seen: tuple[object, ...]) -> bool:
        if self._sight() == seen:
            return False
        self.refresh()
        self.post_message(self.Moved())
        return True

    def start_over(self) -> None:
        """Forget the cursor: the next window is shown from its first row."""
        self.window, self.eye.cursor, self.eye.top, self._id_width = None, 0, 0, 0

    def move(self, where: str) -> None:
        """Move the cursor: one of the registry's moves."""
        page = self.lines
        steps = {
            "down": 1,
            "up": -1,
            "page_down": page,
            "page_up": -page,
            "half_down": page // 2,
            "half_up": -(page // 2),
            "first": -len(self.rows),
            "last": len(self.rows),
        }
        self._to(self.eye.cursor + steps[where], page=abs(steps[where]) > 1)

    def move_column(self, step: int) -> None:
        """Move the column cursor over the columns that are drawn, and after the last over those with no room.

        One of the latter is drawn while the cursor is on it.
        """
        if self.system is not None:
            columns = self.system.columns
            drawn = [slot.number for slot in layout(columns, self.size.width, 0, self._id_width)]
            order = [*drawn, *(number for number in range(len(columns)) if number not in drawn)]
            at = order.index(self.column) if self.column in order else 0
            self.column = order[min(max(at + step, 0), len(order) - 1)]
            self.refresh()
            self.post_message(self.Moved())

    def _to(self, wanted: int, *, page: bool = False) -> None:
        before, top = self.eye.cursor, self.eye.top
        self.eye.cursor = min(max(wanted, 0), max(len(self.rows) - 1, 0))
        if page and self.eye.cursor != before:
            self.eye.top += self.eye.cursor - before
        self.eye.clamp(len(self.rows), self.lines)
        if self.eye.top != top or self.range_from is not None:
            self.refresh()
        else:
            self.refresh_rows(before, self.eye.cursor)
        if self.eye.cursor != before or self.eye.top != top:
            self.post_message(self.Moved())
        self._read_ahead()

    def _read_ahead(self) -> None:
        window = self.window
        if window is None or self._reading or window.ends_early:
            return
        below = window.more_after and self.eye.top + self.lines + AHEAD > len(window.rows)
        above = window.more_before and self.eye.top < AHEAD
        if below or above:
            self._reading = True
            cast("QuashScreen[object]", self.screen).start(self._extend(window, below=below), group="pages")

    async def _extend(self, window: Window, *, below: bool) -> None:
        seen = self._sight()
        try:
            shift = -await window.extend_after() if below else await window.extend_before()
        except Refused:
            window.ends_early = True
            self.post_message(self.Moved())
            raise
        finally:
            self._reading = False
        if window is self.window:
            self.eye.cursor += shift
            self.eye.top += shift
            self._tell_ids_apart()
            if not self._redraw_unless(seen):
                self.post_message(self.Extended())
            self._read_ahead()

    def _tell_ids_apart(self) -> None:
        """Widen the ids where two of the rows would look alike; they never get narrower while the rows are the same."""
        if self.system is None:
            return
        least = next((column.width for column in self.system.columns if column.kind == "id"), 0)
        ids = [item.id for item in self.rows]
        self._id_width = telling_width(ids, max(least, self._id_width), self.app.glyphs)

    # Drawing

    def render_line(self, y: int) -> Strip:
        if self.system is None:
            return self._words(y)
        painter = self._painter(self.system)
        if y == 0:
            return painter.header(self.window.view.sort if self.window else "", self.column)
        index = self.eye.top + y - 1
        if index >= len(self.rows):
            return self._words(y)
        item = self.rows[index]
        return painter.row(
            item,
            marked=self.marks.holds(item.id, member=item.id in self.members),
            ranged=self._ranged(index),
            column=self.column if index == self.eye.cursor else None,
        )

    def _words(self, y: int) -> Strip:
        """What is said in place of rows; nothing below rows."""
        lines = [] if self.rows else textwrap.wrap(self.message, max(self.size.width - 4, 20))
        text = f"  {lines[y - 2]}" if 2 <= y < len(lines) + 2 else ""
        width = self.size.width
        return Strip([Segment(fitted(text, width, self.app.glyphs), self._look("row"))], width)

    def _ranged(self, index: int) -> bool:
        start = self.window.index_of(self.range_from) if self.window and self.range_from else None
        return start is not None and min(start, self.eye.cursor) <= index <= max(start, self.eye.cursor)

    def _painter(self, system: SystemModel) -> RowPainter:
        key = (system, self.size.width, self.column, self._id_width)
        if self._drawn is None or self._drawn[0] != key:
            slots = layout(system.columns, self.size.width, self.column, self._id_width)
            painter = RowPainter(system, slots, self.size.width, self.app.glyphs, self._look, self.app.clock)
            self._drawn = (key, painter)
        return self._drawn[1]

    def _look(self, name: str) -> Style:
        return self.get_component_rich_style(f"{PREFIX}{name}")

    def refresh_rows(self, *indexes: int) -> None:
        """Draw these rows anew, and nothing else."""
        width = self.size.width
        self.refresh(*(Region(0, index - self.eye.top + 1, width, 1) for index in set(indexes)))

    # The mouse is never needed, and does no harm

    def on_click(self, event: events.Click) -> None:
        if event.y > 0:
            self._to(self.eye.top + event.y - 1)

    def on_mouse_scroll_down(self) -> None:
        self.move("down")

    def on_mouse_scroll_up(self) -> None:
        self.move("up")

    def on_resize(self) -> None:
        self.eye.clamp(len(self.rows), self.lines)
        self.post_message(self.Moved())
        self._read_ahead()
