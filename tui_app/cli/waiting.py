"""Waiting for a run: until it is over, paused, or the time is up. The run does not depend on anybody waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tui_app.cli.deadline import Deadline
from tui_app.cli.exits import Exit, of_run
from tui_app.cli.named_items import SHOWN, as_data, not_done_items, numbers_of
from tui_app.cli.session import again
from tui_app.cli.sight import OutOfSight, Sight
from tui_app.cli.telling import not_done_lines, numbers, run_lines, stopping, waits
from tui_app.client.progress import clock
from tui_app.domain.errors import QuashError

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient
    from tui_app.contract.runs import RunModel

FIRST_POLL, LONGEST_POLL = 0.05, 1.0
"""Seconds between two looks: short runs end soon, and long ones are not worth asking often."""

ALONE_SECONDS = 10.0
"""How long a run may be without a runner: one that was just started takes a moment to come."""


async def conclude(call: Call, client: BackendClient, run: RunModel, *, undone: str | None = None) -> Exit:
    """Wait for a run unless told not to, print it as it was seen last, and end by it.

    ``undone`` is the run that it brings back, which is told of where it is paused for that.
    """
    sight = Sight(call, client, run)
    goes_on = f"run {run.id} goes on; watch it with: {again(call, 'runs', run.id)}"
    try:
        if undone is not None:
            _tell_paused(call, await sight.of(undone))
        if call.arguments.detach:
            call.talk.tell(goes_on)
            code = Exit.DONE
        else:
            code = await _watched(call, sight)
    except (asyncio.CancelledError, QuashError):
        call.talk.tell(goes_on)
        raise
    except TimeoutError:
        call.talk.tell(goes_on)
        code = Exit.TIMEOUT
    except OutOfSight as lost:
        call.talk.tell(_why_lost(call, sight.run, lost.why))
        code = Exit.TIMEOUT
    await print_run(call, client, sight.run, named=code is not Exit.TIMEOUT)
    return code


async def _watched(call: Call, sight: Sight) -> Exit:
    """How a run ended, or why it is not waited for any longer.

    Raises:
        TimeoutError: the time is up.
        OutOfSight: the run cannot be watched any longer.
    """
    async for seen in _looks(sight):
        call.talk.progress(" · ".join([*waits(seen), numbers(seen)]))
    run = sight.run
    if run.over:
        return of_run(run)
    if run.pause is not None:
        call.talk.tell(_why_paused(call, run))
        return of_run(run)
    held = _held(run, sight.deadline)
    if held is not None:
        call.talk.tell(f"{held}; run {run.id} goes on; watch it with: {again(call, 'runs', run.id)}")
        return Exit.RATE_LIMITED
    log = "" if call.setup.profile.remote else f" (its log: {call.setup.rooms.runner_log})"
    call.talk.tell(f"nobody works on run {run.id}{log}; go on with: {again(call, 'runs', 'resume', run.id)}")
    return Exit.INTERRUPTED


async def _looks(sight: Sight) -> AsyncIterator[RunModel]:
    """A run as it goes on, until there is nothing to wait for.

    Raises:
        TimeoutError, OutOfSight: as for ``_watched``.
    """
    run, alone = sight.run, time.monotonic()
    pause, before = FIRST_POLL, None
    while True:
        yield run
        now = time.monotonic()
        if run.over or (run.pause is not None and not _passes(run, sight.deadline)):
            return
        if _held(run, sight.deadline) is not None:
            return
        if sight.deadline.left <= 0:
            raise TimeoutError
        if run.attended or run.counts != before or run.pause is not None:
            alone, before = now, run.counts
        elif now - alone >= ALONE_SECONDS:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, LONGEST_POLL)
        run = await sight.look()


def _passes(run: RunModel, deadline: Deadline) -> bool:
    """Whether a pause ends by itself before the time is up."""
    if run.pause is None or run.pause.cause != "gate":
        return False
    return run.pause.until is None or not deadline.before(run.pause.until)


def _held(run: RunModel, deadline: Deadline) -> str | None:
    """Which system takes nothing until the time is up, so that a run that has work left there cannot end by then."""
    if not run.attended:
        return None
    for system, until in run.gates.items():
        if deadline.before(until):
            when = f"{clock(until)}, which is beyond --timeout"
            rate = run.paced.get(system)
            ours = f"{system} is sent to again (rate {rate}) at {when}"
            return f"{system} takes nothing more until {when}" if rate is None else ours
    return None


def _why_lost(call: Call, run: RunModel, why: QuashError) -> str:
    look = again(call, "runs", run.id)
    return f"run {run.id} may go on; only watching it failed: {why.message}; look again with: {look}"


def _why_paused(call: Call, run: RunModel) -> str:
    cause = run.pause.cause if run.pause else ""
    message = run.pause.message if run.pause and run.pause.message else f"by {cause}"
    if run.stopping:
        settle = again(call, "runs", "resume", run.id)
        return f"run {run.id} is {stopping(run)}, which could not be done: {message}; settle it with: {settle}"
    return f"run {run.id} is paused: {message}; go on with: {again(call, 'runs', 'resume', run.id)}"


def _tell_paused(call: Call, undone: RunModel) -> None:
    """Say that what is undone does not go on by itself, where it was not over."""
    if not undone.over:
        stop, go = again(call, "runs", "stop", undone.id), again(call, "runs", "resume", undone.id)
        call.talk.tell(f"run {undone.id} is paused, and not over; end it with: {stop}; or go on with: {go}")


async def print_run(call: Call, client: BackendClient, run: RunModel, *, named: bool = True) -> None:
    """A run as data, with the items that were not done or are in doubt; a person is told what to do about them.

    The items are ``named`` where they can be read: some in text, all in JSON.
    """
    text = call.output.form == "table"
    items = await not_done_items(client, run, SHOWN if text else None) if named else {}
    told = [*run_lines(run, again(call, "runs", "resume", run.id))]
    report = again(call, "runs", "report", run.id)
    for kind, number in numbers_of(run).items():
        told += not_done_lines(kind, items.get(kind, []), number, report)
    fields = ("system", "id", "state", "code", "message", "ours", "by", "verified", "note")
    document = {"run": run.model_dump(mode="json"), "not_done": as_data(items, *fields) if named else None}
    call.output.one("quash.run.v1", document, lambda: told)
