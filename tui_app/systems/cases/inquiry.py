"""What is read of a case at a server: itself, what holds it, its impact, its audit; and whether we may cancel it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import NotAllowed
from tui_app.domain.items import Seen
from tui_app.domain.ports import TrailEntry
from tui_app.domain.run import Errand, Made, Order
from tui_app.domain.verdict import Effect, Verdict, VerdictCode
from tui_app.systems.cases import rules, shapes
from tui_app.systems.cases.answers import Event, Found, Proof
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
from tui_app.systems.cases.line import CASES, CaseLine, Kept
from tui_app.systems.cases.words import ASSUMED, BACK, CANCELLED, NOT_READ, TERMINAL

if TYPE_CHECKING:
    from tui_app.outbound.answers import Response

PERMISSION = "cancel_case"
ASKED_AGAIN = timedelta(seconds=60)
"""How long the answer about our permission is believed outside of a run."""

_ABSENT = (404, 405, 501)


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
        facts = self.holds
        held = "" if facts is None else f"{facts.active_hold:d}.{facts.related_orders_status}.{facts.critical_alerts}"
        return f"{self.status} {self.told.updated or ''} {held}"

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
    """The last answer about our permission, for which run and when; it was held before where ``lost`` can be."""

    held: bool | None = None
    run_id: str | None = None
    at: datetime | None = None
    had: bool = False


@dataclass(slots=True)
class Inquiry:
    """Reads of the case API."""

    line: CaseLine
    _permission: _Permission = field(default_factory=_Permission)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def permitted(self, run_id: str | None = None, *, anew: bool = False) -> bool | None:
        """Whether the user holds the permission to cancel; none where the server does not say. Asked once a run."""
        async with self._asking:
            last, now = self._permission, self.line.clock.now()
            recent = last.at is not None and now - last.at < ASKED_AGAIN
            if not anew and last.at is not None and (last.run_id == run_id if run_id is not None else recent):
                return last.held
            user = await self.line.user()
            response = await self.line.get("api", "v1", "users", user, "permissions", PERMISSION)
            held = shapes.allowed(response.status, response.json)
            self._permission = _Permission(held, run_id or last.run_id, now, last.had or bool(held))
            return held

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
            Unavailable: it could not be read.
        """
        first = await self._of(case_id, kept=kept)
        told = shapes.told(first.json, first.text) if first.ok else shapes.Told()
        last = first
        if told.status is None:
            last = await self._of(case_id, "status", kept=kept)
            if last.status in _ABSENT and not first.ok:
                return None
            if last.ok:
                told = _merged(told, shapes.told(last.json, last.text))
        held, unread = (shapes.holds(first.json), "") if first.ok else (None, "")
        if held is None and told.status not in TERMINAL:
            around = await self._of(case_id, "dependencies", kept=kept)
            held = shapes.holds(around.json) if around.ok else None
            unread = "" if held is not None else self._why(around, "three facts")
        return Standing(case_id, told, held, unread, self._moment(last))

    async def seen(self, case_id: str, verb: Verb, kept: Kept | None = None, made: Made | None = None) -> Seen:
        """What a plan freezes of one case: verdict for the verb, and impact; ``made`` is what an undo knows of it.

        Raises:
            RateLimited: the server takes no reads at present; ``kept`` has what was read so far.
        """
        try:
            found = await self.standing(case_id, kept)
        except NotAllowed as error:
            return Seen(case_id, "", "", Verdict.no(VerdictCode.FORBIDDEN, error.message))
        if found is None:
            return rules.missing(case_id)
        if not found.status:
            unknown = Verdict.no(VerdictCode.NOT_KNOWN, "the server does not tell its status")
            return Seen(case_id, "", found.version, unknown)
        if verb is Verb.REINSTATE:
            return await self._to_reinstate(found, kept, made)
        verdict = await self._with_permission(found, found.verdict())
        touched: tuple[Effect, ...] = ()
        window = None
        if verdict.cancellable:
            impact, unread = await self.impact(case_id, kept)
            touched = effects(impact) if not unread else (Effect(NOT_READ, unread),)
            window = undo_seconds(impact)
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
        response = await self._of(case_id, "cancel", "preview", kept=kept)
        if not response.ok:
            return shapes.Impact(), self._why(response, "preview")
        return shapes.impact(response.json, self._moment(response)), ""

    async def audit(self, case_id: str, kept: Kept | None = None) -> Audit:
        """The audit of a case that is there."""
        response = await self._of(case_id, "audit-log", kept=kept)
        if not response.ok:
            return Audit((), self._why(response, "audit log"), kept=response.status not in _ABSENT)
        return Audit(tuple(shapes.entries(response.json)))

    async def found(self, order: Order, errand: Errand, standing: Standing | None = None) -> tuple[Found | None, str]:
        """How the case of an order stands, with what its audit says of this order; and why that is not known."""
        standing = standing or await self.standing(order.id)
        if standing is None:
            return None, ""
        audit = await self.audit(order.id)
        users = {await self.line.user(), errand.operator}
        told = await self._events(order, errand, audit.entries, users)
        due = deadline_of(standing.told.deadline, audit.entries)
        requests = requests_of(order, audit.entries, told, standing.status, standing.now, due)
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
        if not any(one.proof is Proof.FITS for one in told):
            return told
        return events_of(order, errand, trail, users, period, await errand.intents(order.id))

    async def _of(self, case_id: str, *parts: str, kept: Kept | None) -> Response:
        response = await self.line.get(*CASES, case_id, *parts, kept=kept)
        if response.status == 403 and (not parts or parts == ("status",)):
            said = shapes.problem(response.json, response.text).message
            raise NotAllowed(f"case {case_id} may not be read{said and f': {said}'}")
        return response

    def _moment(self, response: Response) -> str:
        """When it was answered, by the server's own clock where that tells."""
        return moments.stamp(response.date or self.line.clock.now())

    def _why(self, response: Response, what: str) -> str:
        if response.ok:
            return f"the answer has no {what}"
        said = shapes.problem(response.json, response.text)
        return f"the server answered {response.status}{said.message and f', {said.message}'}"


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
