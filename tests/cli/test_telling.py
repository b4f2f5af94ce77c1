"""Plans and runs in words, in the states that a real one is seldom in."""

from datetime import timedelta

import pytest

from support import canned
from support.canned import run
from tui_app.cli import telling
from tui_app.cli.telling import run_lines
from tui_app.contract.runs import OutcomeLine, PauseModel, RunModel
from tui_app.domain import moments

NOW = moments.read(canned.AT)


def at(minutes: float) -> str:
    return moments.stamp(NOW + timedelta(minutes=minutes))


LAST = f"the last closes at {at(95)} (in 1 h 35 min)"


@pytest.fixture(autouse=True)
def same_moment(monkeypatch):
    monkeypatch.setattr(telling, "now", lambda: NOW)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (30, 30, f"can be undone: 2 items, until {at(30)} (in 30 min 00 s)"),
        (
            30,
            95,
            f"can be undone: 2 items; the first window closes at {at(30)} (in 30 min 00 s), {LAST}",
        ),
        (
            -1,
            95,
            f"can be undone: 2 items; the first window closed at {at(-1)} (1 min 00 s ago), {LAST}",
        ),
        (-5, -2, f"could be undone: 2 items, until {at(-2)} (2 min 00 s ago)"),
    ],
)
def test_windows_are_open_closing_or_closed(first, last, said):
    window = {"items": 2, "first_closes": at(first), "last_closes": at(last)}
    run = canned.run(canned.item(0), canned.item(1), undo=window)
    assert f"  {said}" in list(telling.run_lines(run))


def test_a_run_without_windows_says_nothing_of_undoing():
    assert [line for line in telling.run_lines(canned.run(canned.item(0))) if "undo" in line] == []


def test_a_system_that_takes_nothing_more_is_said_while_that_lasts():
    gates = {"cases": at(0.7), "schedules": at(-1)}
    going = canned.run(canned.item(0), canned.item(1, "planned"), gates=gates)
    assert [line for line in telling.run_lines(going) if "takes" in line] == ["  cases takes nothing more for 42 s"]
    assert list(telling.waits(canned.run(canned.item(0), gates=gates))) == []


def test_a_system_that_does_not_answer_is_said_with_how_long():
    going = canned.run(canned.item(0, "planned"), silent={"cases": at(-0.5)})
    [line] = telling.waits(going)
    assert line.startswith("cases: no answer for ")
    assert list(telling.waits(canned.run(canned.item(0), silent={"cases": at(-0.5)}))) == [], "a run that is over"


def test_a_wait_for_a_rate_of_ours_is_not_said_to_be_the_systems():
    gates = {"cases": at(0.7), "schedules": at(1)}
    going = canned.run(canned.item(0, "planned"), gates=gates, paced={"cases": "5/minute"})
    assert list(telling.waits(going)) == [
        "cases is sent to again in 42 s (rate 5/minute)",
        "schedules takes nothing more for 1 min 00 s",
    ]


def test_items_of_unknown_outcome_say_why_and_what_to_do_about_them():
    why = "no answer came. Level 3: contact #case-ops."
    unknown = [canned.item(1, "unknown", code="OUTCOME_UNKNOWN", message=why), canned.item(2, "unknown")]
    assert list(telling.not_done_lines("unknown", unknown, 2, "quash runs report r1")) == [
        f"  unknown: commands payments/c000001: {why}",
        "  unknown: commands payments/c000002: no answer",
        "  It was sent, and no answer came. Its status and trail tell; if it is still meant, plan it anew.",
    ]
    *_, last = telling.not_done_lines("unknown", unknown, 1502, "quash runs report r1")
    assert last == "  1,500 more are unknown; all of them: quash runs report r1"
    assert list(telling.not_done_lines("unknown", [], 0, "")) == []


