"""A list of one-line rows, of which only the visible ones are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

AHEAD = 20
"""Rows beyond the visible ones that are asked for with them, so that a slow read is not seen."""


class RowList(ScrollView, can_focus=True):
    """Rows by number, drawn by ``draw(index, width)``; it gives nothing for a row that is still being read.

    The widget reads nothing itself: it posts ``Needed`` when other rows come into sight.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--row", "row-list--cursor"}

    class Needed(Message):
        """Rows from ``first`` to ``last`` are in sight, or nearly."""

        def __init__(self, rows: RowList, first: int, last: int) -> None:
            super().__init__()
            self.rows, self.first, self.last = rows, first, last

        @property
        def control(self) -> RowList:
            return self.rows

    class Measured(Message):
        """Rows are drawn at another width, in cells, without the scroll bar."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.width = width

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, rows: RowList, index: int) -> None:
            super().__init__()
            self.rows, self.index = rows, index

        @property
        def control(self) -> RowList:
            return self.rows

    class Opened(Moved):
        """Enter was pressed on a row."""

    def __init__(
        self,
        draw: Callable[[int, int], Content | None],
        *,
        id: str | None = None,
        empty: Content | None = None,
    ) -> None:
        super().__init__(id=id)
        self._draw = draw
        self._count = 0
        self._empty = empty or Content("")
        self._drawn: dict[int, Content] = {}
        self.cursor = 0

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._count

    def show(self, count: int) -> None:
        """There are so many rows, and they may have changed."""
        self._count = count
        self.virtual_size = Size(0, count)
        self.cursor = max(0, min(self.cursor, count - 1))
        self._drawn.clear()
        self.refresh()

    def say(self, empty: Content) -> None:
        """What stands here while there is no row."""
        self._empty = empty
        self.refresh()

    def tick(self) -> None:
        """Draw the rows anew that read differently by now, as those with a time left, and nothing else."""
        width, top = self.scrollable_content_region.width, self.scroll_offset.y
        for index in range(top, min(top + self._page, self._count)):
            drawn = self._drawn.get(index)
            if drawn is not None and drawn != self._draw(index, width):
                self.refresh(Region(0, index - top, self.size.width, 1))

    def sight(self) -> tuple[int, int]:
        """The first and the last row that are in sight, or nearly."""
        first = max(0, self.scroll_offset.y - AHEAD)
        return first, max(first, min(self._count - 1, self.scroll_offset.y + self._page + AHEAD))

    def go(self, index: int) -> None:
        """Put the cursor on a row, and bring it into sight."""
        index = max(0, min(index, self._count - 1))
        before, self.cursor = self.cursor, index
        top = self.scroll_offset.y
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + self._page:
            self.scroll_to(y=index - self._page + 1, animate=False)
        for row in (before, index):
            self.refresh(Region(0, row - self.scroll_offset.y, self.size.width, 1))
        if before != index:
            self.post_message(self.Moved(self, index))

    @property
    def _page(self) -> int:
        return max(1, self.scrollable_content_region.height)

    def watch_scroll_y(self, old: float, new: float) -> None:
        super().watch_scroll_y(old, new)
        if round(old) != round(new):
            self._ask()

    def on_resize(self) -> None:
        self.post_message(self.Measured(self.scrollable_content_region.width))
        self._ask()

    def _ask(self) -> None:
        if self._count:
            self.post_message(self.Needed(self, *self.sight()))

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        classes = ["row-list--row"]
        if self._count == 0:
            return self._empty_line(y, width)
        if index >= self._count:
            return Strip.blank(width, self.get_visual_style(*classes).rich_style)
        if index == self.cursor:
            classes.append("row-list--cursor")
        self._drawn[index] = self._draw(index, width) or Content("…")
        return self._strip(self._drawn[index], width, classes)

    def _empty_line(self, y: int, width: int) -> Strip:
        wrapped = self._empty.wrap(width) if width else []
        line = wrapped[y] if y < len(wrapped) else Content("")
        return self._strip(line, width, ["row-list--row"])

    def _strip(self, content: Content, width: int, classes: list[str]) -> Strip:
        line = content.truncate(width, ellipsis=True)
        strips = Visual.to_strips(
            self, line, width, 1, self.get_visual_style(*classes), apply_selection=False, pad=True
        )
        return strips[0] if strips else Strip.blank(width)

    def act_move(self, where: str) -> None:
        """Move the cursor; ``where`` is an action of the registry."""
        half = max(1, self._page // 2)
        steps = {
            "down": 1,
            "up": -1,
            "page_down": self._page,
            "page_up": -self._page,
            "half_down": half,
            "half_up": -half,
        }
        if where in ("first", "last"):
            self.go(self._count - 1 if where == "last" else 0)
        elif where in steps:
            self.go(self.cursor + steps[where])
