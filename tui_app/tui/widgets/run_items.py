"""The items of a run: the outcomes by code, and beneath them the items of the one that is chosen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from tui_app.tui.outcomes import QUIET, VERIFIED, item_look
from tui_app.tui.pages import Pages
from tui_app.tui.text import counted, id_cell, phrase, safe
from tui_app.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from tui_app.contract.runs import OutcomeLine, RunItemModel, RunModel
    from tui_app.tui.app import QuashApp
    from tui_app.tui.screens.base import QuashScreen

    Fetch = Callable[[int | None, int], Awaitable[tuple[list[RunItemModel], int | None]]]

SYSTEM = 10
"""Cells for the name of a system."""

OUTCOMES_SHOWN = 6
PAGE = 100

_ORDER = ("unknown", "refused", "skipped", "already_cancelled", "cancelled", "reinstated", "accepted", "sending")


class RunItems(Vertical):
    """Posts ``Moved`` when another item is under the cursor. Of several systems, each item names its own."""

    app: QuashApp

    class Moved(Message):
        """Another item, or the same with another outcome."""

        def __init__(self, item: RunItemModel | None) -> None:
            super().__init__()
            self.item = item

    def __init__(self, run_id: str) -> None:
        super().__init__(id="run-left")
        self._run_id = run_id
        self._several = False
        self._moved = False
        self._run: RunModel | None = None
        self._lines: list[OutcomeLine] = []
        self._state: str | None = None
        self._pages: Pages[RunItemModel, int] | None = None

    def compose(self) -> ComposeResult:
        yield RowList(self._draw_outcome, id="run-outcomes")
        yield RowList(self._draw_item, id="run-items")

    @property
    def outcomes(self) -> RowList:
        """One line for all, and one for each outcome and code."""
        return self.query_one("#run-outcomes", RowList)

    @property
    def items(self) -> RowList:
        """The items of the chosen outcome."""
        return self.query_one("#run-items", RowList)

    def tell(self, run: RunModel) -> None:
        """The run as it stands: what is in sight is read again where numbers have changed."""
        before, self._run = self._run, run
        if before is not None and before.outcomes == run.outcomes and before.verified == run.verified:
            return
        self._lines = sorted(run.outcomes, key=_rank)
        chosen = next((at for at, line in enumerate(self._lines, 1) if line.state == self._state), 0)
        self._state = self._lines[chosen - 1].state if chosen else None
        self.outcomes.cursor = chosen
        self.outcomes.show(1 + len(self._lines))
        self.outcomes.styles.height = min(OUTCOMES_SHOWN, 1 + len(self._lines))
        if self._pages is None:
            self._open()
        else:
            if self._state is not None:
                self._pages.resize(self._number(run))
            self._pages.age()
            self._load(*self.items.sight())
        if run.over and run.counts.get("unknown") and not self._moved:
            cast("QuashScreen[object]", self.screen).start(self._go_to_unknown(), group="unknown")

    def name_systems(self, systems: Collection[str]) -> None:
        """The systems that the run is about."""
        self._several = len(systems) > 1
        self.items.refresh()

    def chosen(self) -> RunItemModel | None:
        """The item under the cursor, as far as it has been read."""
        return self._pages.row(self.items.cursor) if self._pages else None

    def act_move(self, where: str) -> None:
        self._moved = True
        (self.outcomes if self.outcomes.has_focus else self.items).act_move(where)

    async def _go_to_unknown(self) -> None:
        """Begin with what needs a look, so that why and what to do stand beside it; unless somebody looks elsewhere."""
        found = await self.app.client.runs.items(self._run_id, state="unknown", limit=1)
        if found.items and not self._moved:
            self._moved = True
            self.items.go(found.items[0].position)

    def _number(self, run: RunModel) -> int:
        return run.items if self._state is None else sum(one.count for one in self._lines if one.state == self._state)

    def _open(self) -> None:
        assert self._run is not None
        total = self._number(self._run)
        # The whole plan has its places by number; the items of one outcome have to be walked through.
        direct = (lambda index: index - 1) if self._state is None else None
        self._pages = Pages(self._fetch(self._state), size=PAGE, total=total, direct=direct)
        self.items.cursor = 0
        self.items.scroll_to(y=0, animate=False)
        self.items.show(total)
        self._load(*self.items.sight())

    def _fetch(self, state: str | None) -> Fetch:
        async def fetch(after: int | None, limit: int) -> tuple[list[RunItemModel], int | None]:
            page = await self.app.client.runs.items(self._run_id, after=after, limit=limit, state=state)
            return page.items, page.next

        return fetch

    def _load(self, first: int, last: int) -> None:
        # A worker that reads nothing would be taken for a service that answers again.
        if self._pages is not None and not self._pages.covers(first, last):
            screen = cast("QuashScreen[object]", self.screen)
            screen.start(self._loaded(self._pages, first, last), group="items")

    async def _loaded(self, pages: Pages[RunItemModel, int], first: int, last: int) -> None:
        await pages.load(first, last)
        if pages is self._pages:
            self.items.show(pages.count)
            self.post_message(self.Moved(self.chosen()))

    def on_row_list_needed(self, event: RowList.Needed) -> None:
        event.stop()
        if event.rows is self.items:
            self._load(event.first, event.last)

    def on_row_list_moved(self, event: RowList.Moved) -> None:
        event.stop()
        if event.rows is self.items:
            self.post_message(self.Moved(self.chosen()))
        elif self._run is not None:
            state = self._lines[event.index - 1].state if event.index else None
            if state != self._state:
                self._state = state
                self._open()

    def _draw_outcome(self, index: int, width: int) -> Content | None:
        if self._run is None:
            return None
        if index == 0:
            return phrase(" {}", counted(self._run.items, "item"))
        if index > len(self._lines):
            return None
        line = self._lines[index - 1]
        return phrase(" {} {} {}", line.count, item_look(line.state).content(self.app.glyphs), safe(line.code or ""))

    def _draw_item(self, index: int, width: int) -> Content | None:
        item = self._pages.row(index) if self._pages else None
        if item is None:
            return None
        glyphs = self.app.glyphs
        state = item_look(item.state).content(glyphs).truncate(19, pad=True)
        look = VERIFIED.get(item.verified or "")
        sign = look.content(glyphs).truncate(14, pad=True) if look else safe(" " * 14)
        room = max(12, width - 38 - (SYSTEM + 1 if self._several else 0))
        alone = not (item.code or item.message)
        id = id_cell(item.id, min(46, room if alone else room * 2 // 3))
        if self._several:
            id = phrase("{} {}", safe(item.system).truncate(SYSTEM, ellipsis=True, pad=True), id)
        told = phrase("{} {}", safe(item.code or ""), safe(item.message or "", 200, QUIET))
        return phrase(" {} {} {} {}", state, sign, id, told)


def _rank(line: OutcomeLine) -> tuple[int, str]:
    return (_ORDER.index(line.state) if line.state in _ORDER else len(_ORDER), line.code or "")