def test_a_plan_is_told_by_its_summary():
    summary = [{"code": "A", "text": "9 notifications to a, b, c and 6 more", "count": 9}]
    lines = list(telling.plan_lines(canned.plan(2, summary=summary)))
    assert "  9 notifications to a, b, c and 6 more" in lines
    assert not any("replies" in line for line in lines)


def told(**facts) -> list[str]:
    impact = [
        {"code": "A", "text": "2 notifications to a", "count": 2, "notifies": True},
        {"code": "B", "text": "it ends"},
    ]
    notices = {"cases": "Cancelled.\nReason: {reason}", "letters": "Not coming."}
    return list(telling.plan_lines(canned.plan(2, impact=impact, notices=notices, by_system={"cases": 2}), **facts))


def test_the_text_that_people_read_holds_the_reason_and_is_only_of_systems_in_the_plan():
    lines = told(reason="by mistake {0}")
    place = lines.index("  who is notified of cases reads:")
    assert lines[place + 1 : place + 3] == ["    Cancelled.", "    Reason: by mistake {0}"]
    assert not any("letters" in line for line in lines)
    assert f"    Reason: {telling.YOURS}" in told()


def test_what_does_not_happen_without_notices_is_said():
    lines = told(notify=False)
    assert "  not done, with --no-notify: 2 notifications to a" in lines
    assert "  it ends" in lines
    assert not any("reads:" in line for line in lines)


def test_an_undo_is_said_as_one():
    plan = canned.plan(2, verb="reinstate", soonest=at(9), impact=[])
    lines = list(telling.plan_lines(plan))
    assert "  2 in the plan, 2 will be reinstated, 0 blocked" in lines
    assert f"  the first window closes {at(9)} (in 9 min 00 s)" in lines
    assert f"  the first is due {at(9)} (in 9 min 00 s)" in list(telling.plan_lines(canned.plan(2, soonest=at(9))))


PACED = [{"system": "cases", "items": 38, "rate": "5/minute", "seconds": 456}]


def test_a_plan_says_how_long_it_takes_and_which_windows_close_meanwhile():
    takes = "38 cases at 5/minute take about 7 min 36 s"
    closing = f"  {takes}; the first undo windows (1 min 30 s) close before the run ends"
    assert closing in list(telling.plan_lines(canned.plan(38, paces=PACED, undo_seconds=90)))
    assert f"  {takes}" in list(telling.plan_lines(canned.plan(38, paces=PACED, undo_seconds=7200)))
    assert f"  {takes}" in list(telling.plan_lines(canned.plan(38, paces=PACED)))
    assert not any("take about" in line for line in telling.plan_lines(canned.plan(38, undo_seconds=90)))


OUTCOMES = [OutcomeLine(state="accepted", count=3), OutcomeLine(state="sending", count=1)]


def paused(**facts: object) -> RunModel:
    counts = {"cancelled": 0, "already_cancelled": 0, "refused": 0, "skipped": 0, "unknown": 0, "pending": 12}
    pause = PauseModel(cause="breaker", message="nobody answers")
    known = run().model_dump() | {"state": "paused", "counts": counts, "outcomes": OUTCOMES, "pause": pause}
    return RunModel(**{**known, **facts})


def test_what_is_pending_is_told_apart_once_nothing_is_sent() -> None:
    told = list(run_lines(paused()))
    assert "  pending: 3 accepted · 1 without an answer · 8 unsent" in told
    going_on = paused(state="running", pause=None, attended=True)
    assert not any(line.startswith("  pending:") for line in run_lines(going_on))


def test_a_stop_names_who_asked_and_what_is_left() -> None:
    told = list(run_lines(paused(wanted="stopped", stopped_by="jane@example.com")))
    assert "  stopped by jane@example.com: nothing more is sent; 12 still to be settled by looking" in told
    assert "  paused by breaker: nobody answers" in told
    over = paused(state="stopped", wanted=None, pause=None, stopped_by="jane@example.com")
    assert "  stopped by jane@example.com" in list(run_lines(over))
