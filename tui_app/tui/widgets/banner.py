"""Banners: what is wrong and what to do, above the body; and the notice of a terminal that is too small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from tui_app.tui.text import phrase

if TYPE_CHECKING:
    from tui_app.tui.app import QuashApp
    from tui_app.tui.notices import Notice

SMALLEST = (60, 16)
"""Columns and rows below which nothing but a notice is shown."""


class Banner(Static):
    """The app's lasting notice, hidden while there is none."""

    app: QuashApp

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False

    def on_mount(self) -> None:
        self.watch(self.app, "notice", self._show)
        self.watch(self.app, "countdown", self._count)

    def _show(self, notice: Notice | None) -> None:
        self.display = notice is not None
        for tone in ("info", "warning", "error"):
            self.set_class(notice is not None and notice.tone == tone, f"-{tone}")
        self._count(self.app.countdown)

    def _count(self, seconds: int) -> None:
        notice = self.app.notice
        if notice is None:
            return
        if notice.retry is None:
            self.update(phrase("{} {}", self.app.glyphs["warning"], notice.text))
        else:
            key = self.app.key_of("refresh")
            sign = self.app.glyphs["warning" if notice.tone == "warning" else "no"]
            text = phrase("{} {} Trying again in {} s; {} tries now.", sign, notice.text, seconds, key)
            self.update(text)


class TooSmall(Static):
    """Covers a terminal in which nothing could be read without being misread."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False

    def fit(self, width: int, height: int) -> None:
        """Show or hide, as the size asks for."""
        self.display = width < SMALLEST[0] or height < SMALLEST[1]
        if self.display:
            self.update(phrase("quash needs {}×{}; this terminal has {}×{}.", *SMALLEST, width, height))
