"""``apply`` and ``cancel``: from a plan, reviewed elsewhere or made on the spot, to a run and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.cli.confirming import check_guards, confirm, reason_for
from tui_app.cli.exits import Exit
from tui_app.cli.plans import freeze
from tui_app.cli.reading import Reading
from tui_app.cli.selecting import chosen
from tui_app.cli.session import again, connected
from tui_app.cli.telling import done_word
from tui_app.cli.waiting import conclude
from tui_app.config.places import content, expanded
from tui_app.contract.plans import DriftModel, PlanModel, PlanRequest
from tui_app.domain.counting import counted
from tui_app.domain.errors import Conflict, Drifted, PlanChanged, UsageProblem

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient

SHORTEST_HASH = 8


async def cancel(call: Call) -> Exit:
    """Plan and apply in one step."""
    asked = call.arguments
    check_guards(asked)
    wanted = chosen(asked)
    asked.reason = reason_for(asked)
    async with connected(call) as client:
        request = PlanRequest(selections=wanted.selections, reason=asked.reason, ttl=asked.ttl, again=asked.again)
        plan = await freeze(call, client, request, wanted)
        run = await confirm(call, client, plan)
        return await conclude(call, client, run)


async def apply_plan(call: Call) -> Exit:
    """Read a plan again, confirm it, and wait for its run."""
    check_guards(call.arguments)
    async with connected(call) as client:
        plan = await _find(call, client)
        _check_unused(call, plan)
        plan = await client.plans.check(plan.id, Reading(call))
        _check_drift(call, plan)
        if plan.impact_moved:
            call.talk.tell("the impact is another one than the plan was made with; as it is now:")
            for effect in plan.summary or plan.impact:
                call.talk.tell(f"  {effect.text}")
        run = await confirm(call, client, plan, shown=False)
        return await conclude(call, client, run)


async def _find(call: Call, client: BackendClient) -> PlanModel:
    """The plan that is named: a file where there is one, else an id.

    Raises:
        NotFound: it is neither.
        PlanChanged: it is not the one that was reviewed.
    """
    asked = call.arguments
    given = None if asked.hash is None else asked.hash.lower()
    if given is not None and len(given) < SHORTEST_HASH:
        raise UsageProblem("--hash is too short", hint=f"Give at least {SHORTEST_HASH} digits.")
    document = _document(asked.plan)
    if document is not None:
        return await client.plans.load(document, expected_hash=given, progress=Reading(call))
    plan = await client.plans.finished(await client.plans.get(asked.plan), Reading(call))
    if given is not None and not (plan.hash or "").startswith(given):
        raise PlanChanged(f"plan {plan.id} has the hash {plan.hash}, not {given}")
    return plan


def _check_unused(call: Call, plan: PlanModel) -> None:
    """Refuse a plan that was applied.

    Raises:
        Conflict: naming the run.
    """
    if plan.run is not None:
        raise Conflict(
            f"plan {plan.id} was applied, as run {plan.run}",
            hint=f"See what became of it with: {again(call, 'runs', plan.run)}",
            run=plan.run,
        )


LARGEST_PLAN = 64 * 1024 * 1024
"""Bytes of a plan file at most, as for the service."""


def _document(name: str) -> bytes | None:
    """The plan file of this name; none where it can only be an id."""
    path = expanded(name)
    if not path.is_file() and path.suffix != ".jsonl":
        return None
    try:
        return content(path, LARGEST_PLAN)
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}", hint="Check its name.") from error


def _check_drift(call: Call, plan: PlanModel) -> None:
    """Tell what moved since the plan was made.

    Raises:
        Drifted: something did, and ``--accept-drift`` was not said.
    """
    found = plan.drift or DriftModel(state="done", read=0)
    if not (found.changed or found.gone):
        return
    _tell_drift(call, found, done_word(plan.verb))
    if not call.arguments.accept_drift:
        moved = found.changed + found.gone
        facts = found.model_dump(mode="json", include={"unchanged", "changed", "gone", "examples"})
        raise Drifted(f"{moved:,} of {counted(plan.counts.items, 'item')} moved since the plan was made", **facts)


def _tell_drift(call: Call, found: DriftModel, word: str) -> None:
    call.talk.say(f"unchanged: {found.unchanged:,}")
    for kind, number, title in (
        ("changed", found.changed, f"changed, can still be {word}"),
        ("gone", found.gone, f"can no longer be {word}"),
    ):
        call.talk.say(f"{title}: {number:,}")
        for one in found.examples:
            if one.kind == kind:
                why = f" ({one.reason})" if one.reason else ""
                call.talk.say(f"  {one.system} {one.id}: {one.before}, now {one.after}{why}")
