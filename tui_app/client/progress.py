"""How far a plan is that is made, or read again, in words; and what keeps it waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.domain import moments

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel


def so_far(plan: PlanModel) -> str:
    """How much of it is read, of how many, where that is known."""
    read, of = (plan.read, plan.expected) if plan.drift is None else (plan.drift.read, plan.counts.items)
    return f"{read:,}{'' if of is None else f' of {of:,}'} read"


def held_up(plan: PlanModel) -> str | None:
    """What keeps it waiting, in local time, and how far it is; none where nothing does."""
    if plan.waiting is None:
        return None
    system, until = plan.waiting.system, plan.waiting.until
    if until is None:
        return f"{system}: no answer since {clock(plan.waiting.since)}, {so_far(plan)}"
    return f"waiting for the read limit of {system} until {clock(until)}, {so_far(plan)}"


def clock(moment: str) -> str:
    """A moment as the clock on the wall shows it here; the text itself where it is no moment."""
    known = moments.known(moment)
    return moment if known is None else f"{known.astimezone():%H:%M:%S}"
