"""Lengths of time and moments to come, as a person says them."""

from datetime import UTC, datetime, timedelta

import pytest

from tui_app.domain.moments import ahead, span, stamp

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (543, "9 min 03 s"),
        (3_600, "1 h 00 min"),
        (7_199, "1 h 59 min"),
        (86_400, "1 d 00 h"),
        (3 * 86_400 + 4 * 3_600, "3 d 04 h"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(seconds, said):
    assert span(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(543, "in 9 min 03 s"), (0, "0 s ago"), (-61, "1 min 01 s ago")])
def test_a_moment_is_ahead_or_was(seconds, said):
    assert ahead(stamp(NOW + timedelta(seconds=seconds)), NOW) == said


def test_what_is_no_moment_says_nothing():
    assert ahead("soon", NOW) == ""
