"""The ledger: its lines in order, and the whole of it verified."""

from __future__ import annotations

import asyncio
import re

from pydantic import Field

from tui_app.contract import paths
from tui_app.contract.ledger import LedgerCheck, LedgerCheckRequest, LedgerPage
from tui_app.domain.anchors import read_anchor
from tui_app.domain.errors import NotFound, UsageProblem
from tui_app.domain.items import PAGE_LIMIT
from tui_app.domain.ledger import check_event
from tui_app.domain.records import LedgerQuery
from tui_app.domain.stores import LedgerStore
from tui_app.service.plans import JOURNAL
from tui_app.service.table import Call, NoQuery, Query, Route
from tui_app.service.words import ledger_line

_PLACE = re.compile(r"([0-9]{1,18}):(-1|[0-9]{1,18})")


class LinesQuery(Query):
    """Which lines: exact values; ``after`` is a cursor, ``SEQ:POSITION``."""

    run: str | None = None
    operator: str | None = None
    item: str | None = None
    event: str | None = None
    after: str | None = None
    limit: int = Field(default=200, ge=1, le=PAGE_LIMIT)
    newest: bool = False


async def lines(call: Call[LinesQuery, None]) -> LedgerPage:
    """Lines in order."""
    asked, after = call.query, None
    if asked.after is not None:
        place = _PLACE.fullmatch(asked.after)
        if place is None:
            raise UsageProblem("after: it looks like SEQ:POSITION", hint="Copy it whole.", fields=["after"])
        after = (int(place[1]), int(place[2]))
    query = LedgerQuery(
        run=asked.run,
        operator=asked.operator,
        item=asked.item,
        event=None if asked.event is None else check_event(asked.event),
        after=after,
        newest=asked.newest,
        limit=asked.limit + 1,
    )
    rows = await call.backend.store.ledger.lines(query)
    if not rows and after is None:
        await _check_named(call.backend.store.ledger, query)
    shown = rows[: asked.limit]
    last = shown[-1] if len(rows) > asked.limit else None
    return LedgerPage(
        lines=[ledger_line(row) for row in shown],
        next=None if last is None else f"{last.seq}:{last.position}",
    )


async def _check_named(ledger: LedgerStore, query: LedgerQuery) -> None:
    """Tell apart what has no such line from what is not there at all.

    Raises:
        NotFound: the ledger has no line of the run, or none of the item, that was named.
    """
    if query.run is not None and not await ledger.lines(LedgerQuery(run=query.run, limit=1)):
        raise NotFound(f"there is no run {query.run}", hint="`quash runs` lists them.")
    if query.item is not None and not await ledger.lines(LedgerQuery(item=query.item, limit=1)):
        raise NotFound(f"the ledger has no line of an item {query.item}", hint="Give the whole id, as a run shows it.")


async def check(call: Call[NoQuery, LedgerCheckRequest]) -> LedgerCheck:
    """Verify the whole journal, also against the heads that this service keeps elsewhere."""
    anchors = [read_anchor(text) for text in call.body.anchors]
    kept = await asyncio.to_thread(call.backend.heads.anchors)
    report = await call.backend.store.ledger.check([*anchors, *kept])
    return LedgerCheck(
        holds=report.problem is None,
        entries=report.entries,
        items=report.items,
        head=report.head,
        seq=report.seq,
        problems=list(report.problems),
        anchors=report.anchors,
        uncovered=list(report.uncovered),
    )


ROUTES = (
    Route("GET", paths.LEDGER, "ledger", "Lines of the ledger in order", lines, LedgerPage, query=LinesQuery,
          errors=("NOT_FOUND", *JOURNAL)),
    Route("POST", paths.LEDGER_CHECK, "ledger_check", "The whole ledger verified", check, LedgerCheck,
          body=LedgerCheckRequest, errors=JOURNAL),
)  # fmt: skip
