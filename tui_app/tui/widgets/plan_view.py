"""What a plan holds and does: its items in groups on the left, the aggregated impact on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui_app.domain.errors import QuashError
from tui_app.tui.impact_text import impact
from tui_app.tui.plan_rows import Groups
from tui_app.tui.preview_text import deciding, told_value
from tui_app.tui.widgets.marks import of_ids
from tui_app.tui.widgets.row_list import RowList
from tui_app.tui.widgets.scrolling import scroll

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanItemModel, PlanModel
    from tui_app.tui.app import QuashApp
    from tui_app.tui.screens.base import QuashScreen


class PlanView(Horizontal):
    """Both sides; it reads the items itself, as they come into sight."""

    app: QuashApp

    def __init__(self) -> None:
        super().__init__(id="review-body")
        self._groups: Groups | None = None
        self._plan: PlanModel | None = None
        self._impact: Content | None = None

    def compose(self) -> ComposeResult:
        yield RowList(self._draw, id="review-items")
        yield VerticalScroll(Static("", id="review-impact-text", markup=False), id="review-impact")

    @property
    def items(self) -> RowList:
        """The items in groups."""
        return self.query_one("#review-items", RowList)

    def tell(self, plan: PlanModel, *, notify: bool) -> None:
        """Show a plan that is made, and what it does with people notified or not."""
        before, self._plan = self._plan, plan
        if before is None or (before.hash, before.drift) != (plan.hash, plan.drift):
            self._groups = Groups(plan, self._fetch, self.app.glyphs, self.app.clock)
            self.items.show(self._groups.count)
            self._load(*self.items.sight())
        told = impact(plan, notify, self.app.glyphs)
        if told != self._impact:
            self._impact = told
            self.query_one("#review-impact-text", Static).update(told)

    def tick(self) -> None:
        """Draw the times left anew, where they read differently by now."""
        if self._plan is not None and self._plan.soonest is not None:
            self.items.tick()

    async def _fetch(self, code: str, after: int | None, limit: int) -> tuple[list[PlanItemModel], int | None]:
        assert self._plan is not None
        page = await self.app.client.plans.items(self._plan.id, after=after, limit=limit, code=code)
        return page.items, page.next

    def _draw(self, index: int, width: int) -> Content | None:
        return self._groups.draw(index, width) if self._groups else None

    def on_row_list_needed(self, event: RowList.Needed) -> None:
        event.stop()
        self._load(event.first, event.last)

    def _load(self, first: int, last: int) -> None:
        if self._groups is not None and not self._groups.covers(first, last):
            cast("QuashScreen[object]", self.screen).start(self._loaded(self._groups, first, last), group="items")

    async def _loaded(self, groups: Groups, first: int, last: int) -> None:
        await groups.load(first, last)
        if groups is self._groups:
            self.items.show(groups.count)
        for system, ids in groups.unknown(first, last).items():
            groups.learn(system, ids, await self._about(system, ids))
            if groups is self._groups:
                self.items.show(groups.count)

    async def _about(self, name: str, ids: list[str]) -> dict[str, str]:
        """What one decides by, as it is now; of a system that has no list nothing more than what the plan says."""
        system = self.app.places.system(name)
        if system is None or not system.lists:
            return {}
        id_field = next((column.field for column in system.columns if column.kind == "id"), "id")
        # The time left has a place of its own, and the status is what the plan says already.
        columns = [column for column in deciding(system) if column.kind not in ("deadline", "status")]
        try:
            found = await self.app.client.items.page(name, filter=of_ids(id_field, ids), limit=len(ids))
        except QuashError:
            # The plan can be confirmed without: its rows go on saying the status.
            return {}
        now = self.app.clock()
        return {
            item.id: " · ".join(said for column in columns if (said := told_value(item, column, now)))
            for item in found.items
        }

    def act_move(self, where: str) -> None:
        impact_side = self.query_one("#review-impact", VerticalScroll)
        if impact_side.has_focus:
            scroll(impact_side, where)
        else:
            self.items.act_move(where)

    def act_fold(self) -> None:
        if self._groups is not None and self._groups.count:
            title = self._groups.toggle(self.items.cursor)
            self.items.show(self._groups.count)
            self.items.go(title)
            self._load(*self.items.sight())
