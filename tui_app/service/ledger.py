"""The ledger: its lines in order, and the whole of it recomputed."""

from __future__ import annotations

import re

from pydantic import Field

from tui_app.contract import paths
from tui_app.contract.ledger import LedgerCheck, LedgerPage
from tui_app.domain.errors import UsageProblem
from tui_app.domain.items import PAGE_LIMIT
from tui_app.domain.records import LedgerQuery
from tui_app.service.plans import JOURNAL
from tui_app.service.table import Call, Query, Route
from tui_app.service.words import ledger_line

_PLACE = re.compile(r"([0-9]{1,18}):(-1|[0-9]{1,18})")
_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-fA-F]{64})")


class LinesQuery(Query):
    """Which lines: exact values; ``after`` is a cursor, ``SEQ:POSITION``."""

    run: str | None = None
    operator: str | None = None
    item: str | None = None
    event: str | None = None
    after: str | None = None
    limit: int = Field(default=200, ge=1, le=PAGE_LIMIT)
    newest: bool = False


class CheckQuery(Query):
    """A head that was kept elsewhere, ``SEQ:HASH``: the ledger has to hold it still."""

    anchor: str | None = None


def _matched(pattern: re.Pattern[str], text: str, field: str, looks: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise UsageProblem(f"{field}: it looks like {looks}", hint="Copy it whole.", fields=[field])
    return found


async def lines(call: Call[LinesQuery, None]) -> LedgerPage:
    """Lines in order."""
    asked, after = call.query, None
    if asked.after is not None:
        place = _matched(_PLACE, asked.after, "after", "SEQ:POSITION")
        after = (int(place[1]), int(place[2]))
    query = LedgerQuery(
        run=asked.run,
        operator=asked.operator,
        item=asked.item,
        event=asked.event,
        after=after,
        newest=asked.newest,
        limit=asked.limit + 1,
    )
    rows = await call.backend.store.ledger.lines(query)
    shown = rows[: asked.limit]
    last = shown[-1] if len(rows) > asked.limit else None
    return LedgerPage(
        lines=[ledger_line(row) for row in shown],
        next=None if last is None else f"{last.seq}:{last.position}",
    )


async def check(call: Call[CheckQuery, None]) -> LedgerCheck:
    """Recompute the whole ledger."""
    anchor = None
    if call.query.anchor is not None:
        place = _matched(_ANCHOR, call.query.anchor, "anchor", "SEQ:HASH, the hash of 64 hexadecimal digits")
        anchor = (int(place[1]), place[2].lower())
    report = await call.backend.store.ledger.check(anchor)
    return LedgerCheck(
        holds=report.problem is None,
        entries=report.entries,
        items=report.items,
        head=report.head,
        seq=report.seq,
        problem=report.problem,
    )


ROUTES = (
    Route("GET", paths.LEDGER, "ledger", "Lines of the ledger in order", lines, LedgerPage, query=LinesQuery,
          errors=JOURNAL),
    Route("GET", paths.LEDGER_CHECK, "ledger_check", "The whole ledger recomputed", check, LedgerCheck,
          query=CheckQuery, errors=JOURNAL),
)  # fmt: skip
