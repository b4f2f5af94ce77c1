"""Systems that take nothing more from us for a while, and how long that is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.tui.left import Left, left
from tui_app.tui.outcomes import AMBER
from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.contract.runs import RunModel


def shut(run: RunModel, now: datetime) -> dict[str, Left]:
    """The systems of a run whose gates are still shut, by name, with the time left; none once it is over."""
    if run.over:
        return {}
    waits = {system: left(moment, now) for system, moment in run.gates.items()}
    return {system: time for system, time in waits.items() if time is not None and not time.past}


def sentence(run: RunModel, now: datetime) -> Content | None:
    """Which take nothing more and for how long; nothing where all of them do."""
    waits = [phrase("{} takes nothing more for {}", safe(name, 40), time.span) for name, time in shut(run, now).items()]
    return phrase(" · ").join(waits).stylize(AMBER) if waits else None
