"""What can be copied of the item under the cursor."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from tui_app.tui.clipboard import sequence, to_terminal
from tui_app.tui.text import phrase
from tui_app.tui.widgets.cells import shown

if TYPE_CHECKING:
    from tui_app.contract.models import ItemModel
    from tui_app.tui.screens.items import ItemsScreen


class Copying:
    """The id, the row, the curl line, the filter as a command line."""

    def __init__(self, screen: ItemsScreen) -> None:
        self._screen = screen

    def act_copy(self) -> None:
        from tui_app.tui.screens.copy import CopyMenu

        self._screen.quash.push_screen(CopyMenu(), self._chosen)

    def _chosen(self, kind: str | None) -> None:
        item = self._screen.table.item
        if item is None or kind is None:
            return
        text = sequence(self.text(kind, item), os.environ)
        if text is None:
            self._screen.quash.say(phrase("It is too long for a terminal's clipboard."), "warning")
            return
        to_terminal(self._screen.quash, text)
        # Terminals do not say whether they took it.
        self._screen.quash.say(phrase("The {} was sent to the terminal.", WORDS[kind]))

    def text(self, kind: str, item: ItemModel) -> str:
        """What is copied, as it is and not as it is shown: it goes into another program."""
        if kind == "id":
            return item.id
        if kind == "row":
            return "\t".join(self._cells(item))
        return self._curl(item) if kind == "curl" else self._command()

    def _cells(self, item: ItemModel) -> list[str]:
        columns = self._screen.system.columns if self._screen.system else []
        special = {"id": item.id, "status": item.status}
        return [special.get(column.kind) or shown(item.fields.get(column.field), "text") for column in columns]

    def _curl(self, item: ItemModel) -> str:
        from tui_app.contract import paths

        path = paths.fill(paths.ITEM, system=item.system, item=item.id)
        return (
            'curl --fail-with-body --header "Authorization: Bearer $QUASH_SERVICE_TOKEN" '
            f'"${{QUASH_SERVICE:-http://127.0.0.1:8765}}"{shlex.quote(path)}'
        )

    def _command(self) -> str:
        screen = self._screen
        view = screen.reading.view
        parts = [*screen.quash.invocation, "list", view.system]
        if view.filter:
            parts += ["--filter", view.filter]
        return shlex.join([*parts, f"--sort={view.sort}"])


WORDS = {"id": "id", "row": "row", "curl": "curl line", "command": "command line"}
