"""What crosses the wire about the ledger."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tui_app.contract.models import Wire


class LedgerLine(Wire):
    """One line of the ledger: an entry, or the outcome of one item with the ``seq`` of its chunk's entry."""

    seq: int
    hash: str
    at: str
    event: str
    operator: str | None = None
    run: str | None = None
    plan: str | None = None
    system: str | None = None
    item: str | None = None
    code: str | None = None
    reason: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class LedgerPage(Wire):
    """Lines in order; ``next`` is a cursor, null at the end."""

    lines: list[LedgerLine]
    next: str | None = None


class LedgerCheck(Wire):
    """The whole ledger recomputed: whether it holds, its head as ``SEQ:HASH``, and the first thing that does not."""

    holds: bool
    entries: int
    items: int
    head: str | None = None
    seq: int | None = None
    problem: str | None = None
