"""The time left, in words: short, and to the second only where seconds count."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_app.domain.moments import stamp
from tui_app.tui.left import Left, left

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said", "close"),
    [
        (42, "in 42 s", True),
        (0.2, "in 1 s", True),
        (0, "0 s ago", False),
        (-0.5, "0 s ago", False),
        (492, "in 8 min 12 s", True),
        (540, "in 9 min", True),
        (599.5, "in 10 min", True),
        (600, "in 10 min", False),
        (2055, "in 34 min", False),
        (4320, "in 1 h 12 min", False),
        (86400, "in 24 h", False),
        (3 * 86400 + 5, "in 3 d", False),
        (-300, "5 min ago", False),
        (-332, "5 min ago", False),
        (-400 * 86400, "400 d ago", False),
    ],
)
def test_it_reads_as_a_person_says_it(seconds, said, close):
    time = left(stamp(NOW + timedelta(seconds=seconds)), NOW)
    assert time is not None
    assert (time.words, time.close) == (said, close)


@given(st.floats(-1e9, 1e9))
def test_it_fits_into_its_column(seconds):
    assert len(Left(seconds).words) <= 13


@pytest.mark.parametrize("nothing", [None, "", "soon", 7])
def test_what_is_no_moment_has_no_time_left(nothing):
    assert left(nothing, NOW) is None
