"""Until when a case can be brought back: what the server says now, what it answered then, and what is only assumed."""

import pytest

from tui_app.domain.ports import TrailEntry
from tui_app.domain.run import Made
from tui_app.systems.cases.evidence import ASSUMED, Deadline, recalled
from tui_app.systems.cases.rules import CANCEL_EVENT, REINSTATE_EVENT

NOON, ONE, TWO, THREE = (f"2026-03-01T{hour}:00:00.000000Z" for hour in (12, 13, 14, 15))
OURS = Made("k1", NOON, ONE)
GUESSED = Made("k1", NOON, TWO, ASSUMED)


def cancelled(at=NOON, **details):
    return TrailEntry(at, CANCEL_EVENT, "jane@example.com", details)


BACK = TrailEntry(ONE, REINSTATE_EVENT, "jane@example.com")


@pytest.mark.parametrize(
    ("told", "trail", "made", "due"),
    [
        pytest.param(THREE, [cancelled()], OURS, Deadline(THREE), id="the case tells"),
        pytest.param(None, [cancelled(rollback_deadline=THREE)], OURS, Deadline(THREE), id="its audit tells"),
        pytest.param(None, [cancelled()], OURS, Deadline(ONE), id="only the answer told"),
        pytest.param(None, [cancelled(idempotency_key="k1")], OURS, Deadline(ONE), id="and the entry is ours"),
        pytest.param(None, [], OURS, Deadline(ONE), id="and there is no audit"),
        pytest.param(None, [], GUESSED, Deadline(TWO, assumed=True), id="nothing told, and there is no audit"),
        pytest.param(None, [cancelled()], GUESSED, Deadline(TWO, assumed=True), id="nothing told"),
        pytest.param(None, [cancelled()], None, Deadline(TWO, assumed=True), id="nothing recorded"),
        pytest.param(None, [], None, None, id="nothing at all"),
    ],
)
def test_what_tells_it(told, trail, made, due):
    assert recalled(told, trail, made) == due


@pytest.mark.parametrize(
    "trail",
    [
        pytest.param([cancelled(), BACK, cancelled(ONE)], id="brought back since"),
        pytest.param([cancelled(ONE, idempotency_key="k2")], id="under another key"),
    ],
)
def test_the_record_of_another_cancellation_tells_nothing_of_this_one(trail):
    assert recalled(None, trail, OURS) == Deadline(THREE, assumed=True)


def test_what_was_brought_back_before_ours_is_no_matter():
    early = TrailEntry("2026-03-01T09:00:00.000000Z", REINSTATE_EVENT, "jane@example.com")
    assert recalled(None, [early, cancelled()], OURS) == Deadline(ONE)
