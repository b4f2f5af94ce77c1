"""A case API as its documentation has it, and no more: no list, strict about headers and keys, with a log of its own.

Written from the runbook and the published shapes, not from our service. ``handle`` answers one request; what it did
stands in ``effects``, and every request that it understood in ``steps``. ``quirks`` make it speak as others do.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

from support.orders import errand
from support.raw_server import Answered, Asked, RawServer, raw_server
from support.world import MovableClock
from tui_app.domain import moments
from tui_app.domain.errors import RateLimited, Unavailable
from tui_app.domain.rates import Rate
from tui_app.domain.run import Errand, ItemState, Order
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.cases.dialects import error_of
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.line import CaseLine

JANE = "jane@example.com"
TOKEN = "opaque-token"
CASE = re.compile(r"/api/v2/cases/([^/]+)(/.*)?")
FINAL = ("completed", "archived", "closed")
DAY = timedelta(hours=24)
WINDOW = timedelta(hours=2)


@dataclass
class Kept:
    """One case of the server."""

    status: str = "in_progress"
    owner: str = "somebody@example.com"
    title: str = "Left upper lobe"
    hold: bool = False
    orders: str = "none"
    alerts: int = 0
    before: str = ""
    polls: int = 0
    updated: str = "2026-01-02T00:00:00Z"
    deadline: str | None = None
    foretold: str | None = None
    acted: bool = False
    audit: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Quirks:
    """How this server differs: each is a way in which a real one does."""

    plain_status: bool = False
    spelling: str = "cancelled"
    errors: str = "error"
    permission: str = "allowed"
    without: tuple[str, ...] = ()
    lacking: int = 404
    keys_in_audit: bool = True
    audit: str = "events"
    dates: bool = True
    ahead: timedelta = timedelta(0)
    polls: int = 1
    limit: Rate | None = None
    reads: Rate | None = None
    retry_after: str = "60"
    busy: int = 0
    deadlines: tuple[str, ...] = ("cancel",)


@dataclass
class CaseServer:
    """The server's mind. ``permitted`` may be taken away by a test at any time."""

    clock: MovableClock = field(default_factory=MovableClock)
    quirks: Quirks = field(default_factory=Quirks)
    cases: dict[str, Kept] = field(default_factory=dict)
    permitted: bool = True
    steps: list[str] = field(default_factory=list)
    effects: list[tuple[str, str]] = field(default_factory=list)
    returned: list[tuple[str, str]] = field(default_factory=list)
    wishes: list[Mapping[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _answers: dict[str, tuple[Any, int, Any]] = field(default_factory=dict)
    _spent: list[Any] = field(default_factory=list)
    _read: list[Any] = field(default_factory=list)

    def handle(self, asked: Asked) -> Answered:
        """Answer one request, by the server's own clock."""
        answer = self._answer(asked)
        date = {"Date": format_datetime(self._now(), usegmt=True)} if self.quirks.dates else {}
        return Answered(answer.status, answer.body, {**date, **answer.headers})

    def _now(self) -> Any:
        return self.clock.now() + self.quirks.ahead

    def _answer(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._error(401, "UNAUTHORIZED", "no token")
        if asked.headers.get("x-user-id") != JANE:
            return self._error(403, "WRONG_USER", "X-User-ID is not who the token is for")
        if asked.method == "GET" and self._over(self._read, self.quirks.reads):
            return self._limited()
        permission = asked.path == f"/api/v1/users/{JANE.replace('@', '%40')}/permissions/cancel_case"
        if permission and asked.method == "GET":
            self.steps.append("permission")
            return self._permission()
        found = CASE.fullmatch(asked.path)
        if found is None:
            return self._error(404, "ROUTE_NOT_FOUND", "no such route")
        case_id, step = found[1], (found[2] or "/case")[1:]
        self.steps.append(f"{asked.method} {step}" if asked.method == "POST" else step)
        case = self.cases.get(case_id)
        if case is None:
            return self._error(404, "CASE_NOT_FOUND", "no such case")
        if asked.method == "POST":
            return self._change(asked, case_id, case, step)
        return self._look(case_id, case, step)

    def _permission(self) -> Answered:
        if self.quirks.permission == "empty":
            return Answered(200) if self.permitted else self._error(403, "FORBIDDEN", "not held")
        if self.quirks.permission == "refused" and not self.permitted:
            return self._error(403, "FORBIDDEN", "not held")
        return Answered(200, {"allowed": self.permitted})

    def _look(self, case_id: str, case: Kept, step: str) -> Answered:
        if step in self.quirks.without:
            return self._error(self.quirks.lacking, "ROUTE_NOT_FOUND", "no such route")
        if step == "case":
            return Answered(200, {"case_id": case_id, "title": case.title, "assigned_to": case.owner})
        if step == "status":
            self._progress(case_id, case)
            shown = self.quirks.spelling if case.status == "cancelled" else case.status
            if self.quirks.plain_status:
                return Answered(200, shown)
            times = {"created_at": "2026-01-01T00:00:00Z", "updated_at": case.updated, "assigned_to": case.owner}
            more = {"age_days": 1, "priority": "P3", "environment": "production"}
            due = {"rollback_deadline": case.deadline} if "status" in self.quirks.deadlines else {}
            return Answered(200, {"case_id": case_id, "status": shown, **times, **due, "metadata": more})
        if step == "dependencies":
            held = [{"type": "hold", "id": "LEGAL-1", "status": "active", "required": True}] * case.hold
            facts = {"related_orders_status": case.orders, "critical_alerts": case.alerts}
            return Answered(200, {"active_hold": case.hold, **facts, "dependencies": held})
        if step == "cancel/preview":
            impact = {"billing_affected": False, "notifications_count": 2, "downstream_systems": ["lims"]}
            until = case.foretold or moments.stamp(self._now() + WINDOW)
            back = {"rollback_available": True, "rollback_deadline": until}
            impact |= {"estimated_duration": "5 seconds", **back}
            return Answered(200, {"case_id": case_id, "impact_assessment": impact, "warnings": ["slides are cut"]})
        if step == "audit-log" and self.quirks.audit == "flat":
            return Answered(200, [{"caseId": case_id, **one} for one in case.audit])
        if step == "audit-log":
            return Answered(200, {"case_id": case_id, "audit_entries": case.audit})
        return self._error(404, "ROUTE_NOT_FOUND", "no such route")

    def _progress(self, case_id: str, case: Kept) -> None:
        """A cancellation is complete after so many looks at its status."""
        if case.status == "processing":
            case.polls -= 1
            if case.polls <= 0:
                case.status = "cancelled"

    def _change(self, asked: Asked, case_id: str, case: Kept, step: str) -> Answered:
        key = asked.headers.get("x-idempotency-key", "")
        try:
            if UUID(key).version != 4:
                raise ValueError(key)
        except ValueError:
            return self._error(400, "INVALID_KEY", "X-Idempotency-Key has to be a version-4 UUID")
        body, wish = asked.json, (case_id, step, asked.body)
        self.wishes.append(body)
        if self.quirks.busy:
            self.quirks.busy -= 1
            return self._error(409, "IDEMPOTENCY_KEY_IN_PROGRESS", "this key is still being processed")
        now = self._now()
        kept = self._answers.get(key)
        if kept is not None and now - kept[0] < DAY:
            return Answered(200, kept[2]) if kept[1] == hash(wish) else self._error(422, "KEY_REUSED", "another body")
        if step == "cancel" and self._over(self._spent, self.quirks.limit):
            return self._limited()
        if not self.permitted and case.owner != JANE:
            self.refused.append(case_id)
            return self._error(403, "FORBIDDEN", "insufficient permissions")
        answer = (
            self._cancel(case_id, case, key, body) if step == "cancel" else self._reinstate(case_id, case, key, body)
        )
        if answer.status == 200:
            self._answers[key] = (now, hash(wish), answer.body)
        return answer

    def _cancel(self, case_id: str, case: Kept, key: str, body: Mapping[str, Any]) -> Answered:
        if body["reason"] != "operational_request" or not isinstance(body["notify_stakeholders"], bool):
            return self._error(400, "INVALID_BODY", "the reason is a code")
        if case.status in ("cancelled", *FINAL):
            return self._error(400, "INVALID_CASE_STATE", "Invalid case state")
        if case.hold or case.orders == "in_progress" or case.alerts:
            return self._error(409, "ACTIVE_HOLD_OR_DEPENDENCIES", "Active hold or dependencies")
        if case.status == "processing":
            return self._error(409, "CANCELLATION_RUNNING", "another cancellation")
        now = self._now()
        case.before, case.status, case.polls = case.status, "processing", self.quirks.polls
        case.updated, case.deadline = moments.stamp(now), moments.stamp(now + WINDOW)
        self.effects.append((case_id, key))
        self._record(case, "CASE_CANCELLED", key, {"previous_status": case.before, **body}, case.updated)
        told = {"estimated_completion": moments.stamp(now)}
        told |= {"rollback_deadline": case.deadline} if "cancel" in self.quirks.deadlines else {}
        return Answered(200, {"case_id": case_id, "cancellation_id": key[:8], "status": "processing", **told})

    def _reinstate(self, case_id: str, case: Kept, key: str, body: Mapping[str, Any]) -> Answered:
        if body["reason"] != "rollback_cancellation":
            return self._error(400, "INVALID_BODY", "the reason is a code")
        if case.status != "cancelled" or (case.deadline or "") <= moments.stamp(self._now()):
            return self._error(400, "INVALID_CASE_STATE", "outside the rollback window")
        if case.acted:
            return self._error(409, "DOWNSTREAM_ACTED", "lims has acted on the cancellation")
        case.status, case.updated = case.before or "pending", moments.stamp(self._now())
        self.returned.append((case_id, key))
        self._record(case, "CASE_REINSTATED", key, body, case.updated)
        told = {"reinstatement_id": key[:8], "restored_status": case.status, "timestamp": case.updated}
        return Answered(200, {"case_id": case_id, **told})

    def _record(self, case: Kept, event: str, key: str, details: Mapping[str, Any], at: str) -> None:
        if self.quirks.audit != "events":
            old = case.before if event == "CASE_CANCELLED" else "cancelled"
            new = "cancelled" if event == "CASE_CANCELLED" else case.status
            self.note_status(case, old, new, JANE, at, details["reason"])
            return
        more = {"idempotency_key": key} if self.quirks.keys_in_audit else {}
        case.audit.append({"event": event, "timestamp": at, "user_id": JANE, "details": {**details, **more}})

    def note_status(self, case: Kept, old: str, new: str, user: str, at: str, reason: str) -> None:
        """Record a change of status as the public specification has it, or as the newer generation does."""
        if self.quirks.audit == "silent":
            return
        if self.quirks.audit == "flat":
            shown = "Canceled" if new == "cancelled" else new.replace("_", " ").title()
            case.audit.append({"status": shown, "modifiedBy": user, "modifiedDateTime": at})
            return
        details = {"previous_status": old, "new_status": new, "reason": reason}
        case.audit.append({"event": "status_changed", "timestamp": at, "user_id": user, "details": details})

    def cancelled_by(self, case_id: str, user: str) -> None:
        """Somebody else has cancelled a case, at the server itself."""
        case = self.cases[case_id]
        old, case.status, at = case.status, "cancelled", moments.stamp(self._now())
        if self.quirks.audit != "events":
            self.note_status(case, old, "cancelled", user, at, "operational_request")
            return
        case.audit.append(
            {"event": "CASE_CANCELLED", "timestamp": at, "user_id": user, "details": {"notes": "by hand"}}
        )

    def _over(self, spent: list[Any], rate: Rate | None) -> bool:
        if rate is None:
            return False
        now = self._now()
        spent[:] = [one for one in spent if now - one < rate.per]
        if len(spent) >= rate.items:
            return True
        spent.append(now)
        return False

    def _limited(self) -> Answered:
        answer = self._error(429, "RATE_LIMIT", "Too Many Requests")
        return Answered(429, answer.body, {"Retry-After": self.quirks.retry_after})

    def _error(self, status: int, code: str, message: str) -> Answered:
        at = moments.stamp(self._now())
        match self.quirks.errors:
            case "errors":
                return Answered(status, {"errors": [{"code": code, "detail": message}]})
            case "problem":
                return Answered(status, {"type": "about:blank", "title": message, "code": code, "status": status})
            case "text":
                return Answered(status, message.encode(), {"Content-Type": "text/plain"})
        told = {"code": code, "message": message, "details": {}, "request_id": "r1", "timestamp": at}
        return Answered(status, {"error": told})


@dataclass
class Way:
    """A running server, its mind, and systems that reach it."""

    raw: RawServer
    server: CaseServer
    waits: list[float] = field(default_factory=list)
    opened: list[HttpCases] = field(default_factory=list)
    patience: float = 30.0

    def open(self, **more: Any) -> HttpCases:
        """An adapter as a process of its own has it: it remembers nothing of others."""
        tokens = TokenSource.given(TOKEN)
        clock = self.server.clock
        service = HttpService(
            self.raw.url,
            tokens=tokens,
            shape=error_of,
            clock=clock,
            patience=self.patience,
            connect=self.patience,
        )

        async def wait(seconds: float) -> None:
            self.waits.append(seconds)
            clock.forward(seconds)

        line = CaseLine(service, tokens, JANE, clock=clock, contact="#case-ops", wait=wait)
        system = HttpCases(line, self.raw.url, **more)
        self.opened.append(system)
        return system


@asynccontextmanager
async def case_server(*ids: str, quirks: Quirks | None = None, patience: float = 30.0) -> AsyncIterator[Way]:
    """A server with these cases on a socket of this host."""
    mind = CaseServer(quirks=quirks or Quirks())
    mind.cases = {one: Kept() for one in ids}
    async with raw_server(mind.handle) as raw:
        way = Way(raw, mind, patience=patience)
        try:
            yield way
        finally:
            for system in way.opened:
                await system.close()


async def carried_out(
    way: Way, system: HttpCases, sent: Sequence[Order], why: Errand | None = None, *, polls: int = 30
) -> list[Any]:
    """Execute, and ask again as a run does for what is accepted or was limited; the last replies."""
    why = why or errand()
    replies: list[Any] = list(await system.execute(sent, why))
    for _ in range(polls):
        limited = [at for at, one in enumerate(replies) if isinstance(one, RateLimited)]
        open_ = [at for at, one in enumerate(replies) if getattr(one, "state", None) is ItemState.ACCEPTED]
        if not limited and not open_:
            return replies
        waited = max((replies[at].retry_after for at in limited), default=1.0)
        way.server.clock.forward(waited)
        for ask, places in ((system.execute, limited), (system.reconcile, open_)):
            if places:
                again = dict(zip(places, await ask([sent[at] for at in places], why), strict=True))
                # What was accepted and could not be looked at stays as it is.
                stays = {at for at, one in again.items() if at in open_ and isinstance(one, Unavailable)}
                replies = [one if at in stays else again.get(at, one) for at, one in enumerate(replies)]
    return replies
