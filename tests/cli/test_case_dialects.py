"""The whole job at case servers as their makers publish them, by the command line and a detached runner over HTTP."""

import pytest

from support.published_cases import USER, Case, LimsCases, OlderCases, published
from tui_app.cli.exits import Exit

NAMES = ("1001", "1002", "1003", "1004")
OLDER = """
paths = { cases = "/v2/cases", permission = "none" }
"""
LIMS = """
dialect = "lims"
headers = { "Lab-Id" = "7", "Discipline-Name" = "histology" }
"""
GIVEN = ("--reason", "wrong patient", "--yes", "--expect-count", 4, "--operator", USER)


@pytest.fixture
def hospital(config, monkeypatch):
    monkeypatch.setenv("QUASH_CASES_TOKEN", "opaque")

    def write(url, more):
        config(f"[profiles.hospital]\nenvironment = 'local'\n[profiles.hospital.cases]\nurl = '{url}'\n{more}")

    return write


def cases(status):
    return {name: Case(status) for name in NAMES}


def test_the_older_generation_is_planned_cancelled_verified_and_undone(quash, hospital):
    server = OlderCases(cases("in_progress"))
    with published(server) as url:
        hospital(url, OLDER)
        listed = quash("list", "cases", "--filter", f"id:{','.join(NAMES)}", "--operator", USER, "--output", "json")
        assert {one["status"] for one in listed.json["items"]} == {"in_progress"}
        planned = quash("plan", "cases", *NAMES, "--operator", USER, "--output", "json").json["plan"]
        assert planned["counts"] == {"items": 4, "cancellable": 4, "blocked": 0}
        done = quash("cancel", "cases", *NAMES, *GIVEN, "--output", "json")
        run = done.json["run"]
        assert (done.code, run["counts"]["cancelled"], run["verified"]["yes"]) == (Exit.DONE, 4, 4)
        assert sorted(server.effects) == sorted(NAMES), "each once"
        assert quash("runs", "verify", run["id"], "--operator", USER).code == Exit.DONE
        shown = quash("show", "cases", NAMES[0], "--operator", USER, "--output", "json").json
        assert shown["trail"][0]["actor"] == USER
        undone = quash("runs", "undo", run["id"], "--reason", "it was the right one", *GIVEN[2:], "--output", "json")
        assert (undone.code, undone.json["run"]["counts"]["reinstated"]) == (Exit.DONE, 4)
        assert undone.json["run"]["verified"]["yes"] == 4
    assert {one.status for one in server.cases.values()} == {"in_progress"}


@pytest.mark.parametrize("audited", [True, False], ids=["with its audit", "without an audit"])
def test_the_newer_generation_is_planned_cancelled_and_verified(quash, hospital, audited):
    server = LimsCases(cases("Grossing"), audited=audited)
    with published(server) as url:
        hospital(url, LIMS)
        planned = quash("plan", "cases", *NAMES, "--operator", USER, "--output", "json").json["plan"]
        assert planned["counts"] == {"items": 4, "cancellable": 4, "blocked": 0}
        done = quash("cancel", "cases", *NAMES, *GIVEN, "--output", "json")
        run = done.json["run"]
        assert (done.code, run["counts"]["cancelled"], run["verified"]["yes"]) == (Exit.DONE, 4, 4)
        assert run["undo"] is None, "this generation has no way back"
    assert sorted(server.effects) == sorted(NAMES), "each once"
    assert ("PATCH", f"/lims-api/case/{NAMES[0]}/cancel") in server.asked
    assert not any("x-idempotency-key" in headers for headers in server.headers)


class BobsCase(LimsCases):
    """Whose first case bob cancels while our request is on its way, and whose audit of the second is an hour off."""

    def cancel(self, case_id, case):
        status, told = super().cancel(case_id, case)
        if case_id == NAMES[0]:
            case.audit[-1] |= {"modifiedBy": "bob@example.com"}
            return self.error(400, "", "Invalid case state")
        if case_id == NAMES[1]:
            case.audit[-1] |= {"modifiedDateTime": "2020-01-02T03:04:05Z"}
        return status, told


def test_a_run_names_what_is_not_proven_and_who_cancelled_what_was_already(quash, hospital):
    with published(BobsCase(cases("Grossing"))) as url:
        hospital(url, LIMS)
        done = quash("cancel", "cases", *NAMES, *GIVEN)
        assert done.code == Exit.UNKNOWN
        assert f"  already cancelled: cases {NAMES[0]}: cancelled by bob@example.com, not by this run" in done.out
        assert f"  not known: cases {NAMES[1]}: its status is cancelled; its audit does not show who" in done.out
        assert "Verify the run again." in done.out
        run = quash("runs", "--output", "json").json["runs"][0]["id"]
        named = quash("runs", run, "--output", "json").json["not_done"]
    assert [(one["kind"], one["id"], one["ours"], one["by"]) for one in named] == [
        ("already_cancelled", NAMES[0], False, "bob@example.com"),
        ("not_known", NAMES[1], True, None),
    ]


def test_a_check_of_a_profile_says_what_was_asked_and_what_came(quash, hospital):
    server = LimsCases(cases("Grossing"))
    with published(server) as url:
        hospital(url, LIMS)
        found = quash("profile", "check", "--operator", USER)
    assert found.code == Exit.DONE
    asked = "cases: asked GET /lims-api/case/0/status; what came is its own answer: 404"
    assert asked in found.out + found.err
    assert ("GET", "/lims-api/case/0/status") in server.asked


def test_a_check_of_a_profile_with_other_paths_than_the_servers_fails(quash, hospital):
    with published(OlderCases(cases("in_progress"))) as url:
        hospital(url, "")
        found = quash("profile", "check", "--operator", USER, "--output", "json")
    assert found.code == Exit.NO_ACCESS
    [cases_] = [one for one in found.json["systems"] if one["system"] == "cases"]
    assert cases_["recognised"] is False
    assert any("recognised as the case API" in one["came"] for one in cases_["probes"])


def test_another_dialect_than_the_servers_is_not_taken_for_missing_cases(quash, hospital):
    with published(OlderCases(cases("in_progress"))) as url:
        hospital(url, "")
        found = quash("plan", "cases", *NAMES, "--operator", USER, "--output", "json")
    assert found.code == Exit.NO_ACCESS
    assert "recognised as the case API" in found.error["message"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('paths = { statsu = "/x/{id}" }', "did you mean 'status'?"),
        ('paths = { status = "/x" }', "it holds {id} as one part"),
        ('paths = { case = "v2/{id}" }', "it begins with /"),
        ('paths = { cancel = "none" }', "a path for cancel"),
        ('methods = { cancel = "GET" }', "GET is none of"),
        ('headers = { Authorization = "Bearer x" }', "Authorization is not one"),
        ('headers = { "Lab-Id" = "a\\nb" }', "not one line of ASCII"),
        ('dialect = "lims"', "Lab-Id, Discipline-Name"),
        ('dialect = "limbs"', "one of runbook, lims"),
    ],
)
def test_settings_of_a_dialect_that_cannot_be_are_named(quash, hospital, more, told):
    hospital("http://127.0.0.1:1", more)
    found = quash("plan", "cases", "1001", "--operator", USER, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.USAGE, "USAGE")
    assert told in found.error["message"]
