"""What is printed: data on stdout in the form that was asked for, talk on stderr; nothing that a terminal obeys."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from tui_app.cli.plain import plainly, wants_ascii
from tui_app.cli.table import GAP, Column, cell_width, fit
from tui_app.domain.errors import QuashError
from tui_app.domain.foreign_json import dump
from tui_app.domain.moments import to_the_second
from tui_app.domain.prefetch import prefetched
from tui_app.domain.report import Csv
from tui_app.domain.visible import CUT, PLAIN_CUT, cut, visible

LINE = 2_000
"""Characters of a line of text."""

Record = Mapping[str, Any]


def _json(value: Any) -> str:
    return dump(value, ascii_only=True)


def _cell(value: Any, column: Column) -> str:
    if value is None:
        return plainly("–", sys.stdout)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.moment:
        value = to_the_second(value)
    return visible(f"{value:,}" if isinstance(value, int) else str(value), column.limit, plain=wants_ascii(sys.stdout))


def _room() -> int | None:
    """The width of the terminal that is written to, in cells; none where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


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
        csv, begun = Csv(tuple(column.field for column in columns)), await prefetched(rows)
        if self.form == "csv":
            self.text(csv.head())
        async for row in begun:
            self.text(csv.row(row) if self.form == "csv" else _json(row) + "\n")

    def _csv(self, rows: Sequence[Record], fields: tuple[str, ...]) -> None:
        csv = Csv(fields)
        self.text(csv.head())
        for row in rows:
            self.text(csv.row(row))

    def _table(self, rows: Sequence[Record], columns: Sequence[Column]) -> None:
        cells = [[_cell(row.get(column.field), column) for column in columns] for row in rows]
        titles = [visible(column.title, column.limit, plain=wants_ascii(sys.stdout)) for column in columns]
        lines = [titles, *cells]
        widths = [max(map(cell_width, column)) for column in zip(*lines, strict=True)]
        empty = [not any(row.get(column.field) for row in rows) for column in columns]
        layout = fit(columns, widths, empty, _room())
        mark = PLAIN_CUT if wants_ascii(sys.stdout) else CUT
        for line in lines:
            shown = [
                (cut(line[place], width, mark, cell_width, middle=columns[place].id), width)
                for place, width in layout.shown
            ]
            padded = [text + " " * (width - cell_width(text)) for text, width in shown]
            self.text((" " * GAP).join(padded).rstrip() + "\n")
        if layout.hidden:
            hidden = ", ".join(titles[place] for place in layout.hidden)
            sys.stderr.write(plainly(f"not shown at this width: {hidden} (--output json or csv has all)\n", sys.stderr))


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
