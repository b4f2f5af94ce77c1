"""``ledger``: who did what; its verification and its export."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tui_app.cli.exits import Exit
from tui_app.cli.session import connected
from tui_app.cli.table import Column
from tui_app.client.export import LedgerFilter, export_ledger, ledger_pieces, ledger_rows, place
from tui_app.domain.counting import counted
from tui_app.domain.errors import UsageProblem
from tui_app.domain.report import Format

if TYPE_CHECKING:
    from argparse import Namespace

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
_ANCHOR = re.compile(r"[0-9]+:[0-9a-f]{64}")


def _wanted(asked: Namespace) -> LedgerFilter:
    return LedgerFilter(run=asked.run, operator=asked.by, item=asked.item, event=asked.event)


async def list_lines(call: Call) -> Exit:
    """The lines that match, oldest first."""
    async with connected(call) as client:
        await call.output.stream("quash.ledger.v1", "lines", ledger_rows(client, _wanted(call.arguments)), COLUMNS)
    return Exit.DONE


async def verify(call: Call) -> Exit:
    """Recompute the whole ledger."""
    anchor = call.arguments.anchor
    if anchor is not None and not _ANCHOR.fullmatch(anchor):
        raise UsageProblem(f"{anchor!r} is not an anchor", hint="SEQ:HASH, as printed at the end of a run.")
    async with connected(call) as client:
        check = await client.ledger.check(anchor)
    call.output.one("quash.check.v1", {"ledger": check.model_dump(mode="json")}, lambda: _told(check))
    return Exit.DONE if check.holds else Exit.LEDGER


def _told(check: LedgerCheck) -> Iterator[str]:
    if check.holds:
        yield f"the ledger holds: {counted(check.entries, 'entry', 'entries')}, {counted(check.items, 'item')}"
    else:
        yield f"THE LEDGER DOES NOT HOLD: {check.problem}"
        yield f"  the first {counted(check.entries, 'entry does', 'entries do')}; keep the file as it is"
    if check.head is not None:
        yield f"  head {check.head}"


async def export(call: Call) -> Exit:
    """The lines that match, with the head, into a new file or on stdout."""
    asked = call.arguments
    async with connected(call) as client:
        if asked.out:
            path = await export_ledger(client, place(asked.out), _wanted(asked))
            call.talk.say(f"written to {path}")
        else:
            async for piece in ledger_pieces(client, _wanted(asked), _FORMS[call.output.form]):
                call.output.text(piece)
    return Exit.DONE
