"""Plans as files: JSON lines that can be reviewed, kept and applied later.

The first line is the head, then one item a line, and the last line holds the totals, the proposed reason and the hash.
The hash covers head, items and totals exactly as they stand; the proposed reason is not part of the plan.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from tui_app.domain.canonical import canonical
from tui_app.domain.errors import Conflict, PlanChanged
from tui_app.domain.foreign_json import parse
from tui_app.domain.items import Seen
from tui_app.domain.moments import read as moment
from tui_app.domain.moments import stamp
from tui_app.domain.plan import PlanHasher, PlanHead, PlanItem, PlanState, PlanTotals, head_from, head_record
from tui_app.domain.ports import System
from tui_app.domain.reasons import check_reason
from tui_app.domain.records import PlanRecord, Who
from tui_app.domain.stores import Store
from tui_app.domain.verdict import YES, Verdict, VerdictCode
from tui_app.engine.planning import frozen

SCHEMA = "quash.planfile.v1"


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
    store: Store, document: bytes, expected_hash: str | None, who: Who, systems: Mapping[str, System]
) -> PlanRecord:
    """Bring a plan file into the journal.

    Raises:
        PlanChanged: the file was edited or cut, is not the plan that was reviewed, or was made by somebody else or
            elsewhere and no hash was given.
        MalformedId: an id in it cannot be one.
        InvalidReason: it proposes a reason that cannot be used.
        Conflict: another plan of that name is here.
    """
    lines = document.splitlines()
    if len(lines) < 2:
        raise PlanChanged("this is not a whole plan file: it has no foot")
    top, foot = _object(lines[0], 1), _object(lines[-1], len(lines))
    if top.get("schema") != SCHEMA or not {"totals", "hash"} <= foot.keys():
        raise PlanChanged("this is not a whole plan file: its head or its foot is missing")
    head = _head(top.get("head"))
    items = [_item(_object(line, number), number) for number, line in enumerate(lines[1:-1], start=2)]
    totals = _checked(head, items, systems).record()
    computed = _hash(head, items, foot["totals"])
    if computed != foot["hash"] or not _as_counted(foot["totals"], totals):
        raise PlanChanged("this plan file was changed after it was made: its hash does not match its content")
    _check_origin(computed, expected_hash, head.operator == who.operator and head.host == who.host)
    reason = foot.get("reason")
    proposed = None if reason is None else check_reason(_text(reason))
    plan = await store.plans.load(head, items, foot["totals"], computed, proposed, who)
    if plan.hash != computed:
        raise Conflict(f"there is another plan {head.id} here already", hint="Make the plan anew.")
    return plan


def _checked(head: PlanHead, items: Sequence[PlanItem], systems: Mapping[str, System]) -> PlanTotals:
    """The totals of the items, each of which stands once, in its place, and under its one spelling."""
    totals, seen = PlanTotals(), set()
    for position, item in enumerate(items):
        if item.position != position or item.system not in head.targets:
            raise PlanChanged(f"line {position + 2} does not belong where it stands")
        system = systems.get(item.system)
        if system is not None and system.check_id(item.seen.id) != item.seen.id:
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

    The items tell neither their impact nor how long they can be undone, so of these only the form is looked at.
    """
    if not isinstance(stored, dict) or stored.keys() - {"undo_seconds"} != counted.keys():
        return False
    if not isinstance(stored["impact"], list) or type(stored.get("undo_seconds", 0)) is not int:
        return False
    well_formed = all(isinstance(row, list) and list(map(type, row)) == [str, str, int] for row in stored["impact"])
    return well_formed and all(stored[name] == counted[name] for name in counted if name != "impact")


def _check_origin(computed: str, expected: str | None, own: bool) -> None:
    if expected is not None and not (len(expected) >= 8 and computed.startswith(expected.lower())):
        raise PlanChanged(f"this plan has the hash {computed}, not {expected}")
    if expected is None and not own:
        raise PlanChanged(
            "this plan file was made by somebody else, or on another host",
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
        PlanChanged: it is none, or it has half characters.
    """
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise PlanChanged("this plan file holds something else where a text should be")
    return value


def _head(read: Any) -> PlanHead:
    head = head_from(read if isinstance(read, dict) else {})
    for name in ("id", "created_at", "expires_at", "operator", "host", "selection"):
        _text(getattr(head, name))
    for part in (*head.targets, *head.targets.values(), head.undoes or ""):
        _text(part)
    if head.expires_at != stamp(moment(head.expires_at)):
        raise PlanChanged("the plan file does not say when it expires in the way quash writes it, in UTC")
    return head


def _item(read: Mapping[str, Any], number: int) -> PlanItem:
    try:
        code, reason = read["code"], read["reason"]
        verdict = YES if code is None else Verdict.no(VerdictCode(code), _text(reason))
        due = None if read["due"] is None else stamp(moment(_text(read["due"])))
        seen = Seen(_text(read["id"]), _text(read["status"]), _text(read["version"]), verdict, due=due)
        return PlanItem(int(read["position"]), _text(read["system"]), seen)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise PlanChanged(f"line {number} of this plan file is not an item") from error
