"""The answers to orders at a case API, from what was read of their cases; in the words of the embedded ones. Pure."""

from __future__ import annotations

from dataclasses import replace

from tui_app.domain.describe import Verb
from tui_app.domain.errors import OutcomeUnknown
from tui_app.domain.run import Answer, Errand, ItemState, Order, Verification, Verified
from tui_app.systems.cases import rules
from tui_app.systems.cases.answers import Found, not_reinstated, passed_over, verification
from tui_app.systems.cases.inquiry import Standing
from tui_app.systems.cases.words import CANCELLED


def verified(order: Order, found: Found | None, errand: Errand) -> Verification:
    """Our entry in the audit and the status, as for embedded cases; an audit without keys and words tells nothing.

    Where a server keeps no audit, its status is all that it will ever say.
    """
    judged = verification(order, found, errand.verb)
    if found is None or judged.verified is Verified.YES:
        return judged
    right = (found.status == CANCELLED) is (errand.verb is Verb.CANCEL)
    if right and not found.audited:
        return Verification(Verified.YES, "by its status; this server keeps no audit")
    event = rules.REINSTATE_EVENT if errand.verb is Verb.REINSTATE else rules.CANCEL_EVENT
    made = [one for one in found.events if one.event == event]
    if right and made and all(one.key is None for one in made):
        return Verification(Verified.NOT_KNOWN, f"its status is {found.status}; its audit names neither key nor words")
    return judged


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


def late(found: Found) -> str:
    """Why a case that may have been sent long ago is not sent again."""
    return (
        f"it was sent more than 24 hours ago, and the case is {found.status}: its key "
        "has expired, and it is not sent again. Read the case, and make a new plan if it is still meant."
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
