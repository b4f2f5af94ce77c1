"""The answers to orders at a case API, from what was read of their cases; in the words of the embedded ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tui_app.domain.describe import Verb
from tui_app.domain.errors import OutcomeUnknown
from tui_app.domain.run import Answer, Errand, ItemState, Order, Verification, Verified
from tui_app.systems.cases import rules
from tui_app.systems.cases.answers import Event, Found, Proof, not_reinstated, passed_over, verification
from tui_app.systems.cases.inquiry import Standing
from tui_app.systems.cases.words import CANCELLED


def verified(order: Order, found: Found | None, errand: Errand) -> Verification:
    """Hold an order against the status of its case and its audit, and say only what these can prove.

    Contradicted is what says otherwise. An audit without keys proves the effect by status, user, reason and time; one
    that is silent about it proves nothing. A server that keeps no audit has only its status.
    """
    judged = verification(order, found, errand.verb)
    right = found is not None and (found.status == CANCELLED) is (errand.verb is Verb.CANCEL)
    if found is None or judged.verified is Verified.YES or not right:
        return judged
    if not found.audited:
        return Verification(Verified.YES, "by its status; this server keeps no audit")
    made = _of_this_stretch(found.events, errand.verb)
    if any(one.key is not None for one in made):
        return judged
    fitting = [one for one in made if one.proof in (Proof.ALONE, Proof.FITS)]
    others = sorted({one.operator or "" for one in made if one.proof is Proof.OTHER_USER})
    if others:
        return Verification(Verified.CONTRADICTED, f"its audit says that this was done by {', '.join(others)}")
    if len(fitting) > 1:
        return Verification(Verified.CONTRADICTED, f"its audit holds this {len(fitting)} times")
    if fitting and fitting[0].proof is Proof.ALONE:
        return Verification(Verified.YES)
    if fitting:
        told = "by the status, user, reason and time in its audit; other requests of this user fit as well"
        return Verification(Verified.YES, told)
    return Verification(Verified.NOT_KNOWN, f"its status is {found.status}; its audit does not show who did this")


def _of_this_stretch(events: Sequence[Event], verb: Verb) -> list[Event]:
    """The entries of a verb since the case was last changed the other way."""
    event = rules.REINSTATE_EVENT if verb is Verb.REINSTATE else rules.CANCEL_EVENT
    start = max((place for place, one in enumerate(events) if one.event != event), default=-1) + 1
    return list(events[start:])


def free(standing: Standing, verb: Verb) -> bool:
    """Whether a case may be sent as it was read."""
    if verb is Verb.REINSTATE:
        return standing.status == CANCELLED
    return standing.verdict().cancellable


def judged(order: Order, found: Found | None, errand: Errand, *, settling: bool) -> Answer:
    """The answer for a case that was left alone, or that was read after it was sent."""
    if errand.verb is Verb.REINSTATE:
        return not_reinstated(order, found)
    return passed_over(order, found, settling=settling)


def cancelled(order: Order, undo_until: str | None, said: str | None = None) -> Answer:
    """The answer for a case that we have cancelled; ``said`` is what has to be known of its deadline."""
    before = order.seen.status
    return Answer(ItemState.CANCELLED, None, said, ours=True, before=before, after=CANCELLED, undo_until=undo_until)


def undoable(answer: Answer, until: str | None) -> Answer:
    """The answer with the deadline that the server gave when it took the order on, where there was one."""
    if answer.state is not ItemState.CANCELLED or until is None:
        return answer
    return replace(answer, undo_until=until, message=None)


def refused(order: Order, code: str, message: str, after: str | None = None) -> Answer:
    """The answer for what the server refused, in its words."""
    return Answer(ItemState.REFUSED, code, message, before=order.seen.status, after=after)


def unknown(order: Order, message: str) -> Answer:
    """The answer for what cannot be known."""
    return Answer(ItemState.UNKNOWN, OutcomeUnknown.code, message, before=order.seen.status)


def look(order: Order) -> str:
    """What to do about a case whose outcome stays unknown: its run does not ask again, and its own status guards it."""
    return f"look at it (`quash show cases {order.id}`), and plan it anew if it is still meant."


def gone(order: Order) -> str:
    """Why a case that the server took on, and does not know any more, is not known."""
    return f"the server took it on, and says now that there is no such case. {look(order)[0].upper()}{look(order)[1:]}"


def late(found: Found) -> str:
    """Why a case that may have been sent long ago is not sent again."""
    return (
        f"it was sent more than 24 hours ago, and the case is {found.status}: its key "
        "has expired, and it is not sent again. Read the case, and make a new plan if it is still meant."
    )


def without_keys(found: Found) -> str:
    """Why a case that may have been sent is not sent again to an API that knows no idempotency keys."""
    return (
        f"it may have been sent, and the case is {found.status}: this API knows no idempotency keys, so that it is not "
        "sent again. Read the case, and make a new plan if it is still meant."
    )


def left_to_the_case(order: Order, found: Found) -> Answer:
    """The answer for a case that we have cancelled, with the deadline that its requests tell, and how it is known."""
    told = next((one for one in found.requests if one.undo_until), None)
    return cancelled(order, None) if told is None else cancelled(order, told.undo_until, told.message)


def not_again(found: Found) -> str:
    """Why a case of a stopped run that may have been sent is left as it is."""
    return (
        f"it may have been sent before the run was stopped, and the case is {found.status}: it is not sent again. "
        "Read the case, and make a new plan if it is still meant."
    )
