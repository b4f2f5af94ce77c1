"""`apply` and `cancel`: from a plan to what became of it, and every way in which nothing is sent."""

import json

import pytest

from support.command_line import TROUBLED, runner_at_work
from tui_app.cli.exits import Exit

GIVEN = ("--reason", "duplicate request", "--yes", "--output", "json")
COUNTS = {"cancelled", "already_cancelled", "refused", "skipped", "unknown", "pending"}


def test_a_script_cancels_and_has_the_proof(process, bus):
    ids = bus.in_status(TROUBLED)[:3]
    audits, replies = bus.effects()[1:]
    found = process("cancel", "commands", *ids, *GIVEN, "--expect-count", 3)
    assert (found.code, found.err) == (Exit.DONE, "")
    assert found.json["schema"] == "quash.run.v1"
    run = found.json["run"]
    assert run.keys() >= {"id", "plan", "state", "counts"}
    assert run["state"] == "finished"
    assert run["counts"] == dict.fromkeys(COUNTS, 0) | {"cancelled": 3}
    assert run["verified"] == {"yes": 3, "contradicted": 0, "undone": 0, "not_known": 0, "pending": 0}
    assert {bus.status(item) for item in ids} == {"CANCELED"}
    assert bus.effects()[1:] == (audits + 3, replies + 3)
    shown = process("runs", run["id"], "--output", "json")
    assert (shown.code, shown.json["run"]["counts"]) == (Exit.DONE, run["counts"])
    assert process("ledger", "verify", "--anchor", run["head"]).code == Exit.DONE


def test_a_file_is_made_reviewed_and_applied(process, bus, tmp_path):
    ids = bus.in_status(TROUBLED)[:2]
    file = tmp_path / "plan.jsonl"
    plan = process("plan", "commands", *ids, "--reason", "duplicate", "-o", file, "--output", "json").json["plan"]
    found = process("apply", file, "--hash", plan["hash"][:12], "--yes", "--expect-count", 2)
    assert found.code == Exit.DONE
    assert "2 cancelled" in found.out
    assert "ledger head" in found.out
    [run] = process("runs", "--output", "json").json["runs"]
    for named in (file, plan["id"]):
        # Not "items moved": they moved because this very plan was applied.
        again = process("apply", named, "--yes", "--expect-count", 2, "--output", "json")
        assert (again.code, again.error["code"], again.error["details"]) == (Exit.STALE, "CONFLICT", {"run": run["id"]})
        assert f"was applied, as run {run['id']}" in again.error["message"]


def test_what_was_cancelled_already_is_done(quash, bus):
    item = bus.in_status(TROUBLED)[0]
    assert quash("cancel", "commands", item, *GIVEN, "--expect-count", 1).code == Exit.DONE
    again = quash("cancel", "commands", item, *GIVEN, "--expect-count", 1)
    assert again.code == Exit.DONE
    assert again.json["run"]["counts"] == dict.fromkeys(COUNTS, 0) | {"skipped": 1}


def test_an_unknown_id_is_skipped_and_the_rest_is_cancelled(quash, bus):
    item = bus.in_status(TROUBLED)[0]
    found = quash("cancel", "commands", item, "payments/nobody", *GIVEN, "--expect-count", 2)
    assert found.code == Exit.PARTLY
    assert found.json["run"]["counts"] == dict.fromkeys(COUNTS, 0) | {"cancelled": 1, "skipped": 1}
    assert {(line["state"], line["code"]) for line in found.json["run"]["outcomes"]} == {
        ("cancelled", None),
        ("skipped", "NOT_FOUND"),
    }
    assert bus.status(item) == "CANCELED"


