"""A further system is one package and one more entry in a list: every verb, the ledger and the console have it."""

import ast
import json
import os
import re

import pytest

from support.console import Operator
from support.letters.__main__ import PACKAGE
from support.pages import ROOT
from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.config.setup import Flags, find
from tui_app.domain.moments import to_the_second
from tui_app.tui.app import QuashApp

GIVEN = ("--reason", "wrong enclosure", "--yes", "--output", "json")


def test_it_is_listed_in_its_own_order_and_filtered(quash, drawer):
    found = quash("list", "letters", "--output", "json").json
    assert [item["id"] for item in found["items"]] == [f"L-{number:04}" for number in range(20)]
    posted = quash("list", "letters", "--filter", "status:posted", "--sort", "-posts_at", "--output", "json").json
    assert [item["id"] for item in posted["items"]] == ["L-0019", "L-0009"]
    assert posted["items"][0]["verdict"]["code"] == "TERMINAL"
    table = quash("list", "letters", "--limit", 5)
    assert table.out.splitlines()[0].split() == ["Letter", "Posted", "Status", "To", "Verdict"]
    assert "5 of 20" in table.err


def test_the_time_that_is_left_is_shown_to_people_and_the_moment_to_scripts(quash, drawer):
    [(moment,)] = drawer.rows("SELECT posts_at FROM letter WHERE id = 'L-0003'")
    assert f"posts_at: {moment} (in 1 d 00 h)" in quash("show", "letters", "L-0003").out
    assert quash("show", "letters", "L-0003", "--output", "json").json["item"]["fields"]["posts_at"] == moment
    assert to_the_second(moment) in quash("list", "letters").out
    assert moment in quash("list", "letters", "--output", "csv").out


def test_a_plan_says_what_is_due_first_and_what_people_read(quash, drawer):
    plan = quash("plan", "letters", "L-0002", "L-0001", "L-0009", "--reason", "wrong enclosure").out
    [(moment,)] = drawer.rows("SELECT posts_at FROM letter WHERE id = 'L-0001'")
    assert "3 in the plan, 2 will be cancelled, 1 blocked" in plan
    assert f"the first is due {moment} (in 1 d 00 h)" in plan
    assert "who is notified of letters reads:\n    Your letter is not coming.\n    Reason: wrong enclosure\n" in plan


def test_it_is_cancelled_verified_and_in_the_ledger(quash, drawer):
    found = quash("cancel", "letters", "L-0001", "L-0002", *GIVEN, "--expect-count", 2)
    run = found.json["run"]
    assert (found.code, run["counts"]["cancelled"], run["verified"]["yes"]) == (Exit.DONE, 2, 2)
    assert drawer.ids("withdrawn") == ["L-0001", "L-0002"]
    assert sorted(drawer.told()) == ["team1@example.com", "team2@example.com"]
    [line] = quash("ledger", "--item", "L-0002", "--output", "jsonl").lines
    assert (line["event"], line["system"], line["reason"]) == ("cancelled", "letters", "wrong enclosure")
    assert quash("ledger", "verify").code == Exit.DONE
    assert "withdrawn" in quash("show", "letters", "L-0002").out


def test_nobody_is_told_who_is_not_to_be_and_that_is_said(quash, drawer):
    plain = ("--reason", "wrong enclosure", "--yes", "--expect-count", 1, "--no-notify")
    found = quash("cancel", "letters", "L-0001", *plain)
    assert found.code == Exit.DONE
    assert "not done, with --no-notify: team1@example.com is told" in found.err
    assert "reads:" not in found.err
    assert drawer.told() == []


def test_it_stands_in_one_plan_with_the_others_and_goes_first(quash, bus, drawer, tmp_path):
    [command] = bus.in_status("IN_TROUBLESHOOTING_QUEUE")[:1]
    file = tmp_path / "ids"
    file.write_text(f"commands\t{command}\nletters\tL-0004\n", encoding="utf-8")
    plan = quash("plan", "all", "--ids", file, "-o", tmp_path / "plan.jsonl", "--output", "json").json["plan"]
    assert plan["by_system"] == {"letters": 1, "commands": 1}
    frozen = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text(encoding="ascii").splitlines()]
    assert [line["system"] for line in frozen if "system" in line] == ["letters", "commands"]
    found = quash("apply", tmp_path / "plan.jsonl", *GIVEN, "--expect-count", 2)
    assert (found.code, found.json["run"]["counts"]["cancelled"]) == (Exit.DONE, 2)
    assert (bus.status(command), drawer.ids("withdrawn")) == ("CANCELED", ["L-0004"])


def test_a_profile_may_name_it_and_leave_it_out(quash, drawer, config):
    config("[profiles.local]\n[profiles.local.letters]\n")
    assert quash("list", "letters", "--output", "json").json["total"] == 20
    config("[profiles.local]\n[profiles.local.commands]\n")
    found = quash("list", "letters", "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.USAGE, "USAGE")


def test_the_demo_makes_some(quash, drawer, tmp_path):
    found = quash("demo", "--no-open", "--rows", 7, "--data", tmp_path / "demo", "--output", "json").json["demo"]
    assert found["systems"] == dict.fromkeys(bootstrap.names(), 7)
    assert quash("list", "letters", "--data", tmp_path / "demo", "--output", "json").json["total"] == 7


def test_without_the_entry_it_is_not_there(quash, bus):
    assert PACKAGE not in bootstrap.SYSTEMS
    assert quash("list", "letters").code == Exit.USAGE


@pytest.fixture
async def operator(drawer, runners):
    """Somebody at a console on the profile."""
    setup = find(Flags(operator="jane@example.com"), os.environ, bootstrap.kinds())
    app = QuashApp(lambda: bootstrap.client(setup), utf8=True)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        found = Operator(app, pilot)
        await found.until(lambda: app.about is not None, "an answer")
        yield found


async def test_the_console_has_it_without_a_line_of_its_own(operator, drawer):
    await operator.press("colon")
    await operator.type("letters")
    await operator.press("enter")
    await operator.sees("Letters", "L-0000", "team0@example.com")
    await operator.until(lambda: "of 18" in operator.text, "the letters that wait")
    await operator.press("space", "space", "x")
    await operator.sees("2 will be cancelled", "Your letter is not coming")
    await operator.until(lambda: not operator.app.dropping, "the review")
    await operator.type("wrong enclosure")
    await operator.press("enter")
    await operator.type("yes")
    await operator.press("enter")
    await operator.sees("2 cancelled", "verified: 2 yes")
    assert drawer.ids("withdrawn") == ["L-0000", "L-0001"]


def test_the_screens_name_no_system_beyond_the_fixed_places():
    """They import none, and have no word of any: the names of the fixed places stand in one module."""
    named: dict[str, set[str]] = {}
    imported = []
    for path in sorted((ROOT / "tui_app" / "tui").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("tui_app.systems", "support")):
                imported.append(f"{path.name}: {node.module}")
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for word in {*bootstrap.names(), "letters"} & {node.value}:
                    named.setdefault(path.name, set()).add(word)
                foreign = re.search(r"\b(CASE_|SCHEDULE_|LETTER_|IN_TROUBLESHOOTING|OPERATOR_CANCEL)", node.value)
                assert foreign is None, f"{path.name}: {node.value}"
    assert imported == []
    assert named == {"actions.py": set(bootstrap.names())}
