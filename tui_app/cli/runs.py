"""``runs``: list, show and steer them, and write their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app.cli.confirming import check_guards, confirm
from tui_app.cli.exits import Exit, of_run
from tui_app.cli.ledger import exit_of, tell_broken, tell_unreadable
from tui_app.cli.output import Record
from tui_app.cli.reading import Reading
from tui_app.cli.session import connected
from tui_app.cli.table import Column
from tui_app.cli.waiting import conclude, print_run
from tui_app.client.export import export_run, place, run_pieces
from tui_app.contract.runs import RunModel
from tui_app.domain.report import Format

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call

COLUMNS = [
    Column("id", "Run", priority=0),
    Column("state", "State", priority=0),
    Column("cancelled", "Cancelled", priority=1),
    Column("reinstated", "Reinstated", priority=1),
    Column("already_cancelled", "Already", priority=4),
    Column("refused", "Refused", priority=1),
    Column("skipped", "Skipped", priority=2),
    Column("unknown", "Unknown", priority=1),
    Column("pending", "Pending", priority=1),
    Column("operator", "Operator", priority=3, flexible=True),
    Column("created_at", "Confirmed", priority=3, moment=True),
    Column("undo_until", "Undo until", priority=5, moment=True),
    Column("reason", "Reason", priority=2, flexible=True),
]
_FORMS = {"table": Format.MARKDOWN, "json": Format.JSONL, "jsonl": Format.JSONL, "csv": Format.CSV}


async def list_runs(call: Call) -> Exit:
    """The runs, newest first."""
    async with connected(call) as client:
        listed = await client.runs.listed()
    rows = [run.model_dump(mode="json") for run in listed.runs]
    call.output.rows("quash.runs.v1", "runs", rows, COLUMNS, flat=_flat)
    return tell_unreadable(call, listed.unreadable)


def _flat(run: Record) -> Record:
    standing = RunModel.model_validate(run).standing
    return {**run, **run["counts"], "state": standing, "undo_until": run["undo"] and run["undo"]["last_closes"]}


async def show_run(call: Call) -> Exit:
    """One run; what became of it is data, not our exit code."""
    async with connected(call) as client:
        await print_run(call, client, await client.runs.get(call.arguments.run))
    return Exit.DONE


async def pause_run(call: Call) -> Exit:
    """Ask a run to pause."""
    async with connected(call, steered=call.arguments.run) as client:
        await print_run(call, client, await client.runs.pause(call.arguments.run))
    return Exit.DONE


async def stop_run(call: Call) -> Exit:
    """Ask a run to stop."""
    async with connected(call, steered=call.arguments.run) as client:
        await print_run(call, client, await client.runs.stop(call.arguments.run))
    return Exit.DONE


async def resume_run(call: Call) -> Exit:
    """Go on with a run, and wait for it."""
    asked = call.arguments
    async with connected(call, steered=asked.run) as client:
        run = await client.runs.get(asked.run)
        if run.over:
            call.talk.say(f"run {run.id} is {run.state}: there is nothing to go on with")
            await print_run(call, client, run)
            return Exit.DONE
        run = await client.runs.resume(asked.run, take_over=asked.take_over, accept_target=asked.accept_target)
        return await conclude(call, client, run)


async def retry_run(call: Call) -> Exit:
    """A new plan over what was refused, with new keys; confirmed and waited for like any other."""
    asked = call.arguments
    check_guards(asked)
    async with connected(call) as client:
        plan = await client.plans.finished(await client.runs.retry(asked.run), Reading(call))
        run = await confirm(call, client, plan)
        return await conclude(call, client, run)


async def undo_run(call: Call) -> Exit:
    """A plan that brings back what a run cancelled and can be brought back; confirmed and waited for like any other."""
    asked = call.arguments
    check_guards(asked)
    async with connected(call, steered=asked.run) as client:
        plan = await client.plans.finished(await client.runs.undo(asked.run), Reading(call))
        undone = await client.runs.get(asked.run)
        if not undone.over and undone.state != "paused":
            call.talk.say(f"run {asked.run} is paused when you confirm")
        run = await confirm(call, client, plan)
        return await conclude(call, client, run, undone=asked.run)


async def verify_run(call: Call) -> Exit:
    """Hold what was cancelled against the systems once more."""
    async with connected(call) as client:
        run = await client.runs.verify(call.arguments.run)
        await print_run(call, client, run)
    return Exit.UNKNOWN if of_run(run) is Exit.UNKNOWN else Exit.DONE


async def report_run(call: Call) -> Exit:
    """The report of a run, into a new file or on stdout."""
    asked = call.arguments
    async with connected(call) as client:
        await client.runs.get(asked.run)
        check = await client.ledger.check()
        if asked.out:
            path = await export_run(client, asked.run, place(asked.out), check)
            call.talk.say(f"written to {path}")
        else:
            async for piece in run_pieces(client, asked.run, _FORMS[call.output.form], check):
                call.output.text(piece)
    tell_broken(call, check)
    return exit_of(check)
