"""What a plan would do, in words: what happens, what does not, what to take care of, and what cannot be undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.client.lasting import lasting, outlives_undo
from tui_app.glyphs import Glyphs
from tui_app.tui.outcomes import AMBER
from tui_app.tui.text import lines, phrase, safe
from tui_app.tui.verbs import words

if TYPE_CHECKING:
    from tui_app.contract.models import ImpactLine
    from tui_app.contract.plans import PlanModel

NOTICE = 300
"""Characters that are shown of what notified people read."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the fields of a review and is part of what would happen."""

    reason: str = ""
    notify: bool = True


def tells(plan: PlanModel) -> bool:
    """Whether anybody is notified at all, so that it can be chosen not to."""
    return bool(plan.notices) or any(line.notifies for line in plan.impact)


def impact(plan: PlanModel, notify: bool, glyphs: Glyphs) -> Content:
    """The aggregated impact, what matters most first. What was chosen not to happen is said not to."""
    told = plan.summary or plan.impact
    lasting = [line for line in told if line.irreversible]
    warnings = [line for line in told if line.warning and not line.irreversible]
    plain = [line for line in told if not line.irreversible and not line.warning]
    parts = [
        *([phrase("This cannot be undone.").stylize(AMBER)] if plan.irreversible and not lasting else []),
        *_part(phrase("Cannot be undone").stylize(f"bold {AMBER}"), lasting, notify, glyphs),
        *_part(phrase("Take care").stylize(f"bold {AMBER}"), warnings, notify, glyphs),
        *_time(plan),
        *_part(phrase("What happens").stylize("bold"), plain, notify, glyphs),
    ]
    if not told:
        nothing = phrase("Nothing will be {}.", words(plan.verb).done)
        parts.append(phrase("No effects are known.") if plan.counts.cancellable else nothing)
    return lines(*parts)


def _time(plan: PlanModel) -> Iterator[Content]:
    takes = lasting(plan)
    if takes is not None:
        yield safe(takes, style=AMBER if outlives_undo(plan) else "")


def _part(title: Content, effects: list[ImpactLine], notify: bool, glyphs: Glyphs) -> Iterator[Content]:
    if effects:
        yield title
    for effect in effects:
        if effect.notifies and not notify:
            text = safe(effect.text).stylize("strike")
            yield phrase("  {} does not happen: {}", glyphs["no"], text).stylize("dim")
        else:
            yield phrase("  {}", safe(effect.text))


def read_by(plan: PlanModel, goes_to: list[str], entered: Entered, titles: dict[str, str]) -> Content:
    """The very text that notified people read, with the reason as it stands, and where else the reason goes."""
    parts: list[Content] = []
    reason = entered.reason.strip() or "..."
    if plan.notices and not entered.notify:
        parts.append(phrase("nobody is notified"))
    elif plan.notices:
        for system, text in plan.notices.items():
            who = "" if len(plan.notices) == 1 else f"of {titles.get(system, system)} "
            first, *rest = text.replace("{reason}", reason).splitlines() or [""]
            parts.append(phrase("{}they read: {}", safe(who, NOTICE), safe(first, NOTICE)))
            parts += [phrase("  {}", safe(line, NOTICE)) for line in rest]
    parts += [phrase("it goes to {}", safe(", ".join(goes_to), NOTICE))] if goes_to else []
    return lines(*parts)
