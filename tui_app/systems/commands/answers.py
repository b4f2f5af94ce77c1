"""What a system's word on an order means: answers, recovery and verification of cancelled commands.

Pure, and the same for both adapters: a run that is resumed elsewhere must read the same facts the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tui_app.domain.run import Answer, ItemState, Order, SkipCode, Verification, Verified, stopped
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.commands.rules import NOT_FOUND, verdict
from tui_app.systems.commands.words import CANCELED, IN_TROUBLESHOOTING


@dataclass(frozen=True, slots=True)
class Cancel:
    """One ``OPERATOR_CANCEL`` event of a command, oldest first where there are several; no key: not ours."""

    key: str | None
    operator: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """How a command stands when it is read under the lock of our own statement, or afterwards."""

    status: str
    version: str
    reply_queue: str = ""
    reply_fault: str | None = None
    cancels: tuple[Cancel, ...] = ()


def cancelled(order: Order) -> Answer:
    """The answer for a command that our statement has changed."""
    return Answer(ItemState.CANCELLED, before=order.seen.status, after=CANCELED)


def passed_over(order: Order, found: Found | None) -> Answer:
    """The answer for a command that our guarded statement left alone; ``None``: there is no such command.

    Our own key in the audit means that an earlier sending of this very order took effect: it is ours,
    whatever the status is by now; verification says where a late worker has changed it.
    """
    if found is None:
        before = order.seen.status
        return Answer(ItemState.REFUSED, VerdictCode.NOT_FOUND.value, NOT_FOUND.reason, before=before)
    if any(cancel.key == order.key for cancel in found.cancels):
        return Answer(ItemState.CANCELLED, ours=True, before=order.seen.status, after=found.status)
    if found.status == CANCELED:
        by = found.cancels[-1].operator if found.cancels else None
        ours = False if found.cancels else None
        return Answer(ItemState.ALREADY_CANCELLED, ours=ours, by=by, before=CANCELED, after=CANCELED)
    if found.status == IN_TROUBLESHOOTING and found.version != order.seen.version:
        changed = "it changed since it was planned, and is in troubleshooting again"
        return Answer(ItemState.SKIPPED, SkipCode.DRIFTED.value, changed, before=found.status, after=found.status)
    now = verdict(found.status, found.reply_queue, found.reply_fault)
    code = VerdictCode.NOT_KNOWN if now.code is None else now.code
    reason = now.reason or "it was left alone, and nothing tells why"
    return Answer(ItemState.REFUSED, code.value, reason, before=found.status, after=found.status)


def looked_at(order: Order, found: Found | None) -> Answer:
    """The answer for a command of a stopped run, read under its lock: what was not done by then never will be."""
    answer = passed_over(order, found)
    waits = found is not None and found.status == IN_TROUBLESHOOTING
    if found is None or not waits or answer.state is ItemState.CANCELLED:
        return answer
    return stopped(found.status, "the run was stopped before this cancellation reached the bus")


def verification(order: Order, found: Found | None, *, again: bool = False) -> Verification:
    """Hold a recorded cancellation against the system's own status and audit.

    ``again``: it was meant to follow others, so those that stand before it contradict nothing.
    """
    if found is None:
        return Verification(Verified.CONTRADICTED, "the command is not there any more")
    ours = sum(cancel.key == order.key for cancel in found.cancels)
    keys = [cancel.key for cancel in found.cancels]
    later = found.cancels[keys.index(order.key) :] if again and ours else found.cancels
    others = len(later) - ours
    notes = []
    if found.status != CANCELED:
        notes.append(f"its status is {found.status}")
    if ours != 1:
        notes.append(f"its audit holds our cancellation {ours} times")
    if others:
        foreign = {one.operator or "nobody named" for one in later if one.key != order.key}
        names = ", ".join(sorted(foreign))
        notes.append(f"its audit holds {others} more cancellations, by {names}: two replies may be out")
    if notes:
        return Verification(Verified.CONTRADICTED, "; ".join(notes))
    return Verification(Verified.YES)


def verifications(orders: Sequence[Order], found: Mapping[str, Found], *, again: bool) -> list[Verification]:
    """One verification each, in the order of the orders; ``found`` is keyed by id."""
    return [verification(order, found.get(order.id), again=again) for order in orders]
