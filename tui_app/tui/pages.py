"""Rows of a long list, of which only the pages near the eye are held."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
A = TypeVar("A")

HELD = 8
"""Pages that are kept at most; one that was left is read again when the eye returns."""


class Pages(Generic[T, A]):
    """A list read page by page with ``fetch(after, limit) -> (rows, next)``.

    Where ``total`` is known the list has its whole length from the start. Where ``direct`` gives the place
    before any row, every page can be read at once; else the pages up to it are walked through, and only their
    places are kept.
    """

    def __init__(
        self,
        fetch: Callable[[A | None, int], Awaitable[tuple[list[T], A | None]]],
        *,
        size: int = 200,
        total: int | None = None,
        direct: Callable[[int], A] | None = None,
    ) -> None:
        self._fetch = fetch
        self._size = size
        self._total = total
        self._direct = direct
        self._starts: list[A | None] = [None]
        self._ends: list[int] = []
        self._complete = False
        self._held: OrderedDict[int, list[T]] = OrderedDict()
        self._stale: set[int] = set()

    @property
    def count(self) -> int:
        """The rows there are; while the total is not known, one more than were seen."""
        if self._total is not None:
            return self._total
        seen = self._ends[-1] if self._ends else 0
        return seen if self._complete else seen + 1

    @property
    def complete(self) -> bool:
        """Whether the count is the whole one."""
        return self._complete or self._total is not None

    async def walk(self) -> None:
        """Read on to the end, so that the count is the whole one."""
        while self._direct is None and not self._complete:
            await self._read(len(self._ends))

    def row(self, index: int) -> T | None:
        """The row, or nothing while it has not been read."""
        page, first = self._place(index)
        held = self._held.get(page)
        if held is None or not 0 <= index - first < len(held):
            return None
        return held[index - first]

    def covers(self, first: int, last: int) -> bool:
        """Whether there is nothing to read between two rows."""
        return self._wanted(first, last) is None

    def age(self) -> None:
        """What is held may have changed: it is shown until it is read again."""
        self._stale.update(self._held)

    async def load(self, first: int, last: int) -> None:
        """Read what is missing or may have changed between two rows."""
        while (page := self._wanted(first, last)) is not None:
            await self._read(page)

    def resize(self, total: int) -> None:
        """The list has another length now; what was its end has to be read again."""
        if total == self._total:
            return
        self._total = total
        if self._complete and self._direct is None:
            last = len(self._ends) - 1
            del self._ends[last:]
            self._held.pop(last, None)
        self._complete = False

    def _place(self, index: int) -> tuple[int, int]:
        if self._direct is not None:
            page = index // self._size
            return page, page * self._size
        page = bisect_right(self._ends, index)
        return page, self._ends[page - 1] if page else 0

    def _wanted(self, first: int, last: int) -> int | None:
        last = max(first, min(last, self.count - 1))
        index = first
        while index <= last:
            page, start = self._place(index)
            unread = page not in self._held or page in self._stale
            if unread and not self._beyond(page):
                return page
            length = len(self._held[page]) if page in self._held else 0
            if length == 0:
                return None
            index = start + length
        return None

    def _beyond(self, page: int) -> bool:
        return self._direct is None and self._complete and page >= len(self._ends)

    async def _read(self, page: int) -> None:
        after = self._start(page)
        rows, following = await self._fetch(after, self._size)
        self._stale.discard(page)
        self._held[page] = rows
        self._held.move_to_end(page)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        if self._direct is None:
            self._note(page, len(rows), following)

    def _start(self, page: int) -> A | None:
        if self._direct is None:
            return self._starts[page]
        return self._direct(page * self._size) if page else None

    def _note(self, page: int, length: int, following: A | None) -> None:
        if page < len(self._ends):
            before = self._ends[page - 1] if page else 0
            if self._ends[page] == before + length and page < len(self._ends) - 1:
                return
            del self._ends[page:]
            del self._starts[page + 1 :]
        self._ends.append((self._ends[-1] if self._ends else 0) + length)
        self._complete = following is None
        if following is not None:
            self._starts.append(following)
