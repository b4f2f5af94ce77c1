"""What a plan holds and does: its items in groups on the left, the aggregated impact on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui_app.tui.outcomes import AMBER
from tui_app.tui.plan_rows import Groups
from tui_app.tui.text import lines, phrase, safe
from tui_app.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from tui_app.contract.work import PlanItemModel, PlanModel
    from tui_app.tui.app import QuashApp
    from tui_app.tui.screens.base import QuashScreen


class PlanView(Horizontal):
    """Both sides; it reads the items itself, as they come into sight."""

    app: QuashApp

    def __init__(self) -> None:
        super().__init__(id="review-body")
        self._groups: Groups | None = None
        self._plan: PlanModel | None = None

    def compose(self) -> ComposeResult:
        yield RowList(self._draw, id="review-items")
        yield VerticalScroll(Static("", id="review-impact-text", markup=False), id="review-impact")

    @property
    def items(self) -> RowList:
        """The items in groups."""
        return self.query_one("#review-items", RowList)

    def tell(self, plan: PlanModel) -> None:
        """Show a plan that is made."""
        before, self._plan = self._plan, plan
        if before is None or (before.hash, before.drift) != (plan.hash, plan.drift):
            self._groups = Groups(plan, self._fetch, self.app.glyphs)
            self.items.show(self._groups.count)
            self._load(*self.items.sight())
        self.query_one("#review-impact-text", Static).update(impact(plan))

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

    def act_move(self, where: str) -> None:
        if self.query_one("#review-impact").has_focus:
            impact_side = self.query_one("#review-impact", VerticalScroll)
            up = where in ("up", "page_up", "half_up", "first")
            impact_side.scroll_relative(y=-3 if up else 3, animate=False)
        else:
            self.items.act_move(where)

    def act_fold(self) -> None:
        if self._groups is not None and self._groups.count:
            title = self._groups.toggle(self.items.cursor)
            self.items.show(self._groups.count)
            self.items.go(title)
            self._load(*self.items.sight())


def impact(plan: PlanModel) -> Content:
    """What the plan would do, what to take care of, and what cannot be undone."""
    lasting = [line for line in plan.impact if line.irreversible]
    warnings = [line for line in plan.impact if line.warning and not line.irreversible]
    plain = [line for line in plan.impact if not line.irreversible and not line.warning]
    parts = [
        *_part(phrase("What happens").stylize("bold"), [line.text for line in plain]),
        *_part(phrase("Take care").stylize(f"bold {AMBER}"), [line.text for line in warnings]),
        *_part(phrase("Cannot be undone").stylize(f"bold {AMBER}"), [line.text for line in lasting]),
    ]
    if not plan.impact:
        parts.append(
            phrase("No effects are known.") if plan.counts.cancellable else phrase("Nothing will be cancelled.")
        )
    if plan.irreversible and not lasting:
        parts.append(phrase("This cannot be undone.").stylize(AMBER))
    return lines(*parts)


def _part(title: Content, texts: list[str]) -> list[Content]:
    return [title, *(phrase("  {}", safe(text)) for text in texts)] if texts else []
