"""The runbook as our own conduct at a case API: check, send under a key, read before believing, never send too late.

What became of an order is judged by what is read of its case, with the same words as for the embedded cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotAllowed, OutcomeUnknown, RateLimited, Unavailable
from tui_app.domain.ports import Reply
from tui_app.domain.run import Answer, Errand, ItemState, Order, Verification, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.answers import retry_after
from tui_app.outbound.recognition import Unrecognised
from tui_app.systems.cases import rules, shapes
from tui_app.systems.cases.answers import Found, Proof, accepted, not_reinstated, taken_back
from tui_app.systems.cases.dialects import Operation
from tui_app.systems.cases.evidence import KEY_LIVES
from tui_app.systems.cases.inquiry import PERMISSION, Audit, Inquiry, Standing, Untold
from tui_app.systems.cases.line import LASTING, TRIES, CaseLine, times
from tui_app.systems.cases.replies import (
    cancelled,
    free,
    gone,
    judged,
    late,
    left_to_the_case,
    look,
    not_again,
    refused,
    undoable,
    unknown,
    verified,
    without_keys,
)
from tui_app.systems.cases.waits import PROCESSING, Taken, Waits
from tui_app.systems.cases.words import CANCELLED, CANCELLING

if TYPE_CHECKING:
    from tui_app.outbound.answers import Response

_MINUTES = round(PROCESSING.total_seconds() / 60)
_NOT_READ = "what is in the way could not be read"
_KEY_WORDS = ("KEY", "IDEMPOTEN", "REQUEST_IN_PROGRESS")


def _reached(status: str, verb: Verb) -> bool:
    """Whether a case of this status is where the verb brings it, or on its way there."""
    return (status in (CANCELLED, CANCELLING)) is (verb is Verb.CANCEL)


def _may_be_its_own(found: Found, event: str) -> bool:
    """Whether an entry of the audit, which has no keys, fits an order that was sent without an answer."""
    return any(one.event == event and one.proof in (Proof.ALONE, Proof.FITS) for one in found.events)


def _is_busy(response: Response) -> bool:
    """Whether a refusal says that the same request, under this key, is still being processed."""
    said = response.refusal
    busy = any(word in said.code.upper() for word in _KEY_WORDS) or "still being processed" in said.message.lower()
    return response.status == 409 and busy


@dataclass(slots=True)
class Conduct:
    """Sends and settles orders, one at a time each."""

    line: CaseLine
    inquiry: Inquiry
    _waits: Waits = field(default_factory=Waits)
    _tries: Counter[str] = field(default_factory=Counter)

    async def send(self, order: Order, errand: Errand) -> Reply:
        """Send an order that is still as it was seen; a reply that is no answer says that it did not reach the server.

        Raises:
            NotSignedIn: nothing was sent.
        """
        try:
            held_back = await self._held_back(order, errand)
            if held_back is not None:
                return held_back
            response = await self._post(order, errand)
        except OutcomeUnknown as error:
            return await self._after_silence(order, errand, error)
        except Untold as error:
            return refused(order, str(error.details["code"]), error.message)
        except Unavailable as reason:
            return reason
        except NotAllowed as error:
            return refused(order, VerdictCode.FORBIDDEN.value, error.message)
        try:
            return await self._judged(order, errand, response, again=False)
        except OutcomeUnknown as error:
            return await self._after_silence(order, errand, error)

    async def _held_back(self, order: Order, errand: Errand) -> Answer | None:
        """The answer for what cannot be sent as it was meant; none where nothing is in the way."""
        standing = await self.inquiry.standing(order.id)
        if standing is None:
            return judged(order, None, errand, settling=False)
        if standing.version == order.seen.version and free(standing, errand.verb):
            return None
        found, _ = await self.inquiry.found(order, errand, standing)
        return judged(order, found, errand, settling=False)

    async def _post(self, order: Order, errand: Errand) -> Response:
        self._tries[order.key] += 1
        if errand.verb is Verb.REINSTATE:
            body = {"reason": rules.ROLLBACK_CODE, "restore_previous_state": True, "notes": errand.reason}
            return await self._asked(order, Operation.REINSTATE, body)
        told = errand.options.notify_stakeholders
        wish = {"reason": rules.REASON_CODE, "notes": errand.reason, "notify_stakeholders": told}
        return await self._asked(order, Operation.CANCEL, wish)

    async def _asked(self, order: Order, op: Operation, body: Mapping[str, Any]) -> Response:
        return await self.line.post(
            op, order.id, key=order.key, json=body, fits=lambda one: shapes.is_change(one, order.id)
        )

    async def _judged(self, order: Order, errand: Errand, response: Response, *, again: bool) -> Answer:
        """What the API's answer means; a refusal is read up on before it is reported.

        ``again``: the order may have been sent before, so that behind a refusal may stand what that has done.

        Raises:
            OutcomeUnknown: that could not be read.
        """
        if response.ok:
            return self._taken_on(order, errand, shapes.receipt(response.json))
        said = response.refusal
        try:
            if response.status in (403, 404) and not said.no_route:
                return await self._denied(order, errand, response)
            found, _ = await self.inquiry.found(order, errand)
        except (Unavailable, NotAllowed) as error:
            if _is_busy(response):
                return self._asked_again(order, response)
            told = f"{said.message} ({_NOT_READ}: {error.message})"
            if again:
                raise OutcomeUnknown(f"case {order.id}: {told}") from error
            # The refusal is certain; only what lies behind it could not be read.
            return refused(order, said.code, self._unresolved(told, response))
        return self._explained(order, errand, found, response)

    def _explained(self, order: Order, errand: Errand, found: Found | None, response: Response) -> Answer:
        code, message = response.refusal.code, response.refusal.message
        if _is_busy(response) and (found is None or found.status != CANCELLED):
            return self._asked_again(order, response)
        if found is None:
            return judged(order, None, errand, settling=True)
        verdict = found.back if errand.verb is Verb.REINSTATE else found.cancel
        if verdict.cancellable and not any(one.key == order.key for one in found.requests):
            why = f"{_NOT_READ}: {verdict.reason}" if verdict.reason else "nothing in the way is to be read of the case"
            return refused(order, code, self._unresolved(f"{message} ({why})", response), found.status)
        return judged(order, found, errand, settling=True)

    def _unresolved(self, message: str, response: Response) -> str:
        """The words of a refusal, with the runbook's way on where what causes a 409 was not found."""
        if response.status != 409:
            return message
        return f"{message}. {self.line.escalation('read the case, to find what is in the way')}"

    def _asked_again(self, order: Order, response: Response) -> Answer:
        """The answer where the same request under the same key is on its way: it is asked for again, not for ever."""
        now = self.line.clock.now()
        asked = timedelta(seconds=retry_after(response.headers, now) or 0.0)
        if self._waits.still_busy(order, asked, now):
            return accepted(order)
        told = f"its key is still being processed after {_MINUTES} minutes"
        return unknown(order, f"{told}. {self.line.escalation(self._done(order), look(order))}")

    def _done(self, order: Order) -> str:
        under = " under one key" if self.line.dialect.knows_keys else ""
        return f"tried {times(self._tries[order.key])}{under}"

    async def _denied(self, order: Order, errand: Errand, response: Response) -> Answer:
        """The answer to a 403 or 404, which somebody in between can send in the API's own form after the effect.

        Raises:
            OutcomeUnknown: the case is where our request would have brought it, so that the refusal may not be the
                API's.
        """
        standing = await self.inquiry.standing(order.id)
        if (
            standing is not None
            and _reached(standing.status, errand.verb)
            and not _reached(order.seen.status, errand.verb)
        ):
            raise OutcomeUnknown(
                f"case {order.id}: the answer was {response.status} ({response.refusal.message}), and the case is "
                f"{standing.status} all the same"
            )
        if response.status == 404:
            return judged(order, None, errand, settling=True)
        told = await self._forbidden(standing, response.refusal.message)
        return refused(order, VerdictCode.FORBIDDEN.value, told)

    async def _forbidden(self, standing: Standing | None, message: str) -> str:
        held = await self.inquiry.permitted(anew=True)
        owner = None if standing is None else standing.told.assigned_to
        permission = {True: "is held", False: "is missing", None: "is not known"}[held]
        if owner is None:
            ownership = "who owns the case is not known"
        else:
            ownership = "the case is this user's" if owner == await self.line.user() else f"the case is {owner}'s"
        return f"{message} (the permission {PERMISSION} {permission}; {ownership})"

    def _taken_on(self, order: Order, errand: Errand, told: shapes.Receipt) -> Answer:
        if errand.verb is Verb.REINSTATE:
            return Answer(ItemState.REINSTATED, before=order.seen.status, after=told.status)
        until = told.deadline if self.line.dialect.has(Operation.REINSTATE) else None
        if told.status == CANCELLED:
            return cancelled(order, until)
        self._waits.take(order, until, self.line.clock.now())
        return accepted(order, ours=True)

    async def _after_silence(self, order: Order, errand: Errand, error: OutcomeUnknown) -> Answer | OutcomeUnknown:
        """Sent, and no answer: read, and send again under the same key, until it is known or nothing helps.

        A server that can be read and never answers this request is escalated. One that cannot be read either is asked
        again later: it may be back before the key ends.
        """
        begun, looks, mute = self.line.clock.now(), 0, False
        while looks < TRIES and self.line.clock.now() - begun < LASTING:
            looks += 1
            await self.line.pause(looks)
            reply = await self.settle(order, errand)
            if isinstance(reply, Answer) and not self._may_come(reply):
                return reply
            mute = isinstance(reply, OutcomeUnknown | Answer)
            if isinstance(reply, RateLimited):
                # The server is there again: what became of it is asked for when it may be.
                break
        done = f"{self._done(order)} and looked at {times(looks)}, with exponential backoff"
        if not mute:
            return OutcomeUnknown(f"case {order.id}: {error.message}. {self.line.escalation(done)}")
        return unknown(order, f"{error.message}. {self.line.escalation(done, look(order))}")

    def _may_come(self, reply: Answer) -> bool:
        """Whether the effect of a request may yet be seen: nothing is sent again where the API knows no keys."""
        return reply.state is ItemState.UNKNOWN and not self.line.dialect.knows_keys

    async def settle(self, order: Order, errand: Errand) -> Reply:
        """What became of an order that may have been sent: read first; sent again only while its key lives.

        Where that gets no answer either, it stays as it is, and is looked at again later. Where it may only be looked
        at, nobody can tell that a request is not still on its way: what is as it was is unknown then.

        Raises:
            NotSignedIn, NotAllowed: nothing could be read.
        """
        taken, now = self._waits.taken(order), self.line.clock.now()
        answered = order.accepted or (taken is not None and taken.answered)
        if self._waits.wait(order, now):
            return accepted(order, ours=answered or None)
        try:
            standing = await self.inquiry.standing(order.id)
            if standing is not None and standing.status == CANCELLING and taken is not None:
                return self._waited_for(order, taken, now)
            found, unread = await self.inquiry.found(order, errand, standing, answered=answered)
            answer = self._settled(order, errand, found, unread)
            if answer is not None:
                # What the case says now is later knowledge than what the cancellation was answered with.
                told = standing is not None and standing.told.deadline is not None
                return undoable(answer, None if taken is None or told else taken.undo_until)
            response = await self._post(order, errand)
            return await self._judged(order, errand, response, again=True)
        except OutcomeUnknown as error:
            return OutcomeUnknown(error.message, hint=self.line.escalation(self._done(order)))
        except Untold as error:
            return unknown(order, f"{error.message}: it may have been sent. {look(order)[0].upper()}{look(order)[1:]}")
        except Unavailable as reason:
            return reason

    def _settled(self, order: Order, errand: Errand, found: Found | None, unread: str) -> Answer | None:
        """The answer, as far as reading tells; none where the order has to be sent again."""
        taken, now = self._waits.taken(order), self.line.clock.now()
        if order.accepted and taken is None and errand.verb is Verb.CANCEL:
            taken = self._waits.found_taken(order, now, answered=True)
        answered = taken is not None and taken.answered
        if found is None:
            # What was taken on once is never refused any more, whatever became of the case.
            return unknown(order, gone(order)) if answered else judged(order, None, errand, settling=True)
        if errand.verb is Verb.REINSTATE:
            return self._back_or_not(order, errand, found, unread)
        told = next((one for one in found.requests if one.key == order.key), None)
        if found.status == CANCELLED and taken is not None and answered and (told is None or unread):
            return undoable(left_to_the_case(order, found), taken.undo_until)
        if told is not None or found.status == CANCELLED:
            answer = judged(order, found, errand, settling=True)
            if answer.state is ItemState.ACCEPTED:
                return self._waited_for(order, taken or self._waits.found_taken(order, now, answered=True), now)
            return answer
        if found.status == CANCELLING or answered:
            return self._waited_for(order, taken or self._waits.found_taken(order, now, answered=False), now)
        if not found.cancel.cancellable:
            return judged(order, found, errand, settling=True)
        if _may_be_its_own(found, rules.CANCEL_EVENT):
            return unknown(order, f"the case is {found.status}, and was cancelled and brought back since it was sent")
        return self._not_again(order, errand, found)

    def _back_or_not(self, order: Order, errand: Errand, found: Found, unread: str) -> Answer | None:
        if any(one.event == rules.REINSTATE_EVENT and one.key == order.key for one in found.events):
            return not_reinstated(order, found)
        if found.status != CANCELLED and unread:
            return unknown(order, f"the case is {found.status}, and whose doing that is cannot be read: {unread}")
        if found.status != CANCELLED and _may_be_its_own(found, rules.REINSTATE_EVENT):
            return unknown(order, f"the case is {found.status}, and whether this run brought it back is not known")
        if not found.back.cancellable:
            return judged(order, found, errand, settling=True)
        return self._not_again(order, errand, found)

    def _waited_for(self, order: Order, taken: Taken, now: datetime) -> Answer:
        if taken.ask_again(now):
            return accepted(order, ours=taken.answered or None)
        told = f"the server took it on, and it is not complete after {_MINUTES} minutes"
        done = "asked again and again whether it is complete"
        return unknown(order, f"{told}. {self.line.escalation(done, look(order))}")

    def _not_again(self, order: Order, errand: Errand, found: Found) -> Answer | None:
        """The answer for a case that is as it was, where it is not to be sent again; none where it is."""
        if errand.only_look:
            return unknown(order, not_again(found))
        if not self.line.dialect.knows_keys:
            return unknown(order, without_keys(found))
        alive = order.sent_at is None or self.line.clock.now() - moments.read(order.sent_at) < KEY_LIVES
        return None if alive else unknown(order, late(found))

    async def verify(self, order: Order, errand: Errand) -> Verification:
        """The checks afterwards: the status of the case, and the entry of its audit.

        Raises:
            Unavailable: its status could not be read; ``Unrecognised`` where what answered is not the API.
        """
        try:
            standing = await self.inquiry.standing(order.id)
        except (Untold, NotAllowed) as error:
            return Verification(Verified.NOT_KNOWN, error.message)
        try:
            found, unread = await self.inquiry.found(order, errand, standing)
        except Unrecognised as stranger:
            found, unread = await self.inquiry.found(order, errand, standing, audit=Audit((), stranger.message))
        told = self._held_against(order, found, unread, errand)
        if told.verified is not Verified.CONTRADICTED or found is None:
            return told
        # What cannot be read of the audit is left to the status.
        shown = replace(found, audited=False) if unread else found
        return taken_back(order, shown, errand.verb, await errand.intents(order.id)) or told

    def _held_against(self, order: Order, found: Found | None, unread: str, errand: Errand) -> Verification:
        if found is None or not unread or not found.audited:
            return verified(order, found, errand)
        right = (found.status == CANCELLED) is (errand.verb is Verb.CANCEL)
        if not right:
            return Verification(Verified.CONTRADICTED, f"its status is {found.status}")
        return Verification(Verified.NOT_KNOWN, f"its status is {found.status}; its audit could not be read: {unread}")
