"""What only the service knows of marks: which rows a filter held at its moment, and how many another one hides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tui_app.tui.widgets.marks import Everything, Marks, both, of_ids

if TYPE_CHECKING:
    from tui_app.tui.screens.items import ItemsScreen

ASKED_AT_ONCE = 100
"""Ids in one question about membership: with long ids still far below what a URL may hold."""

COUNTED = 1000
"""Ids up to which it is counted how many of them a filter hides."""


class Membership:
    """Questions about the marks of one table. ``hidden`` is None where it was not counted.

    ``under`` are the filters under which something was marked: while they are the present one, nothing is hidden.
    """

    def __init__(self, screen: ItemsScreen) -> None:
        self._screen = screen
        self.hidden: int | None = 0
        self.under: set[str] = set()
        self._asked: set[str] = set()

    @property
    def id_field(self) -> str:
        """The field that filters name an id by."""
        columns = self._screen.system.columns if self._screen.system else []
        return next((column.field for column in columns if column.kind == "id"), "id")

    def forget(self) -> None:
        """What was answered no longer holds."""
        self._asked.clear()

    def marked(self, marks: Marks, filter: str) -> None:
        """The marks changed, under this filter."""
        self.under = {filter, *self.under} if marks else set()
        if not marks.whole:
            self._screen.table.members.clear()
            self.forget()
        if not marks:
            self.hidden = 0

    def look(self) -> None:
        """Ask which of the rows that came into the window are held by a filter that was marked whole."""
        table = self._screen.table
        if not table.marks.whole:
            return
        unknown = [row.id for row in table.rows if row.id not in self._asked]
        if unknown:
            self._asked.update(unknown)
            self._screen.start(self._look(table.marks.whole, unknown), group="members", exclusive=False)

    async def _look(self, whole: Sequence[Everything], ids: Sequence[str]) -> None:
        held = await self.members(whole, ids)
        table = self._screen.table
        if table.marks.whole == tuple(whole):
            members = (table.members - set(ids)) | held
            if members != table.members:
                table.members = set(members)
                table.refresh()

    async def members(self, whole: Iterable[Everything], ids: Iterable[str]) -> frozenset[str]:
        """Those of the ids that one of the filters held at its moment."""
        filters = tuple(whole)
        wanted, found = list(ids), set[str]()
        items, system = self._screen.client.items, self._screen.system_name
        for start in range(0, len(wanted), ASKED_AT_ONCE):
            some = of_ids(self.id_field, wanted[start : start + ASKED_AT_ONCE])
            for each in filters:
                page = await items.page(
                    system, filter=both(each.filter, some), as_of=each.as_of or None, limit=ASKED_AT_ONCE
                )
                found.update(row.id for row in page.items)
        return frozenset(found)

    async def counted(self, filter: str) -> Everything:
        """All that a filter matches, as of when the rows were read."""
        screen = self._screen
        window = screen.table.window
        as_of = window.as_of if window else ""
        found = await screen.client.items.count(screen.system_name, filter=filter, as_of=as_of)
        return Everything(filter, as_of, found.value, found.exact)

    def count_hidden(self, only_marked: bool) -> None:
        """Count how many marks the present filter hides, where it can hide any."""
        screen = self._screen
        if not screen.table.marks or only_marked or self.under <= {screen.reading.filter}:
            self.hidden = 0
            screen.tell_numbers()
        else:
            screen.start(self._count_hidden(), group="hidden")

    async def _count_hidden(self) -> None:
        screen = self._screen
        marks, filter = screen.table.marks, screen.reading.filter
        if len(marks.ids) + len(marks.excluded) > COUNTED:
            self.hidden = None
        else:
            seen = len(await self.members((Everything(filter, "", 0),), marks.ids))
            for each in marks.whole:
                matching = filter if each.filter == filter else both(each.filter, filter)
                found = await screen.client.items.count(screen.system_name, filter=matching, as_of=each.as_of)
                seen += found.value - len(await self.members((Everything(matching, each.as_of, 0),), marks.excluded))
            self.hidden = max(marks.count - seen, 0)
        screen.tell_numbers()
