"""What crosses the wire about the ledger."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tui_app.contract.models import Asked, Wire


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


MOST_ANCHORS = 10_000


class LedgerCheckRequest(Asked):
    """Heads that were kept elsewhere, each as ``SEQ:HASH``: the ledger has to hold them still."""

    anchors: list[str] = Field(default_factory=list, max_length=MOST_ANCHORS)


class LedgerCheck(Wire):
    """The whole journal verified: whether it holds, its head as ``SEQ:HASH``, and what does not hold.

    ``seq`` is the entry that the first problem concerns. ``anchors`` is the number of heads from elsewhere that were
    compared: those of the request, and those in the anchor file of the service. ``uncovered`` names plans that are
    not made yet, of which the ledger says nothing.
    """

    holds: bool
    entries: int
    items: int
    head: str | None = None
    seq: int | None = None
    problems: list[str] = Field(default_factory=list)
    anchors: int = 0
    uncovered: list[str] = Field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to verify, which nothing is proven by."""
        return self.holds and not self.entries

    @property
    def problem(self) -> str | None:
        """The first of the problems."""
        return self.problems[0] if self.problems else None
