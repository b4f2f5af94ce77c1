"""Waiting for a run, steering it, and what is told of one that nobody attends."""

import asyncio
import csv
import io
import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from support import canned
from support.command_line import TROUBLED, runner_at_work
from tui_app import bootstrap
from tui_app.cli import waiting
from tui_app.cli.exits import Exit
from tui_app.client.backend import BackendClient
from tui_app.systems.commands.embedded import EmbeddedCommands

GIVEN = ("--reason", "duplicate request", "--yes", "--output", "json")


@pytest.fixture
def confirmed(quash, bus, runners):
    """A run of two items that is confirmed, and that no runner has begun."""
    with runner_at_work(bus, runners):
        found = quash("cancel", "commands", *bus.in_status(TROUBLED)[:2], *GIVEN, "--expect-count", 2, "--detach")
    assert found.code == Exit.DONE
    return found.json["run"]["id"]


def test_detaching_says_how_to_watch(quash, bus, runners):
    with runner_at_work(bus, runners):
        found = quash("cancel", "commands", bus.in_status(TROUBLED)[0], *GIVEN, "--expect-count", 1, "--detach")
    run = found.json["run"]
    assert (found.code, run["state"], run["counts"]["pending"]) == (Exit.DONE, "queued", 1)
    assert f"quash runs {run['id']}" in found.error["message"]


def test_the_time_passes_and_the_run_goes_on(quash, bus, runners):
    with runner_at_work(bus, runners):
        found = quash("cancel", "commands", bus.in_status(TROUBLED)[0], *GIVEN, "--expect-count", 1, "--timeout", 1)
    assert (found.code, found.json["run"]["state"]) == (Exit.TIMEOUT, "queued")
    assert "goes on" in found.error["message"]


def test_detach_and_timeout_exclude_each_other(quash, bus):
    found = quash("runs", "resume", "r1", "--detach", "--timeout", 1)
    assert found.code == Exit.USAGE


