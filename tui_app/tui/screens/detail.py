"""Everything that is known of one item: its fields, its preview, its trail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.tui.actions import DETAIL, State
from tui_app.tui.preview_text import field_lines
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.text import lines, phrase
from tui_app.tui.widgets.preview_panel import told
from tui_app.tui.widgets.scrolling import scroll

if TYPE_CHECKING:
    from tui_app.contract.models import ItemModel, SystemModel


class DetailScreen(QuashScreen[None], inherit_bindings=False):
    """One item, read anew."""

    PLACE = DETAIL
    GIVES_WAY = True

    def __init__(self, item: ItemModel, system: SystemModel) -> None:
        super().__init__()
        self._item, self._system = item, system
        self._told = self._fields()

    def body(self) -> Iterator[Widget]:
        yield VerticalScroll(
            Static(self._told, id="detail-fields", markup=False),
            Static(phrase("reading"), id="detail-preview", markup=False),
            id="detail",
        )

    def state(self) -> State:
        return replace(super().state(), item=True, rows=1)

    def on_mount(self) -> None:
        super().on_mount()
        if any(column.kind == "deadline" for column in self._system.columns):
            self.set_interval(1, self._tick)

    def _tick(self) -> None:
        fields = self._fields()
        if fields != self._told:
            self._tell(fields)

    def connected(self) -> None:
        self.start(self._read(), group="detail")

    async def _read(self) -> None:
        preview = await told(self.client, self._item, self.quash, whole=True)
        self.query_one("#detail-preview", Static).update(preview)
        self._item = await self.client.items.get(self._item.system, self._item.id)
        self._tell(self._fields())

    def _tell(self, fields: Content) -> None:
        self._told = fields
        self.query_one("#detail-fields", Static).update(fields)

    def _fields(self) -> Content:
        return lines(*field_lines(self._item, self._system, self.quash.clock(), 20_000), phrase(""))

    def act_move(self, where: str) -> None:
        scroll(self.query_one("#detail", VerticalScroll), where)

    def act_review(self) -> None:
        from tui_app.contract.plans import PlanRequest, SelectionModel
        from tui_app.tui.path import open_review

        of = SelectionModel(system=self._item.system, ids=[self._item.id])
        open_review(self.quash, PlanRequest(selections=[of]))
