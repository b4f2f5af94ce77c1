"""What a verification of the ledger found, in the same sentences on the command line, in the console and in reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tui_app.domain.counting import counted

if TYPE_CHECKING:
    from tui_app.contract.ledger import LedgerCheck

NO_ANCHOR = "No anchor was compared: a ledger that was rebuilt or cut verifies too. Give --anchor or --anchor-file."

EMPTY = "NOTHING TO VERIFY: the ledger has no entry. After a plan or a run that means it was emptied or replaced"


def verdict(check: LedgerCheck) -> str:
    """The verdict in one sentence, which says first whether it is OK, BROKEN, or that there is nothing to verify."""
    if not check.holds:
        return f"LEDGER BROKEN: {check.problem}"
    if check.empty:
        return EMPTY
    return f"OK: ledger verified ({counted(check.entries, 'entry', 'entries')}, {counted(check.items, 'item')})"


def anchored(check: LedgerCheck) -> str:
    """With how many heads from elsewhere the ledger was compared."""
    if not check.anchors:
        return NO_ANCHOR
    return f"Compared with {counted(check.anchors, 'anchor')}."


def check_lines(check: LedgerCheck) -> Iterator[str]:
    """The verdict, and everything that goes with it, in lines."""
    yield verdict(check)
    if not check.holds:
        yield from (f"  {problem}" for problem in check.problems[1:])
        if check.entries:
            yield f"  The chain of entries 1-{check.entries:,} is valid. Do not change the file."
        else:
            yield "  Do not change the file."
    if check.uncovered:
        yield f"  Not in the ledger yet: {', '.join(check.uncovered)}"
    if check.head is not None:
        yield f"  head {check.head}"
    yield f"  {anchored(check)}"
