"""The way from a plan to a run: the count, the reason and the confirmation, given beforehand or asked on a terminal."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import TYPE_CHECKING
from uuid import uuid4

from tui_app.cli.deadline import Deadline
from tui_app.cli.named_items import blocked_items
from tui_app.cli.session import again
from tui_app.cli.sight import OutOfSight, answered
from tui_app.cli.telling import done_word, plan_lines, urgent, withheld
from tui_app.cli.terminal import ask, on_terminal
from tui_app.contract.plans import PlanModel
from tui_app.contract.runs import OptionsModel, RunModel, RunRequest
from tui_app.domain.counting import counted
from tui_app.domain.errors import Conflict, NotSignedIn, OutcomeUnknown, QuashError, UsageProblem
from tui_app.domain.plan import check_count, check_typed, demanded, parts
from tui_app.domain.reasons import check_reason

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient


def check_guards(asked: Namespace) -> None:
    """Refuse a command line that could not be confirmed, before anything is done.

    Raises:
        UsageProblem: nobody is there to ask, and not both of ``--yes`` and ``--expect-count`` were given.
        InvalidReason: the reason could not be used.
    """
    if asked.yes and asked.expect_count is None:
        raise UsageProblem(
            "--yes needs --expect-count N",
            hint="Say how many items the plan must have, so that a wrong selection is noticed.",
        )
    if not asked.yes and not on_terminal():
        raise UsageProblem(
            "there is no terminal to ask on",
            hint="Confirm with --yes --expect-count N; nothing was planned and nothing was sent.",
        )
    if asked.reason is not None:
        check_reason(asked.reason)


def reason_for(asked: Namespace, proposed: str | None = None) -> str:
    """The reason: the one given, else the one proposed with the plan, else what is typed.

    Raises:
        InvalidReason: it could not be used, or there is none and nobody to ask.
    """
    found = asked.reason if asked.reason is not None else proposed
    if found is None and not asked.yes:
        found = ask("reason: ")
    return check_reason(found or "")


async def confirm(call: Call, client: BackendClient, plan: PlanModel, *, shown: bool = True) -> RunModel:
    """Turn a plan into a run, with what the command line says or the operator types.

    The plan is told first; where it is not to be ``shown``, since it was before, only to somebody who is asked.

    Raises:
        CountDiffers: the plan does not have the expected number of items.
        Conflict: nobody said ``--yes``, and there is nothing to do.
        PhraseDiffers: what was typed does not confirm it.
        QuashError: the service refuses; see ``Steering.confirm``.
    """
    asked = call.arguments
    if asked.expect_count is not None:
        check_count(asked.expect_count, plan.counts.items, plan.counts.cancellable)
    told = shown or not asked.yes
    if told:
        for line in plan_lines(plan, await blocked_items(client, plan), notify=asked.notify, reason=asked.reason):
            call.talk.say(line)
    reason = reason_for(asked, plan.reason)
    phrase = None if asked.yes else _typed(plan, call.setup.profile.environment)
    request = RunRequest(
        hash=plan.hash or "",
        reason=reason,
        options=OptionsModel(notify_stakeholders=asked.notify, accept_drift=asked.accept_drift),
        phrase=phrase,
        expect_count=asked.expect_count,
    )
    try:
        run = await _begin(call, client, plan, request)
    except asyncio.CancelledError:
        await _tell_begun(call, client, plan)
        raise
    call.talk.say(f"run {run.id} is confirmed: {plan.counts.cancellable:,} to be {done_word(plan.verb)}")
    if not told:
        for line in (*urgent(plan), *(() if asked.notify else withheld(plan))):
            call.talk.say(f"  {line}")
    return run


async def _begin(call: Call, client: BackendClient, plan: PlanModel, request: RunRequest) -> RunModel:
    """Confirm a plan; where no answer comes, again with the same key, which confirms once.

    Raises:
        OutcomeUnknown: no answer came to that either.
    """
    key = str(uuid4())
    try:
        return await client.run(plan.id, request, key)
    except OutcomeUnknown as lost:
        call.talk.tell(f"{lost.message}; it is confirmed again with the same key, which begins one run at most")
        try:
            return await answered(lambda: client.run(plan.id, request, key), Deadline(call), lambda why: None)
        except (OutOfSight, TimeoutError, NotSignedIn) as error:
            told = f"whether plan {plan.id} was confirmed is not known: {str(error) or lost.message}"
            raise OutcomeUnknown(told, hint=f"See whether it was with: {again(call, 'runs')}") from error


async def _tell_begun(call: Call, client: BackendClient, plan: PlanModel) -> None:
    """Say what became of a confirmation that was interrupted. It is looked for, not sent again: that could begin it."""
    try:
        begun = [run.id for run in await client.runs.list() if run.plan == plan.id]
    except QuashError:
        begun = []
    for run in begun:
        call.talk.tell(f"run {run} goes on; watch it with: {again(call, 'runs', run)}")
    if not begun:
        call.talk.tell(f"interrupted while it was confirmed; see whether it was with: {again(call, 'runs')}")


def _typed(plan: PlanModel, environment: str) -> str:
    """The words that the service expects, once what this profile demands was typed."""
    if plan.phrase is None:
        word = done_word(plan.verb)
        raise Conflict(f"nothing in this plan can be {word}", hint="Nothing was sent; choose other items.")
    expected = demanded(plan.phrase, environment)
    numbers = f"{counted(plan.counts.items, 'item')} in the plan, {parts(plan.counts.items, plan.counts.cancellable)}"
    check_typed(ask(f"{numbers}; type {expected!r} to confirm: "), expected)
    return plan.phrase
