"""What of a run can be brought back, and how long there is to do so."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.tui.left import left
from tui_app.tui.outcomes import AMBER, QUIET, clock
from tui_app.tui.text import phrase

if TYPE_CHECKING:
    from tui_app.contract.runs import RunModel


def closed(run: RunModel, now: datetime) -> str:
    """Since when nothing of a run can be brought back any more; empty while something can, or never could."""
    last = left(run.undo.last_closes, now) if run.undo else None
    return clock(run.undo.last_closes) if run.undo and last and last.past else ""


def sentence(run: RunModel, now: datetime) -> Content | None:
    """What can be undone and until when; nothing where nothing could be."""
    undo = run.undo
    if undo is None:
        return None
    first, last = left(undo.first_closes, now), left(undo.last_closes, now)
    if last is None or last.past:
        return phrase("undo: the last window closed at {}", clock(undo.last_closes)).stylize(QUIET)
    if first is None or first.past:
        said = phrase("up to {} can be undone, some windows have closed, the last closes {}", undo.items, last.words)
        return said.stylize(AMBER)
    said = phrase("{} can be undone, the first window closes {}", undo.items, first.words)
    return said.stylize(AMBER) if first.close else said


def brief(run: RunModel, now: datetime) -> Content | None:
    """The same in a few cells: until when all of it can be undone, else any of it."""
    undo = run.undo
    if undo is None:
        return None
    for moment in (undo.first_closes, undo.last_closes):
        time = left(moment, now)
        if time is not None and not time.past:
            said = phrase("undo {}", time.span)
            return said.stylize(AMBER) if time.close else said
    return phrase("undo closed").stylize(QUIET)
