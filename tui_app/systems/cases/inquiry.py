"""What is read of a case at a server: itself, what holds it, its impact, its audit; and whether we may cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotAllowed, Unavailable
from tui_app.domain.items import Scalar, Seen
from tui_app.domain.ports import Probed, TrailEntry
from tui_app.domain.run import Errand, Made, Order
from tui_app.domain.verdict import Effect, Verdict, VerdictCode
from tui_app.domain.versions import version_of
from tui_app.outbound.answers import Response
from tui_app.outbound.http import Fits
from tui_app.outbound.recognition import Unrecognised, advice, probed
from tui_app.systems.cases import rules, shapes
from tui_app.systems.cases.answers import Event, Found, Proof
from tui_app.systems.cases.dialects import Operation
from tui_app.systems.cases.evidence import (
    WINDOW,
    Deadline,
    Period,
    back,
    cancels,
    deadline_of,
    events_of,
    recalled,
    requests_of,
)
from tui_app.systems.cases.impact import effects, undo_seconds
from tui_app.systems.cases.line import ABSENT, CaseLine, Kept
from tui_app.systems.cases.words import ASSUMED, BACK, CANCELLED, FINAL, NOT_READ, REVERSIBLE, TERMINAL

PERMISSION = "cancel_case"
ASKED_AGAIN = timedelta(seconds=60)
"""How long the answer about our permission is believed outside of a run."""

STRANGE = timedelta(seconds=1)
"""How long nobody asks again about it where a stranger answered: each item of a plan wants to know."""

_ABSENT = (404, 405)

NO_CASE = "0"
"""The id that is asked for to learn who answers, of letters or of numbers: its case may be missing."""

CERTAIN = 3
"""Cases in a row that are there and that the server does not show, before it is taken to show none."""

FORGOTTEN = timedelta(minutes=10)
"""How long that is believed: a server may learn it."""


class Untold(Unavailable):
    """The API answers for one case, and does not tell its status; the words are its own. Other cases can be read."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A case as it was read. ``holds`` is none where they were not read, and ``unread`` says why."""

    id: str
    told: shapes.Told
    holds: shapes.Holds | None
    unread: str
    now: str

    @property
    def status(self) -> str:
        """Its status in our spelling; empty where the server tells none."""
        return self.told.status or ""

    @property
    def version(self) -> str:
        """What differs when the case or what holds it has changed."""
        if self.told.version is not None:
            return self.told.version
        facts: dict[str, Scalar] = {"status": self.status, "updated": self.told.updated}
        if self.holds is not None:
            facts |= {
                "active_hold": self.holds.active_hold,
                "related_orders_status": self.holds.related_orders_status,
                "critical_alerts": self.holds.critical_alerts,
            }
        return version_of(facts)

    def verdict(self) -> Verdict:
        """May it be cancelled, as far as was read; a status that we do not know is left to the server to judge."""
        if self.holds is not None:
            return rules.verdict(self.holds.standing(self.status))
        judged = rules.verdict(rules.Standing(self.status))
        if judged.cancellable:
            return Verdict(True, None, f"dependencies not read: {self.unread}")
        return judged


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of a case, oldest entry first. ``unread`` says why it is not known; ``kept``: the server has one."""

    entries: tuple[TrailEntry, ...]
    unread: str = ""
    kept: bool = True


@dataclass(slots=True)
class _Permission:
    """The last answer about our permission, for which run and when; it was held before where ``lost`` can be.

    ``stranger`` is there where it was nobody's answer that can be believed.
    """

    held: bool | None = None
    run_id: str | None = None
    at: datetime | None = None
    had: bool = False
    stranger: Unrecognised | None = None


@dataclass(slots=True)
class Inquiry:
    """Reads of the case API."""

    line: CaseLine
    _permission: _Permission = field(default_factory=_Permission)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _not_shown: tuple[datetime, int] = (datetime.min.replace(tzinfo=UTC), 0)

    async def permitted(self, run_id: str | None = None, *, anew: bool = False) -> bool | None:
        """Whether the user holds the permission to cancel; none where the server does not say. Asked once a run.

        Raises:
            Unrecognised: what answered is not recognisably the API.
        """
        async with self._asking:
            last, now = self._permission, self.line.clock.now()
            recent = last.at is not None and moments.recent(last.at, now, ASKED_AGAIN)
            if last.stranger is not None:
                if run_id is None and last.at is not None and moments.recent(last.at, now, STRANGE):
                    raise last.stranger
            elif not anew and last.at is not None and (last.run_id == run_id if run_id is not None else recent):
                return last.held
            try:
                response = await self.line.get(Operation.PERMISSION, fits=shapes.is_permission)
            except Unrecognised as stranger:
                self._permission = replace(last, stranger=stranger, at=now, run_id=None)
                raise
            held = shapes.allowed(response.status, response.json)
            self._permission = _Permission(held, run_id or last.run_id, now, last.had or bool(held))
            return held

    async def probe(self) -> list[Probed]:
        """Ask for the permission, the list, and a case that may be missing: each has an answer of the API's own."""
        one = next(op for op in (Operation.STATUS, Operation.CASE) if self.line.dialect.has(op))
        asked: list[tuple[Operation, Fits]] = [(Operation.PERMISSION, shapes.is_permission)]
        asked += [(Operation.LIST, shapes.is_list), (one, lambda answer: _FITS[one](answer, NO_CASE))]
        user, found = await self.line.user(), []
        for op, fits in asked:
            path = self.line.dialect.path(op, case_id=NO_CASE, user=user)
            if path is not None:
                found.append(await probed(f"GET /{'/'.join(path)}", self._came(op, fits)))
        return found

    async def _came(self, op: Operation, fits: Fits) -> str:
        case_id = NO_CASE if op in (Operation.CASE, Operation.STATUS) else ""
        query = {"limit": 1} if op is Operation.LIST else None
        response = await self.line.get(op, case_id, query=query, fits=fits)
        said = response.refusal
        if case_id and said.no_route:
            told = f"{self.line.service.origin} knows no path for a case: {said.code}, {said.message}"
            raise self.line.unrecognised(told, advice(response.status), 1)
        return f"{response.status}" if response.ok else f"{response.status} {said.code}: {said.message}"

    async def check_permission(self, run_id: str) -> None:
        """The first check of the runbook, once a run, and a stop where what was held is held no more.

        Raises:
            NotAllowed: the permission was taken away meanwhile.
        """
        if await self.permitted(run_id) is False and self._permission.had:
            raise self._lost()

    def _lost(self) -> NotAllowed:
        whom = self.line.contact or "whoever gives it"
        return NotAllowed(
            f"the permission {PERMISSION} is held no more at {self.line.service.origin}",
            hint=f"Verify the roles of this user; ask {whom}. Then resume.",
        )

    async def standing(self, case_id: str, kept: Kept | None = None) -> Standing | None:
        """A case as it stands, by as few reads as its server allows; none where there is no such case.

        Raises:
            NotAllowed: it may not be read.
            Untold: the server answers, and does not tell its status: the id may be none there.
            Unavailable: it could not be read; as ``Unrecognised`` where what answered is not the API.
        """
        first = await self._of(Operation.CASE, case_id, kept) if self._shows_cases() else ABSENT
        told = shapes.told(first.json, first.text) if first.ok else shapes.Told()
        last = first
        if told.status is None:
            last = await self._of(Operation.STATUS, case_id, kept)
            self._note_route(first, last)
            if last.status in _ABSENT and not first.ok:
                self._check_paths(first, last)
                return None
            if last.ok:
                told = _merged(told, shapes.told(last.json, last.text))
        if told.status is None:
            raise self._untold(case_id, first if last.refusal.no_route and not first.ok else last)
        held, unread = (shapes.holds(first.json), "") if first.ok else (None, "")
        if held is None and told.status not in TERMINAL:
            around = await self._of(Operation.DEPENDENCIES, case_id, kept)
            held = shapes.holds(around.json) if around.ok else None
            unread = "" if held is not None else self._why(around, "three facts")
        return Standing(case_id, told, held, unread, self._moment(last))

    def _shows_cases(self) -> bool:
        """Whether a case itself is asked for: not where it is known by several that only their status is shown."""
        since, number = self._not_shown
        return number < CERTAIN or self.line.clock.now() - since > FORGOTTEN

    def _note_route(self, first: Response, last: Response) -> None:
        """Count cases that are there, by their status, and that the server does not show."""
        if first is ABSENT:
            return
        _, number = self._not_shown
        missing = first.status in _ABSENT and last.ok
        self._not_shown = (self.line.clock.now(), number + 1) if missing else (self.line.clock.now(), 0)

    def _untold(self, case_id: str, answer: Response) -> Untold:
        why = "it does not tell its status" if answer.ok else self._why(answer, "status")
        return Untold(f"case {case_id}: {why}", hint="Check the id.", code=answer.refusal.code or "NOT_TOLD")

    def _check_paths(self, first: Response, last: Response) -> None:
        """See that the server says "no such case", and not that it knows neither path of one.

        Raises:
            Unrecognised: it knows neither path, which says nothing about the case.
        """
        if (first is ABSENT or first.refusal.no_route) and last.refusal.no_route:
            told = f"{self.line.service.origin} knows no path for a case: {self._why(last, 'case')}"
            raise self.line.unrecognised(told, advice(last.status), 1)

    async def seen(
        self,
        case_id: str,
        verb: Verb,
        kept: Kept | None = None,
        made: Made | None = None,
        listed: Standing | None = None,
    ) -> Seen:
        """What a plan freezes of one case: verdict for the verb, and impact; ``made`` is what an undo knows of it.

        A case that the list tells of, with its status, is not read by itself.

        Raises:
            RateLimited: the server takes no reads at present; ``kept`` has what was read so far.
        """
        try:
            found = listed if listed is not None and listed.status else await self.standing(case_id, kept)
        except NotAllowed as error:
            return Seen(case_id, "", "", Verdict.no(VerdictCode.FORBIDDEN, error.message))
        except Untold as error:
            return Seen(case_id, "", "", Verdict.no(VerdictCode.NOT_KNOWN, error.message))
        if found is None:
            return rules.missing(case_id)
        if verb is Verb.REINSTATE:
            return await self._to_reinstate(found, kept, made)
        try:
            verdict = await self._with_permission(found, found.verdict())
        except Unrecognised as stranger:
            told = f"whether this user may cancel is not known: {stranger.message}"
            return Seen(case_id, found.status, "", Verdict.no(VerdictCode.NOT_KNOWN, told))
        touched: tuple[Effect, ...] = ()
        window = None
        if verdict.cancellable:
            impact, unread = await self.impact(case_id, kept)
            touched = effects(impact) if not unread else (Effect(NOT_READ, unread),)
            window = undo_seconds(impact)
            if not self.line.dialect.has(Operation.REINSTATE):
                touched, window = (*(one for one in touched if one.code != REVERSIBLE), Effect(FINAL)), None
        return Seen(case_id, found.status, found.version, verdict, touched, undo_seconds=window)

    async def _with_permission(self, found: Standing, verdict: Verdict) -> Verdict:
        if not verdict.cancellable or await self.permitted() is not False:
            return verdict
        if self._permission.had:
            raise self._lost()
        if found.told.assigned_to == await self.line.user():
            return verdict
        missing = f"the permission {PERMISSION} is missing, and so is ownership"
        return Verdict.no(VerdictCode.FORBIDDEN, f"{missing} (assigned to {found.told.assigned_to or 'nobody'})")

    async def _to_reinstate(self, found: Standing, kept: Kept | None, made: Made | None) -> Seen:
        trail = (await self.audit(found.id, kept)).entries if found.status == CANCELLED else ()
        due = recalled(found.told.deadline, trail, made)
        verdict = back(found.status, due, found.now)
        if due is None or not verdict.cancellable:
            return Seen(found.id, found.status, found.version, verdict)
        before = next((str(one.details.get("previous_status") or "") for one in reversed(cancels(trail))), "")
        touched = [Effect(BACK, before or "the status that it had")]
        if due.assumed:
            touched.append(Effect(ASSUMED, rules.lasting(WINDOW)))
        return Seen(found.id, found.status, found.version, verdict, tuple(touched), due.until)

    async def impact(self, case_id: str, kept: Kept | None = None) -> tuple[shapes.Impact, str]:
        """What cancelling would do, and why that is not known, where it is not."""
        response = await self._of(Operation.PREVIEW, case_id, kept)
        if not response.ok:
            return shapes.Impact(), self._why(response, "preview")
        return shapes.impact(response.json, self._moment(response)), ""

    async def audit(self, case_id: str, kept: Kept | None = None) -> Audit:
        """The audit of a case that is there."""
        response = await self._of(Operation.AUDIT, case_id, kept)
        if not response.ok:
            return Audit((), self._why(response, "audit log"), kept=response.status not in _ABSENT)
        return Audit(tuple(shapes.entries(response.json)))

    async def found(
        self,
        order: Order,
        errand: Errand,
        standing: Standing | None = None,
        audit: Audit | None = None,
        *,
        answered: bool = False,
    ) -> tuple[Found | None, str]:
        """How the case of an order stands, with what its audit says of this order; and why that is not known.

        ``answered``: the server has said that it took the order on.
        """
        standing = standing or await self.standing(order.id)
        if standing is None:
            return None, ""
        audit = audit or await self.audit(order.id)
        users = {await self.line.user(), errand.operator}
        told = await self._events(order, errand, audit.entries, users)
        due = deadline_of(standing.told.deadline, audit.entries) if self.line.dialect.has(Operation.REINSTATE) else None
        requests = requests_of(order, audit.entries, told, standing.status, standing.now, due, answered=answered)
        events = tuple(one for one in told if one.event in (rules.CANCEL_EVENT, rules.REINSTATE_EVENT))
        # What was planned was judged by a deadline that may be told nowhere any more: the server judges it again.
        planned = None if order.seen.due is None else Deadline(order.seen.due, assumed=True)
        again = back(standing.status, due or planned, standing.now)
        found = Found(standing.status, standing.version, standing.verdict(), again, requests, events, audit.kept)
        return found, audit.unread

    async def _events(
        self, order: Order, errand: Errand, trail: Sequence[TrailEntry], users: Collection[str]
    ) -> list[Event]:
        """What each entry says of an order; the journal is asked only where an entry has no key and fits."""
        first, last = self.line.sent.get(order.key, (order.sent_at, order.sent_at))
        period = Period.of(order.sent_at or first, last, self.line.ahead)
        told = events_of(order, errand, trail, users, period, ())
        if not any(one.proof in (Proof.ALONE, Proof.FITS) for one in told):
            return told
        return events_of(order, errand, trail, users, period, await errand.intents(order.id))

    async def _of(self, op: Operation, case_id: str, kept: Kept | None) -> Response:
        fits = _FITS[op]
        empty = op is Operation.AUDIT and self.line.dialect.empty_audit
        response = await self.line.get(
            op,
            case_id,
            kept=kept,
            fits=lambda one: (empty and one.json == []) or fits(one, case_id),
            plain=op is Operation.STATUS,
        )
        if response.status == 403 and op in (Operation.CASE, Operation.STATUS):
            told = response.refusal.message
            raise NotAllowed(f"case {case_id} may not be read{told and f': {told}'}")
        return response

    def _moment(self, response: Response) -> str:
        """When it was answered, by the server's own clock where that tells."""
        return moments.stamp(response.date or self.line.clock.now())

    def _why(self, response: Response, what: str) -> str:
        if response.ok:
            return f"the answer has no {what}"
        told = response.refusal.message
        if response is ABSENT:
            return f"{told}: {what}"
        return f"the server answered {response.status}{told and f', {told}'}"


_FITS: Mapping[Operation, Callable[[Response, str], bool]] = {
    Operation.CASE: lambda response, case_id: shapes.is_about(response.json, case_id),
    Operation.STATUS: shapes.is_status,
    Operation.DEPENDENCIES: shapes.is_held,
    Operation.PREVIEW: shapes.is_impact,
    Operation.AUDIT: shapes.is_audit,
}
"""Which success is an answer to what is read of a case."""


def _merged(case: shapes.Told, status: shapes.Told) -> shapes.Told:
    """A case with what its status adds."""
    fields = {name: value for name, value in status.fields.items() if value is not None}
    return shapes.Told(
        status=status.status,
        version=case.version,
        updated=status.updated or case.updated,
        assigned_to=status.assigned_to or case.assigned_to,
        deadline=case.deadline or status.deadline,
        fields={**case.fields, **fields},
    )
