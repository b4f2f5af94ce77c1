"""`list` and `show`: the shapes that scripts rely on, and nothing that a terminal obeys."""

import csv
import io
import json

import pytest

from support.command_line import TROUBLED
from tui_app.cli.exits import Exit


def test_a_list_has_its_shape(quash, bus):
    found = quash("list", "commands", "--limit", 3, "--output", "json")
    assert found.code == Exit.DONE
    assert found.json.keys() >= {"schema", "system", "total", "items", "next"}
    assert (found.json["schema"], found.json["system"], found.json["total"]) == ("quash.items.v1", "commands", 120)
    assert len(found.json["items"]) == 3
    item = found.json["items"][0]
    assert item.keys() >= {"system", "id", "status", "verdict", "fields"}
    assert item["verdict"] == {"cancellable": True, "code": None, "reason": None}
    assert item["id"] == f"{item['fields']['domain']}/{item['fields']['command_id']}"


def test_every_status_is_listed_unless_filtered(quash, bus):
    everything = quash("list", "commands", "--limit", 500, "--output", "jsonl").lines
    assert {item["status"] for item in everything} > {TROUBLED, "PENDING", "COMPLETED"}
    waiting = quash("list", "commands", "--filter", "status:PENDING", "--limit", 500, "--output", "jsonl").lines
    assert {item["status"] for item in waiting} == {"PENDING"}
    assert {item["verdict"]["code"] for item in waiting} == {"NOT_IN_TROUBLESHOOTING"}


def test_pages_follow_each_other(quash, bus):
    first = quash("list", "commands", "--sort", "-updated", "--limit", 70, "--output", "json").json
    second = quash(
        "list", "commands", "--sort", "-updated", "--limit", 70, "--after", first["next"], "--output", "json"
    )
    ids = [item["id"] for item in first["items"] + second.json["items"]]
    assert len(set(ids)) == len(ids) == 120
    assert second.json["next"] is None


def test_a_table_and_a_spreadsheet(quash, bus):
    table = quash("list", "commands", "--limit", 4)
    assert table.out.splitlines()[0].split()[:2] == ["Id", "Type"]
    assert len(table.out.splitlines()) == 5
    assert "4 of 120" in table.err
    rows = list(csv.DictReader(io.StringIO(quash("list", "commands", "--limit", 4, "--output", "csv").out)))
    assert len(rows) == 4
    assert {row["verdict"] for row in rows} == {"yes"}


def test_hostile_text_is_shown_and_obeyed_by_nobody(quash, bus):
    item = bus.in_status(TROUBLED)[0]
    hostile = "\x1b[2J\x1b]52;c;AAAA\x07\u202eevil [@click=app.quit]x[/] a[/]b"
    bus.rows("UPDATE command SET error = ?, error_code = '=cmd()' WHERE id = ?", hostile, item)
    for words in (["list", "commands", "--limit", 1], ["show", "commands", item]):
        for form in ("table", "csv", "json"):
            out = quash(*words, "--output", form).out
            assert not any(character in out for character in "\x1b\x07\u202e"), (words, form)
    shown = quash("show", "commands", item).out
    assert "\\x1b[2J" in shown
    assert "[@click=app.quit]x[/]" in shown
    cells = next(csv.DictReader(io.StringIO(quash("list", "commands", "--limit", 1, "--output", "csv").out)))
    assert cells["error_code"] == "'=cmd()"


def test_an_item_has_its_shape(quash, bus):
    item = bus.in_status(TROUBLED)[0]
    found = quash("show", "commands", item, "--output", "json").json
    assert found["schema"] == "quash.item.v1"
    assert found["item"]["id"] == item
    assert found["preview"].keys() >= {"verdict", "impact", "warnings", "irreversible"}
    assert found["preview"]["irreversible"] is True
    assert all(line.keys() >= {"code", "text"} for line in found["preview"]["impact"])
    assert all(entry.keys() >= {"at", "event", "actor", "details"} for entry in found["trail"])


def test_the_trail_of_an_item_is_told_with_its_details_as_json(quash, bus):
    [[case_id]] = bus.of("cases", "SELECT max(case_id) FROM audit WHERE event = 'CASE_CANCELLED'")
    details = {"downstream": {"acted": False, "systems": ["lims"]}, "run_id": None, "notes": "a note"}
    bus.of("cases", "UPDATE audit SET details = ? WHERE case_id = ?", json.dumps(details), case_id)
    shown = quash("show", "cases", case_id).out.splitlines()
    assert '    downstream: {"acted":false,"systems":["lims"]}' in shown
    assert "    run_id: null" in shown
    assert "    notes: a note" in shown


def test_an_item_says_why_not(quash, bus):
    item = bus.in_status("COMPLETED")[0]
    assert "cannot be cancelled: it has completed" in quash("show", "commands", item).out
    assert quash("show", "commands", item, "--output", "json").json["preview"]["verdict"]["code"] == "TERMINAL"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["show", "commands", "payments/none"], Exit.PARTLY, "NOT_FOUND"),
        (["show", "commands", "no-slash"], Exit.USAGE, "MALFORMED_ID"),
        (["list", "letters"], Exit.USAGE, "USAGE"),
        (["list", "comands"], Exit.USAGE, "USAGE"),
        (["list", "commands", "--filter", 'status:"'], Exit.USAGE, "MALFORMED_FILTER"),
        (["list", "commands", "--filter", "colour:red"], Exit.USAGE, "MALFORMED_FILTER"),
        (["list", "commands", "--sort", "colour"], Exit.USAGE, "MALFORMED_FILTER"),
        (["list", "commands", "--after", "x"], Exit.USAGE, "USAGE"),
        (["list", "commands", "--limit", "501"], Exit.USAGE, "USAGE"),
        (["list"], Exit.USAGE, "USAGE"),
        (["frobnicate"], Exit.USAGE, "USAGE"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(quash, bus, words, code, error):
    found = quash(*words, "--output", "json")
    assert (found.code, found.out) == (code, "")
    told = found.error
    assert (told["schema"], told["code"]) == ("quash.error.v1", error)
    assert told["message"]
    plain = quash(*words)
    assert plain.code == code
    assert plain.err.startswith(f"quash: {told['message']}")


def test_an_empty_profile_names_the_demo(quash):
    found = quash("list", "commands", "--output", "json")
    assert (found.code, found.json["total"], found.json["items"]) == (Exit.DONE, 0, [])
    assert "quash demo" in quash("list", "commands").err


def test_what_is_too_long_to_be_sent_is_an_error_of_the_command_line(quash, bus):
    for words in (("list", "commands", "--filter", "x" * 70_000), ("show", "commands", "a/" + "x" * 70_000)):
        found = quash(*words, "--output", "json")
        assert (found.code, found.error["code"]) == (Exit.USAGE, "USAGE")
        assert "too long" in found.error["message"]
