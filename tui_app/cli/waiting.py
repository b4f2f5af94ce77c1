"""Waiting for a run: until it is over, paused, or the time is up. The run does not depend on anybody waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tui_app.cli.exits import Exit, of_run
from tui_app.cli.session import again
from tui_app.cli.telling import numbers, run_lines, stopping, unknown_lines, waits
from tui_app.domain import moments
from tui_app.domain.errors import QuashError

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient
    from tui_app.contract.runs import RunItemModel, RunModel

FIRST_POLL, LONGEST_POLL = 0.05, 1.0
"""Seconds between two looks: short runs end soon, and long ones are not worth asking often."""

UNKNOWN_NAMED = 3
"""Items whose outcome is not known that are named; the report of a run has all of them."""

ALONE_SECONDS = 10.0
"""How long a run may be without a runner: one that was just started takes a moment to come."""


async def conclude(call: Call, client: BackendClient, run: RunModel) -> Exit:
    """Wait for a run unless told not to, print it, and end by it."""
    if call.arguments.detach:
        call.talk.tell(f"run {run.id} goes on; watch it with: {again(call, 'runs', run.id)}")
        code = Exit.DONE
    else:
        run, code = await _watched(call, client, run)
    await print_run(call, client, run)
    return code


async def _watched(call: Call, client: BackendClient, run: RunModel) -> tuple[RunModel, Exit]:
    seen = run
    try:
        async for seen in _looks(call, client, run):
            call.talk.progress(" · ".join([*waits(seen), numbers(seen)]))
    except (asyncio.CancelledError, QuashError):
        call.talk.tell(f"run {run.id} goes on; watch it with: {again(call, 'runs', run.id)}")
        raise
    except TimeoutError:
        call.talk.tell(f"run {run.id} goes on; watch it with: {again(call, 'runs', run.id)}")
        return seen, Exit.TIMEOUT
    if seen.over or seen.pause is not None:
        if not seen.over:
            call.talk.tell(_why_paused(call, seen))
        return seen, of_run(seen)
    log = "" if call.setup.profile.remote else f" (its log: {call.setup.rooms.runner_log})"
    call.talk.tell(f"nobody works on run {run.id}{log}; go on with: {again(call, 'runs', 'resume', run.id)}")
    return seen, Exit.INTERRUPTED


async def _looks(call: Call, client: BackendClient, run: RunModel) -> AsyncIterator[RunModel]:
    """A run as it goes on, until there is nothing to wait for.

    Raises:
        TimeoutError: the time is up.
    """
    limit: int | None = call.arguments.timeout
    begun = alone = time.monotonic()
    pause, before = FIRST_POLL, None
    while True:
        yield run
        now = time.monotonic()
        if run.over or (run.pause is not None and not _passes(run, limit, now - begun)):
            return
        if limit is not None and now - begun >= limit:
            raise TimeoutError
        if run.attended or run.counts != before or run.pause is not None:
            alone, before = now, run.counts
        elif now - alone >= ALONE_SECONDS:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, LONGEST_POLL)
        run = await client.runs.get(run.id)


def _passes(run: RunModel, limit: int | None, waited: float) -> bool:
    """Whether a pause ends by itself before the time is up."""
    if run.pause is None or run.pause.cause != "gate":
        return False
    if limit is None or run.pause.until is None:
        return True
    left = (moments.read(run.pause.until) - datetime.now(UTC)).total_seconds()
    return waited + left <= limit


def _why_paused(call: Call, run: RunModel) -> str:
    cause = run.pause.cause if run.pause else ""
    message = run.pause.message if run.pause and run.pause.message else f"by {cause}"
    if run.stopping:
        settle = again(call, "runs", "resume", run.id)
        return f"run {run.id} is {stopping(run)}, which could not be done: {message}; settle it with: {settle}"
    return f"run {run.id} is paused: {message}; go on with: {again(call, 'runs', 'resume', run.id)}"


async def print_run(call: Call, client: BackendClient, run: RunModel) -> None:
    """A run as data; a person is also told why an outcome is not known, and what to do about it."""
    unknown: list[RunItemModel] = []
    if run.counts["unknown"] and call.output.form == "table":
        unknown = (await client.runs.items(run.id, state="unknown", limit=UNKNOWN_NAMED)).items
    report = again(call, "runs", "report", run.id)
    told = [*run_lines(run), *unknown_lines(unknown, run.counts["unknown"], report)]
    call.output.one("quash.run.v1", {"run": run.model_dump(mode="json")}, lambda: told)
