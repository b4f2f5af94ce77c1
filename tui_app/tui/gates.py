"""Systems that take nothing more from us for a while, or get nothing at our own rate, and how long that is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.domain.advice import held
from tui_app.domain.moments import known, span
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
    """Which do not answer, take nothing more, or wait for our rate, and for how long; nothing where none does."""
    waits = [] if run.held is None else [safe(held(run.held), 120)]
    waits += [_unanswered(name, since, now) for name, since in run.silent.items()]
    waits += [_wait(name, time, run.paced.get(name)) for name, time in shut(run, now).items()]
    return phrase(" · ").join(waits).stylize(AMBER) if waits else None


def brief(run: RunModel, now: datetime) -> Content | None:
    """The same in a few cells: how long until something is sent again."""
    times = sorted(shut(run, now).values(), key=lambda time: time.seconds)
    return phrase("waits {}", times[0].span).stylize(AMBER) if times else None


def _unanswered(system: str, since: str, now: datetime) -> Content:
    begun = known(since)
    if begun is None:
        return phrase("{}: no answer", safe(system, 40))
    return phrase("{}: no answer for {}", safe(system, 40), span((now - begun).total_seconds()))


def _wait(system: str, time: Left, rate: str | None) -> Content:
    if rate is None:
        return phrase("{} takes nothing more for {}", safe(system, 40), time.span)
    return phrase("{} is sent to again in {} (rate {})", safe(system, 40), time.span, rate)
