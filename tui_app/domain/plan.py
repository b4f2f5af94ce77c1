"""Plans: a frozen, hashed, expiring list of items, and the confirmation that alone lets one run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tui_app.domain.canonical import canonical, digest
from tui_app.domain.counting import counted
from tui_app.domain.describe import Verb
from tui_app.domain.errors import AboveCap, Conflict, CountDiffers, PhraseDiffers, PlanChanged, PlanExpired
from tui_app.domain.items import Seen
from tui_app.domain.moments import clamped, known, read, stamp
from tui_app.domain.verdict import Effect, Tally

TTL = timedelta(minutes=30)
FILE_TTL = timedelta(days=7)
LONGEST_LIFE = timedelta(days=30)
"""Between the making of a plan and its end."""
LONG_MAKING = timedelta(minutes=1)
"""A plan that took longer to be made expires so long after it was made as it would have after it was begun."""
SKEW = timedelta(minutes=5)
"""How far the clocks of two hosts may differ that share a plan file."""
PRODUCTION = "production"
"""The environment whose name is typed with each confirmation."""
WORD_LIMIT = 20
"""Up to this many items ``yes`` confirms; above it the number has to be typed."""


class PlanState(StrEnum):
    """Where a plan is in its making."""

    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PlanHead:
    """What is known of a plan before its items: who, when, against what, until when.

    ``targets`` holds the identity of each system (origin or database identity, never a profile's name).
    ``undoes`` names the run whose cancellations it brings back. ``again``: it also holds what was cancelled before and
    needs to be meant. Moments are ISO 8601 in UTC.
    """

    id: str
    verb: Verb
    created_at: str
    expires_at: str
    operator: str
    host: str
    selection: str
    targets: Mapping[str, str]
    undoes: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One frozen row: ``position`` counts from 0 in the order of the plan."""

    position: int
    system: str
    seen: Seen

    def record(self) -> dict[str, Any]:
        """The row as it is hashed and as a plan file holds it."""
        verdict = self.seen.verdict
        return {
            "position": self.position,
            "system": self.system,
            "id": self.seen.id,
            "status": self.seen.status,
            "version": self.seen.version,
            "code": verdict.code,
            "reason": verdict.reason,
            "due": self.seen.due,
        }


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """``items = cancellable + blocked``."""

    items: int
    cancellable: int
    blocked: int


@dataclass(slots=True)
class PlanTotals:
    """What is known only when every item has been read; it stands at the foot of the plan and under its hash.

    ``soonest`` is the first moment at which it is too late for something that is to be done. ``undo_seconds`` is the
    shortest time for which something can be undone once it is done; it stands in the record where it is known.
    """

    items: int = 0
    cancellable: int = 0
    soonest: str | None = None
    undo_seconds: int | None = None
    by_system: dict[str, int] = field(default_factory=dict)
    blocked: dict[str, int] = field(default_factory=dict)
    impact: Tally = field(default_factory=Tally)

    def add(self, system: str, seen: Seen) -> None:
        """Count one item; only what will be cancelled has an impact."""
        self.items += 1
        if seen.verdict.cancellable:
            self.cancellable += 1
            self.by_system[system] = self.by_system.get(system, 0) + 1
            self.impact.add(seen.effects)
            if seen.due is not None and (self.soonest is None or seen.due < self.soonest):
                self.soonest = seen.due
            if seen.undo_seconds is not None and (self.undo_seconds is None or seen.undo_seconds < self.undo_seconds):
                self.undo_seconds = seen.undo_seconds
        else:
            code = seen.verdict.code.value if seen.verdict.code else ""
            self.blocked[code] = self.blocked.get(code, 0) + 1

    @property
    def counts(self) -> PlanCounts:
        """The three numbers that every screen and script shows."""
        return PlanCounts(self.items, self.cancellable, self.items - self.cancellable)

    def record(self) -> dict[str, Any]:
        """The totals as they are hashed and stored."""
        return {
            "counts": asdict(self.counts),
            "by_system": self.by_system,
            "blocked": self.blocked,
            "soonest": self.soonest,
            "impact": [[effect.code, effect.target, count] for effect, count in self.impact],
            **({} if self.undo_seconds is None else {"undo_seconds": self.undo_seconds}),
        }


class PlanHasher:
    """SHA-256 over the canonical lines of a plan: head, items, totals, each ended by a newline.

    Streaming, so that the hash of a million items costs no memory.
    """

    def __init__(self, head: PlanHead) -> None:
        self._sha = hashlib.sha256()
        self._line(head_record(head))

    def _line(self, record: Mapping[str, Any]) -> None:
        self._sha.update(canonical(record) + b"\n")

    def add(self, item: PlanItem) -> None:
        """The next item, in order."""
        self._line(item.record())

    def finish(self, totals: Mapping[str, Any]) -> str:
        """The hash, in hexadecimal, once the totals are known."""
        self._line(totals)
        return self._sha.hexdigest()


def head_record(head: PlanHead) -> dict[str, Any]:
    """The head as it is hashed, stored and written to a file."""
    record = {**asdict(head), "verb": head.verb.value, "targets": dict(head.targets)}
    return record if head.again else {name: value for name, value in record.items() if name != "again"}


def head_from(record: Mapping[str, Any]) -> PlanHead:
    """The way back from :func:`head_record`.

    Raises:
        PlanChanged: a field is missing or is of another type.
    """
    try:
        head = PlanHead(**{**record, "verb": Verb(record["verb"]), "targets": dict(record["targets"])})
        read(head.expires_at)
    except (KeyError, TypeError, ValueError) as error:
        raise PlanChanged("the head of this plan cannot be read") from error
    return head


def short(plan_hash: str) -> str:
    """The first eight digits of a hash: enough to tell two plans apart, and no name of one."""
    return plan_hash[:8]


def with_hash(plan_id: str, plan_hash: str | None) -> str:
    """A plan by its name, which is its id, and its hash as one; a plan that is still being made has none."""
    return f"{plan_id} (hash {short(plan_hash)})" if plan_hash else plan_id


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is carried out; part of what is confirmed.

    ``accept_drift`` cancels what changed and can still be cancelled; what cannot is skipped either way.
    """

    notify_stakeholders: bool = True
    accept_drift: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A plan's hash with a reason, options and the typed phrase: the only thing that can run."""

    plan_id: str
    plan_hash: str
    reason: str
    options: Options
    phrase: str

    @property
    def hash(self) -> str:
        """Of the confirmation as a whole."""
        return digest(asdict(self))


def stricter(here: str, there: str) -> str:
    """The environment that counts where a profile (``here``) is served by another one (``there``).

    The profile's own, where it names one; but what either calls production is production.
    """
    return there if there == PRODUCTION or not here else here


def demanded(expected: str, environment: str) -> str:
    """What an operator of this environment has to type, where the service expects these words for its own."""
    front = f"{PRODUCTION} "
    return front + expected if environment == PRODUCTION and not expected.startswith(front) else expected


def expected_phrase(cancellable: int, environment: str) -> str:
    """What has to be typed: ``yes`` for up to 20, else the number; in production its name in front.

    Raises:
        Conflict: there is nothing to cancel, which cannot be confirmed.
    """
    if cancellable == 0:
        raise Conflict("nothing in this plan can be cancelled", hint="Leave the review and choose other items.")
    words = "yes" if cancellable <= WORD_LIMIT else str(cancellable)
    return demanded(words, environment)


def check_phrase(typed: str, cancellable: int, environment: str) -> None:
    """Refuse anything but the words that confirm so many items in this environment.

    Raises:
        PhraseDiffers: saying what is expected.
    """
    check_typed(typed, expected_phrase(cancellable, environment))


def check_typed(typed: str, expected: str) -> None:
    """Refuse anything but exactly the expected words.

    Raises:
        PhraseDiffers: saying what is expected.
    """
    if typed != expected:
        raise PhraseDiffers(f"type {expected!r} to confirm", hint="Nothing was sent.", expected=expected)


def check_count(expected: int, items: int, cancellable: int) -> None:
    """Refuse a plan whose number of items is not what the caller believes it selected.

    Raises:
        CountDiffers: with the expected number, and how many items there are and may be done.
    """
    if expected != items:
        raise CountDiffers(
            f"expected {counted(expected, 'item')}, the plan has {items:,}: {parts(items, cancellable)}",
            expected=expected,
            items=items,
        )


def parts(items: int, cancellable: int) -> str:
    """How a plan's items divide; ``--expect-count`` is their sum, and what is typed is the first part."""
    return f"{cancellable:,} can be done, {items - cancellable:,} are blocked"


def check_cap(cancellable: int, cap: int | None) -> None:
    """Refuse a plan above the profile's cap.

    Raises:
        AboveCap: with both numbers.
    """
    if cap is not None and cancellable > cap:
        raise AboveCap(
            f"{counted(cancellable, 'item is', 'items are')} above the cap of {cap:,} of this profile", cap=cap
        )


def check_expiry(head: PlanHead, now: datetime) -> None:
    """Refuse a plan whose time has passed; called when confirming and at no other time.

    A plan that was made later than now was made while a clock was ahead: nobody knows how old it is.

    Raises:
        PlanExpired: with the moment it expired.
    """
    made = known(head.created_at)
    if made is None or clamped(made, now, SKEW) != made:
        raise PlanExpired(
            f"this plan says that it was made at {head.created_at}, which is still to come: a clock was or is wrong",
            hint="Check the clock of this host, and make the plan anew.",
        )
    if now >= read(head.expires_at):
        raise PlanExpired(f"this plan expired at {head.expires_at}")


def expiring_from(head: PlanHead, made: datetime) -> PlanHead:
    """The head of a plan that was made by then: its time to be confirmed is counted from there where that took long.

    A server may take so few reads that making a plan takes longer than the plan would live.
    """
    begun, expires = read(head.created_at), read(head.expires_at)
    if made - begun <= LONG_MAKING:
        return head
    return replace(head, expires_at=stamp(min(made + (expires - begun), begun + LONGEST_LIFE)))


def totals_from(record: Mapping[str, Any]) -> PlanTotals:
    """The way back from :meth:`PlanTotals.record`; an empty record gives empty totals."""
    totals = PlanTotals()
    if record:
        totals.items = record["counts"]["items"]
        totals.cancellable = record["counts"]["cancellable"]
        totals.by_system = dict(record["by_system"])
        totals.blocked = dict(record["blocked"])
        totals.soonest = record["soonest"]
        totals.undo_seconds = record.get("undo_seconds")
        for code, target, count in record["impact"]:
            totals.impact.add((Effect(code, target),), count)
    return totals
