"""The panel that follows the cursor: what cancelling this item would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.domain.errors import QuashError
from tui_app.tui.preview_text import (
    column_lines,
    deciding,
    preview_lines,
    section_lines,
    trail_lines,
    unknown_line,
    verdict_line,
)
from tui_app.tui.text import lines, phrase, safe

if TYPE_CHECKING:
    from tui_app.client.backend import BackendClient
    from tui_app.contract.models import ItemModel
    from tui_app.tui.app import QuashApp

TRAIL = 4
"""Trail entries that are shown here; the detail screen shows all."""


class PreviewPanel(VerticalScroll, can_focus=False):
    """One item's preview, under that item's id: while the cursor moves it may still be the one before."""

    app: QuashApp

    def __init__(self) -> None:
        super().__init__()
        self._told: str | None = None

    def compose(self) -> Iterator[Widget]:
        yield Static("", id="preview-text", markup=False)

    def empty(self, why: Content) -> None:
        """Show no item."""
        self._show(why)

    async def read(self, client: BackendClient, item: ItemModel) -> None:
        """Fetch and show one item; each part that cannot be read says so, and why."""
        self._show(await told(client, item, self.app))

    def _show(self, content: Content) -> None:
        # As it is drawn, and not as it reads: a verdict may differ by its colour alone.
        if content.markup != self._told:
            self._told = content.markup
            self.query_one("#preview-text", Static).update(content)
            self.scroll_home(animate=False)


async def told(client: BackendClient, item: ItemModel, app: QuashApp, *, whole: bool = False) -> Content:
    """Everything that can be read of an item, in words: the verdict, what one decides by, and then the rest.

    With ``whole`` nothing is cut, and the fields of the item are left to the caller.
    """
    glyphs, limit = app.glyphs, 20_000 if whole else 400
    fields = [] if whole else _fields(item, app, limit)
    sections: list[Content] = []
    try:
        preview = await client.items.preview(item.system, item.id)
    except QuashError as error:
        parts = [unknown_line(phrase("preview"), error.message, glyphs), *fields]
    else:
        parts = [verdict_line(preview.verdict, glyphs), *fields, *preview_lines(preview, glyphs, limit)]
        sections.extend(section_lines(preview, limit, whole=whole))
    try:
        trail = await client.items.trail(item.system, item.id)
    except QuashError as error:
        parts.append(unknown_line(phrase("trail"), error.message, glyphs))
    else:
        parts.extend(trail_lines(trail, glyphs, None if whole else TRAIL))
    return lines(*parts, *sections)


def _fields(item: ItemModel, app: QuashApp, limit: int) -> list[Content]:
    """What one decides by, under the item's id."""
    system, named = app.places.system(item.system), safe(item.id, 200).stylize("bold")
    return [named] if system is None else [named, *column_lines(item, deciding(system), app.clock(), limit)]
