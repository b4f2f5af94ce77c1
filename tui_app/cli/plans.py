"""``plan`` freezes a selection, and says what cancelling it would do; ``plans`` lists, shows and resumes plans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tui_app.cli.exits import Exit
from tui_app.cli.ledger import tell_unreadable
from tui_app.cli.named_items import SHOWN, as_data, blocked_items
from tui_app.cli.output import Record
from tui_app.cli.reading import Reading
from tui_app.cli.selecting import Chosen, chosen
from tui_app.cli.session import again, connected
from tui_app.cli.table import Column
from tui_app.cli.telling import plan_lines, unmade_lines
from tui_app.client.export import NewFile, place
from tui_app.client.progress import waits_for
from tui_app.contract.plans import PlanModel, PlanRequest
from tui_app.domain.plan import FILE_TTL
from tui_app.domain.reasons import check_reason

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient


COLUMNS = [
    Column("id", "Plan", priority=0),
    Column("state", "State", priority=0),
    Column("waits", "Waits for", priority=1, flexible=True),
    Column("items", "Items", priority=1),
    Column("cancellable", "Can be done", priority=2),
    Column("blocked", "Blocked", priority=2),
    Column("operator", "Operator", priority=3, flexible=True),
    Column("created_at", "Made", priority=3, moment=True),
    Column("expires_at", "Expires", priority=4, moment=True),
    Column("run", "Run", priority=3),
    Column("selection", "Selection", priority=2, flexible=True),
]


async def list_plans(call: Call) -> Exit:
    """The plans of this journal, newest first."""
    async with connected(call) as client:
        listed = await client.plans.listed()
    rows = [plan.model_dump(mode="json") for plan in listed.plans]
    waits = {plan.id: waits_for(plan.waiting) for plan in listed.plans if plan.waiting is not None}

    def flat(plan: Record) -> Record:
        return {**_flat(plan), "waits": waits.get(plan["id"], "")}

    call.output.rows("quash.plans.v1", "plans", rows, COLUMNS, flat=flat)
    return tell_unreadable(call, listed.unreadable)


def _flat(plan: Record) -> Record:
    return {**plan, **plan["counts"], "state": "interrupted" if plan["interrupted"] else plan["state"]}


async def show_plan(call: Call) -> Exit:
    """One plan, made or in the making."""
    async with connected(call) as client:
        await _print(call, client, await client.plans.get(call.arguments.plan))
    return Exit.DONE


async def resume_plan(call: Call) -> Exit:
    """Go on with a plan that was left unfinished, and wait until it is made."""
    async with connected(call) as client:
        was = await client.plans.get(call.arguments.plan)
        if not was.interrupted:
            call.talk.say(f"plan {was.id} is {was.state}: there is nothing to resume")
        plan = await client.plans.finished(await client.plans.resume(was.id), Reading(call))
        await _print(call, client, plan)
    return Exit.DONE


async def _print(call: Call, client: BackendClient, plan: PlanModel) -> None:
    """A plan as data, with its blocked items: some of each code in text, all in JSON."""
    ready = plan.state == "ready"
    blocked = await blocked_items(client, plan, SHOWN if call.output.form == "table" else None) if ready else {}

    def told() -> Iterator[str]:
        return plan_lines(plan, blocked) if ready else unmade_lines(plan, again(call, "plans", "resume", plan.id))

    document = {"plan": plan.model_dump(mode="json"), "blocked": as_data(blocked, "system", "id", "code", "reason")}
    call.output.one("quash.plan.v1", document, told)


async def make_plan(call: Call) -> Exit:
    """Make a plan; with ``-o`` also its file."""
    asked = call.arguments
    ttl = asked.ttl or (None if asked.out is None else int(FILE_TTL.total_seconds()))
    reason = None if asked.reason is None else check_reason(asked.reason)
    wanted = chosen(asked)
    request = PlanRequest(selections=wanted.selections, reason=reason, ttl=ttl, again=asked.again)
    async with connected(call) as client:
        with ExitStack() as stack:
            # First, so that nothing is planned for a file that cannot be.
            file = None if asked.out is None else stack.enter_context(NewFile(place(asked.out)))
            plan = await freeze(call, client, request, wanted)
            if file is not None:
                await _write(client, plan, file)
        if file is not None:
            call.talk.say(f"written to {asked.out}; apply it with: {again(call, 'apply', asked.out)}")
        await _print(call, client, plan)
    return Exit.PARTLY if any(line.code == "NOT_FOUND" for line in plan.blocked) else Exit.DONE


async def freeze(call: Call, client: BackendClient, request: PlanRequest, wanted: Chosen) -> PlanModel:
    """Make a plan, and draw how far it is; what cannot be planned is told with the line that it came from."""
    with wanted.located():
        plan = await client.plans.start(request)
    return await client.plans.finished(plan, Reading(call))


async def _write(client: BackendClient, plan: PlanModel, file: NewFile) -> None:
    async for piece in client.plans.file(plan.id):
        file.write(piece.decode("ascii"))
