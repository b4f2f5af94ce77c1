"""What the audit of a case proves of an order: whether it is ours, what became of it, and how long it can be undone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.ports import TrailEntry
from tui_app.domain.run import Errand, Intent, Made, Order
from tui_app.domain.verdict import Verdict
from tui_app.systems.cases import rules, shapes
from tui_app.systems.cases.answers import COMPLETED, PROCESSING, WITHDRAWN, Event, Proof, Request
from tui_app.systems.cases.words import CANCELLED, CANCELLING

WINDOW = timedelta(hours=2)
"""How long a cancellation can be undone by the runbook, assumed where the server tells only when it was made."""

ASSUMED = f"the time to undo it is assumed: the server gave none, and the runbook has {rules.lasting(WINDOW)}"

SOON = timedelta(seconds=60)
"""How long a cancellation of somebody else is waited for; one that takes longer is an answer."""

SKEW = timedelta(minutes=2)
"""How far the server's clock may be off from ours where it does not tell its time."""

DRIFT = timedelta(seconds=10)
"""How far the times of its audit may be off from the time that it tells with its answers."""

KEY_LIVES = timedelta(hours=24)
"""How long a server knows a key: later the same request would be another one."""

LATEST = timedelta(minutes=20)
"""How long after an order was sent its effect may come: a request may take so long, and its cancellation with it."""


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


@dataclass(frozen=True, slots=True)
class Period:
    """The time in which an order can have had its effect, by the server's clock; no ``start``: it is not known.

    ``ahead`` is how far the server's clock is ahead of ours, and ``tolerance`` how far it may be off from that.
    """

    start: datetime | None
    end: datetime | None
    ahead: timedelta = timedelta(0)
    tolerance: timedelta = SKEW

    @classmethod
    def of(cls, first: str | None, last: str | None, ahead: timedelta | None) -> Period:
        """The period of an order that was first and last sent at these times of our clock.

        Without ``ahead`` the server has not told its time, and ``SKEW`` is taken for the tolerance.
        """
        shift, tolerance = (timedelta(0), SKEW) if ahead is None else (ahead, DRIFT)
        if first is None:
            return cls(None, None, shift, tolerance)
        start = moments.read(first) + shift - tolerance
        end = moments.read(last or first) + shift + LATEST + tolerance
        return cls(start, end, shift, tolerance)

    def holds(self, at: str) -> bool:
        """Whether a moment of the server's lies in the period."""
        moment = _read(at)
        return None not in (moment, self.start, self.end) and self.start <= moment <= self.end  # type: ignore[operator]

    def may_be_of(self, intent: Intent, at: str) -> bool:
        """Whether another intent was under way at a moment of the server's."""
        moment = _read(at)
        if moment is None:
            return True
        sent = moments.read(intent.sent_at)
        # What is not settled may have been sent once more, while its key lived.
        ended = sent + KEY_LIVES + LATEST if intent.settled_at is None else moments.read(intent.settled_at)
        return sent + self.ahead - self.tolerance <= moment <= ended + self.ahead + self.tolerance


def _read(at: str) -> datetime | None:
    stamp = shapes.moment_of(at)
    return None if stamp is None else moments.read(stamp)


def proof_of(entry: TrailEntry, errand: Errand, users: Collection[str], period: Period) -> Proof:
    """What an entry without a key says of an order, by its user, its reason and its time."""
    others = entry.actor is not None and entry.actor.casefold() not in {one.casefold() for one in users}
    if not period.holds(entry.at):
        return Proof.OTHER_TIME if others else Proof.ODD_TIME
    if others:
        return Proof.OTHER_USER
    if entry.actor is None:
        return Proof.POSSIBLE
    return Proof.FITS if _same_reason(entry.details, errand) else Proof.POSSIBLE


def _same_reason(details: Mapping[str, Any], errand: Errand) -> bool:
    """Whether an entry gives our words, or our code, as its reason; where it gives none, none speaks against it."""
    notes, reason = shapes.text_of(details.get("notes")), shapes.text_of(details.get("reason"))
    if notes:
        return notes == errand.reason[: shapes.LONGEST]
    code = rules.ROLLBACK_CODE if errand.verb is Verb.REINSTATE else rules.REASON_CODE
    return not reason or shapes.status_word(reason) == code or reason == errand.reason[: shapes.LONGEST]


def events_of(
    order: Order,
    errand: Errand,
    trail: Sequence[TrailEntry],
    users: Collection[str],
    period: Period,
    intents: Sequence[Intent],
) -> list[Event]:
    """Return what each entry of an audit says of an order.

    An entry without a key proves the effect where it is the one entry that fits, and no other of ``intents``, those of
    our journal for this case, was under way at its time. It never proves that it was the order's: another journal, or
    another program, may act as the same user.
    """
    found = []
    for entry in trail:
        key = shapes.key_in(entry.details)
        proof = Proof.OTHER_USER if key is not None else proof_of(entry, errand, users, period)
        found.append(Event(entry.event, key, entry.actor, proof))
    events = {rules.REINSTATE_EVENT} if errand.verb is Verb.REINSTATE else {rules.REQUESTED_EVENT, rules.CANCEL_EVENT}
    others = [one for one in intents if one.key != order.key and one.verb is errand.verb]
    for event in events:
        fitting = [place for place, one in enumerate(found) if one.event == event and one.proof is Proof.FITS]
        if len(fitting) == 1 and not any(period.may_be_of(one, trail[fitting[0]].at) for one in others):
            found[fitting[0]] = replace(found[fitting[0]], proof=Proof.ALONE)
    return found


def requests_of(
    order: Order,
    trail: Sequence[TrailEntry],
    events: Sequence[Event],
    status: str,
    now: str,
    due: Deadline | None,
    *,
    answered: bool,
) -> tuple[Request, ...]:
    """The cancellations that the audit tells of: that under our key, and one of somebody else that is decided soon.

    ``answered``: the server has said that it took this order on, so that the one entry that fits is of it.
    """
    mine = [
        replace(one, key=order.key) if answered and one.key is None and one.proof is Proof.ALONE else one
        for one in events
    ]
    ours = _of_our_key(order, trail, mine, status, due)
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
