"""Which columns fit: arithmetic without a screen."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui_app.glyphs import Glyphs
from tui_app.systems.commands.words import COLUMNS
from tui_app.tui.widgets.cells import fitted
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
    ("width", "expected"), [(60, {"id", "type", "attempts"}), (200, {column.field for column in COLUMNS})]
)
def test_the_important_columns_stay_longest(width, expected):
    assert {COLUMNS[slot.number].field for slot in layout(COLUMNS, width)} == expected


@given(st.text(max_size=60), st.integers(0, 40), st.booleans(), st.booleans())
def test_a_cell_is_exactly_as_wide_as_its_column(text, width, right, utf8):
    cell = fitted(text, width, Glyphs(utf8), right=right)
    assert cell_len(cell) == width
    assert utf8 or cell.isascii()
