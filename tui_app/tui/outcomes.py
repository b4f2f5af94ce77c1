"""How outcomes, verifications and runs are said: a sign, a word and a colour, and what to do about them.

Unknown is amber and neither red nor green: it is not a failure, and it is not a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

from textual.content import Content

from tui_app.domain.advice import WHAT_TO_DO
from tui_app.domain.moments import read, span
from tui_app.glyphs import Glyphs
from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel
    from tui_app.contract.runs import RunItemModel, RunModel

GOOD: LiteralString = "$text-success"
BAD: LiteralString = "$text-error"
AMBER: LiteralString = "$text-warning"
QUIET: LiteralString = "dim"
BUSY: LiteralString = "$text-primary"


@dataclass(frozen=True, slots=True)
class Look:
    """A state on screen; ``glyph`` is a name of ``Glyphs``."""

    glyph: str
    word: LiteralString
    style: LiteralString

    def content(self, glyphs: Glyphs) -> Content:
        """Sign and word, in colour."""
        return safe(f"{glyphs[self.glyph]} {self.word}", style=self.style)


ITEMS: Mapping[str, Look] = {
    "planned": Look("dot", "waiting", QUIET),
    "sending": Look("busy", "sending", BUSY),
    "accepted": Look("busy", "in progress", BUSY),
    "cancelled": Look("yes", "cancelled", GOOD),
    "reinstated": Look("yes", "reinstated", GOOD),
    "already_cancelled": Look("yes", "already cancelled", QUIET),
    "refused": Look("no", "refused", BAD),
    "skipped": Look("dash", "skipped", QUIET),
    "unknown": Look("unknown", "unknown", AMBER),
}

RUNS: Mapping[str, Look] = {
    "queued": Look("idle", "queued", BUSY),
    "running": Look("busy", "running", BUSY),
    "paused": Look("warning", "paused", AMBER),
    "finished": Look("yes", "finished", GOOD),
    "stopped": Look("dash", "stopped", QUIET),
    "stopping": Look("warning", "stopping", AMBER),
    "interrupted": Look("warning", "interrupted", AMBER),
}

PLANS: Mapping[str, Look] = {
    "building": Look("busy", "being planned", BUSY),
    "ready": Look("idle", "not applied", QUIET),
    "failed": Look("no", "no plan", BAD),
    "interrupted": Look("warning", "interrupted", AMBER),
}

VERIFIED: Mapping[str, Look] = {
    "yes": Look("yes", "verified", GOOD),
    "undone": Look("yes", "undone since", QUIET),
    "contradicted": Look("no", "contradicted", BAD),
    "not_known": Look("unknown", "not known", AMBER),
}

_STRANGE = Look("unknown", "of a newer service", AMBER)


def item_look(state: str) -> Look:
    """How an item's state is shown; a word of a newer service is shown as one."""
    return ITEMS.get(state, _STRANGE)


def run_look(run: RunModel) -> Look:
    """How a run's state is shown; one that ended with something unknown or contradicted is not simply done."""
    if run.state == "finished" and (run.counts.get("unknown") or run.verified.contradicted):
        return Look("unknown", "needs a look", AMBER)
    return RUNS.get(run.standing, _STRANGE)


def plan_look(plan: PlanModel) -> Look:
    """How a plan that no run came of is shown."""
    return PLANS.get("interrupted" if plan.interrupted else plan.state, _STRANGE)


def worked(run: RunModel) -> tuple[int, int]:
    """How many items were worked on, and how many there are to be: what is skipped is sent nothing, and is no work."""
    skipped = run.counts.get("skipped", 0)
    return run.items - run.counts.get("pending", 0) - skipped, run.items - skipped


def tally(run: RunModel, *, brief: bool = False) -> Content:
    """The six numbers in words; those of no interest are left out when they are 0."""
    parts = []
    for name, number in run.counts.items():
        if (name == "already_cancelled" or brief) and not number:
            continue
        if name == "pending":
            parts.append(_left(run, number))
        else:
            look = item_look(name)
            style = look.style if number else QUIET
            parts.append(phrase("{} {}", number, safe(name.replace("_", " "))).stylize(style))
    return phrase(" · ").join(parts)


def _left(run: RunModel, number: int) -> Content:
    told = run.waiting if run.halted else {}
    if not told or list(told) == ["unsent"]:
        return phrase("{} left", number)
    parts = [phrase("{} {}", count, safe(words)) for words, count in told.items()]
    return phrase("{} left ({})", number, phrase(" · ").join(parts))


def advice(item: RunItemModel) -> Content | None:
    """What to do about an item, where there is something to do or to know."""
    if item.verified in ("contradicted", "not_known", "undone"):
        return phrase(WHAT_TO_DO[item.verified])
    told = WHAT_TO_DO.get(item.state)
    return None if told is None else phrase(told)


def clock(text: str | None) -> str:
    """The local time of day of a moment; empty for none, and the text itself where it is no moment."""
    return "" if text is None else _local(text, "%H:%M:%S")


def day_and_time(text: str | None) -> str:
    """The local date and time of a moment, to the second."""
    return "" if text is None else _local(text, "%Y-%m-%d %H:%M:%S")


def _local(text: str, pattern: str) -> str:
    try:
        return read(text).astimezone().strftime(pattern)
    except ValueError:
        return text


def until(text: str, now: datetime) -> str:
    """A moment to come, and how long that is from now."""
    try:
        left = (read(text) - now).total_seconds()
    except ValueError:
        return text
    return f"{clock(text)}, in {span(left)}" if left > 0 else clock(text)
