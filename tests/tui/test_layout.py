"""Which columns fit: arithmetic without a screen."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_app.glyphs import Glyphs
from tui_app.systems.cases import words as cases
from tui_app.systems.commands import words as commands
from tui_app.systems.schedules import words as schedules
from tui_app.tui.widgets.cells import fitted, telling_width
from tui_app.tui.widgets.layout import layout

columns = st.lists(
    st.builds(
        SimpleNamespace,
        width=st.integers(1, 40),
        flexible=st.booleans(),
        priority=st.integers(1, 9),
        kind=st.sampled_from(["text", "status", "id"]),
    ),
    min_size=1,
    max_size=10,
)


@given(columns, st.integers(20, 200), st.data())
def test_columns_are_in_order_apart_and_inside(described, width, data):
    wanted = data.draw(st.integers(0, len(described) - 1))
    slots = layout(described, width, wanted)
    assert wanted in {slot.number for slot in slots}
    assert [slot.number for slot in slots] == sorted(slot.number for slot in slots)
    ends = [slot.start + slot.width for slot in slots]
    assert all(end < after.start for end, after in zip(ends, slots[1:], strict=False))
    assert ends[-1] <= width


@pytest.mark.parametrize(
    ("described", "width", "expected"),
    [
        (commands.COLUMNS, 60, {"id", "error_code"}),
        (commands.COLUMNS, 80, {"id", "type", "error_code", "error"}),
        (commands.COLUMNS, 100, {"id", "type", "error_code", "error", "updated"}),
        (commands.COLUMNS, 200, {column.field for column in commands.COLUMNS}),
        (schedules.COLUMNS, 80, {"id", "run_at", "status", "channel", "content"}),
        (schedules.COLUMNS, 100, {"id", "run_at", "status", "channel", "content", "owner"}),
        (cases.COLUMNS, 80, {"id", "title", "status", "hold"}),
        (cases.COLUMNS, 100, {"id", "title", "status", "hold", "type"}),
    ],
)
def test_columns_that_decide_stay_longest(described, width, expected):
    assert {described[slot.number].field for slot in layout(described, width)} == expected


@given(columns, st.integers(20, 200))
def test_no_column_is_shown_in_place_of_one_that_decides_more(described, width):
    shown = {slot.number for slot in layout(described, width)}
    missing = [column.priority for number, column in enumerate(described) if number not in shown]
    assert all(described[number].priority <= min(missing, default=9) for number in shown if number != 0)


IDS = [f"payments/018f4e2a-7b1c-7{number:03}-9c3e-0d6f3a1c7e21" for number in range(40)]


def test_ids_that_begin_and_end_alike_are_widened_until_they_differ():
    glyphs = Glyphs(utf8=True)
    assert len({fitted(one, 20, glyphs, middle=True) for one in IDS}) == 1, "at this width they look the same"
    width = telling_width(IDS, 20, glyphs)
    assert len({fitted(one, width, glyphs, middle=True) for one in IDS}) == len(IDS)
    assert width < len(IDS[0])


def test_sequential_ids_differ_at_the_least_width():
    ids = [f"payments/018f4e2a-7b1c-7000-8000-{number:012}" for number in range(500)]
    assert telling_width(ids, 20, Glyphs(utf8=True)) == 20
    assert len({fitted(one, 20, Glyphs(utf8=True)) for one in ids}) == 1, "cut at the end they look the same"


@given(st.text(max_size=60), st.integers(0, 40), st.booleans(), st.booleans(), st.booleans())
def test_a_cell_is_exactly_as_wide_as_its_column(text, width, right, utf8, middle):
    cell = fitted(text, width, Glyphs(utf8), right=right, middle=middle)
    assert cell_len(cell) == width
    assert utf8 or cell.isascii()
