"""What is true of cases wherever they are stored: ids, verdicts, effects, texts, previews, audit details.

Pure. Whatever serves cases uses it, so that a plan made against one reads like a plan made against another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from tui_app.domain import moments
from tui_app.domain.counting import counted
from tui_app.domain.errors import MalformedId
from tui_app.domain.items import Seen
from tui_app.domain.ports import Preview, Section
from tui_app.domain.verdict import YES, Effect, Verdict, VerdictCode
from tui_app.systems.cases.words import (
    BACK,
    BILLING,
    CANCELLED,
    CANCELLING,
    DOWNSTREAM,
    LONGEST_TITLE,
    NOTICE,
    NOTIFIED,
    ORDER_IN_PROGRESS,
    RECORD,
    REMINDER,
    RESTARTED,
    RESTORED,
    REVERSIBLE,
    TERMINAL,
    TOLD,
    WORKFLOW,
)

REASON_CODE = "operational_request"
ROLLBACK_CODE = "rollback_cancellation"

REQUESTED_EVENT = "CASE_CANCELLATION_REQUESTED"
CANCEL_EVENT = "CASE_CANCELLED"
WITHDRAWN_EVENT = "CASE_CANCELLATION_WITHDRAWN"
REINSTATE_EVENT = "CASE_REINSTATED"
REFUSED_EVENT = "CASE_CANCEL_REFUSED"

BILLING_SYSTEM = "billing"
"""The downstream system whose records are charges."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

NOT_FOUND = Verdict.no(VerdictCode.NOT_FOUND, "there is no such case")


def check_id(text: str) -> str:
    """The id of a case, which also goes into URLs.

    Raises:
        MalformedId: it cannot be one.
    """
    if not _ID.fullmatch(text):
        raise MalformedId(
            f"{text[:200]!r} is not a case's id", hint="Letters, digits, - and _; at most 128; no - or _ in front."
        )
    return text


