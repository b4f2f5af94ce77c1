"""``plan``: freeze a selection, and say what cancelling it would do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tui_app.cli.exits import Exit
from tui_app.cli.selecting import selections
from tui_app.cli.session import again, connected
from tui_app.client.export import NewFile, place
from tui_app.contract.work import PlanModel, PlanRequest
from tui_app.domain.plan import FILE_TTL, short
from tui_app.domain.reasons import check_reason

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient


async def make_plan(call: Call) -> Exit:
    """Make a plan; with ``-o`` also its file."""
    asked = call.arguments
    ttl = asked.ttl or (None if asked.out is None else int(FILE_TTL.total_seconds()))
    reason = None if asked.reason is None else check_reason(asked.reason)
    request = PlanRequest(selections=selections(asked), reason=reason, ttl=ttl)
    async with connected(call) as client:
        with ExitStack() as stack:
            # First, so that nothing is planned for a file that cannot be.
            file = None if asked.out is None else stack.enter_context(NewFile(place(asked.out)))
            plan = await freeze(call, client, request)
            if file is not None:
                await _write(client, plan, file)
        if file is not None:
            call.talk.say(f"written to {asked.out}; apply it with: {again(call, 'apply', asked.out)}")
    call.output.one("quash.plan.v1", {"plan": plan.model_dump(mode="json")}, lambda: told(plan))
    return Exit.PARTLY if any(line.code == "NOT_FOUND" for line in plan.blocked) else Exit.DONE


async def freeze(call: Call, client: BackendClient, request: PlanRequest) -> PlanModel:
    """Make a plan, and draw how far it is."""
    return await client.plan(request, lambda plan: draw(call, plan))


def draw(call: Call, plan: PlanModel) -> None:
    """How far a plan is."""
    of = "" if plan.expected is None else f" of {plan.expected:,}"
    call.talk.progress(f"reading: {plan.read:,}{of}")


async def _write(client: BackendClient, plan: PlanModel, file: NewFile) -> None:
    async for piece in client.plans.file(plan.id):
        file.write(piece.decode("ascii"))


def told(plan: PlanModel) -> Iterator[str]:
    """A plan in lines."""
    counts = plan.counts
    yield f"plan {plan.id} ({short(plan.hash or '')}): {plan.selection}"
    yield (f"  {counts.items:,} in the plan, {counts.cancellable:,} will be cancelled, {counts.blocked:,} blocked")
    for line in plan.blocked:
        yield f"  blocked: {line.count:,} {line.code}"
    for effect in plan.impact:
        yield f"  {'irreversible: ' if effect.irreversible else 'warning: ' if effect.warning else ''}{effect.text}"
    if plan.reason:
        yield f"  proposed reason: {plan.reason}"
    yield f"  expires {plan.expires_at}"
