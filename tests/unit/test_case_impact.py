"""What a case management's preview says of the way back: a limit, never told to be longer than it is."""

from datetime import timedelta

import pytest

from tui_app.domain import moments
from tui_app.domain.verdict import Effect
from tui_app.systems.cases.impact import effects
from tui_app.systems.cases.shapes import impact
from tui_app.systems.cases.words import REVERSIBLE

READ = "2026-03-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(hours=2), "2 hours"),
        (timedelta(hours=2, seconds=59), "2 hours"),
        (timedelta(hours=2, seconds=-1), "119 minutes"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(seconds=90), "1 minute"),
        (timedelta(seconds=59, milliseconds=900), "59 seconds"),
        (timedelta(seconds=-1), "0 seconds"),
    ],
)
def test_a_window_is_told_in_whole_units_rounded_down(left, told):
    due = moments.stamp(moments.read(READ) + left)
    given = {"impact_assessment": {"rollback_available": True, "rollback_deadline": due}}
    assert Effect(REVERSIBLE, told) in effects(impact(given, READ))
