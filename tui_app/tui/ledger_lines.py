"""Lines of the ledger as rows, and the filter that chooses among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import Op, check_filter, parse
from tui_app.domain.ledger import EVENTS
from tui_app.tui.outcomes import QUIET, day_and_time
from tui_app.tui.text import phrase, safe

if TYPE_CHECKING:
    from tui_app.contract.ledger import LedgerLine

WIDE = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines, by exact values."""

    run: str | None = None
    operator: str | None = None
    item: str | None = None
    event: str | None = None


def wanted(text: str) -> Wanted:
    """Read a filter of the ledger: each field once, with one value.

    Raises:
        MalformedFilter: it has other fields, other comparisons or free text, or names an event that there is not.
    """
    asked = parse(text)
    known = frozenset(Wanted.__dataclass_fields__)
    check_filter(asked, known, {"event": tuple(sorted(EVENTS))})
    values: dict[str, str] = {}
    for term in asked.terms:
        if term.op is not Op.ANY or term.negated or len(term.values) != 1 or term.field in values:
            hint = f"Write field:value; fields here: {', '.join(sorted(known))}."
            raise MalformedFilter(f"the ledger cannot be filtered by {str(term)!r}", hint=hint)
        values[term.field] = term.values[0]
    return Wanted(**values)


def titles(width: int) -> Content:
    """The names of the columns."""
    names = (
        ("time", "event", "operator", "run", "item", "reason") if width >= WIDE else ("time", "event", "item", "reason")
    )
    return _row([safe(name) for name in names], width).stylize(QUIET)


def draw(line: LedgerLine, width: int) -> Content:
    """One line: when, what, on which item, why; where there is room also who and in which run."""
    event = phrase("{} {}", safe(line.event), safe(line.code or "", style=QUIET))
    of = f"plan {line.plan[:8]}" if line.plan else f"run {line.run[:8]}" if line.run else ""
    what = line.item or line.details.get("what") or of
    moment, why = day_and_time(line.at), safe(line.reason or "")
    if width < WIDE:
        return _row([safe(moment[5:]), event, safe(what), why], width)
    return _row([safe(moment), event, safe(line.operator or ""), safe((line.run or "")[:8]), safe(what), why], width)


def _row(cells: list[Content], width: int) -> Content:
    room = max(20, width - (72 if width >= WIDE else 38))
    last = room * 3 // 5
    widths = (19, 22, 16, 8, last) if width >= WIDE else (14, 20, last)
    fixed = [cell.truncate(most, ellipsis=True, pad=True) for cell, most in zip(cells, widths, strict=False)]
    return Content(" ").join([Content(""), *fixed, cells[-1]])
