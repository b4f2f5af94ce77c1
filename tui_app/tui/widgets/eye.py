"""Where the cursor is in a window, and which row is drawn first: arithmetic over indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui_app.contract.models import ItemModel
    from tui_app.tui.widgets.window import Window


@dataclass(slots=True)
class Eye:
    """``cursor`` and ``top`` are indexes within the window. With ``jump`` it scrolls by half a screen at once."""

    cursor: int = 0
    top: int = 0
    jump: bool = False

    def clamp(self, rows: int, lines: int) -> None:
        """Bring the cursor into sight, and leave no line empty that could show a row."""
        slack = max(lines // 2, 1) if self.jump else 0
        if self.cursor < self.top:
            self.top = self.cursor - slack
        elif self.cursor >= self.top + lines:
            self.top = self.cursor - lines + 1 + slack
        self.top = max(min(self.top, rows - lines), 0)

    def look_at(self, before: Sequence[ItemModel], window: Window, wanted: str | None, *, last: bool) -> None:
        """Go to the last row, else to the ``wanted`` item, else to what is left nearest to where it was."""
        line = self.cursor - self.top
        found = window.index_of(wanted)
        if found is None:
            found = self._nearest(before, window)
        self.cursor = max(len(window.rows) - 1, 0) if last else found or 0
        self.top = self.cursor - line

    def _nearest(self, before: Sequence[ItemModel], window: Window) -> int | None:
        places = {row.id: index for index, row in enumerate(window.rows)}
        order = (*before[self.cursor :], *reversed(before[: self.cursor]))
        return next((places[row.id] for row in order if row.id in places), None)
