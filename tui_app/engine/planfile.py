"""Plans as files: JSON lines that can be reviewed, kept and applied later.

The first line is the head, then one item a line, and the last line holds the totals, the proposed reason and the hash.
The hash covers head, items and totals exactly as they stand; the proposed reason is not part of the plan.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from tui_app.domain.canonical import canonical
from tui_app.domain.errors import Conflict, PlanChanged
from tui_app.domain.items import Seen
from tui_app.domain.plan import PlanHasher, PlanItem, PlanState, head_from, head_record, totals_from
from tui_app.domain.ports import System
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
    """
    lines = document.splitlines()
    if len(lines) < 2:
        raise PlanChanged("this is not a whole plan file: it has no foot")
    top, foot = _object(lines[0], 1), _object(lines[-1], len(lines))
    if top.get("schema") != SCHEMA or not {"totals", "hash"} <= foot.keys():
        raise PlanChanged("this is not a whole plan file: its head or its foot is missing")
    head = head_from(top.get("head") or {})
    hasher = PlanHasher(head)
    items = [_item(_object(line, number), number) for number, line in enumerate(lines[1:-1], start=2)]
    totals = totals_from({})
    for position, item in enumerate(items):
        if item.position != position or item.system not in head.targets:
            raise PlanChanged(f"line {position + 2} does not belong where it stands")
        hasher.add(item)
        totals.add(item.system, item.seen)
    computed = hasher.finish(foot["totals"])
    if computed != foot["hash"] or totals.record()["counts"] != foot["totals"].get("counts"):
        raise PlanChanged("this plan file was changed after it was made: its hash does not match its content")
    _check_origin(computed, expected_hash, head.operator == who.operator and head.host == who.host)
    for item in items:
        if item.system in systems:
            systems[item.system].check_id(item.seen.id)
    return await store.plans.load(head, items, foot["totals"], computed, foot.get("reason"), who)


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
        read = json.loads(line)
    except ValueError as error:
        raise PlanChanged(f"line {number} of this plan file is not JSON") from error
    if not isinstance(read, dict):
        raise PlanChanged(f"line {number} of this plan file is not an object")
    return read


def _item(read: Mapping[str, Any], number: int) -> PlanItem:
    try:
        code = read["code"]
        verdict = YES if code is None else Verdict.no(VerdictCode(code), read["reason"])
        seen = Seen(str(read["id"]), str(read["status"]), str(read["version"]), verdict)
        return PlanItem(int(read["position"]), str(read["system"]), seen)
    except (KeyError, ValueError, TypeError) as error:
        raise PlanChanged(f"line {number} of this plan file is not an item") from error
