"""Lengths of time and moments to come, as a person says them."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_app.domain import moments
from tui_app.domain.moments import EARLIEST, LATEST, ahead, known, read, span, stamp

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


ODD = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00",
    "infinity",
    "1899-12-31T23:59:59Z",
    "3000-01-01T00:00:01Z",
    "2026-02-30",
    "2026-01-02T03:04:05\ud800",
    "9" * 100_000,
    "",
]
MOMENTS = st.datetimes(timezones=st.timezones() | st.none())
ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | MOMENTS | st.sampled_from(ODD)
)
READERS = (moments.known, moments.known_epoch, moments.known_date)


@pytest.mark.parametrize("text", ODD)
def test_a_moment_that_cannot_be_is_not_known(text):
    assert known(text) is None
    with pytest.raises(ValueError, match="is not a moment"):
        read(text)
    assert ahead(text, NOW) == ""


def never_raises(reader, value):
    """What a reader of moments owes: a moment within the two ends, in UTC, or none; whatever it is given."""
    found = reader(value)
    assert found is None or (EARLIEST <= found <= LATEST and found.utcoffset() == timedelta(0))
    return found


@settings(max_examples=200)
@given(ANYTHING | MOMENTS.map(lambda one: one.isoformat()) | MOMENTS.map(lambda one: one.timestamp()))
def test_any_value_is_a_moment_or_not_known(value):
    for reader in READERS:
        never_raises(reader, value)


@given(MOMENTS)
def test_a_known_moment_is_read_back_as_it_was_written(moment):
    found = known(moment)
    assert found is None or known(stamp(found)) == found


@given(st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)), st.floats() | st.integers())
def test_arithmetic_with_a_known_moment_never_raises(naive, seconds):
    moment = naive.replace(tzinfo=UTC)
    moved = moments.later(moment, moments.stretch(seconds))
    assert EARLIEST <= moved <= LATEST
    assert known(stamp(moved)) == moved
    assert span(seconds)
    assert ahead(stamp(moved), moment)


def test_a_stretch_that_is_no_number_is_none():
    assert moments.stretch(math.nan) == timedelta(0)
    assert moments.later(NOW, moments.stretch(math.inf)) == LATEST
    assert moments.later(NOW, timedelta.max) == LATEST
    assert moments.later(NOW, timedelta.min) == EARLIEST


@pytest.mark.parametrize(
    ("careless", "value"),
    [
        (lambda value: datetime.fromisoformat(value).astimezone(UTC), "9999-12-31T23:59:59-12:00"),
        (lambda value: datetime.fromisoformat(value).replace(tzinfo=UTC), "0001-01-01T00:00:00"),
        (lambda value: datetime.fromtimestamp(value, UTC), 1e300),
    ],
)
def test_a_reader_that_believes_everything_is_found(careless, value):
    with pytest.raises((OverflowError, ValueError, AssertionError)):
        never_raises(careless, value)
