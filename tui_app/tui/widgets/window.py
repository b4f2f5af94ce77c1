"""A window of a few hundred rows over a list of any length, read by keyset pages on either side."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui_app.domain.errors import NotFound

if TYPE_CHECKING:
    from tui_app.client.items import Items
    from tui_app.contract.models import ItemModel, PageModel

PAGE = 100
"""Rows read at once."""

HELD = 5
"""Pages held at most; what is farther away is read again when the eye returns."""


@dataclass(frozen=True, slots=True)
class View:
    """Which rows, in which order. ``as_of`` leaves out what changed later."""

    system: str
    filter: str
    sort: str
    as_of: str | None = None


class Window:
    """The rows around the eye. Rows have indexes within the window; ``position`` is the number of its first row.

    Every method that reads may raise what ``Items.page`` raises, and leaves the window as it was.
    """

    def __init__(self, items: Items, view: View) -> None:
        self._items = items
        self.view = view
        self.rows: list[ItemModel] = []
        self.total: int | None = None
        self.exact = True
        self.position: int | None = None
        self.as_of = ""
        self.keep_all = False
        self.ends_early = False
        """Whether rows on either side were refused: the list cannot be told any further, and is not asked for it."""
        self._pages: deque[PageModel] = deque()

    @property
    def more_before(self) -> bool:
        """Whether there are rows above the window."""
        return bool(self._pages) and self._pages[0].previous is not None

    @property
    def more_after(self) -> bool:
        """Whether there are rows below the window."""
        return bool(self._pages) and self._pages[-1].next is not None

    def index_of(self, item: str | None) -> int | None:
        """Where an item is in the window, if it is."""
        if item is None:
            return None
        return next((index for index, row in enumerate(self.rows) if row.id == item), None)

    async def load(self, around: str | None = None) -> None:
        """The first rows, or those around an item: where it is, or would be; the first ones where it is gone."""
        try:
            page = await self._read(around=around, count=True)
        except NotFound:
            page = await self._read(count=True)
        self._begin(page)

    async def load_last(self) -> None:
        """The last rows."""
        self._begin(await self._read(last=True, count=True))

    async def extend_after(self) -> int:
        """Read a page below; how many rows were let go above."""
        page = await self._read(after=self._pages[-1].next)
        self._pages.append(page)
        dropped = 0
        while len(self._pages) > HELD and not self.keep_all:
            dropped += len(self._pages.popleft().items)
        if self.position is not None:
            self.position += dropped
        self._join()
        return dropped

    async def extend_before(self) -> int:
        """Read a page above; how many rows came in front of the others."""
        page = await self._read(before=self._pages[0].previous)
        self._pages.appendleft(page)
        while len(self._pages) > HELD and not self.keep_all:
            self._pages.pop()
        if self.position is not None:
            self.position = max(self.position - len(page.items), 1)
        self._join()
        return len(page.items)

    def _begin(self, page: PageModel) -> None:
        self._pages = deque([page])
        self.total, self.exact, self.position = page.total, page.exact, page.position
        # Of the first page and not of the latest: the total is as old, and marking everything is as of the total.
        self.as_of = page.as_of
        self._join()

    def _join(self) -> None:
        self.rows = [row for each in self._pages for row in each.items]

    async def _read(
        self,
        *,
        after: str | None = None,
        before: str | None = None,
        last: bool = False,
        around: str | None = None,
        count: bool = False,
    ) -> PageModel:
        view = self.view
        return await self._items.page(
            view.system,
            filter=view.filter,
            sort=view.sort,
            limit=PAGE,
            after=after,
            before=before,
            last=last,
            around=around,
            as_of=view.as_of,
            count=count,
        )
