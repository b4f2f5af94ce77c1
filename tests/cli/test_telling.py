"""A run in lines: what a person is told of one that is paused or being stopped."""

from support.canned import run
from tui_app.cli.telling import run_lines
from tui_app.contract.work import OutcomeLine, PauseModel, RunModel

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