def test_what_is_blocked_is_skipped_with_its_code(quash, bus):
    item = bus.in_status("COMPLETED")[0]
    found = quash("cancel", "commands", item, *GIVEN, "--expect-count", 1)
    assert (found.code, bus.status(item)) == (Exit.PARTLY, "COMPLETED")
    assert found.json["run"]["outcomes"] == [{"state": "skipped", "code": "TERMINAL", "count": 1}]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["GOOD", "--yes", "--expect-count", "1", "--reason", ""], Exit.USAGE, "INVALID_REASON"),
        (["GOOD", "--yes", "--expect-count", "1"], Exit.USAGE, "INVALID_REASON"),
        (["GOOD", "--yes", "--expect-count", "1", "--reason", "a\x1bb"], Exit.USAGE, "INVALID_REASON"),
        (["GOOD", "--yes", "--expect-count", "2", "--reason", "duplicate"], Exit.LIMIT, "COUNT_DIFFERS"),
        (["GOOD", "--yes", "--reason", "duplicate"], Exit.USAGE, "USAGE"),
        (["GOOD", "--expect-count", "1", "--reason", "duplicate"], Exit.USAGE, "USAGE"),
        (["GOOD", "--reason", "duplicate"], Exit.USAGE, "USAGE"),
        (["no-slash", "--yes", "--expect-count", "1", "--reason", "duplicate"], Exit.USAGE, "MALFORMED_ID"),
        (["GOOD", "--yes", "--expect-count", "x", "--reason", "duplicate"], Exit.USAGE, "USAGE"),
        (["GOOD", "--canary", "--yes", "--expect-count", "1", "--reason", "duplicate"], Exit.USAGE, "USAGE"),
    ],
)
def test_bad_input_is_told_and_changes_nothing(quash, bus, words, code, error):
    before = bus.effects()
    found = quash(
        "cancel", "commands", *(bus.in_status(TROUBLED)[0] if word == "GOOD" else word for word in words),
        "--output", "json",
    )  # fmt: skip
    assert (found.code, found.out, found.error["code"]) == (code, "", error)
    assert found.error["message"]
    assert bus.effects() == before
    assert quash("runs", "--output", "json").json["runs"] == []


def test_without_a_terminal_it_says_which_options_confirm(quash, bus):
    found = quash("cancel", "commands", bus.in_status(TROUBLED)[0], "--reason", "duplicate")
    assert found.code == Exit.USAGE
    assert "--yes --expect-count N" in found.err


def test_an_expired_plan_is_refused_and_changes_nothing(quash, bus):
    before = bus.effects()
    plan = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--ttl", 1, "--output", "json").json["plan"]
    while True:
        found = quash("apply", plan["id"], *GIVEN, "--expect-count", 7)
        # The count is refused before anything else; it passes the second until the plan has expired.
        assert found.error["code"] == "COUNT_DIFFERS"
        if quash("list", "commands", "--limit", 1, "--output", "json").json["as_of"] > plan["expires_at"]:
            break
    found = quash("apply", plan["id"], *GIVEN, "--expect-count", 1)
    assert (found.code, found.error["code"]) == (Exit.STALE, "PLAN_EXPIRED")
    assert bus.effects() == before


def test_a_changed_plan_file_is_refused_and_changes_nothing(quash, bus, tmp_path):
    before = bus.effects()
    mine, other = bus.in_status(TROUBLED)[:2]
    file = tmp_path / "plan.jsonl"
    quash("plan", "commands", mine, "-o", file)
    whole = file.read_text(encoding="ascii")
    cut = "".join(whole.splitlines(keepends=True)[:-1])
    for text in (whole.replace(mine, other), cut, "", "{}\n{}\n", "nonsense"):
        file.write_text(text, encoding="ascii")
        found = quash("apply", file, *GIVEN, "--expect-count", 1)
        assert (found.code, found.out, found.error["code"]) == (Exit.STALE, "", "PLAN_CHANGED")
    assert bus.effects() == before


def test_somebody_elses_file_wants_its_hash(quash, bus, tmp_path):
    file = tmp_path / "plan.jsonl"
    item = bus.in_status(TROUBLED)[0]
    plan = quash("plan", "commands", item, "-o", file, "--operator", "jane", "--output", "json").json["plan"]
    found = quash("apply", file, *GIVEN, "--expect-count", 1)
    assert (found.code, found.error["code"]) == (Exit.STALE, "PLAN_CHANGED")
    assert plan["hash"] in found.error["hint"]
    assert quash("apply", file, "--hash", "0" * 64, *GIVEN, "--expect-count", 1).code == Exit.STALE
    assert quash("apply", file, "--hash", "0", *GIVEN, "--expect-count", 1).code == Exit.USAGE
    assert quash("apply", file, "--hash", "", *GIVEN, "--expect-count", 1).code == Exit.USAGE
    assert bus.status(item) == TROUBLED
    assert quash("apply", file, "--hash", plan["hash"], *GIVEN, "--expect-count", 1).code == Exit.DONE


def test_the_hash_of_a_plan_in_the_journal_is_held_against_it_too(quash, bus):
    plan = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--output", "json").json["plan"]
    found = quash("apply", plan["id"], "--hash", "f" * 64, *GIVEN, "--expect-count", 1)
    assert (found.code, found.error["code"]) == (Exit.STALE, "PLAN_CHANGED")
    assert quash("apply", "pnone", *GIVEN, "--expect-count", 1).code == Exit.PARTLY


