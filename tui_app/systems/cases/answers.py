"""What the case management's word on an order means: answers, recovery and verification, for both verbs.

Pure: a run that is resumed elsewhere must read the same facts the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tui_app.domain.describe import Verb
from tui_app.domain.run import Answer, Intent, ItemState, Order, SkipCode, Verification, Verified, stopped
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.domain.versions import changes
from tui_app.systems.cases.rules import CANCEL_EVENT, NOT_FOUND, REINSTATE_EVENT
from tui_app.systems.cases.words import CANCELLED, CANCELLING

PROCESSING = "processing"
COMPLETED = "completed"
WITHDRAWN = "withdrawn"
"""The states of a cancellation; the system withdraws one when something has come in the way."""


class Proof(StrEnum):
    """What an entry without a key says of one order."""

    FITS = "fits"
    """The event, our user, our reason and the time are those of the order."""

    ALONE = "alone"
    """It fits, no other entry does, and no other intent of this journal was under way at its time.

    That proves the effect. It does not prove whose it was: another journal may use the same user.
    """

    POSSIBLE = "possible"
    """It may be the order's: it names nobody, or another reason, in the time of the order."""

    OTHER_USER = "other user"
    """It names somebody else in the time of the order."""

    ODD_TIME = "odd time"
    """It names our user or nobody, and by the two clocks it was not made in the time of the order; one may be wrong."""

    OTHER_TIME = "other time"
    """It names somebody else, and was not made in the time of the order."""


@dataclass(frozen=True, slots=True)
class Event:
    """One ``CASE_CANCELLED`` or ``CASE_REINSTATED`` of the audit; ``proof`` is what it says where it has no key."""

    event: str
    key: str | None
    operator: str | None
    proof: Proof = Proof.OTHER_USER


@dataclass(frozen=True, slots=True)
class Request:
    """One cancellation that was accepted: whose, and what has become of it. ``soon``: it is decided in a moment."""

    key: str | None
    operator: str
    state: str
    soon: bool = True
    code: str | None = None
    message: str | None = None
    undo_until: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """How a case stands when it is read under the lock of our own write, or afterwards; events oldest first.

    ``cancel`` and ``back`` are its verdicts for cancelling and for reinstating. ``audited``: the system keeps an audit,
    whether it can be read at present or not.
    """

    status: str
    version: str
    cancel: Verdict
    back: Verdict
    requests: tuple[Request, ...] = ()
    events: tuple[Event, ...] = ()
    audited: bool = True


def accepted(order: Order, *, ours: bool | None = None) -> Answer:
    """The answer for a case that the system works on; ``ours``: it said so to our own request."""
    return Answer(ItemState.ACCEPTED, ours=ours, before=order.seen.status, after=CANCELLING)


def reinstated(order: Order, status: str) -> Answer:
    """The answer for a case that our write has brought back."""
    return Answer(ItemState.REINSTATED, before=order.seen.status, after=status)


def passed_over(order: Order, found: Found | None, *, settling: bool) -> Answer:
    """The answer for a case that our guarded write left alone; ``None``: there is no such case.

    Our own key means that an earlier sending of this very order was accepted, and what became of that is the answer.
    A cancellation of somebody else that is decided in a moment is waited for: it ends as "already cancelled", or it is
    withdrawn and ours is judged again. ``settling``: what was sent before cannot be skipped any more.
    """
    if found is None:
        return _refused(order, NOT_FOUND, order.seen.status)
    for request in found.requests:
        if request.key == order.key:
            return _ours(order, request, found)
    if found.status == CANCELLED:
        return _already(found, sent=settling)
    if any(request.state == PROCESSING and request.soon for request in found.requests):
        return Answer(ItemState.ACCEPTED, before=order.seen.status, after=found.status)
    return _held_back(order, found, found.cancel, settling=settling)


def not_reinstated(order: Order, found: Found | None) -> Answer:
    """The answer for a case that our guarded write did not bring back; ``None``: there is no such case."""
    if found is None:
        return _refused(order, NOT_FOUND, order.seen.status)
    if any(one.event == REINSTATE_EVENT and one.key == order.key for one in found.events):
        return Answer(ItemState.REINSTATED, ours=True, before=order.seen.status, after=found.status)
    return _held_back(order, found, found.back, settling=False)


def looked_at(order: Order, found: Found | None, verb: Verb) -> Answer:
    """The answer for a case of a stopped run, read under its lock: what was not taken up by then never will be."""
    reinstates = verb is Verb.REINSTATE
    answer = not_reinstated(order, found) if reinstates else passed_over(order, found, settling=True)
    if found is None or answer.code != SkipCode.DRIFTED:
        return answer
    return stopped(found.status, "the run was stopped before this reached the case management")


def _ours(order: Order, request: Request, found: Found) -> Answer:
    if request.state == PROCESSING:
        return accepted(order)
    before = order.seen.status
    if request.state == WITHDRAWN and request.code == VerdictCode.ALREADY_CANCELLED:
        return _already(found, sent=False)
    if request.state == WITHDRAWN:
        return Answer(ItemState.REFUSED, request.code, request.message, before=before, after=found.status)
    until, said = request.undo_until, request.message
    return Answer(ItemState.CANCELLED, None, said, ours=True, before=before, after=found.status, undo_until=until)