def test_ctrl_c_leaves_the_run_to_go_on(quash, bus, runners):
    item = bus.in_status(TROUBLED)[0]
    words = ["cancel", "commands", item, *GIVEN, "--expect-count", "1"]
    with runner_at_work(bus):
        waiting = subprocess.Popen(
            [sys.executable, "-m", "tui_app", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while not (runs := quash("runs", "--output", "json").json["runs"]):
            assert waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        err = waiting.communicate(timeout=30)[1]
    assert waiting.returncode == Exit.INTERRUPTED
    assert f"run {runs[0]['id']} goes on" in err
    assert quash("runs", "resume", runs[0]["id"]).code == Exit.DONE
    assert bus.status(item) == "CANCELED"


@pytest.mark.parametrize("sent", [True, False])
def test_ctrl_c_while_it_is_confirmed_says_whether_a_run_began(quash, bus, runners, monkeypatch, sent):
    confirm = BackendClient.run

    async def and_then_somebody_gives_up(self, plan, confirmed, key):
        if sent:
            await confirm(self, plan, confirmed, key)
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    runners.held = True
    monkeypatch.setattr(BackendClient, "run", and_then_somebody_gives_up)
    found = quash("cancel", "commands", bus.in_status(TROUBLED)[0], *GIVEN, "--expect-count", 1)
    assert found.code == Exit.INTERRUPTED
    begun = [run["id"] for run in quash("runs", "--output", "json").json["runs"]]
    assert len(begun) == sent
    said = f"run {begun[0]} goes on" if sent else "interrupted while it was confirmed"
    assert said in found.err


def test_every_start_tells_of_a_run_that_nobody_attends(quash, bus, confirmed):
    told = f"run {confirmed} was left without a runner, 2 items to go; quash runs resume {confirmed}"
    assert told in quash("list", "commands").err
    assert told in json.loads(quash("ledger", "--output", "jsonl").err)["message"]
    resumed = quash("runs", "resume", confirmed)
    assert (resumed.code, told in resumed.err) == (Exit.DONE, False)
    assert told not in quash("list", "commands").err


def test_a_run_that_nobody_attends_is_said_to_be_interrupted_and_how_to_go_on(quash, bus, confirmed):
    shown = quash("runs", confirmed)
    resume = f"quash runs resume {confirmed}"
    assert shown.out.splitlines()[0].endswith(f": interrupted, nobody works on it; go on with: {resume}")
    assert resume in shown.err
    assert quash("runs").out.splitlines()[1].split()[:2] == [confirmed, "interrupted"]
    assert "- state: interrupted" in quash("runs", "report", confirmed).out.splitlines()
    quash("runs", "resume", confirmed)
    assert quash("runs", confirmed).out.splitlines()[0].endswith(": finished")
    assert quash("runs").out.splitlines()[1].split()[:2] == [confirmed, "finished"]


def test_the_way_to_resume_leads_to_the_same_place(quash, bus, confirmed):
    data = os.environ["QUASH_DATA"]
    told = quash("list", "commands", "--data", data, "--operator", "jane doe").err
    assert f"quash --operator 'jane doe' --data {data} runs resume {confirmed}" in told


def test_a_run_that_loses_its_runner_is_said_to_be_resumable(quash, bus, runners, monkeypatch):
    monkeypatch.setattr(waiting, "ALONE_SECONDS", 0.1)
    runners.held = True
    found = quash("cancel", "commands", bus.in_status(TROUBLED)[0], *GIVEN, "--expect-count", 1)
    run = found.json["run"]["id"]
    assert found.code == Exit.INTERRUPTED
    assert f"nobody works on run {run}" in found.error["message"]
    assert "runner.log" in found.error["message"]


def test_runs_are_listed_newest_first(quash, bus, confirmed):
    second = quash("cancel", "commands", bus.in_status(TROUBLED)[5], *GIVEN, "--expect-count", 1).json["run"]
    found = quash("runs", "--output", "json").json
    assert found["schema"] == "quash.runs.v1"
    assert [run["id"] for run in found["runs"]] == [second["id"], confirmed]
    assert quash("runs", "list").out.splitlines()[1].startswith(second["id"])
    assert next(csv.DictReader(io.StringIO(quash("runs", "--output", "csv").out)))["cancelled"] == "1"


def test_pausing_and_going_on(quash, bus, confirmed):
    paused = quash("runs", "pause", confirmed, "--output", "json")
    assert (paused.code, paused.json["run"]["state"]) == (Exit.DONE, "paused")
    # What an operator paused is not left behind: nobody is told at each start.
    assert confirmed not in quash("list", "commands").err
    assert "paused by operator" in quash("runs", confirmed).out
    assert quash("runs", "resume", confirmed).code == Exit.DONE
    assert bus.effects()[0]["CANCELED"] >= 2


def test_a_run_that_is_paused_meanwhile_can_be_resumed(quash, bus, runners, monkeypatch):
    item = bus.in_status(TROUBLED)[0]
    confirm = BackendClient.run

    async def and_then_somebody_pauses_it(self, plan, confirmed, key):
        return await self.runs.pause((await confirm(self, plan, confirmed, key)).id)

    runners.held = True
    monkeypatch.setattr(BackendClient, "run", and_then_somebody_pauses_it)
    found = quash("cancel", "commands", item, *GIVEN, "--expect-count", 1)
    assert (found.code, found.json["run"]["state"]) == (Exit.INTERRUPTED, "paused")
    assert "runs resume" in found.error["message"]


def test_stopping_sends_nothing_more(quash, bus, confirmed):
    before = bus.effects()
    stopped = quash("runs", "stop", confirmed, "--output", "json")
    # nothing was on its way, so that nobody has to come for it to be over
    assert (stopped.code, stopped.json["run"]["state"]) == (Exit.DONE, "stopped")
    assert stopped.json["run"]["counts"]["skipped"] == 2
    assert f"stopped by {stopped.json['run']['stopped_by']}" in quash("runs", confirmed).out
    told = quash("ledger", "--run", confirmed, "--output", "json").json["lines"]
    assert [line["event"] for line in told if line["item"] is None] == [
        "confirmed",
        "stopping",
        "chunk",
        "stopped",
        "head",
    ]
    assert bus.effects() == before
    late = quash("runs", "pause", confirmed, "--output", "json")
    assert (late.code, late.error["code"]) == (Exit.STALE, "CONFLICT")


def test_resuming_what_is_over_says_so(quash, bus, confirmed):
    assert quash("runs", "resume", confirmed).code == Exit.DONE
    again = quash("runs", "resume", confirmed)
    assert again.code == Exit.DONE
    assert "is finished: there is nothing to go on with" in again.err


def test_another_operator_has_to_take_a_run_over(quash, bus, confirmed):
    refused = quash("runs", "resume", confirmed, "--operator", "jane", "--output", "json")
    assert (refused.code, refused.error["code"]) == (Exit.NO_ACCESS, "NEEDS_TAKEOVER")
    taken = quash("runs", "resume", confirmed, "--operator", "jane", "--take-over", "--output", "json")
    assert (taken.code, taken.json["run"]["counts"]["cancelled"]) == (Exit.DONE, 2)
    assert "taken_over" in [line["event"] for line in quash("ledger", "--output", "jsonl").lines]


def test_another_target_has_to_be_accepted(quash, bus, confirmed):
    bus.rows("UPDATE meta SET value = 'another' WHERE key = 'identity'")
    refused = quash("runs", "resume", confirmed, "--output", "json")
    assert (refused.code, refused.error["code"]) == (Exit.STALE, "TARGET_CHANGED")
    assert quash("runs", "resume", confirmed, "--accept-target").code == Exit.DONE


def test_a_contradiction_is_found_and_has_a_code_of_its_own(quash, bus):
    item = bus.in_status(TROUBLED)[0]
    run = quash("cancel", "commands", item, *GIVEN, "--expect-count", 1).json["run"]["id"]
    assert quash("runs", "verify", run).code == Exit.DONE
    bus.set_status(item, "COMPLETED")
    found = quash("runs", "verify", run, "--output", "json")
    assert (found.code, found.json["run"]["verified"]["contradicted"]) == (Exit.UNKNOWN, 1)
    assert quash("runs", run).code == Exit.DONE


def test_what_is_contradicted_is_named_with_what_the_system_says(quash, bus):
    items = bus.in_status(TROUBLED)[:5]
    run = quash("cancel", "commands", *items, *GIVEN, "--expect-count", 5).json["run"]["id"]
    for item in items[1:]:
        bus.set_status(item, "COMPLETED")
    found = quash("runs", "verify", run).out.splitlines()
    named = [line for line in found if line.startswith("  contradicted: commands ")]
    assert len(named) == 4
    assert all("COMPLETED" in line for line in named)
    assert not any(items[0] in line for line in named)
    assert "  The system says otherwise than it answered. Look at its trail, and tell who looks after it." in found
    assert named == [line for line in quash("runs", run).out.splitlines() if line in named]
    report = quash("runs", "report", run).out.splitlines()
    notes = [line.split(" | ")[6] for line in report if line.startswith("| commands") and "contradicted" in line]
    assert ["COMPLETED" in note for note in notes] == [True] * 4


def test_there_is_nothing_to_retry_where_nothing_was_refused(quash, bus, confirmed):
    quash("runs", "resume", confirmed)
    found = quash("runs", "retry", confirmed, *GIVEN, "--expect-count", 1)
    assert (found.code, found.error["code"]) == (Exit.STALE, "CONFLICT")
    assert quash("runs", "retry", confirmed, "--reason", "duplicate").code == Exit.USAGE


def test_what_was_refused_is_tried_again_with_a_new_plan(quash, bus, runners, monkeypatch):
    item = bus.in_status(TROUBLED)[0]
    with runner_at_work(bus, runners):
        run = quash("cancel", "commands", item, *GIVEN, "--expect-count", 1, "--detach").json["run"]["id"]
    [(queue,)] = bus.rows("SELECT reply_queue FROM command WHERE id = ?", item)
    survey = EmbeddedCommands.survey

    async def then_the_queue_vanishes(self, ids, verb):
        found = await survey(self, ids, verb)
        bus.rows("DELETE FROM queue WHERE name = ?", queue)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedCommands, "survey", then_the_queue_vanishes)
        assert quash("runner").code == Exit.DONE
    refused = quash("runs", run, "--output", "json").json["run"]
    assert refused["outcomes"] == [{"state": "refused", "code": "REPLY_QUEUE_MISSING", "count": 1}]
    bus.rows("INSERT INTO queue (name) VALUES (?)", queue)
    retried = quash("runs", "retry", run, *GIVEN, "--expect-count", 1)
    assert (retried.code, retried.json["run"]["counts"]["cancelled"]) == (Exit.DONE, 1)
    assert (retried.json["run"]["id"] != run, bus.status(item)) == (True, "CANCELED")


def test_a_report_is_written_once_and_printed_anywhere(quash, bus, confirmed, tmp_path):
    quash("runs", "resume", confirmed)
    for ending in ("md", "jsonl", "csv"):
        path = tmp_path / f"report.{ending}"
        assert quash("runs", "report", confirmed, "-o", path).code == Exit.DONE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert quash("runs", "report", confirmed, "-o", path).code == Exit.USAGE
    assert quash("runs", "report", confirmed, "-o", tmp_path / "report.pdf").code == Exit.USAGE
    assert quash("runs", "report", confirmed).out.startswith("# Run")
    lines = quash("runs", "report", confirmed, "--output", "jsonl").lines
    assert lines[0]["schema"] == "quash.report.v1"
    assert [line["state"] for line in lines[1:-1]] == ["cancelled", "cancelled"]
    rows = csv.DictReader(io.StringIO(quash("runs", "report", confirmed, "--output", "csv").out))
    assert [row["state"] for row in rows][:2] == ["cancelled", "cancelled"]


@pytest.mark.parametrize("action", ["show", "pause", "resume", "stop", "verify", "report"])
def test_a_run_that_is_not_there(quash, bus, action):
    found = quash("runs", action, "rnone", "--output", "json")
    assert (found.code, found.out, found.error["code"]) == (Exit.PARTLY, "", "NOT_FOUND")


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_run_with_unknown_outcomes_says_why_and_whom_to_ask(quash, monkeypatch, form):
    why = "no answer came. Level 3: contact #case-ops."
    items = [canned.item(0), canned.item(1, "unknown", code="OUTCOME_UNKNOWN", message=why)]
    service = canned.Canned()
    service.run(canned.run(*items), *items)
    monkeypatch.setattr(bootstrap, "client", lambda setup: service.client())
    found = quash("runs", canned.run(*items).id, "--output", form)
    assert found.code == Exit.DONE
    if form == "json":
        assert found.json["run"]["counts"]["unknown"] == 1
        assert [(one["kind"], one["message"]) for one in found.json["not_done"]] == [("unknown", why)]
    else:
        assert f"unknown: commands payments/c000001: {why}" in found.out
        assert "if it is still meant, plan it anew" in found.out
