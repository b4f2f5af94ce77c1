"""What the audit of a case proves of an order: whether it is ours, what became of it, and how long it can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from tui_app.domain import moments
from tui_app.domain.ports import TrailEntry
from tui_app.domain.run import Errand, Made, Order
from tui_app.domain.verdict import Verdict
from tui_app.systems.cases import rules, shapes
from tui_app.systems.cases.answers import COMPLETED, PROCESSING, WITHDRAWN, Event, Request
from tui_app.systems.cases.words import CANCELLED, CANCELLING

WINDOW = timedelta(hours=2)
"""How long a cancellation can be undone by the runbook, assumed where the server tells only when it was made."""

ASSUMED = f"the time to undo it is assumed: the server gave none, and the runbook has {rules.lasting(WINDOW)}"

SOON = timedelta(seconds=60)
"""How long a cancellation of somebody else is waited for; one that takes longer is an answer."""

SKEW = timedelta(minutes=2)
"""How far the server's clock may be behind ours when an entry of its audit is taken for ours by its words."""


def cancels(trail: Sequence[TrailEntry]) -> list[TrailEntry]:
    """The entries of cancellations that were made."""
    return [one for one in trail if one.event == rules.CANCEL_EVENT]


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when a cancellation can be undone; ``assumed`` where no word of the server's says so."""

    until: str
    assumed: bool = False


def deadline_in(trail: Sequence[TrailEntry]) -> Deadline | None:
    """The deadline of the last cancellation: as its entry says, else the runbook's window from its time on, assumed."""
    made = cancels(trail)
    if not made:
        return None
    told = shapes.moment_of(made[-1].details.get("rollback_deadline"))
    if told is not None:
        return Deadline(told)
    at = shapes.moment_of(made[-1].at)
    return None if at is None else Deadline(moments.stamp(moments.read(at) + WINDOW), assumed=True)


def deadline_of(told: str | None, trail: Sequence[TrailEntry]) -> Deadline | None:
    """The deadline that the case itself tells, else that of its audit; none where nothing tells of one."""
    return deadline_in(trail) if told is None else Deadline(told)


def recalled(told: str | None, trail: Sequence[TrailEntry], made: Made | None) -> Deadline | None:
    """The deadline of a case that a run of ours cancelled: what the server says now, else what it answered then.

    What is only assumed comes last. The record is of another cancellation where the case was brought back since.
    """
    now = deadline_of(told, trail)
    if made is None or (now is not None and not now.assumed) or not _still(trail, made):
        return now
    # A cancellation is recorded with words of ours only where its time was assumed.
    then = Deadline(made.undo_until, assumed=made.said is not None)
    return then if now is None or not then.assumed else now


def _still(trail: Sequence[TrailEntry], made: Made) -> bool:
    """Whether the last cancellation may be the one that was recorded: by its entry's key, else by what came since."""
    entries = cancels(trail)
    key = shapes.key_in(entries[-1].details) if entries else None
    if key is not None:
        return key == made.key
    if made.sent_at is None:
        return True
    since = moments.stamp(moments.read(made.sent_at) - SKEW)
    return not any(one.event == rules.REINSTATE_EVENT and (shapes.moment_of(one.at) or "") >= since for one in trail)


def back(status: str, due: Deadline | None, now: str) -> Verdict:
    """May a case be brought back, as far as was read of it."""
    if due is None:
        return rules.reinstating(status, None, now)
    return rules.reinstating(status, due.until, now, assumed=due.assumed)


def is_ours(entry: TrailEntry, order: Order, errand: Errand, users: set[str]) -> bool:
    """Whether an entry of the audit is about this order: by its key, else by our words, our name and its time."""
    key = shapes.key_in(entry.details)
    if key is not None:
        return key == order.key
    if entry.details.get("notes") != errand.reason or entry.actor not in users:
        return False
    if order.sent_at is None:
        return True
    at = shapes.moment_of(entry.at)
    return at is not None and moments.read(at) >= moments.read(order.sent_at) - SKEW


def requests_of(
    order: Order, trail: Sequence[TrailEntry], events: Sequence[Event], status: str, now: str, due: Deadline | None
) -> tuple[Request, ...]:
    """The cancellations that the audit tells of: that under our key, and one of somebody else that is decided soon."""
    ours = _of_our_key(order, trail, events, status, due)
    if ours is not None:
        return (ours,)
    # The audit is read after the status: it may tell of the end already.
    if status != CANCELLING or not events or events[-1].event not in (rules.REQUESTED_EVENT, rules.CANCEL_EVENT):
        return ()
    at = shapes.moment_of(trail[-1].at)
    soon = at is not None and moments.read(now) - moments.read(at) < SOON
    return (Request(events[-1].key, events[-1].operator or "", PROCESSING, soon),)


def _of_our_key(
    order: Order, trail: Sequence[TrailEntry], events: Sequence[Event], status: str, due: Deadline | None
) -> Request | None:
    """What became of the cancellation under our key. An entry alone does not say that it is complete: the status does.

    Where the case was brought back since, the entry is all there is.
    """
    places = {one.event: place for place, one in enumerate(events) if one.key == order.key}
    user = next((one.operator or "" for one in events if one.key == order.key), "")
    if rules.CANCEL_EVENT in places:
        since = events[places[rules.CANCEL_EVENT] :]
        if status != CANCELLED and not any(one.event == rules.REINSTATE_EVENT for one in since):
            return Request(order.key, user, PROCESSING)
        until, said = (None, None) if due is None else (due.until, ASSUMED if due.assumed else None)
        return Request(order.key, user, COMPLETED, message=said, undo_until=until)
    if rules.WITHDRAWN_EVENT in places:
        details = trail[places[rules.WITHDRAWN_EVENT]].details
        code = shapes.text_of(details.get("code")) or "WITHDRAWN"
        said = shapes.text_of(details.get("message")) or "the server took the cancellation back"
        return Request(order.key, user, WITHDRAWN, code=code, message=said)
    return Request(order.key, user, PROCESSING) if rules.REQUESTED_EVENT in places else None
