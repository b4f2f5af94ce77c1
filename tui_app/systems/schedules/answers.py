"""What a system's word on an order means: answers, recovery and verification of cancelled schedules.

Pure, and the same for every adapter: a run that is resumed elsewhere must read the same facts the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui_app.domain.run import Answer, ItemState, Order, SkipCode, Verification, Verified, stopped
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.schedules.rules import NOT_FOUND, verdict
from tui_app.systems.schedules.words import CANCELLED, OPEN, PUBLISHING, SUCCESS


@dataclass(frozen=True, slots=True)
class Cancel:
    """One ``SCHEDULE_CANCELLED`` event of a schedule, oldest first where there are several; no key: not ours."""

    key: str | None
    principal: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """How a schedule stands when it is read in the transaction of our own statement, or afterwards."""

    status: str
    stuck: bool = False
    cancels: tuple[Cancel, ...] = ()


_LOST = {
    PUBLISHING: "the race is lost: a publisher took it in hand first (publishing)",
    SUCCESS: "the race is lost: it was published first (success)",
}


def cancelled(order: Order, before: str) -> Answer:
    """The answer for a schedule that our statement has changed; ``before`` is the status it had."""
    return Answer(ItemState.CANCELLED, before=before, after=CANCELLED)


def passed_over(order: Order, found: Found | None) -> Answer:
    """The answer for a schedule that our guarded statement left alone; ``None``: there is no such schedule.

    Our own key in the audit means that an earlier sending of this very order took effect.
    """
    before = order.seen.status
    if found is None:
        return Answer(ItemState.REFUSED, VerdictCode.NOT_FOUND.value, NOT_FOUND.reason, before=before)
    if any(cancel.key == order.key for cancel in found.cancels):
        return Answer(ItemState.CANCELLED, ours=True, before=before, after=found.status)
    if found.status == CANCELLED:
        by = found.cancels[-1].principal if found.cancels else None
        ours = False if found.cancels else None
        return Answer(ItemState.ALREADY_CANCELLED, ours=ours, by=by, before=CANCELLED, after=CANCELLED)
    if found.status in OPEN:
        changed = "it changed since it was planned, and is still to go out"
        return Answer(ItemState.SKIPPED, SkipCode.DRIFTED.value, changed, before=found.status, after=found.status)
    now = verdict(found.status, found.stuck)
    lost = _LOST.get(found.status) if before in OPEN and not found.stuck else None
    code = VerdictCode.NOT_KNOWN if now.code is None else now.code
    return Answer(ItemState.REFUSED, code.value, lost or now.reason, before=found.status, after=found.status)


def looked_at(order: Order, found: Found | None) -> Answer:
    """The answer for a schedule of a stopped run, read under its lock: what was not done by then never will be."""
    answer = passed_over(order, found)
    if found is None or found.status not in OPEN or answer.state is ItemState.CANCELLED:
        return answer
    return stopped(found.status, "the run was stopped before this cancellation reached the scheduler")


def verification(order: Order, found: Found | None) -> Verification:
    """Hold a recorded cancellation against the system's own status and audit."""
    if found is None:
        return Verification(Verified.CONTRADICTED, "the schedule is not there any more")
    ours = sum(cancel.key == order.key for cancel in found.cancels)
    notes = []
    if found.status != CANCELLED:
        notes.append(f"its status is {found.status}")
    if ours != 1:
        notes.append(f"its audit holds our cancellation {ours} times")
    foreign = sorted({one.principal or "nobody named" for one in found.cancels if one.key != order.key})
    if foreign:
        number = len(found.cancels) - ours
        notes.append(f"its audit holds {number} more cancellations, by {', '.join(foreign)}")
    if notes:
        return Verification(Verified.CONTRADICTED, "; ".join(notes))
    return Verification(Verified.YES)
