"""`runs undo`: what can be brought back, until when, by the same way and under the same guards as a cancellation."""

import csv
import io

import pytest

from support.command_line import TROUBLED, runner_at_work
from support.letters.system import Letters
from tui_app.cli.exits import Exit
from tui_app.domain.errors import NotSignedIn

CANCEL = ("--reason", "wrong enclosure", "--yes", "--output", "json")
UNDO = ("--reason", "it was the right one", "--yes", "--output", "json")


@pytest.fixture
def withdrawn(quash, drawer):
    """A run that has withdrawn three letters."""
    ids = drawer.ids("waiting")[:3]
    found = quash("cancel", "letters", *ids, *CANCEL, "--expect-count", 3)
    assert found.code == Exit.DONE
    return found.json["run"]


def test_what_was_cancelled_is_brought_back_verified_and_in_the_ledger(quash, drawer, withdrawn):
    assert len(drawer.ids("withdrawn")) == 3
    found = quash("runs", "undo", withdrawn["id"], *UNDO, "--expect-count", 3)
    run = found.json["run"]
    assert (found.code, run["verb"], run["counts"]["reinstated"], run["verified"]["yes"]) == (
        Exit.DONE, "reinstate", 3, 3,
    )  # fmt: skip
    assert "cancelled" not in run["counts"]
    assert drawer.ids("withdrawn") == []
    lines = quash("ledger", "--run", run["id"], "--output", "jsonl").lines
    assert [line["reason"] for line in lines if line["event"] == "reinstated"] == ["it was the right one"] * 3
    assert "undo" in [line["event"] for line in quash("ledger", "--run", withdrawn["id"], "--output", "jsonl").lines]
    assert quash("ledger", "verify").code == Exit.DONE


def test_the_plan_is_told_and_speaks_of_reinstating(quash, withdrawn):
    plain = [word for word in UNDO if word not in ("--output", "json")]
    found = quash("runs", "undo", withdrawn["id"], *plain, "--expect-count", 3)
    assert "3 in the plan, 3 will be reinstated, 0 blocked" in found.err
    assert "the first window closes 20" in found.err
    assert "3 to be reinstated" in found.err
    assert "an undo (reinstate): finished" in found.out
    assert "3 reinstated" in found.out


def test_a_run_says_what_can_be_undone_and_until_when(quash, drawer, withdrawn):
    until = [row[0] for row in drawer.rows("SELECT undo_until FROM letter WHERE undo_until IS NOT NULL ORDER BY 1")]
    assert withdrawn["undo"] == {"items": 3, "first_closes": until[0], "last_closes": until[-1]}
    plain = quash("runs", withdrawn["id"]).out
    assert "can be undone: 3 items, until" in plain
    assert "(in 59 min" in plain or "(in 1 h" in plain
    [row] = csv.DictReader(io.StringIO(quash("runs", "--output", "csv").out))
    assert (row["undo_until"], row["cancelled"], row["reinstated"]) == (until[-1], "3", "")


def test_every_report_says_until_when(quash, drawer, withdrawn):
    [until, *_] = [row[0] for row in drawer.rows("SELECT undo_until FROM letter WHERE undo_until IS NOT NULL")]
    rows = list(csv.DictReader(io.StringIO(quash("runs", "report", withdrawn["id"], "--output", "csv").out)))
    assert {row["undo_until"] for row in rows[:3]} == {until}
    lines = quash("runs", "report", withdrawn["id"], "--output", "jsonl").lines
    assert [line["undo_until"] for line in lines[1:-1]] == [until] * 3
    markdown = quash("runs", "report", withdrawn["id"]).out
    assert "- can be undone: 3\n" in markdown
    assert until in markdown


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["--yes", "--expect-count", "3"], Exit.USAGE, "INVALID_REASON"),
        (["--yes", "--expect-count", "3", "--reason", "no"], Exit.USAGE, "INVALID_REASON"),
        (["--yes", "--expect-count", "4", "--reason", "as it was"], Exit.LIMIT, "COUNT_DIFFERS"),
        (["--yes", "--reason", "as it was"], Exit.USAGE, "USAGE"),
        (["--expect-count", "3", "--reason", "as it was"], Exit.USAGE, "USAGE"),
        (["--yes", "--expect-count", "3", "--reason", "as it was", "--no-notify"], Exit.USAGE, "USAGE"),
    ],
)
def test_the_guards_are_those_of_a_cancellation(quash, drawer, withdrawn, words, code, error):
    found = quash("runs", "undo", withdrawn["id"], *words, "--output", "json")
    assert (found.code, found.out, found.error["code"]) == (code, "", error)
    assert len(drawer.ids("withdrawn")) == 3


