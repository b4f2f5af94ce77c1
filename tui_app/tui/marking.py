"""The actions that mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui_app.tui.membership import ASKED_AT_ONCE, Membership
from tui_app.tui.text import phrase, safe
from tui_app.tui.widgets.cells import shown
from tui_app.tui.widgets.marks import Everything, Marks, both, of_ids, same_value

if TYPE_CHECKING:
    from tui_app.tui.screens.items import ItemsScreen


@dataclass(frozen=True, slots=True)
class Only:
    """What the table shows while it shows only what is marked."""

    filter: str
    as_of: str | None


class Marking:
    """Marks of one table. The marks themselves are a value in the table; here is what changes it."""

    def __init__(self, screen: ItemsScreen) -> None:
        self._screen = screen
        self.only: Only | None = None
        self.asking = Membership(screen)

    # Acts

    def act_mark(self) -> None:
        table = self._screen.table
        if table.range_from is not None:
            self.act_range()
        elif table.item is not None:
            item = table.item.id
            self._mark(table.marks.turned(item, member=item in table.members))
            table.move("down")

    def act_range(self) -> None:
        table = self._screen.table
        if table.range_from is None:
            self._begin_range()
            return
        ids = [item.id for item in table.in_range()]
        self._end_range()
        self._mark(table.marks.with_ids(ids, frozenset(table.members)))

    def act_range_down(self) -> None:
        self._range_to("down")

    def act_range_up(self) -> None:
        self._range_to("up")

    async def act_mark_all(self) -> None:
        window = self._screen.table.window
        if window is None:
            return
        if self.only is not None:
            key = self._screen.quash.key_of("only_marked")
            self._screen.quash.say(phrase("Only what is marked is shown; {} shows everything.", key), "warning")
            return
        total = window.total or 0
        await self._mark_everything(
            Everything(self._screen.reading.filter, window.as_of, total, window.exact), whole=True
        )

    def act_invert(self) -> None:
        self._screen.start(self._invert(), group="marks")

    def act_clear(self) -> None:
        self._end_range()
        self.leave_only()
        self._mark(Marks())

    def act_same(self) -> None:
        table = self._screen.table
        item, column = table.item, table.described
        if item is None or column is None:
            return
        value = item.id if column.kind == "id" else item.fields.get(column.field)
        text = item.status if column.kind == "status" else shown(value, "text")
        if not text or column.field not in (self._screen.system.filterable if self._screen.system else ()):
            self._screen.quash.say(phrase("There is no value in {} to filter by.", column.title), "warning")
            return
        filter = same_value(self._screen.reading.filter, column.field, text)
        self._screen.start(self._mark_matching(filter), group="marks")

    def act_only_marked(self) -> None:
        if self.only is not None:
            self.leave_only()
            self._screen.reading.read()
            return
        marks, field = self._screen.table.marks, self.asking.id_field
        if not marks.whole and len(marks.ids) <= ASKED_AT_ONCE:
            self.only = Only(of_ids(field, marks.ids), None)
        elif len(marks.whole) == 1 and not marks.ids and len(marks.excluded) <= ASKED_AT_ONCE:
            whole = marks.whole[0]
            minus = f"!{of_ids(field, sorted(marks.excluded))}" if marks.excluded else ""
            self.only = Only(both(whole.filter, minus), whole.as_of)
        else:
            key = self._screen.quash.key_of("preview_marked")
            self._screen.quash.say(phrase("These marks are too many to show by themselves; {} lists them.", key))
            return
        self._screen.reading.read()

    # What the screen asks and tells

    def step_back(self) -> bool:
        """Drop the range that is being taken, or show everything again; False where there is neither."""
        if self._screen.table.range_from is not None:
            self._end_range()
            self._screen.table.refresh()
            self._screen.tell_numbers()
            return True
        if self.only is not None:
            self.act_only_marked()
            return True
        return False

    def leave_only(self) -> None:
        """The next reading shows everything that the filter matches."""
        self.only = None

    def rows_changed(self) -> None:
        """Other rows are shown, perhaps under another filter."""
        self.asking.forget()
        self._screen.table.members.clear()
        self.asking.look()
        self.asking.count_hidden(self.only is not None)

    def mark_ids(self, ids: Sequence[str]) -> None:
        """Mark ids that the operator brought, whether they are shown or not."""
        self._mark(self._screen.table.marks.with_ids(ids, frozenset(self._screen.table.members)))
        self.asking.under.add("")
        self.asking.count_hidden(self.only is not None)

    # How

    def _mark(self, marks: Marks) -> None:
        table = self._screen.table
        table.marks = marks
        self.asking.marked(marks, self._screen.reading.filter)
        table.refresh()
        self._screen.tell_numbers()
        self._screen.state_changed()

    def _begin_range(self) -> None:
        table = self._screen.table
        if table.item is not None and table.window is not None:
            table.range_from = table.item.id
            table.window.keep_all = True
            table.refresh()
            self._screen.tell_numbers()

    def _end_range(self) -> None:
        table = self._screen.table
        table.range_from = None
        if table.window is not None:
            table.window.keep_all = False

    def _range_to(self, where: str) -> None:
        if self._screen.table.range_from is None:
            self._begin_range()
        self._screen.table.move(where)

    async def _mark_everything(self, new: Everything, *, whole: bool = False) -> None:
        table = self._screen.table
        mine = [*table.marks.ids, *table.marks.excluded]
        held = await self.asking.members((new,), mine) if mine else frozenset()
        if whole:
            # What is seen now is what is marked; the look that follows takes out what came after the count.
            table.members.update(row.id for row in table.rows)
        self.asking.forget()
        self._mark(table.marks.with_everything(new, held))
        self.asking.look()
        self.asking.count_hidden(self.only is not None)

    async def _mark_matching(self, filter: str) -> None:
        await self._mark_everything(await self.asking.counted(filter))

    async def _invert(self) -> None:
        table = self._screen.table
        new = await self.asking.counted(self._screen.reading.filter)
        inverted = table.marks.inverted(new, await self.asking.members((new,), table.marks.ids))
        if inverted is None:
            of = safe(table.marks.whole[0].filter or "everything", 60)
            key = self._screen.quash.key_of("clear")
            self._screen.quash.say(phrase("The marks hold all of {}; {} clears them first.", of, key), "warning")
            return
        self.asking.forget()
        table.members.clear()
        self._mark(inverted)
        self.asking.look()
