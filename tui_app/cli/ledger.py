"""``ledger``: who did what; its verification and its export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.cli.session import again, connected
from tui_app.cli.table import Column
from tui_app.client.export import LedgerFilter, export_ledger, ledger_pieces, ledger_rows, place
from tui_app.client.ledger_text import check_lines, verdict
from tui_app.contract.ledger import MOST_ANCHORS
from tui_app.domain.anchors import read_anchor
from tui_app.domain.errors import UsageProblem
from tui_app.domain.report import Format

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from tui_app.cli.dispatch import Call
    from tui_app.contract.ledger import LedgerCheck

COLUMNS = [
    Column("seq", "Seq", priority=5),
    Column("at", "At", priority=0, moment=True),
    Column("operator", "Operator", priority=1, flexible=True),
    Column("event", "Event", priority=0),
    Column("run", "Run", priority=4, id=True),
    Column("system", "System", priority=4),
    Column("item", "Item", 512, priority=1, id=True),
    Column("code", "Code", priority=3, flexible=True),
    Column("reason", "Reason", priority=2, flexible=True),
    Column("hash", "Hash", 64, priority=6),
]
_FORMS = {"table": Format.JSONL, "json": Format.JSONL, "jsonl": Format.JSONL, "csv": Format.CSV}


def _wanted(asked: Namespace) -> LedgerFilter:
    return LedgerFilter(run=asked.run, operator=asked.by, item=asked.item, event=asked.event)


async def list_lines(call: Call) -> Exit:
    """The lines that match, oldest first."""
    async with connected(call) as client:
        await call.output.stream("quash.ledger.v1", "lines", ledger_rows(client, _wanted(call.arguments)), COLUMNS)
    return Exit.DONE


async def verify(call: Call) -> Exit:
    """Verify the whole journal, and compare it with heads that were kept elsewhere."""
    anchors = _anchors(call.arguments)
    async with connected(call) as client:
        check = await client.ledger.check(anchors)
    call.output.one("quash.check.v1", {"ledger": check.model_dump(mode="json")}, lambda: check_lines(check))
    return Exit.PARTLY if check.empty else exit_of(check)


def exit_of(check: LedgerCheck) -> Exit:
    """How a command ends that verified the ledger and has nothing else to tell."""
    return Exit.DONE if check.holds else Exit.LEDGER


def _anchors(asked: Namespace) -> list[str]:
    found = [] if asked.anchor is None else [asked.anchor]
    if asked.anchor_file is not None:
        there = bootstrap.read_anchors(place(asked.anchor_file))
        if not there:
            raise UsageProblem(
                f"{asked.anchor_file} holds no anchor", hint="Leave --anchor-file out to verify without."
            )
        found += there
    for one in found:
        read_anchor(one)
    if len(found) > MOST_ANCHORS:
        raise UsageProblem(
            f"{len(found):,} anchors are too many", hint=f"Give at most {MOST_ANCHORS:,}, the last ones."
        )
    return found


async def export(call: Call) -> Exit:
    """The lines that match, with the head, into a new file or on stdout."""
    asked = call.arguments
    async with connected(call) as client:
        check = await client.ledger.check()
        if asked.out:
            path = await export_ledger(client, place(asked.out), _wanted(asked), check)
            call.talk.say(f"written to {path}")
        else:
            async for piece in ledger_pieces(client, _wanted(asked), _FORMS[call.output.form], check):
                call.output.text(piece)
    tell_broken(call, check)
    return exit_of(check)


def tell_broken(call: Call, check: LedgerCheck) -> None:
    """Say on stderr that what was just written comes from a ledger that does not verify."""
    if not check.holds:
        call.talk.tell(verdict(check))


def tell_unreadable(call: Call, names: Sequence[str]) -> Exit:
    """Say on stderr what a list leaves out since its rows in the journal cannot be read, and how the command ends."""
    for name in names:
        call.talk.tell(f"{name} cannot be read and is not listed: its rows in the journal are not as they were written")
    if not names:
        return Exit.DONE
    call.talk.tell(f"keep the file as it is; what differs is named by: {again(call, 'ledger', 'verify')}")
    return Exit.LEDGER