def test_what_was_brought_back_meanwhile_is_not_brought_back_again(quash, drawer, withdrawn):
    drawer.rows(
        "UPDATE letter SET status = 'waiting', revision = revision + 1 WHERE id = ?", drawer.ids("withdrawn")[0]
    )
    found = quash("runs", "undo", withdrawn["id"], *UNDO, "--expect-count", 3)
    assert (found.code, found.json["run"]["counts"]["reinstated"]) == (Exit.PARTLY, 2)
    assert {(line["state"], line["code"]) for line in found.json["run"]["outcomes"]} == {
        ("reinstated", None),
        ("skipped", "NOT_CANCELLED"),
    }


def test_what_has_no_way_back_says_so(quash, bus):
    run = quash("cancel", "commands", bus.in_status(TROUBLED)[0], *CANCEL, "--expect-count", 1).json["run"]
    assert run["undo"] is None
    assert "undone" not in quash("runs", run["id"]).out
    found = quash("runs", "undo", run["id"], *UNDO, "--expect-count", 1)
    assert (found.code, found.error["code"]) == (Exit.STALE, "CONFLICT")
    assert "nothing that can be brought back" in found.error["message"]


def test_an_undo_is_not_undone(quash, withdrawn):
    undone = quash("runs", "undo", withdrawn["id"], *UNDO, "--expect-count", 3).json["run"]["id"]
    found = quash("runs", "undo", undone, *UNDO, "--expect-count", 3)
    assert (found.code, found.error["code"]) == (Exit.STALE, "CONFLICT")


def test_it_can_be_left_to_itself(quash, bus, drawer, withdrawn, runners):
    with runner_at_work(bus, runners):
        found = quash("runs", "undo", withdrawn["id"], *UNDO, "--expect-count", 3, "--detach")
        timed = quash("runs", "resume", found.json["run"]["id"], "--timeout", 1, "--output", "json")
    assert (found.code, found.json["run"]["state"], timed.code) == (Exit.DONE, "queued", Exit.TIMEOUT)
    assert quash("runs", "resume", found.json["run"]["id"]).code == Exit.DONE
    assert drawer.ids("withdrawn") == []


def test_a_run_that_goes_on_is_paused_first_and_that_is_said(quash, drawer, bus, runners, monkeypatch):
    execute = Letters.execute

    async def then_the_token_has_expired(self, orders, errand):
        if errand.chunk:
            raise NotSignedIn("the token has expired")
        return await execute(self, orders, errand)

    monkeypatch.setattr(Letters, "chunk_size", 2)
    with runner_at_work(bus, runners):
        found = quash("cancel", "letters", *drawer.ids("waiting")[:3], *CANCEL, "--expect-count", 3, "--detach")
    run = found.json["run"]["id"]
    with monkeypatch.context() as patch:
        patch.setattr(Letters, "execute", then_the_token_has_expired)
        assert quash("runner").code == Exit.DONE
    assert (quash("runs", run, "--output", "json").json["run"]["state"], len(drawer.ids("withdrawn"))) == ("paused", 2)
    with runner_at_work(bus, runners):
        quash("runs", "resume", run, "--detach")
        asked = quash("runs", "undo", run, *UNDO[:2], "--yes", "--expect-count", 9)
        assert f"run {run} is paused when you confirm" in asked.err
        assert quash("runs", run, "--output", "json").json["run"]["pause"] is None
    monkeypatch.setattr(Letters, "execute", execute)
    undone = quash("runs", "undo", run, *UNDO, "--expect-count", 2)
    assert (undone.code, undone.json["run"]["counts"]["reinstated"]) == (Exit.DONE, 2)
    assert f"run {run} is paused, and not over" in undone.err
    assert drawer.ids("withdrawn") == []
    assert quash("runs", run, "--output", "json").json["run"]["counts"]["pending"] == 1
