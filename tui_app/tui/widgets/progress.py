"""How far a run is: in words, as a bar, and what it waits for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from tui_app.domain.advice import gone
from tui_app.domain.moments import span
from tui_app.tui import gates
from tui_app.tui.outcomes import AMBER, QUIET, item_look, run_look, tally, until, worked
from tui_app.tui.pace import Pace
from tui_app.tui.text import lines, phrase, safe
from tui_app.tui.undoing import sentence

if TYPE_CHECKING:
    from tui_app.contract.runs import RunModel
    from tui_app.glyphs import Glyphs
    from tui_app.tui.app import QuashApp

_CAUSES = {
    "operator": "by the operator",
    "gate": "the system asked us to wait",
    "breaker": "by the breaker: too many errors",
    "credentials": "credentials are missing",
    "principal": "it belongs to another operator",
    "target": "not what was planned against",
    "fault": "by an error",
}


class Progress(Static):
    """The six numbers, the bar, the state with rate, time left and what is waited for, and what can be undone."""

    app: QuashApp

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._told: tuple[RunModel, Pace, datetime] | None = None
        self._drawn: Content | None = None

    def tell(self, run: RunModel, pace: Pace, now: datetime) -> None:
        """Show a run as it stands."""
        self._told = (run, pace, now)
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._told is None:
            return
        run, pace, now = self._told
        glyphs, key = self.app.glyphs, self.app.key_of("pause")
        drawn = bar(run, max(10, self.content_size.width), glyphs)
        undo = sentence(run, now)
        parts = [tally(run), drawn, standing(run, pace, now, key, glyphs), *([] if undo is None else [undo])]
        if run.missing:
            parts.insert(3, phrase("{} {}", glyphs["warning"], safe(gone(run.missing), 200)).stylize(AMBER))
        if run.clock is not None:
            parts.append(phrase("{} while this run was under way", safe(run.clock, 80)))
        told = lines(*parts)
        # As it is drawn, and not as it reads: the stretches of the bar differ by their colour.
        if self._drawn is None or told.markup != self._drawn.markup:
            self._drawn = told
            self.update(told)


def bar(run: RunModel, width: int, glyphs: Glyphs) -> Content:
    """A bar with a stretch for each outcome, none too small to be seen, and the share of the work that is done."""
    had, work = worked(run)
    share = phrase(" {}%", had * 100 // work if work else 100)
    room = max(1, width - 6)
    numbers = {name: number for name, number in run.counts.items() if name != "pending" and number}
    lengths = {name: max(1, room * number // run.items) for name, number in numbers.items()}
    rest = room - sum(lengths.values())
    if numbers and (rest < 0 or not run.counts.get("pending")):
        lengths[max(numbers, key=numbers.__getitem__)] += rest
        rest = 0
    parts = [safe(glyphs["bar"] * length, style=item_look(name).style) for name, length in lengths.items()]
    return Content("").join([*parts, safe(glyphs["rest"] * rest, style=QUIET), share])


def standing(run: RunModel, pace: Pace, now: datetime, key: str, glyphs: Glyphs) -> Content:
    """The state of a run, and what comes next or is asked of the operator."""
    state = run_look(run).content(glyphs)
    if run.over:
        return phrase("{} · verified: {}", state, verified(run))
    if run.stopping:
        return phrase("{} · {}", state, stopping(run, key))
    if run.state == "paused":
        return phrase("{} · {}", state, paused(run, now, key))
    if run.interrupted:
        return phrase("{} · nobody works on it: {} resumes it, nothing is lost or sent twice", state, key)
    if run.wanted is not None:
        return phrase("{} · asked to become {}, after what is being sent", state, run.wanted)
    waits = gates.sentence(run, now)
    if waits is not None:
        # What is sent comes in bursts now, and a rate or a time left would be of the burst.
        return phrase("{} · {}", state, waits)
    left = pace.left(run.counts.get("pending", 0))
    if left is None:
        return state
    return phrase("{} · {} · about {} left", state, pace.words(), span(left))


def stopping(run: RunModel, key: str) -> Content:
    """Who has stopped a run that is not over, what is left to be done with it, and what keeps that from happening."""
    left = run.counts.get("pending", 0)
    told = phrase("stopped by {}, nothing more is sent · {} to settle", safe(run.stopped_by or "", 40), left)
    if run.pause is not None:
        cause = run.pause.message or _CAUSES.get(run.pause.cause, run.pause.cause)
        return phrase("{} · not possible now: {} · {} tries again", told, safe(cause, 120), key)
    if run.interrupted:
        return phrase("{} · nobody works on it: {} settles it", told, key)
    return told


def paused(run: RunModel, now: datetime, key: str) -> Content:
    """Why a run is paused, until when, and what resumes it."""
    if run.pause is None:
        return phrase("{} resumes", key)
    cause = phrase("{}", _CAUSES.get(run.pause.cause, run.pause.cause))
    if run.pause.message:
        cause = phrase("{}: {}", cause, safe(run.pause.message, 120))
    if run.pause.until and not run.interrupted:
        return phrase("{} · goes on at {}", cause, until(run.pause.until, now))
    return phrase("{} · {} resumes", cause, key)


def verified(run: RunModel) -> Content:
    """How the verification stands, in words."""
    told = run.verified
    parts = [phrase("{} yes", told.yes)]
    parts += [phrase("{} undone since", told.undone)] if told.undone else []
    parts += [phrase("{} contradicted", told.contradicted).stylize("$text-error")] if told.contradicted else []
    parts += [phrase("{} not known", told.not_known).stylize("$text-warning")] if told.not_known else []
    parts += [phrase("{} to come", told.pending)] if told.pending else []
    return phrase(", ").join(parts)
