"""Lines of the ledger as rows, and the filter that chooses among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content

from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import Op, check_filter, parse
from tui_app.domain.ledger import EVENTS
from tui_app.tui.outcomes import QUIET, day_and_time
from tui_app.tui.text import id_cell, phrase, safe

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
    """The names of the columns, over the lines that are drawn at the same width."""
    return _row({name: safe(name) for name in _columns(width)}, width).stylize(QUIET)


def draw(line: LedgerLine, width: int) -> Content:
    """One line: when, who, what, on which item and why; where there is room also in which run."""
    of = f"plan {line.plan}" if line.plan else f"run {line.run}" if line.run and width < WIDE else ""
    what = line.item or line.details.get("what") or of
    moment = day_and_time(line.at)
    cells = {
        "time": safe(moment if width >= WIDE else moment[5:]),
        "operator": safe(line.operator or ""),
        "event": phrase("{} {}", safe(line.event), safe(line.code or "", style=QUIET)),
        "run": safe(line.run or ""),
        "item": id_cell(str(what), _columns(width)["item"]),
        "reason": safe(line.reason or ""),
    }
    return _row(cells, width)


def _columns(width: int) -> dict[str, int]:
    """The columns at this width of the list, each with its cells; the reason takes the rest."""
    if width >= WIDE:
        fixed = {"time": 19, "operator": 16, "event": 22, "run": 17}
    else:
        fixed = {"time": 14, "operator": 12, "event": 16}
    room = max(20, width - sum(fixed.values()) - len(fixed) - 3)
    item = room * 3 // 5
    return {**fixed, "item": item, "reason": room - item}


def _row(cells: dict[str, Content], width: int) -> Content:
    fitted = [cells[name].truncate(most, ellipsis=True, pad=True) for name, most in _columns(width).items()]
    return Content(" ").join([Content(""), *fitted])
