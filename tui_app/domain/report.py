"""Reports of a run and exports of the ledger, as text in three formats.

Markdown is for the ticket, CSV for the spreadsheet, JSONL for scripts. A spreadsheet must not calculate
what a system wrote, and a ticket must not render it, so cells are defused and Markdown is escaped.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from tui_app.domain.errors import UsageProblem
from tui_app.domain.foreign_json import dump
from tui_app.domain.visible import visible


class Format(StrEnum):
    """How a report is written; the value is the ending of its file."""

    MARKDOWN = "md"
    JSONL = "jsonl"
    CSV = "csv"

    @classmethod
    def of(cls, name: str) -> Format:
        """By the ending of a file's name.

        Raises:
            UsageProblem: it is none of the three.
        """
        ending = name.rpartition(".")[2].lower()
        if ending not in list(cls):
            raise UsageProblem(f"{name!r} has none of the endings", hint="End it in .md, .jsonl or .csv.")
        return cls(ending)


class Writer(Protocol):
    """A report in pieces, so that a million items cost no memory: head, a row for each item, foot.

    The foot says whether the journal was verified before it was written down, and holds the head of the ledger as
    ``SEQ:HASH``, since a chain needs an anchor elsewhere.
    """

    def head(self) -> str: ...

    def row(self, record: Mapping[str, Any]) -> str: ...

    def foot(self, foot: Foot) -> str: ...


@dataclass(frozen=True, slots=True)
class Foot:
    """How the journal stood when a report was made from it.

    ``verified`` says so in a sentence, ``holds`` whether it holds; ``anchors`` is the number of heads from elsewhere
    that it was compared with.
    """

    verified: str
    holds: bool
    head: str | None
    anchors: int


RUN_FIELDS = (
    "position", "system", "id", "state", "code", "message", "ours", "by",
    "before", "after", "undo_until", "key", "verified", "note", "sent_at", "at",
)  # fmt: skip
LEDGER_FIELDS = (
    "seq", "hash", "at", "operator", "event", "run", "plan", "system", "item", "code", "reason", "details",
)  # fmt: skip

LONGEST = 10_000
"""Characters of one cell at most."""

_CALCULATED = ("=", "+", "-", "@")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!&])")


def defused(value: object) -> str:
    """A CSV cell that no spreadsheet takes for a formula, and no terminal for a command."""
    if value is None:
        return ""
    raw = dump(value) if isinstance(value, dict | list) else str(value)
    text = visible(raw, LONGEST)
    return f"'{text}" if text.startswith(_CALCULATED) or text[:1] != raw[:1] else text


def escaped(value: object) -> str:
    """Text that Markdown shows and does not render."""
    return "" if value is None else _MARKDOWN.sub(r"\\\1", visible(str(value), LONGEST))


class Csv:
    """One line an item under a line of names; the foot is lines of two cells."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields

    def head(self) -> str:
        return self._line(self._fields)

    def row(self, record: Mapping[str, Any]) -> str:
        return self._line(tuple(defused(record.get(field)) for field in self._fields))

    def foot(self, foot: Foot) -> str:
        told = (("ledger", foot.verified), ("anchors", str(foot.anchors)), ("head", foot.head))
        return "".join(self._line((name, defused(value))) for name, value in told if value is not None)

    def _line(self, cells: tuple[str, ...]) -> str:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        return line.getvalue()


class Jsonl:
    """One object a line: what it is a report of, each item, and how the ledger stands."""

    def __init__(self, schema: str, facts: Mapping[str, Any]) -> None:
        self._schema, self._facts = schema, facts

    def head(self) -> str:
        return self._line({"schema": self._schema, **self._facts})

    def row(self, record: Mapping[str, Any]) -> str:
        return self._line(record)

    def foot(self, foot: Foot) -> str:
        facts = {"head": foot.head, "holds": foot.holds, "ledger": foot.verified, "anchors": foot.anchors}
        return self._line(facts)

    def _line(self, record: Mapping[str, Any]) -> str:
        return dump(record, ascii_only=True) + "\n"


class Markdown:
    """A title, the facts as a list, and the items as a table."""

    def __init__(self, title: str, facts: Mapping[str, object], fields: tuple[str, ...]) -> None:
        self._title, self._facts, self._fields = title, facts, fields

    def head(self) -> str:
        told = "".join(f"- {name}: {escaped(value)}\n" for name, value in self._facts.items() if value is not None)
        rule = self._line(("---",) * len(self._fields))
        return f"# {escaped(self._title)}\n\n{told}\n{self._line(self._fields)}{rule}"

    def row(self, record: Mapping[str, Any]) -> str:
        return self._line(tuple(escaped(record.get(field)) for field in self._fields))

    def foot(self, foot: Foot) -> str:
        verified = escaped(foot.verified)
        told = [verified if foot.holds else f"**{verified}**", f"Anchors compared: {foot.anchors}"]
        told += [f"Head of the ledger: {escaped(foot.head)}"] if foot.head else []
        return "".join(f"\n{line}\n" for line in told)

    def _line(self, cells: tuple[str, ...]) -> str:
        return f"| {' | '.join(cells)} |\n"


def run_report(form: Format, run: Mapping[str, Any], standing: str) -> Writer:
    """The report of a run, given as ``RunModel`` dumps it; its rows are dumped ``RunItemModel``.

    ``standing`` is its state as a person is told it.
    """
    if form is Format.CSV:
        return Csv(RUN_FIELDS)
    if form is Format.JSONL:
        return Jsonl("quash.report.v1", {"run": dict(run)})
    facts = {
        "verb": run["verb"],
        "state": standing,
        "operator": run["operator"],
        "reason": run["reason"],
        "plan": run["plan"],
        "plan hash": run["plan_hash"],
        "confirmed": run["created_at"],
        "ended": run["ended_at"],
        "items": run["items"],
        **{name.replace("_", " "): count for name, count in run["counts"].items()},
        **{f"verified: {name.replace('_', ' ')}": count for name, count in run["verified"].items()},
    }
    columns: tuple[str, ...] = ("system", "id", "state", "code", "message", "verified", "note", "key")
    if run["undo"] is not None:
        facts["can be undone"] = run["undo"]["items"]
        facts["windows close"] = f"{run['undo']['first_closes']} to {run['undo']['last_closes']}"
        columns = (*columns, "undo_until")
    return Markdown(f"Run {run['id']}", facts, columns)


def ledger_export(form: Format, about: Mapping[str, Any]) -> Writer:
    """An export of the ledger; ``about`` says which lines it holds. Its rows are dumped ``LedgerLine``s."""
    if form is Format.CSV:
        return Csv(LEDGER_FIELDS)
    if form is Format.JSONL:
        return Jsonl("quash.ledger.v1", about)
    return Markdown("Ledger", about, ("seq", "at", "operator", "event", "run", "item", "code", "reason"))
