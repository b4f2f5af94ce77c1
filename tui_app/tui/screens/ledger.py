"""The place of the ledger: who did what, when, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui_app.client.ledger_text import verdict
from tui_app.domain.errors import MalformedFilter, QuashError, Refused
from tui_app.tui.actions import LEDGER, State
from tui_app.tui.exporting import export
from tui_app.tui.ledger_lines import WIDE, draw, titles, wanted
from tui_app.tui.notices import told
from tui_app.tui.outcomes import AMBER
from tui_app.tui.pages import Pages
from tui_app.tui.screens.base import QuashScreen
from tui_app.tui.screens.entry import LedgerEntry
from tui_app.tui.text import phrase, safe
from tui_app.tui.widgets.line_filter import LineFilter
from tui_app.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from tui_app.contract.ledger import LedgerCheck, LedgerLine

PAGE = 200

MOST_ADDED = 2000
"""Lines that came since, up to which the cursor is kept on its own."""


class LedgerScreen(QuashScreen[None], inherit_bindings=False):
    """Newest first, read again whenever it is opened.

    What came since moves nothing that is looked at: the cursor stays on its line, unless that is the first.
    """

    PLACE = LEDGER
    AUTO_FOCUS = "#ledger-list"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._pages: Pages[LedgerLine, str] | None = None
        self._newest: LedgerLine | None = None
        self._as_of = ""
        self._verdict: Content | None = None

    def body(self) -> Iterator[Widget]:
        yield LineFilter("operator:jane run:ID item:ID event:chunk, exactly")
        yield Static(phrase("The ledger is being read."), id="ledger-head", markup=False)
        yield Static("", id="ledger-titles", markup=False)
        yield RowList(self._draw, id="ledger-list")

    @property
    def rows(self) -> RowList:
        """The list."""
        return self.query_one(RowList)

    @property
    def filter(self) -> LineFilter:
        """The filter above it."""
        return self.query_one(LineFilter)

    def targets(self) -> tuple[object, ...]:
        return (self, self.rows)

    def state(self) -> State:
        rows = self.rows.count if self.is_mounted else 0
        return replace(super().state(), rows=rows, item=rows > 0)

    # Reading

    def connected(self) -> None:
        if self._as_of:
            self.start(self._read_again(), group="lines")
        else:
            self._open()

    act_refresh = connected

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        if self._as_of:
            self.connected()

    def on_row_list_measured(self, event: RowList.Measured) -> None:
        event.stop()
        self.query_one("#ledger-titles", Static).update(titles(event.width))

    def _fresh(self, filter: str) -> Pages[LedgerLine, str]:
        filtered = asdict(wanted(filter))

        async def fetch(after: str | None, limit: int) -> tuple[list[LedgerLine], str | None]:
            page = await self.client.ledger.page(**filtered, after=after, limit=limit, newest=True)
            return page.lines, page.next

        return Pages(fetch, size=PAGE)

    def _open(self) -> None:
        self._pages = self._fresh(self.filter.applied)
        self.start(self._opened(self._pages), group="lines")

    async def _opened(self, pages: Pages[LedgerLine, str]) -> None:
        await pages.load(0, PAGE - 1)
        self._begin(pages)

    def _begin(self, pages: Pages[LedgerLine, str]) -> None:
        self._pages, self._newest, self._verdict = pages, pages.row(0), None
        self.rows.cursor = 0
        self.rows.scroll_to(y=0, animate=False)
        self._tell(pages)
        self._read_at()

    async def _read_again(self) -> None:
        """Read from the newest line on. Lines are only ever added: where the first is the same, all of them are."""
        pages, rows = self._fresh(self.filter.applied), self.rows
        await pages.load(0, PAGE - 1)
        if pages.row(0) != self._newest:
            at, top = await self._same_place(pages)
            self._pages, self._newest, self._verdict = pages, pages.row(0), None
            rows.cursor = at
            self._tell(pages)
            rows.scroll_to(y=top, animate=False)
        self._read_at()

    async def _same_place(self, pages: Pages[LedgerLine, str]) -> tuple[int, int]:
        """Where the cursor's line, and the first that is seen, are by now; the top where they came after too many."""
        at, top = self.rows.cursor, self.rows.scroll_offset.y
        added = 0
        while at and pages.row(added) != self._newest:
            added += 1
            if added == MOST_ADDED or (pages.complete and added >= pages.count):
                return 0, 0
            await pages.load(added, added)
        if not at:
            return 0, 0
        await pages.load(0, at + added)
        return at + added, top + added

    def _read_at(self) -> None:
        self._as_of = self.quash.clock().astimezone().strftime("%H:%M:%S")
        self._head()

    def on_row_list_needed(self, event: RowList.Needed) -> None:
        if self._pages is not None and not self._pages.covers(event.first, event.last):
            self.start(self._loaded(self._pages, event.first, event.last), group="lines")

    async def _loaded(self, pages: Pages[LedgerLine, str], first: int, last: int) -> None:
        await pages.load(first, last)
        self._tell(pages)

    async def _walked(self, pages: Pages[LedgerLine, str]) -> None:
        self.quash.say(phrase("Reading to the end of the ledger."))
        await pages.walk()
        self._tell(pages)
        self.rows.act_move("last")

    def _tell(self, pages: Pages[LedgerLine, str]) -> None:
        if pages is not self._pages:
            return
        self.rows.say(self._empty())
        self.rows.show(pages.count)
        self.state_changed()

    def _empty(self) -> Content:
        if self.filter.applied:
            return phrase("No entry matches. {} changes the filter.", self.quash.key_of("filter"))
        return phrase("The ledger is empty: nothing was planned and nothing cancelled through this journal yet.")

    def _draw(self, index: int, width: int) -> Content | None:
        line = self._pages.row(index) if self._pages else None
        return None if line is None else draw(line, width)

    # Acting

    def act_move(self, where: str) -> None:
        if where == "last" and self._pages is not None and not self._pages.complete:
            self.start(self._walked(self._pages), group="lines")
        else:
            self.rows.act_move(where)

    @property
    def line(self) -> LedgerLine | None:
        """The line of the cursor, as far as it has been read."""
        return self._pages.row(self.rows.cursor) if self._pages else None

    def act_entry(self) -> None:
        if self.line is not None:
            self.app.push_screen(LedgerEntry(self.line))

    def act_filter(self) -> None:
        self.filter.open()

    def on_line_filter_entered(self, event: LineFilter.Entered) -> None:
        try:
            pages = self._fresh(event.text)
        except MalformedFilter as error:
            self.filter.refuse(phrase("{}. {}", safe(error.message), safe(error.hint)))
            return
        self.start(self._filtered(event.text, pages), group="lines")

    async def _filtered(self, text: str, pages: Pages[LedgerLine, str]) -> None:
        """Leave the field only once the service has answered: it may refuse what reads well here."""
        try:
            await pages.load(0, PAGE - 1)
        except Refused as error:
            self.filter.refuse(told(error).text)
            return
        if self.filter.field.value == text:
            self.filter.accept(text)
            self.rows.focus()
            self._begin(pages)

    def step_back(self) -> bool:
        if not self.filter.drop():
            return False
        self.rows.focus()
        return True

    def act_verify_ledger(self) -> None:
        self._verdict = phrase("The ledger is being verified.")
        self._head()
        self.start(self._verify(), group="verify")

    async def _verify(self) -> None:
        try:
            check = await self.client.ledger.check()
        except QuashError:
            self._verdict = None
            self._head()
            raise
        self._verdict = _verdict(check, self.quash.glyphs["yes"], self.quash.glyphs["no"], self.quash.glyphs["warning"])
        self._read_at()

    def _head(self) -> None:
        """As of when the lines were read, or verified; a verdict stands until there are others."""
        key, read = self.quash.key_of("verify_ledger"), phrase("as of {}", self._as_of)
        told = phrase("newest first · {} verifies the ledger", key) if self._verdict is None else self._verdict
        self.query_one("#ledger-head", Static).update(phrase("{} · {}", told, read))

    def act_export(self) -> None:
        async def write(path: Path) -> Path:
            from tui_app.client.export import LedgerFilter, export_ledger

            return await export_ledger(self.client, path, LedgerFilter(**asdict(wanted(self.filter.applied))))

        self.quash.open_later(export(self.quash, "quash-ledger.jsonl", write))


def _verdict(check: LedgerCheck, yes: str, no: str, warning: str) -> Content:
    if check.empty:
        return phrase("{} {}.", warning, verdict(check)).stylize(AMBER)
    told = phrase("{} {}.", yes if check.holds else no, verdict(check))
    if not check.holds:
        more = phrase(" {} more problems.", len(check.problems) - 1) if len(check.problems) > 1 else phrase("")
        return phrase("{}{} Do not change the file.", told.stylize("$text-error"), more)
    kept = phrase("{} anchors compared", check.anchors) if check.anchors else phrase("no anchor compared")
    return phrase("{} Head {}, {}.", told.stylize("$text-success"), check.head or "none", kept)
