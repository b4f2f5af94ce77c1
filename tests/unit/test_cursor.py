"""Cursors come back from outside, so that whatever they hold is looked at before a database sees it."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_app.domain.errors import UsageProblem
from tui_app.domain.items import Cursor

TEXT = st.text(st.characters(codec="utf-8"), max_size=50)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-1e18, 1e18)


@given(st.none() | st.booleans() | NUMBERS | TEXT, TEXT)
def test_a_cursor_comes_back_as_it_was(value, item):
    assert Cursor.decode(Cursor(value, item).encode()) == Cursor(value, item)


def coded(text):
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "ü",
        coded("[]"),
        coded("{}"),
        coded('["a"]'),
        coded('["a", "b", "c"]'),
        coded('["a", 7]'),
        coded('[["a"], "b"]'),
        coded('[1e400, "a"]'),
        coded('[NaN, "a"]'),
        coded(f'[{2**63}, "a"]'),
        coded(f'[1{"0" * 5000}, "a"]'),
        coded('["\\ud800", "a"]'),
        coded('["a", "\\udfff"]'),
        coded(json.dumps(["x" * 9000, "a"])),
        coded("[" * 100_000),
    ],
)
def test_what_is_no_cursor_of_ours_is_refused(text):
    with pytest.raises(UsageProblem, match="not made by quash"):
        Cursor.decode(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text):
    with contextlib.suppress(UsageProblem):
        Cursor.decode(text)
