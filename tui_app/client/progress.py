"""How far a plan is that is made, or read again, in words; and what keeps it waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.domain import moments

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel, WaitingModel


def so_far(plan: PlanModel) -> str:
    """How much of it is read, of how many, where that is known."""
    read, of = (plan.read, plan.expected) if plan.drift is None else (plan.drift.read, plan.counts.items)
    return f"{read:,}{'' if of is None else f' of {of:,}'} read"


def held_up(plan: PlanModel) -> str | None:
    """What keeps it waiting, in local time, and how far it is; none where nothing does."""
    if plan.waiting is None:
        return None
    return f"{waits_for(plan.waiting)}, {so_far(plan)}"


def waits_for(waiting: WaitingModel) -> str:
    """What a plan waits for, since when, and until when where that is known."""
    since = clock(waiting.since)
    if waiting.until is None:
        return f"{waiting.system}: no answer since {since}"
    return f"waiting for the read limit of {waiting.system} until {clock(waiting.until)}, since {since}"


def clock(moment: str) -> str:
    """A moment as the clock on the wall shows it here; the text itself where it is no moment."""
    known = moments.known(moment)
    return moment if known is None else f"{known.astimezone():%H:%M:%S}"
