"""A run in words: the numbers, the bar, the pace, and what is asked of the operator."""

from datetime import UTC, datetime

import pytest

from tui_app.contract.runs import OptionsModel, OutcomeLine, PauseModel, RunModel, VerifiedModel
from tui_app.glyphs import Glyphs
from tui_app.tui.outcomes import AMBER, BAD, GOOD, ITEMS, item_look, run_look, tally, until, worked
from tui_app.tui.pace import Pace
from tui_app.tui.widgets.progress import bar, standing

NOW = datetime(2024, 5, 6, 14, 2, 0, tzinfo=UTC)
GLYPHS = Glyphs(utf8=True)


def run(pending=0, **facts):
    counts = {"cancelled": 0, "already_cancelled": 0, "refused": 0, "skipped": 0, "unknown": 0, "pending": pending}
    counts |= {name: facts.pop(name) for name in list(facts) if name in counts}
    known = {
        "id": "run-1",
        "plan": "plan-1",
        "plan_hash": "ab" * 32,
        "verb": "cancel",
        "state": "running" if pending else "finished",
        "counts": counts,
        "items": sum(counts.values()),
        "verified": VerifiedModel(),
        "operator": "jane",
        "reason": "Bad deploy",
        "options": OptionsModel(),
        "created_at": "2024-05-06T14:00:00.000000Z",
        "attended": True,
    }
    return RunModel(**{**known, **facts})


def stands(of, pace=None):
    return standing(of, pace or Pace(), NOW, "space", GLYPHS).plain


def test_the_numbers_are_said_in_words():
    assert tally(run(cancelled=3, skipped=1, pending=12)).plain == (
        "3 cancelled · 0 refused · 1 skipped · 0 unknown · 12 left"
    )
    assert "2 already cancelled" in tally(run(already_cancelled=2)).plain


def test_unknown_is_amber_neither_red_nor_green():
    assert item_look("unknown").style == AMBER
    assert run_look(run(cancelled=5, unknown=1)).style == AMBER
    assert run_look(run(cancelled=5)).style == GOOD
    assert (ITEMS["cancelled"].style, ITEMS["refused"].style) == (GOOD, BAD)


def test_a_state_of_a_newer_service_is_shown_and_not_guessed():
    assert item_look("evaporated").style == AMBER


@pytest.mark.parametrize(("width", "utf8"), [(40, True), (74, True), (10, False)])
def test_the_bar_fills_its_width_and_shows_even_one_of_many(width, utf8):
    drawn = bar(run(cancelled=9_999, unknown=1, pending=10_000), width, Glyphs(utf8))
    assert drawn.cell_length <= width
    assert drawn.plain.endswith(" 50%")
    assert any("warning" in str(span.style) for span in drawn.spans)


def test_what_is_skipped_is_no_work():
    assert bar(run(cancelled=25, skipped=900, pending=75), 40, GLYPHS).plain.endswith(" 25%")
    assert worked(run(cancelled=25, skipped=900, pending=75)) == (25, 100)
    assert bar(run(skipped=9), 40, GLYPHS).plain.endswith("100%")


def test_a_bar_of_a_finished_run_is_full():
    assert Glyphs(True)["rest"] not in bar(run(cancelled=2, refused=1), 40, GLYPHS).plain
    assert bar(run(), 40, GLYPHS).plain.endswith("100%")


def test_rate_and_time_left_come_from_what_was_seen():
    pace = Pace()
    assert (pace.rate, pace.words()) == (None, "")
    pace.note(0.0, 0)
    pace.note(2.0, 30)
    assert stands(run(cancelled=30, pending=1200), pace) == "◐ running · 15 a second · about 1 min 20 s left"
    slow = Pace()
    slow.note(0.0, 0)
    slow.note(60.0, 5)
    assert "5.0 a minute" in slow.words()


