"""One plan over several systems: what its lines may be, how it runs, and what of it can be undone."""

import io
import json

import pytest

from support.command_line import TROUBLED
from tui_app import bootstrap
from tui_app.cli.exits import Exit

GIVEN = ("--reason", "campaign postponed", "--yes", "--output", "json")


def waiting(quash, system: str, number: int) -> list[str]:
    """Items that can be cancelled, in their system's own order."""
    chosen = {"commands": f"status:{TROUBLED}", "cases": "status:pending", "schedules": "status:pending"}[system]
    found = quash("list", system, "--filter", chosen, "--limit", 100, "--output", "json").json["items"]
    return [item["id"] for item in found if item["verdict"]["cancellable"]][:number]


def as_lines(chosen: dict[str, list[str]]) -> str:
    """In turns, as somebody would collect them."""
    rounds = max(map(len, chosen.values()))
    return "".join(
        f"{system}\t{ids[place]}\n" for place in range(rounds) for system, ids in chosen.items() if place < len(ids)
    )


@pytest.fixture
def chosen(quash, bus):
    return {system: waiting(quash, system, 3) for system in bootstrap.names()}


@pytest.fixture
def file(chosen, tmp_path):
    path = tmp_path / "ids"
    path.write_text(as_lines(chosen), encoding="utf-8")
    return path


def in_file(path) -> list[tuple[str, str]]:
    """The items of a plan file in their order."""
    lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    return [(line["system"], line["id"]) for line in lines if "position" in line]


def test_one_plan_holds_them_all_and_what_has_a_deadline_goes_first(quash, bus, chosen, file, tmp_path):
    found = quash("plan", "all", "--ids", file, "-o", tmp_path / "plan.jsonl", "--output", "json")
    plan = found.json["plan"]
    assert (found.code, plan["counts"]) == (Exit.DONE, {"items": 9, "cancellable": 9, "blocked": 0})
    assert plan["by_system"] == dict.fromkeys(bootstrap.names(), 3)
    frozen = in_file(tmp_path / "plan.jsonl")
    assert set(frozen) == {(system, item) for system, ids in chosen.items() for item in ids}
    ends = bus.of(
        "schedules", f"SELECT id, run_at FROM schedule WHERE id IN ({','.join('?' * 3)})", *chosen["schedules"]
    )
    soonest_first = [item for item, _ in sorted(ends, key=lambda row: row[1])]
    assert frozen[:3] == [("schedules", item) for item in soonest_first]
    assert plan["soonest"] == min(end for _, end in ends)


def test_they_are_cancelled_verified_and_in_the_ledger_and_the_cases_undone(quash, bus, chosen, file):
    found = quash("cancel", "all", "--ids", file, *GIVEN, "--expect-count", 9)
    run = found.json["run"]
    assert (found.code, run["counts"]["cancelled"], run["verified"]["yes"]) == (Exit.DONE, 9, 9)
    assert {bus.status(item) for item in chosen["commands"]} == {"CANCELED"}
    assert self_reported(bus, chosen) == {"cases": {"cancelled"}, "schedules": {"cancelled"}}
    lines = quash("ledger", "--run", run["id"], "--event", "cancelled", "--output", "jsonl").lines
    assert {(line["system"], line["item"]) for line in lines} == {
        (system, item) for system, ids in chosen.items() for item in ids
    }
    assert run["undo"]["items"] == 3
    undone = quash("runs", "undo", run["id"], *GIVEN, "--expect-count", 3)
    assert (undone.code, undone.json["run"]["counts"]["reinstated"]) == (Exit.DONE, 3)
    assert self_reported(bus, chosen) == {"cases": {"pending"}, "schedules": {"cancelled"}}
    again = quash("runs", "verify", run["id"], "--output", "json")
    assert (again.code, again.json["run"]["verified"]["undone"], again.json["run"]["verified"]["contradicted"]) == (
        Exit.DONE, 3, 0,
    )  # fmt: skip
    assert f"undone by run {undone.json['run']['id']}" in quash("runs", run["id"]).out
    assert quash("ledger", "verify").code == Exit.DONE


def self_reported(bus, chosen) -> dict[str, set[str]]:
    """The statuses of the chosen cases and schedules, in their own files."""
    tables = {"cases": "cases", "schedules": "schedule"}
    return {
        system: {bus.of(system, f"SELECT status FROM {table} WHERE id = ?", item)[0][0] for item in chosen[system]}
        for system, table in tables.items()
    }


def test_a_plan_in_words_says_what_is_due_whom_it_tells_and_with_what_text(quash, chosen, file):
    out = quash("plan", "all", "--ids", file, "--reason", "campaign postponed").out
    assert "9 in the plan, 9 will be cancelled, 0 blocked" in out
    assert "the first is due 20" in out
    assert "irreversible: 3 cancelled schedules cannot be brought back" in out
    assert "who is notified of cases reads:" in out
    assert "Reason: campaign postponed" in out