def _already(found: Found, *, sent: bool) -> Answer:
    """The answer for a case that is cancelled; where the order may have been ``sent``, an odd time excludes nothing."""
    cancels = [one for one in found.events if one.event == CANCEL_EVENT]
    by = cancels[-1].operator if cancels else None
    open_ = {Proof.ALONE, Proof.FITS, Proof.POSSIBLE} | ({Proof.ODD_TIME} if sent else set())
    ours = False if cancels and cancels[-1].proof not in open_ else None
    return Answer(ItemState.ALREADY_CANCELLED, ours=ours, by=by, before=CANCELLED, after=CANCELLED)


def _held_back(order: Order, found: Found, now: Verdict, *, settling: bool) -> Answer:
    if not now.cancellable:
        return _refused(order, now, found.status)
    told = changes(order.seen.version, found.version)
    changed = f"it changed since it was planned{told and f' ({told})'}, and nothing else is in the way"
    state = ItemState.REFUSED if settling else ItemState.SKIPPED
    return Answer(state, SkipCode.DRIFTED.value, changed, before=found.status, after=found.status)


def _refused(order: Order, verdict: Verdict, status: str) -> Answer:
    code = VerdictCode.NOT_KNOWN if verdict.code is None else verdict.code
    return Answer(ItemState.REFUSED, code.value, verdict.reason, before=order.seen.status, after=status or None)


def verification(order: Order, found: Found | None, verb: Verb) -> Verification:
    """Hold what was recorded against the system's own status and audit.

    A case may be cancelled, reinstated and cancelled again: what counts is the stretch that our entry stands in.
    """
    if found is None:
        return Verification(Verified.CONTRADICTED, "the case is not there any more")
    event = REINSTATE_EVENT if verb is Verb.REINSTATE else CANCEL_EVENT
    notes = []
    if (found.status == CANCELLED) is (verb is Verb.REINSTATE):
        notes.append(f"its status is {found.status}")
    ours = [place for place, one in enumerate(found.events) if one.event == event and one.key == order.key]
    if len(ours) != 1:
        notes.append(f"its audit holds our entry {len(ours)} times")
    notes += _beside(found.events, ours[0] if ours else None, event)
    if notes:
        return Verification(Verified.CONTRADICTED, "; ".join(notes))
    return Verification(Verified.YES)


def taken_back(order: Order, found: Found | None, verb: Verb, intents: Sequence[Intent]) -> Verification | None:
    """That a run of this journal took back what the order did; none where that is not so, or is not proven.

    ``intents`` are those of the journal for this case. One that is recorded as done the other way, later, explains it,
    where the audit ends our stretch with its key; where entries have no keys, with the one entry of the same user.
    """
    later = {one.key: one for one in intents if one.done and one.verb is not verb}
    later = {key: one for key, one in later.items() if order.sent_at is None or one.sent_at > order.sent_at}
    if found is None or not later:
        return None
    run = _taken_back_by(order, found, verb, later)
    if run is None:
        return None
    told = f"undone by run {run}" if verb is Verb.CANCEL else f"cancelled again by run {run}"
    return Verification(Verified.UNDONE, told)


def _taken_back_by(order: Order, found: Found, verb: Verb, later: Mapping[str, Intent]) -> str | None:
    event, opposite = (CANCEL_EVENT, REINSTATE_EVENT) if verb is Verb.CANCEL else (REINSTATE_EVENT, CANCEL_EVENT)
    only = next(iter(later.values())).run_id if len(later) == 1 else None
    back = (found.status == CANCELLED) is (verb is Verb.REINSTATE)
    if not found.audited:
        return only if back else None
    made = [one for one in found.events if one.event in (event, opposite)]
    ours = [place for place, one in enumerate(made) if one.event == event and one.key == order.key]
    if any(one.key is not None for one in made):
        if len(ours) != 1 or any("more of the same" in note for note in _beside(made, ours[0], event)):
            return None
        ended = next((one for one in made[ours[0] + 1 :] if one.event == opposite), None)
        told = None if ended is None or ended.key is None else later.get(ended.key)
        return None if told is None else told.run_id
    if [one.event for one in made[-2:]] != [event, opposite] or not back:
        return None
    return only if made[-1].operator == made[-2].operator else None


def _beside(events: Sequence[Event], ours: int | None, event: str) -> list[str]:
    """What the audit says after the last entry of the other kind, beside ours."""
    if ours is None:
        return []
    notes = []
    opposite = CANCEL_EVENT if event == REINSTATE_EVENT else REINSTATE_EVENT
    later = [one for one in events[ours + 1 :] if one.event == opposite]
    if later:
        done = "cancelled" if opposite == CANCEL_EVENT else "reinstated"
        notes.append(f"it was {done} again since, by {_names(later)}")
    start = max((place for place, one in enumerate(events[:ours]) if one.event == opposite), default=-1) + 1
    end = next((place for place, one in enumerate(events) if place > ours and one.event == opposite), len(events))
    others = [one for place, one in enumerate(events[start:end], start) if place != ours]
    if others:
        notes.append(f"its audit holds {len(others)} more of the same, by {_names(others)}")
    return notes


def _names(events: Sequence[Event]) -> str:
    return ", ".join(sorted({one.operator or "nobody named" for one in events}))


def verifications(orders: Sequence[Order], found: Mapping[str, Found], verb: Verb) -> list[Verification]:
    """One verification each, in the order of the orders; ``found`` is keyed by id."""
    return [verification(order, found.get(order.id), verb) for order in orders]
