"""How long a run of a plan takes, in words, and what closes meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.domain.moments import span

if TYPE_CHECKING:
    from tui_app.contract.plans import PlanModel


def outlives_undo(plan: PlanModel) -> bool:
    """Whether the first of its items cannot be undone any more before the last one is sent."""
    return plan.undo_seconds is not None and any(pace.seconds > plan.undo_seconds for pace in plan.paces)


def lasting(plan: PlanModel) -> str | None:
    """The time it takes at the rates of the profile, in a sentence; none where no rate is felt."""
    told = [f"{one.items:,} {one.system} at {one.rate} take about {span(one.seconds)}" for one in plan.paces]
    if outlives_undo(plan):
        told.append(f"the first undo windows ({span(plan.undo_seconds or 0)}) close before the run ends")
    return "; ".join(told) or None