def test_drift_is_told_item_by_item_before_anything_is_sent(quash, bus):
    same, changed, gone = bus.in_status(TROUBLED)[:3]
    plan = quash("plan", "commands", same, changed, gone, "--output", "json").json["plan"]
    bus.rows("UPDATE command SET attempts = attempts + 1, revision = revision + 1 WHERE id = ?", changed)
    bus.set_status(gone, "COMPLETED")
    before = bus.effects()
    found = quash("apply", plan["id"], *GIVEN, "--expect-count", 3)
    assert (found.code, found.error["code"]) == (Exit.STALE, "DRIFTED")
    details = found.error["details"]
    assert (details["unchanged"], details["changed"], details["gone"]) == (1, 1, 1)
    assert {(one["kind"], one["id"]) for one in details["examples"]} == {("changed", changed), ("gone", gone)}
    plain = quash("apply", plan["id"], "--reason", "duplicate", "--yes", "--expect-count", 3)
    assert plain.err.index("unchanged: 1") < plain.err.index(changed) < plain.err.index(gone)
    assert bus.effects() == before
    found = quash("apply", plan["id"], *GIVEN, "--expect-count", 3, "--accept-drift")
    assert found.code == Exit.PARTLY
    assert found.json["run"]["counts"] == dict.fromkeys(COUNTS, 0) | {"cancelled": 2, "skipped": 1}
    assert [bus.status(item) for item in (same, changed, gone)] == ["CANCELED", "CANCELED", "COMPLETED"]


def test_what_moves_between_confirming_and_sending_is_left_alone(quash, bus, runners):
    item = bus.in_status(TROUBLED)[0]
    with runner_at_work(bus, runners):
        run = quash("cancel", "commands", item, *GIVEN, "--expect-count", 1, "--detach").json["run"]
    bus.rows("UPDATE command SET attempts = attempts + 1, revision = revision + 1 WHERE id = ?", item)
    found = quash("runs", "resume", run["id"], "--output", "json")
    assert (found.code, bus.status(item)) == (Exit.STALE, TROUBLED)
    assert found.json["run"]["outcomes"] == [{"state": "skipped", "code": "DRIFTED", "count": 1}]


def test_the_cap_of_a_profile_holds(quash, bus, config):
    config("[profiles.local]\ncap = 2\n[profiles.local.commands]\n")
    before = bus.effects()
    found = quash("cancel", "commands", *bus.in_status(TROUBLED)[:3], *GIVEN, "--expect-count", 3)
    assert (found.code, found.error["code"], bus.effects()) == (Exit.LIMIT, "ABOVE_CAP", before)


def test_with_a_read_only_profile_nothing_is_planned_or_cancelled(quash, bus, config):
    config("[profiles.local]\nread_only = true\n[profiles.local.commands]\n")
    before = bus.effects()
    item = bus.in_status(TROUBLED)[0]
    for words in (("cancel", "commands", item, *GIVEN, "--expect-count", 1), ("plan", "commands", item)):
        found = quash(*words, "--output", "json")
        assert (found.code, found.error["code"], bus.effects()) == (Exit.NO_ACCESS, "FORBIDDEN", before)


def test_a_plan_of_another_system_is_not_applied_here(quash, bus):
    plan = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--output", "json").json["plan"]
    bus.rows("UPDATE meta SET value = 'another' WHERE key = 'identity'")
    before = bus.effects()
    found = quash("apply", plan["id"], *GIVEN, "--expect-count", 1)
    assert (found.code, found.error["code"], bus.effects()) == (Exit.STALE, "TARGET_CHANGED", before)


def test_the_reason_and_who_gave_it_arrive_where_they_are_read(quash, bus):
    item = bus.in_status(TROUBLED)[0]
    quash("cancel", "commands", item, *GIVEN, "--expect-count", 1, "--operator", "jane@example.com")
    [(details,)] = bus.rows("SELECT details FROM audit WHERE id = ? AND event = 'OPERATOR_CANCEL'", item)
    assert json.loads(details)["operator"] == "jane@example.com"
    assert json.loads(details)["reason"] == "duplicate request"
    lines = quash("ledger", "--item", item, "--output", "jsonl").lines
    assert [(line["operator"], line["reason"]) for line in lines] == [("jane@example.com", "duplicate request")]


def test_the_options_of_a_run_are_what_was_said(quash, bus, runners):
    one, two = bus.in_status(TROUBLED)[:2]
    with runner_at_work(bus, runners):
        told = quash("cancel", "commands", one, *GIVEN, "--expect-count", 1, "--detach").json["run"]
        quiet = quash("cancel", "commands", two, *GIVEN, "--expect-count", 1, "--detach", "--no-notify").json["run"]
    assert (told["options"]["notify_stakeholders"], quiet["options"]["notify_stakeholders"]) == (True, False)
    for run in (told, quiet):
        assert quash("runs", "resume", run["id"]).code == Exit.DONE