def missing(item_id: str) -> Seen:
    """What is seen where there is no case of this id."""
    return Seen(item_id, "", "", NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a case stands: its status and the three facts that hold it; ``hold`` names what is in the way."""

    status: str
    active_hold: bool = False
    related_orders_status: str = ""
    critical_alerts: int = 0
    hold: str = ""


@lru_cache(maxsize=4096)
def verdict(standing: Standing) -> Verdict:
    """May a case be cancelled. What its status means is the server's to judge where we do not know it.

    A cancellation that is being worked on blocks as ``CLAIMED``: it is not final, and somebody has the case in hand.
    """
    status, named = standing.status, f": {standing.hold}" if standing.hold else ""
    if not status:
        return Verdict.no(VerdictCode.NOT_KNOWN, "its status is not told, or cannot be read")
    if status == CANCELLED:
        return Verdict.no(VerdictCode.ALREADY_CANCELLED, "it is already cancelled")
    if status == CANCELLING:
        return Verdict.no(VerdictCode.CLAIMED, "it is being cancelled: a cancellation is accepted, and not complete")
    if status in TERMINAL:
        return Verdict.no(VerdictCode.TERMINAL, f"it is {status}, and that is final")
    if standing.active_hold:
        return Verdict.no(VerdictCode.ACTIVE_HOLD, f"an active hold is on it{named}")
    if standing.related_orders_status == ORDER_IN_PROGRESS:
        return Verdict.no(VerdictCode.RELATED_ORDER, f"a related order is in progress{named}")
    if standing.critical_alerts > 0:
        count = standing.critical_alerts
        alerts = "a critical alert is open" if count == 1 else f"{count} critical alerts are open"
        return Verdict.no(VerdictCode.CRITICAL_ALERT, f"{alerts}{named}")
    return YES


def reinstating(status: str, deadline: str | None, now: str, acted: str = "", *, assumed: bool = False) -> Verdict:
    """May a cancelled case be brought back. ``acted`` names the downstream systems that acted on the cancellation.

    A deadline that is ``assumed`` closes nothing: the server judges.
    """
    if status == CANCELLING:
        return Verdict.no(VerdictCode.NOT_CANCELLED, "its cancellation is not complete yet")
    if status != CANCELLED:
        return Verdict.no(VerdictCode.NOT_CANCELLED, f"it is {status}, not cancelled")
    if deadline is None:
        return Verdict.no(VerdictCode.WINDOW_CLOSED, "nothing tells until when it could have been reinstated")
    if deadline <= now and not assumed:
        return Verdict.no(VerdictCode.WINDOW_CLOSED, f"it could be reinstated until {deadline}")
    if acted:
        return Verdict.no(VerdictCode.RELATED_ORDER, f"downstream has acted on the cancellation already: {acted}")
    return YES


@dataclass(frozen=True, slots=True)
class Around:
    """What belongs to a case and is touched with it: names, in a fixed order.

    ``records`` are pairs of kind and downstream system. ``reminders`` go to whom a notification waits to be sent.
    """

    stakeholders: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    records: tuple[tuple[str, str], ...] = ()
    reminders: tuple[str, ...] = ()

    @property
    def downstream(self) -> tuple[str, ...]:
        """The downstream systems, each once."""
        return tuple(sorted({system for _, system in self.records}))

    @property
    def billing_affected(self) -> bool:
        """Whether it has charges."""
        return BILLING_SYSTEM in self.downstream


@lru_cache(maxsize=4096)
def effects(around: Around, window: timedelta) -> tuple[Effect, ...]:
    """What cancelling does; ``window`` is how long it can be undone."""
    found = [Effect(NOTIFIED, target) for target in around.stakeholders]
    found += [Effect(WORKFLOW, name) for name in around.workflows]
    found += [Effect(REMINDER, target) for target in around.reminders]
    found += [Effect(RECORD, kind) for kind, _ in around.records]
    found += [Effect(DOWNSTREAM, system) for system in around.downstream]
    if around.billing_affected:
        found.append(Effect(BILLING))
    found.append(Effect(REVERSIBLE, lasting(window)))
    return tuple(found)


@lru_cache(maxsize=4096)
def effects_of_reinstating(around: Around, previous_status: str) -> tuple[Effect, ...]:
    """What reinstating does; ``around`` is what the cancellation had touched."""
    found = [Effect(BACK, previous_status)]
    found += [Effect(RESTARTED, name) for name in around.workflows]
    found += [Effect(RESTORED, kind) for kind, _ in around.records]
    found += [Effect(TOLD, target) for target in around.stakeholders]
    return tuple(found)


def lasting(stretch: timedelta) -> str:
    """A stretch of time in words, in its largest unit that leaves no rest."""
    seconds = round(stretch.total_seconds())
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds and seconds % length == 0:
            return counted(seconds // length, unit)
    return counted(seconds, "second")


def notice(reason: str) -> str:
    """The text that a stakeholder reads."""
    return NOTICE.replace("{reason}", reason)


def cancel_details(
    *,
    previous_status: str | None,
    reason: str,
    notes: str,
    notify: bool,
    cancellation_id: str,
    run_id: str | None,
    idempotency_key: str | None,
) -> dict[str, Any]:
    """What the audit records of a cancellation: the API's keys, and ours to know our cancellations by."""
    return {
        "previous_status": previous_status,
        "new_status": CANCELLED,
        "reason": reason,
        "notes": notes,
        "notify_stakeholders": notify,
        "cancellation_id": cancellation_id,
        "run_id": run_id,
        "idempotency_key": idempotency_key,
    }


@dataclass(frozen=True, slots=True)
class Case:
    """The facts of one case that a preview needs. ``dependencies`` are sentences, ready to be shown.

    ``odd`` is the verdict on a case that cannot be read.
    """

    standing: Standing
    title: str
    around: Around
    dependencies: Sequence[str] = ()
    odd: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        """May it be cancelled."""
        return self.odd or verdict(self.standing)


def deadline(now: str, completion: timedelta, window: timedelta) -> str:
    """Until when a cancellation that is accepted now can be undone, as far as that can be said beforehand."""
    return moments.stamp(moments.read(now) + completion + window)


def preview(case: Case, now: str, completion: timedelta, window: timedelta) -> Preview:
    """The verdict and impact of cancelling one case; what cannot be cancelled has no impact."""
    judged = case.verdict
    sections = [title(case.title), _dependencies(case)]
    if not judged.cancellable:
        return Preview(judged, sections=tuple(sections))
    around = case.around
    sections.append(
        Section(
            "Impact",
            (
                f"billing affected: {'yes' if around.billing_affected else 'no'}",
                f"notifications: {len(around.stakeholders)}",
                f"downstream systems: {', '.join(around.downstream) or 'none'}",
                f"estimated duration: {lasting(completion)}",
                f"rollback until: about {deadline(now, completion, window)}",
            ),
        )
    )
    if around.stakeholders:
        told = (*around.stakeholders, "", *notice("(the reason that you give)").splitlines())
        sections.append(Section("Notified, with this text", told))
    return Preview(judged, effects(around, window), warnings(around), tuple(sections))


def warnings(around: Around) -> tuple[str, ...]:
    """What somebody who is about to cancel should have read."""
    found = []
    if around.billing_affected:
        found.append("it has charges: billing has to reverse them")
    if around.records:
        found.append("related material is affected: once downstream has acted, the case cannot be reinstated")
    if not around.stakeholders:
        found.append("nobody is notified: no stakeholders are known")
    return tuple(found)


def title(text: str) -> Section:
    """The title of a case, as previews show it."""
    lines = [*text.splitlines()] or ["no title"]
    if len(text) >= LONGEST_TITLE:
        lines.append(f"(cut after {LONGEST_TITLE:,} characters)")
    return Section("Title", tuple(lines))


def _dependencies(case: Case) -> Section:
    standing = case.standing
    facts = (
        f"active hold: {'yes' if standing.active_hold else 'no'}",
        f"related orders: {standing.related_orders_status or 'not known'}",
        f"critical alerts: {standing.critical_alerts}",
    )
    return Section("Dependencies", (*facts, *case.dependencies))
