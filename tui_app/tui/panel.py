"""When the preview panel is open, and which item it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.timer import Timer

from tui_app.tui.widgets.preview_panel import PreviewPanel

if TYPE_CHECKING:
    from tui_app.tui.screens.items import ItemsScreen

WIDE = 120
"""Columns from which the panel is open, unless the operator says otherwise."""

AFTER = 0.12
"""Seconds that the cursor rests before its item is previewed."""


class Panel:
    """The panel of one table: it follows the cursor once it rests, and reads nothing while it is closed."""

    def __init__(self, screen: ItemsScreen) -> None:
        self._screen = screen
        self._wanted: bool | None = None
        self._resting: Timer | None = None

    @property
    def widget(self) -> PreviewPanel:
        """The panel itself."""
        return self._screen.query_one(PreviewPanel)

    def act_preview(self) -> None:
        self._wanted = not self.widget.display
        self.fit()

    def fit(self) -> None:
        """Open or closed, as the width or the operator wants it."""
        screen = self._screen
        shown = screen.app.size.width >= WIDE if self._wanted is None else self._wanted
        # Beside an open panel a scroll repaints two widgets' lines: most keys should move the cursor alone.
        screen.table.eye.jump = shown
        if shown != self.widget.display:
            self.widget.display = shown
            self._show()

    def follow(self) -> None:
        """The cursor moved."""
        if self.widget.display:
            if self._resting is not None:
                self._resting.stop()
            self._resting = self._screen.set_timer(AFTER, self._show)

    def _show(self) -> None:
        screen, item = self._screen, self._screen.table.item
        if item is None or screen.about is None:
            self.widget.empty(Content(""))
        elif self.widget.display:
            screen.start(self.widget.read(screen.client, item), group="preview")
