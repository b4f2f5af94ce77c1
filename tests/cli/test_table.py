"""Tables fit the terminal that they are written to: what one decides by stays, and what is left out is named."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.command_line import TROUBLED
from tui_app.cli.output import Output
from tui_app.cli.table import GAP, Column, cell_width, fit
from tui_app.domain.visible import cut

WIDE = ("list commands", "list cases", "list schedules", "plans", "runs", "ledger", "profile list", "profile check")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
@pytest.mark.parametrize("verb", WIDE)
def test_every_table_fits_the_terminal(quash, bus, monkeypatch, capsys, columns, verb):
    item = bus.in_status(TROUBLED)[0]
    quash("cancel", "commands", item, "--reason", "a reason that is " + "long " * 20, "--yes", "--expect-count", 1)
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    quash(*verb.split())
    lines = screen.getvalue().splitlines()
    assert len(lines) > 1
    assert max(map(cell_width, lines)) <= columns
    assert "000Z" not in screen.getvalue(), "microseconds"


def test_code_and_verdict_are_shown_at_eighty_columns(quash, bus, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    told = quash("list", "commands", "--limit", 3)
    head = screen.getvalue().splitlines()[0].split("  ")
    assert {"Error code", "Verdict"} <= {title.strip() for title in head}
    assert "not shown at this width: " in told.err
    assert "Reply queue" in told.err


def test_file_gets_every_column_in_full(quash, bus, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    found = quash("list", "commands", "--limit", 1)
    assert "Reply queue" in found.out
    assert bus.in_status(TROUBLED)[0] in found.out
    assert "not shown" not in found.err


def test_long_id_is_cut_in_the_middle(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    rows = [{"id": f"payments/018f4e2a-{number:032}", "why": "no money"} for number in (17, 18)]
    Output("table").rows("s", "rows", rows, [Column("id", "Id", 512, priority=0, id=True), Column("why", "Why")])
    first, second = screen.getvalue().splitlines()[1:]
    assert first != second
    assert first.startswith("payments")
    assert "no money" in first


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=30)


@given(
    st.lists(
        st.tuples(st.integers(1, 80), st.integers(0, 6), st.booleans(), st.booleans(), st.booleans()),
        min_size=1,
        max_size=9,
    ),
    st.integers(20, 200),
)
def test_layout_never_exceeds_the_room_while_a_column_could_go(facts, room):
    columns = [
        Column(f"f{n}", "T", priority=priority, flexible=flexible, id=is_id)
        for n, (_, priority, flexible, is_id, _) in enumerate(facts)
    ]
    widths, empty = [width for width, *_ in facts], [hollow for *_, hollow in facts]
    layout = fit(columns, widths, empty, room)
    total = sum(width for _, width in layout.shown) + GAP * (len(layout.shown) - 1)
    kept = [columns[place] for place, _ in layout.shown]
    assert total <= room or all(column.priority == 0 for column in kept) or len(kept) == 0
    assert all(width <= widths[place] for place, width in layout.shown)
    assert fit(columns, widths, empty, None).shown == tuple(enumerate(widths))


@given(WORDS, st.integers(2, 30), st.booleans())
def test_cut_text_fits_its_width(text, width, middle):
    assert cell_width(cut(text, width, "…", cell_width, middle=middle)) <= max(width, 0) or cell_width(text) <= width
