"""What is printed: data on stdout in the form that was asked for, talk on stderr; nothing that a terminal obeys."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from tui_app.cli.plain import plainly, wants_ascii
from tui_app.domain.errors import QuashError
from tui_app.domain.foreign_json import dump
from tui_app.domain.report import Csv
from tui_app.domain.visible import visible

CELL = 60
"""Characters of a cell in a table, where a column does not say otherwise."""

LINE = 2_000
"""Characters of a line of text."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: the record's field, its title, and how many characters are shown at most."""

    field: str
    title: str
    limit: int = CELL


def _json(value: Any) -> str:
    return dump(value, ascii_only=True)


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    flat = sum(unicodedata.combining(character) != 0 for character in text)
    return len(text) + wide - flat


def _cell(value: Any, limit: int) -> str:
    if value is None:
        return plainly("–", sys.stdout)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(f"{value:,}" if isinstance(value, int) else str(value), limit, plain=wants_ascii(sys.stdout))


class Output:
    """Data on stdout, as ``table``, ``json``, ``jsonl`` or ``csv``."""

    def __init__(self, form: str) -> None:
        self.form = form

    def text(self, piece: str) -> None:
        """A piece that is already as it should be."""
        sys.stdout.write(plainly(piece, sys.stdout))

    def line(self, text: str) -> None:
        """A line for a person; whatever is in it is made visible."""
        self.text(visible(text, LINE) + "\n")

    def one(self, schema: str, named: Mapping[str, Any], told: Callable[[], Iterable[str]]) -> None:
        """One thing: a document with its parts by name, or the lines that tell of it.

        As CSV only the first part is printed, as one row.
        """
        if self.form in ("json", "jsonl"):
            self.text(_json({"schema": schema, **named}) + "\n")
        elif self.form == "csv":
            record = next(iter(named.values()))
            self._csv([record], tuple(record))
        else:
            for line in told():
                self.line(line)

    def rows(
        self,
        schema: str,
        name: str,
        rows: Sequence[Record],
        columns: Sequence[Column],
        *,
        around: Mapping[str, Any] | None = None,
        flat: Callable[[Record], Record] = dict,
    ) -> None:
        """Rows of one kind: a document that holds them under a name, one object a line, CSV, or a table.

        ``around`` are the document's other facts. ``flat`` makes of a row what its columns name.
        """
        if self.form == "json":
            self.text(_json({"schema": schema, **(around or {}), name: list(rows)}) + "\n")
        elif self.form == "jsonl":
            for row in rows:
                self.text(_json(row) + "\n")
        elif self.form == "csv":
            self._csv([flat(row) for row in rows], tuple(column.field for column in columns))
        else:
            self._table([flat(row) for row in rows], columns)

    async def stream(self, schema: str, name: str, rows: AsyncIterable[Record], columns: Sequence[Column]) -> None:
        """Rows as they come, however many; a table is aligned, and so is collected first."""
        if self.form in ("json", "table"):
            self.rows(schema, name, [row async for row in rows], columns)
            return
        csv = Csv(tuple(column.field for column in columns))
        if self.form == "csv":
            self.text(csv.head())
        async for row in rows:
            self.text(csv.row(row) if self.form == "csv" else _json(row) + "\n")

    def _csv(self, rows: Sequence[Record], fields: tuple[str, ...]) -> None:
        csv = Csv(fields)
        self.text(csv.head())
        for row in rows:
            self.text(csv.row(row))

    def _table(self, rows: Sequence[Record], columns: Sequence[Column]) -> None:
        lines = [[column.title for column in columns]]
        lines += [[_cell(row.get(column.field), column.limit) for column in columns] for row in rows]
        widths = [max(map(_width, cells)) for cells in zip(*lines, strict=True)]
        for cells in lines:
            padded = [cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)]
            self.text("  ".join(padded).rstrip() + "\n")


class Talk:
    """What is said beside the data, on stderr; as JSON lines where the data is JSON."""

    def __init__(self, form: str, stream: TextIO | None = None) -> None:
        self._json = form in ("json", "jsonl")
        self._stream = stream or sys.stderr
        self._drawn = False

    def say(self, text: str) -> None:
        """A line for a person; a script that reads JSON is spared it."""
        if not self._json:
            self.tell(text)

    def tell(self, text: str) -> None:
        """A line that also a script has to learn."""
        self.end_progress()
        if self._json:
            self._stream.write(_json({"schema": "quash.notice.v1", "message": text}) + "\n")
        else:
            self._write(visible(text, LINE) + "\n")
        self._stream.flush()

    @property
    def draws(self) -> bool:
        """Whether progress can be seen: on a terminal, by a person."""
        return not self._json and self._stream.isatty()

    def progress(self, text: str) -> None:
        """How far something is: drawn over and over, where it can be seen."""
        if not self.draws:
            return
        self._write(f"\r\x1b[K{visible(text, 79)}")
        self._stream.flush()
        self._drawn = True

    def error(self, error: QuashError) -> None:
        """What went wrong, and what to do next."""
        self.end_progress()
        if self._json:
            told = {
                "schema": "quash.error.v1",
                "code": error.code,
                "message": error.message,
                "hint": error.hint,
                "details": error.details,
            }
            self._stream.write(_json(told) + "\n")
        else:
            self._write(f"quash: {visible(error.message, LINE)}\n")
            if error.hint:
                self._write(f"       {visible(error.hint, LINE)}\n")
        self._stream.flush()

    def _write(self, text: str) -> None:
        self._stream.write(plainly(text, self._stream))

    def end_progress(self) -> None:
        """Take away what was drawn."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._drawn = False
