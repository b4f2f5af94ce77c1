"""A preview and a trail in words: what may be done, what would happen, what cannot be undone, what was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.domain.visible import as_written
from tui_app.glyphs import Glyphs
from tui_app.tui.left import left
from tui_app.tui.text import phrase, safe
from tui_app.tui.widgets.cells import moment, shown

if TYPE_CHECKING:
    from tui_app.contract.models import ColumnModel, ItemModel, PreviewModel, SystemModel, TrailModel, VerdictModel

DECIDING = 4
"""Up to this priority a column is one that an operator decides by."""

LINE = 400
"""Characters of one line of a preview; a detail screen shows more."""


def verdict_line(verdict: VerdictModel, glyphs: Glyphs) -> Content:
    """May it be cancelled, in words and a sign."""
    if verdict.cancellable:
        return phrase("{} can be cancelled", glyphs["yes"]).stylize("bold $success")
    if verdict.code == "NOT_KNOWN":
        return phrase("{} not known: {}", glyphs["unknown"], verdict.reason or "").stylize("bold $warning")
    return phrase("{} cannot: {}", glyphs["no"], verdict.reason or verdict.code or "").stylize("bold $error")


def preview_lines(preview: PreviewModel, glyphs: Glyphs, limit: int = LINE) -> Iterator[Content]:
    """What would happen, then what cannot be undone."""
    happens = [line for line in preview.impact if not line.irreversible]
    final = [line for line in preview.impact if line.irreversible]
    if happens:
        yield from _titled("What would happen" if preview.verdict.cancellable else "What it would do if it could")
    for line in happens:
        sign = glyphs["warning"] if line.warning else glyphs["bullet"]
        text = phrase("{} {}", sign, safe(line.text, limit))
        yield text.stylize("bold $warning") if line.warning else text
    for warning in preview.warnings:
        yield phrase("{} {}", glyphs["warning"], safe(warning, limit)).stylize("bold $warning")
    if final or preview.irreversible:
        yield from _titled("What cannot be undone")
    for line in final:
        yield phrase("{} {}", glyphs["warning"], safe(line.text, limit)).stylize("bold")
    if preview.irreversible and not final:
        yield phrase("{} none of this can be undone", glyphs["warning"]).stylize("bold")


def section_lines(preview: PreviewModel, limit: int = LINE, *, whole: bool = False) -> Iterator[Content]:
    """The sections as the system wrote them: among them the very reply that a sender will read.

    Those that nobody decides by are there only with ``whole``.
    """
    for section in preview.sections:
        if section.detail and not whole:
            continue
        yield from _titled(section.title)
        yield from (safe(line, limit) for line in section.lines)


def trail_lines(trail: Sequence[TrailModel], glyphs: Glyphs, last: int | None = None) -> Iterator[Content]:
    """The system's own entries, newest first; only the ``last`` ones where that is given."""
    kept = list(reversed(trail))[:last]
    yield from _titled("Trail" if last is None or len(trail) <= last else "Trail, the last entries")
    if not kept:
        yield phrase("no entries")
    for entry in kept:
        yield phrase("{} {} {}", moment(entry.at), safe(entry.event, 80), safe(entry.actor or "", 80))
        if last is None:
            details = [f"{name}: {as_written(value)}" for name, value in entry.details.items()]
            yield from (phrase("  {} {}", glyphs["dash"], safe(detail, LINE)) for detail in details)


def by_weight(system: SystemModel) -> list[ColumnModel]:
    """The columns but the id, by how much they decide, as the system's own description says."""
    others = [column for column in system.columns if column.kind != "id"]
    return sorted(others, key=lambda column: column.priority)


def deciding(system: SystemModel) -> list[ColumnModel]:
    """The columns that an operator decides by: those that the table shows, too, where it has little room."""
    return [column for column in by_weight(system) if column.priority <= DECIDING]


def column_lines(
    item: ItemModel, columns: Sequence[ColumnModel], now: datetime, limit: int = LINE
) -> Iterator[Content]:
    """The values of these columns under each other, each after its title; those without one are left out."""
    told = [(column.title, value) for column in columns if (value := told_value(item, column, now))]
    width = max((len(title) for title, _ in told), default=0)
    for title, value in told:
        yield phrase("{}  {}", safe(title.ljust(width), 60).stylize("dim"), safe(value, limit))


def told_value(item: ItemModel, column: ColumnModel, now: datetime) -> str:
    """The value of a column in words; a deadline with the time that is left."""
    if column.kind == "id":
        return item.id
    if column.kind == "status":
        return item.status
    value = shown(item.fields.get(column.field), column.kind)
    time = left(item.fields.get(column.field), now) if column.kind == "deadline" else None
    return value if time is None else f"{value}, {time.words}"


def field_lines(item: ItemModel, system: SystemModel, now: datetime, limit: int) -> Iterator[Content]:
    """Every field of an item: the id, then the columns by how much they decide, then the others."""
    columns = {column.field: column for column in (*_ids(system), *by_weight(system))}
    order = [*columns, *(name for name in item.fields if name not in columns)]
    width = max((len(columns[name].title if name in columns else name) for name in order), default=0)
    for name in order:
        column = columns.get(name)
        value = shown(item.fields.get(name), "text") if column is None else told_value(item, column, now)
        title = safe((column.title if column else name).ljust(width), 60)
        yield phrase("{}  {}", title.stylize("dim"), safe(value, limit))


def _ids(system: SystemModel) -> list[ColumnModel]:
    return [column for column in system.columns if column.kind == "id"]


def unknown_line(what: Content, why: str, glyphs: Glyphs) -> Content:
    """Something that could not be read."""
    return phrase("{} {}: not known: {}", glyphs["unknown"], what, why).stylize("$warning")


def _titled(title: str) -> Iterator[Content]:
    yield Content("")
    yield safe(title, 80).stylize("bold underline")
