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
    from tui_app.contract.models import ItemModel, PreviewModel, SystemModel, TrailModel, VerdictModel

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
    """The verdict first, then what would happen, then what cannot be undone."""
    yield verdict_line(preview.verdict, glyphs)
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


def section_lines(preview: PreviewModel, limit: int = LINE) -> Iterator[Content]:
    """The sections as the system wrote them: among them the very reply that a sender will read."""
    for section in preview.sections:
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


def field_lines(item: ItemModel, system: SystemModel, now: datetime, limit: int) -> Iterator[Content]:
    """Every field of an item: those of the columns under their titles, then the others."""
    columns = {column.field: column for column in system.columns}
    order = [*columns, *(name for name in item.fields if name not in columns)]
    width = max((len(columns[name].title if name in columns else name) for name in order), default=0)
    for name in order:
        column = columns.get(name)
        if column is not None and column.kind == "id":
            value = item.id
        elif column is not None and column.kind == "status":
            value = item.status
        else:
            value = shown(item.fields.get(name), column.kind if column else "text")
            if column is not None and column.kind == "deadline":
                value = _with_left(value, item.fields.get(name), now)
        title = safe((column.title if column else name).ljust(width), 60)
        yield phrase("{}  {}", title.stylize("dim"), safe(value, limit))


def _with_left(value: str, moment: object, now: datetime) -> str:
    time = left(moment, now)
    return value if time is None else f"{value}, {time.words}"


def unknown_line(what: Content, why: str, glyphs: Glyphs) -> Content:
    """Something that could not be read."""
    return phrase("{} {}: not known: {}", glyphs["unknown"], what, why).stylize("$warning")


def _titled(title: str) -> Iterator[Content]:
    yield Content("")
    yield safe(title, 80).stylize("bold underline")
