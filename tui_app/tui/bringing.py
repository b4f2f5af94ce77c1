"""Ids that the operator brings: named after ``:ids``, or pasted into the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.tui.notices import Notice
from tui_app.tui.text import counted, phrase, safe

if TYPE_CHECKING:
    from textual.content import Content

    from tui_app.contract.models import IdsModel, SystemModel
    from tui_app.tui.screens.items import ItemsScreen

NAMED = 5
"""Malformed ids that are named at most; the others are counted."""


def ids_in(text: str) -> list[str]:
    """What stands for ids in a text: its words, apart by spaces, commas or lines."""
    return text.replace(",", " ").split()


async def bring(screen: ItemsScreen, system: SystemModel, ids: list[str]) -> None:
    """Mark those that can be ids of the system, shown or not, and say which cannot; those are never marked."""
    app = screen.quash
    found = await screen.client.items.check_ids(system.system, ids)
    app.drop_notice()
    if found.ids:
        screen.marking.mark_ids(found.ids)
        brought, marked = counted(len(found.ids), "id"), screen.table.marks.count
        app.say(phrase("{} brought, {} marked; {} reviews them.", brought, marked, app.key_of("review")))
    if found.malformed:
        app.notice = Notice("warning", _malformed(found, system), lasts=True)


def _malformed(found: IdsModel, system: SystemModel) -> Content:
    named = [safe(repr(one.id), 60) for one in found.malformed[:NAMED]]
    if len(found.malformed) > NAMED:
        named.append(phrase("{} more", len(found.malformed) - NAMED))
    return phrase(
        "Not marked, since no {} has such an id: {}. An id looks like {}.",
        safe(system.one, 40),
        phrase(", ").join(named),
        safe(system.id_example, 60),
    )
