"""The times left in a table, drawn anew where they read differently by now: a table without any writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.tui.left import left

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui_app.contract.models import ItemModel
    from tui_app.tui.widgets.item_table import ItemTable


class Ticking:
    """Looks once a second at the rows that are seen."""

    def __init__(self, table: ItemTable) -> None:
        self._table = table
        self._fields: list[str] = []
        self._read: dict[str, list[str]] = {}
        self._timer: Timer | None = None

    def start(self) -> None:
        """The system is known; where none of its columns is a deadline there is nothing to look at."""
        columns = self._table.system.columns if self._table.system else []
        self._fields = [column.field for column in columns if column.kind == "deadline"]
        if self._fields and self._timer is None:
            self._timer = self._table.set_interval(1, self.tick)

    def tick(self) -> None:
        """Draw the rows anew whose time left has other words than when it was last looked at."""
        table = self._table
        first = table.eye.top
        seen = list(enumerate(table.rows[first : first + table.lines], first))
        read = {item.id: self._words(item) for _, item in seen}
        changed = [index for index, item in seen if read[item.id] != self._read.get(item.id)]
        self._read = read
        if changed and table.screen.is_current:
            table.refresh_rows(*changed)

    def _words(self, item: ItemModel) -> list[str]:
        now = self._table.app.clock()
        found = [left(item.fields.get(field), now) for field in self._fields]
        return [one.words for one in found if one is not None]