def test_the_pace_forgets_what_is_long_ago():
    pace = Pace()
    for second in range(60):
        pace.note(float(second), second * 100 if second < 30 else 3000 + second)
    assert pace.rate == pytest.approx(1.0, rel=0.2)


def test_while_a_system_takes_nothing_more_there_is_a_countdown_and_no_rate():
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(2.0, 30)
    gates = {"cases": "2024-05-06T14:02:42Z", "schedules": "2024-05-06T14:01:00Z"}
    assert stands(run(cancelled=30, pending=1200, gates=gates), pace) == "◐ running · cases takes nothing more for 42 s"
    assert stands(run(pending=3, state="queued", gates=gates)) == "○ queued · cases takes nothing more for 42 s"
    ours = stands(run(pending=3, gates=gates, paced={"cases": "5/minute"}))
    assert ours == "◐ running · cases is sent to again in 42 s (rate 5/minute)"
    silent = stands(run(pending=3, silent={"cases": "2024-05-06T14:01:00Z"}))
    assert silent == "◐ running · cases: no answer for 1 min 00 s"
    passed = run(cancelled=30, pending=1200, gates={"cases": "2024-05-06T14:02:00Z"})
    assert stands(passed, pace) == "◐ running · 15 a second · about 1 min 20 s left"
    assert "takes nothing" not in stands(run(cancelled=3, gates=gates))
    pace.forget()
    pace.note(42.0, 30)
    assert stands(passed, pace) == "◐ running"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"state": "paused", "pause": PauseModel(cause="operator")}, "by the operator · space resumes"),
        (
            {"state": "paused", "pause": PauseModel(cause="gate", message="429", until="2024-05-06T14:02:23Z")},
            "the system asked us to wait: 429 · goes on at 14:02:23, in 23 s",
        ),
        ({"attended": False}, "nobody works on it: space resumes it"),
        ({"wanted": "paused"}, "asked to become paused"),
    ],
)
def test_what_holds_a_run_up_is_said_with_what_to_do(facts, says):
    assert says in stands(run(pending=3, **facts))


def test_the_end_says_how_the_verification_stands():
    told = stands(run(cancelled=9, verified=VerifiedModel(yes=6, contradicted=1, not_known=1, pending=1)))
    assert told.endswith("verified: 6 yes, 1 contradicted, 1 not known, 1 to come")


def test_a_moment_and_how_long_it_is_until_then():
    assert until("2024-05-06T14:01:00Z", NOW) == "14:01:00"


def test_a_run_that_is_paused_tells_what_was_accepted_from_what_was_not_sent():
    outcomes = [OutcomeLine(state="accepted", count=3), OutcomeLine(state="sending", count=1)]
    paused = run(pending=12, state="paused", pause=PauseModel(cause="operator"), outcomes=outcomes)
    assert tally(paused).plain.endswith("12 left (3 accepted · 1 without an answer · 8 unsent)")
    # while it goes on the numbers change by the moment, and their sum is what counts
    assert tally(run(pending=12, outcomes=outcomes)).plain.endswith("12 left")
    assert tally(run(pending=12, state="paused", pause=PauseModel(cause="operator"))).plain.endswith("12 left")


def test_a_run_that_is_being_stopped_says_by_whom_and_what_is_left():
    stopping = {"wanted": "stopped", "stopped_by": "jane", "skipped": 8}
    assert stands(run(pending=4, **stopping)) == "! stopping · stopped by jane, nothing more is sent · 4 to settle"
    paused = run(pending=4, state="paused", pause=PauseModel(cause="breaker", message="nobody answers"), **stopping)
    assert stands(paused).endswith("4 to settle · not possible now: nobody answers · space tries again")
    left = run(pending=4, attended=False, **stopping)
    assert stands(left).endswith("4 to settle · nobody works on it: space settles it")
    assert stands(run(state="stopped", wanted=None, stopped_by="jane", skipped=8)).startswith("– stopped")