def test_who_is_not_told_is_said_before_and_is_not_told(quash, bus, chosen, file):
    notified = bus.of("cases", "SELECT count(*) FROM notification WHERE status = 'sent'")
    plan = quash("plan", "all", "--ids", file, "--output", "json").json["plan"]
    quiet = [line["text"] for line in plan["impact"] if line["notifies"]]
    assert quiet
    words = ("--reason", "campaign postponed", "--yes", "--expect-count", 9, "--no-notify")
    found = quash("apply", plan["id"], *words)
    assert found.code == Exit.DONE
    assert [text for text in quiet if f"not done, with --no-notify: {text}" not in found.err] == []
    assert bus.of("cases", "SELECT count(*) FROM notification WHERE status = 'sent'") == notified


def test_blank_lines_comments_repetitions_and_the_input(quash, chosen, monkeypatch):
    text = "\ufeff# ticket 4711\n\n" + as_lines(chosen).replace("\n", "\r\n") + "  # again\n" + as_lines(chosen)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    plan = quash("plan", "all", "--ids", "-", "--output", "json").json["plan"]
    assert plan["counts"]["items"] == 9


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cases CASE-1", "is not system<TAB>id"),
        ("\tCASE-1", "is not system<TAB>id"),
        ("cases\t", "is not system<TAB>id"),
        ("cases\tCASE-1\tmore", "is not system<TAB>id"),
        ("letters\tL-1", "there is no system 'letters' here"),
        ("cases\t../status", "is not a case's id"),
        ("schedules\ta#b", "is not a schedule's id"),
        ("commands\tno-slash", "is not a command's id"),
        ("commands\tpayments/a\x1b[2J", "control characters"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "cancel"])
def test_a_malformed_line_is_named_by_its_number_and_nothing_is_planned(quash, bus, chosen, file, verb, line, message):
    with file.open("a", encoding="utf-8") as more:
        more.write(f"# the last ones\n\n{line}\n")
    given = GIVEN if verb == "cancel" else ("--output", "json")
    before = bus.effects()
    found = quash(verb, "all", "--ids", file, *given, *(("--expect-count", 10) if verb == "cancel" else ()))
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert f"line 12 of {file}: " in found.error["message"]
    assert message in found.error["message"]
    assert found.error["details"]["line"] == 12
    assert quash("ledger", "--event", "planned", "--output", "jsonl").lines == []
    assert bus.effects() == before


@pytest.mark.parametrize(
    ("lines", "code", "number", "message"),
    [
        (["letters\tL-1", "cases\t..", "commands\tno-slash"], "USAGE", 11, "no system 'letters'"),
        (["cases\t..", "letters\tL-1", "commands\tno-slash"], "MALFORMED_ID", 11, "not a case's id"),
        (["commands\tno-slash", "papers\tP-1", "letters\tL-1", "cases\t.."], "MALFORMED_ID", 11, "a command's id"),
        (["papers\tP-1", "letters\tL-1"], "USAGE", 11, "no system 'papers'"),
    ],
)
def test_of_several_malformed_lines_the_first_one_is_named(
    quash, bus, chosen, file, monkeypatch, lines, code, number, message
):
    # In front of it stand good lines of every system, so that none is met first because of its own.
    text = "# the first lines are good\n" + "\n".join([*file.read_text(encoding="utf-8").splitlines(), *lines])
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    found = quash("plan", "all", "--ids", "-", "--output", "json")
    assert (found.code, found.error["code"], found.error["details"]["line"]) == (Exit.USAGE, code, number)
    assert found.error["message"].startswith(f"line {number} of the input: ")
    assert message in found.error["message"]
    assert "others" not in found.error["details"]


def test_the_line_of_one_systems_ids_is_named_too(quash, bus, tmp_path):
    file = tmp_path / "ids"
    file.write_text("# from the ticket\nCASE-1\nCASE 2\n", encoding="utf-8")
    found = quash("plan", "cases", "--ids", file, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.USAGE, "MALFORMED_ID")
    assert found.error["message"].startswith(f"line 3 of {file}: ")


def test_only_comments_are_no_ids(quash, bus, tmp_path):
    file = tmp_path / "ids"
    file.write_text("# nothing yet\n\n", encoding="utf-8")
    found = quash("plan", "all", "--ids", file, "--output", "json")
    assert (found.code, found.error["message"]) == (Exit.USAGE, f"{file} holds no ids")


def test_a_system_that_the_profile_does_not_name_is_not_there(quash, bus, config, tmp_path):
    config("[profiles.local]\n[profiles.local.commands]\n")
    file = tmp_path / "ids"
    file.write_text("cases\tC-1\n", encoding="utf-8")
    assert "line 1 of " in (found := quash("plan", "all", "--ids", file, "--output", "json").error)["message"]
    assert "no system 'cases'" in found["message"]


def test_a_plan_at_a_rate_says_how_long_it_takes_and_what_cannot_be_undone_by_then(quash, bus, config, tmp_path):
    config("[profiles.local.cases]\nrate = '5/hour'\n")
    cases, file = waiting(quash, "cases", 11), tmp_path / "plan.jsonl"
    takes = "11 cases at 5/hour take about 2 h 12 min"
    found = quash("plan", "cases", *cases, "-o", file)
    assert f"  {takes}; the first undo windows (2 h 00 min) close before the run ends" in found.out.splitlines()
    few = quash("plan", "cases", *cases[:5], "--output", "json").json["plan"]
    assert (few["paces"], few["undo_seconds"]) == ([], 7200)
    # The file is one that is taken.
    assert quash("apply", file, *GIVEN, "--expect-count", 99).error["code"] == "COUNT_DIFFERS"
