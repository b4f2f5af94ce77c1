"""Plans as files: JSON lines that can be reviewed, kept and applied later.

The first line is the head, then one item a line, and the last line holds the totals, the proposed reason and the hash.
The hash covers head, items and totals exactly as they stand; the proposed reason is not part of the plan.

A file is a claim. What it says of numbers has to be what its items add up to, its verb has to be one of its systems,
and what it says of impact and deadlines is read anew from the systems before the plan is ready.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tui_app.domain.canonical import canonical
from tui_app.domain.describe import Verb
from tui_app.domain.errors import Conflict, NotFound, PlanChanged, TargetChanged, UsageProblem
from tui_app.domain.foreign_json import parse
from tui_app.domain.items import Seen
from tui_app.domain.moments import known, stamp
from tui_app.domain.moments import read as moment
from tui_app.domain.plan import (
    LONGEST_LIFE,
    PlanHasher,
    PlanHead,
    PlanItem,
    PlanState,
    PlanTotals,
    head_from,
    head_record,
)
from tui_app.domain.ports import System
from tui_app.domain.reasons import check_reason
from tui_app.domain.records import PlanRecord, Who
from tui_app.domain.stores import Store
from tui_app.domain.verdict import Verdict
from tui_app.engine.binding import identities, moved
from tui_app.engine.planning import frozen

SCHEMA = "quash.planfile.v1"

LONGEST_UNDO = 10 * 366 * 86400
"""Seconds for which anything can be undone."""

LONGEST_TEXT = 4096
MOST_EFFECTS = 5_000
"""What no plan of ours exceeds: characters of a text, and effects on targets in its totals."""

_SKEW = timedelta(minutes=10)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def write(store: Store, plan_id: str) -> AsyncIterator[bytes]:
    """The lines of a plan file, each with its newline.

    Raises:
        Conflict: the plan is not made yet.
    """
    plan = await store.plans.get(plan_id)
    if plan.state is not PlanState.READY:
        raise Conflict(f"plan {plan_id} is {plan.state}", hint="Wait until it is made.")
    yield canonical({"schema": SCHEMA, "head": head_record(plan.head)}) + b"\n"
    async for item in frozen(store, plan_id):
        yield canonical(item.record()) + b"\n"
    yield canonical({"totals": dict(plan.totals), "reason": plan.reason, "hash": plan.hash}) + b"\n"


async def load(
    store: Store,
    document: bytes,
    expected_hash: str | None,
    who: Who,
    systems: Mapping[str, System],
    now: datetime,
) -> PlanRecord:
    """Bring a plan file into the journal; the plan is ready once its items are read anew (``Planner.bring``).

    Raises:
        PlanChanged: the file was edited or cut, is not the plan that was reviewed, says what no plan could, or this
            operator has not made it here and no hash was given.
        UsageProblem: a system of it is not here, or does not have its verb.
        TargetChanged: a system of it is another one than that of this name here.
        MalformedId: an id in it cannot be one.
        InvalidReason: it proposes a reason that cannot be used.
        Conflict: another plan of that name is here.
    """
    # In a thread: a file of many items takes seconds, in which others are answered.
    read = await asyncio.to_thread(_read, document, systems, now)
    elsewhere = moved(read.head.targets, await identities(systems, read.head.targets))
    if elsewhere is not None:
        raise TargetChanged(elsewhere, hint="Use the profile that the plan was made with, or make a new plan.")
    _check_origin(read.hash, expected_hash, await _made_here(store, read, who))
    plan = await store.plans.load(read.head, read.items, read.totals, read.hash, read.reason, who)
    if plan.hash != read.hash:
        raise Conflict(f"there is another plan {read.head.id} here already", hint="Make the plan anew.")
    return plan


@dataclass(frozen=True, slots=True)
class _File:
    """What a file says, as far as it can be held against itself."""

    head: PlanHead
    items: Sequence[PlanItem]
    totals: Mapping[str, Any]
    hash: str
    reason: str | None


def _read(document: bytes, systems: Mapping[str, System], now: datetime) -> _File:
    lines = document.splitlines()
    if len(lines) < 2:
        raise PlanChanged("this is not a whole plan file: it has no foot")
    top, foot = _object(lines[0], 1), _object(lines[-1], len(lines))
    if top.get("schema") != SCHEMA or not {"totals", "hash"} <= foot.keys():
        raise PlanChanged("this is not a whole plan file: its head or its foot is missing")
    head = _head(top.get("head"), now)
    _check_verb(head, systems)
    items = [_item(_object(line, number), number) for number, line in enumerate(lines[1:-1], start=2)]
    totals = _checked(head, items, systems).record()
    computed = _hash(head, items, foot["totals"])
    if computed != foot["hash"] or not _as_counted(foot["totals"], totals):
        raise PlanChanged("this plan file was changed after it was made: its hash does not match its content")
    reason = foot.get("reason")
    return _File(head, items, foot["totals"], computed, None if reason is None else check_reason(_text(reason)))


def _check_verb(head: PlanHead, systems: Mapping[str, System]) -> None:
    """Refuse a plan over a system that is not here, or for a verb that one of its systems does not have."""
    for name in head.targets:
        if name not in systems:
            here = ", ".join(sorted(systems))
            raise UsageProblem(f"this plan is over {name!r}, which is not here", hint=f"Systems here: {here}.")
        if head.verb not in systems[name].description.verbs:
            many = systems[name].description.many
            raise UsageProblem(
                f"{many} cannot be {head.verb}d", hint="quash makes no such plan; ask who sent the file."
            )
    if head.undoes is not None and head.verb is not Verb.REINSTATE:
        raise PlanChanged("this plan file says that it undoes a run, and cancels")


async def _made_here(store: Store, read: _File, who: Who) -> bool:
    """Whether this operator made or brought this very plan here before.

    The journal tells that: what a file says of its maker proves nothing.
    """
    try:
        plan = await store.plans.get(read.head.id)
    except NotFound:
        return False
    return plan.hash == read.hash and plan.maker is not None and plan.maker.operator == who.operator


def _checked(head: PlanHead, items: Sequence[PlanItem], systems: Mapping[str, System]) -> PlanTotals:
    """The totals of the items, each of which stands once, in its place, and under its one spelling."""
    totals, seen = PlanTotals(), set()
    for position, item in enumerate(items):
        if item.position != position or item.system not in head.targets:
            raise PlanChanged(f"line {position + 2} does not belong where it stands")
        if systems[item.system].check_id(item.seen.id) != item.seen.id:
            raise PlanChanged(f"line {position + 2} does not spell its id as {item.system} does")
        seen.add((item.system, item.seen.id))
        if len(seen) == position:
            raise PlanChanged(f"line {position + 2} names an item that stands further up already")
        totals.add(item.system, item.seen)
    return totals


def _hash(head: PlanHead, items: Sequence[PlanItem], totals: Mapping[str, Any]) -> str:
    hasher = PlanHasher(head)
    for item in items:
        hasher.add(item)
    return hasher.finish(totals)


def _as_counted(stored: Any, counted: Mapping[str, Any]) -> bool:
    """Whether the totals of a file are those of its items.

    The items tell neither their impact nor how long they can be undone. Of these the form and the limits are looked
    at here, and what holds is read from the systems.
    """
    if not isinstance(stored, dict) or stored.keys() - {"undo_seconds"} != counted.keys():
        return False
    seconds = stored.get("undo_seconds", 0)
    if not isinstance(stored["impact"], list) or type(seconds) is not int or not 0 <= seconds <= LONGEST_UNDO:
        return False
    well_formed = len(stored["impact"]) <= MOST_EFFECTS and all(
        isinstance(row, list) and list(map(type, row)) == [str, str, int] and 0 < row[2] < 2**53
        for row in stored["impact"]
    )
    return well_formed and all(stored[name] == counted[name] for name in counted if name != "impact")


def _check_origin(computed: str, expected: str | None, own: bool) -> None:
    if expected is not None and not (len(expected) >= 8 and computed.startswith(expected.lower())):
        raise PlanChanged(f"this plan has the hash {computed}, not {expected}")
    if expected is None and not own:
        raise PlanChanged(
            "this plan file was made by somebody else, or elsewhere",
            hint=f"If it is the plan you reviewed, apply it with --hash {computed}.",
        )


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        read = parse(line, strict=True)
    except ValueError as error:
        raise PlanChanged(f"line {number} of this plan file is not JSON") from error
    if not isinstance(read, dict):
        raise PlanChanged(f"line {number} of this plan file is not an object")
    return read


def _text(value: Any) -> str:
    """A text that every store can hold.

    Raises:
        PlanChanged: it is none, it is longer than any that quash writes, or it has half characters.
    """
    if (
        not isinstance(value, str)
        or len(value) > LONGEST_TEXT
        or any("\ud800" <= character <= "\udfff" for character in value)
    ):
        raise PlanChanged("this plan file holds something else where a text should be")
    return value


def _head(read: Any, now: datetime) -> PlanHead:
    head = head_from(read if isinstance(read, dict) else {})
    for name in ("id", "created_at", "expires_at", "operator", "host", "selection"):
        _text(getattr(head, name))
    for part in (*head.targets, *head.targets.values(), head.undoes or ""):
        _text(part)
    if not isinstance(head.again, bool):
        raise PlanChanged("the plan file does not say whether it does again what was done before")
    if head.expires_at != stamp(moment(head.expires_at)):
        raise PlanChanged("the plan file does not say when it expires in the way quash writes it, in UTC")
    if not _NAME.fullmatch(head.id):
        raise PlanChanged("the plan file gives its plan a name that no plan has")
    made = known(head.created_at)
    if made is None or made > now + _SKEW or moment(head.expires_at) - made > LONGEST_LIFE:
        raise PlanChanged("the plan file was made in the future, or lives longer than a plan can")
    return head


def _item(read: Mapping[str, Any], number: int) -> PlanItem:
    try:
        code, reason = read["code"], read["reason"]
        verdict = Verdict.frozen(code, None if code is None and reason is None else _text(reason))
        due = None if read["due"] is None else stamp(moment(_text(read["due"])))
        seen = Seen(_text(read["id"]), _text(read["status"]), _text(read["version"]), verdict, due=due)
        return PlanItem(int(read["position"]), _text(read["system"]), seen)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise PlanChanged(f"line {number} of this plan file is not an item") from error
