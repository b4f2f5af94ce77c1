"""`plan`: what is frozen, how it is selected, and the file that can be reviewed."""

import asyncio
import io
import json
import os
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.command_line import TROUBLED
from tui_app import bootstrap
from tui_app.cli.applying import LARGEST_PLAN
from tui_app.cli.exits import Exit
from tui_app.config.setup import Flags, find
from tui_app.contract.models import MOST_IDS
from tui_app.domain.describe import Verb
from tui_app.domain.filters import LONGEST_FILTER
from tui_app.domain.items import Selection
from tui_app.domain.moments import read, stamp


def plans(quash) -> list[str]:
    return [line["event"] for line in quash("ledger", "--event", "planned", "--output", "jsonl").lines]


def test_a_plan_has_its_shape(quash, bus):
    before = bus.effects()
    ids = bus.in_status(TROUBLED)[:3]
    found = quash("plan", "commands", *ids, "--output", "json")
    assert (found.code, found.json["schema"]) == (Exit.DONE, "quash.plan.v1")
    plan = found.json["plan"]
    assert plan["counts"] == {"items": 3, "cancellable": 3, "blocked": 0}
    assert len(plan["hash"]) == 64
    assert bus.effects() == before
    assert "3 in the plan, 3 will be cancelled, 0 blocked" in quash("plan", "commands", *ids).out


@pytest.mark.parametrize("name", ["there.jsonl", "no/such/folder.jsonl", ""])
def test_nothing_is_planned_for_a_file_that_cannot_be(quash, bus, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("there.jsonl").write_text("mine", encoding="ascii")
    found = quash("plan", "commands", bus.in_status(TROUBLED)[0], "-o", name, "--output", "json")
    assert (found.code, found.out, found.error["code"]) == (Exit.USAGE, "", "USAGE")
    assert plans(quash) == []
    assert Path("there.jsonl").read_text(encoding="ascii") == "mine"


def test_a_plan_that_fails_leaves_no_file(quash, bus, tmp_path):
    file = tmp_path / "plan.jsonl"
    assert quash("plan", "commands", "nonsense", "-o", file).code == Exit.USAGE
    assert not file.exists()


def test_items_plus_blocked_are_the_plan(quash, bus):
    plan = quash("plan", "commands", "--filter", "domain:payments", "--output", "json").json["plan"]
    counts = plan["counts"]
    assert counts["items"] == counts["cancellable"] + counts["blocked"]
    assert sum(line["count"] for line in plan["blocked"]) == counts["blocked"] > 0


def test_ids_stand_on_both_sides_of_an_option_and_count_once(quash, bus):
    one, two = bus.in_status(TROUBLED)[:2]
    plan = quash("plan", "commands", one, "--ttl", "60", two, one, "--output", "json").json["plan"]
    assert plan["counts"]["items"] == 2


def test_ids_come_from_a_file_and_from_the_input(quash, bus, tmp_path, monkeypatch):
    ids = bus.in_status(TROUBLED)[:3]
    file = tmp_path / "ids"
    file.write_text("\ufeff" + "\r\n".join([*ids, "", ids[0]]) + "\n", encoding="utf-8")
    assert quash("plan", "commands", "--ids", file, "--output", "json").json["plan"]["counts"]["items"] == 3
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(ids[:2])))
    assert quash("plan", "commands", "--ids", "-", "--output", "json").json["plan"]["counts"]["items"] == 2


def test_an_unknown_id_is_blocked_and_the_rest_goes_on(quash, bus):
    found = quash("plan", "commands", bus.in_status(TROUBLED)[0], "payments/nobody", "--output", "json")
    assert found.code == Exit.PARTLY
    assert found.json["plan"]["counts"] == {"items": 2, "cancellable": 1, "blocked": 1}
    assert found.json["plan"]["blocked"] == [{"code": "NOT_FOUND", "count": 1}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "commands", "GOOD", "no-slash"], "not a command's id"),
        (["plan", "commands", "payments/a\x1b[2J"], "control characters"),
        (["plan", "commands"], "nothing is selected"),
        (["plan", "commands", "GOOD", "--filter", "status:PENDING"], "two ways"),
        (["plan", "commands", "--filter", " "], "would select everything"),
        (["plan", "commands", "--ids", "/no/such/file"], "cannot be read"),
        (["plan", "commands", "--ids", "/dev/null"], "holds no ids"),
        (["plan", "all", "GOOD"], "needs --ids"),
        (["plan", "all", "--ids", "EMPTY"], "is not system<TAB>id"),
        (["plan", "commands", "GOOD", "--ttl", "0"], "at least 1 second"),
        (["plan", "commands", "GOOD", "--reason", "x"], "at least 3"),
        (["plan", "commands", "GOOD", "--rate", "5/minute"], "unrecognized arguments"),
    ],
)
def test_what_is_malformed_plans_nothing(quash, bus, tmp_path, words, message):
    (tmp_path / "file").write_text("a line without a tab\n", encoding="utf-8")
    given = {"GOOD": bus.in_status(TROUBLED)[0], "EMPTY": tmp_path / "file"}
    found = quash(*(given.get(word, word) for word in words), "--output", "json")
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert message in found.error["message"]
    assert plans(quash) == []


def test_a_plan_file_is_its_owners_and_says_what_it_holds(quash, bus, tmp_path):
    file = tmp_path / "plan.jsonl"
    found = quash(
        "plan", "commands", *bus.in_status(TROUBLED)[:2], "-o", file, "--reason", "duplicate", "--output", "json"
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    head, *items, foot = [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]
    assert head["schema"] == "quash.planfile.v1"
    assert len(items) == 2
    assert (foot["hash"], foot["reason"]) == (found.json["plan"]["hash"], "duplicate")


def days(plan) -> float:
    from tui_app.domain import moments

    return (moments.read(plan["expires_at"]) - moments.read(plan["created_at"])).total_seconds() / 86_400


def test_a_plan_lives_half_an_hour_and_a_file_a_week(quash, bus, tmp_path):
    item = bus.in_status(TROUBLED)[0]
    assert days(quash("plan", "commands", item, "--output", "json").json["plan"]) == 1800 / 86_400
    assert days(quash("plan", "commands", item, "-o", tmp_path / "a.jsonl", "--output", "json").json["plan"]) == 7
    short = quash("plan", "commands", item, "-o", tmp_path / "b.jsonl", "--ttl", 86_400, "--output", "json")
    assert days(short.json["plan"]) == 1


def test_no_file_is_written_over_and_no_link_followed(quash, bus, tmp_path):
    item = bus.in_status(TROUBLED)[0]
    there, victim, link = tmp_path / "there.jsonl", tmp_path / "victim", tmp_path / "link.jsonl"
    there.write_text("mine", encoding="utf-8")
    link.symlink_to(victim)
    for path in (there, link, tmp_path / "no" / "folder.jsonl"):
        found = quash("plan", "commands", item, "-o", path, "--output", "json")
        assert (found.code, found.error["code"]) == (Exit.USAGE, "USAGE")
    assert there.read_text(encoding="utf-8") == "mine"
    assert not victim.exists()


def test_a_system_that_does_not_answer_changes_nothing(quash, config):
    config("[profiles.far.commands]\nurl = 'postgresql://jane:s3cret@127.0.0.1:1/bus'\n")
    found = quash("plan", "commands", "payments/6f1f0f4e-8f0a-4c55-9b2e-0d6f3a1c7e21", "--output", "json")
    assert (found.code, found.out, found.error["code"]) == (Exit.NO_ACCESS, "", "CANNOT_CONNECT")
    assert "s3cret" not in found.err
    assert plans(quash) == []


def test_a_config_that_makes_no_sense_is_told_before_anything(quash, bus, config):
    config("[profiles.local]\nenviroment = 'x'\n")
    found = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--output", "json")
    assert (found.code, found.error["hint"]) == (Exit.USAGE, "Did you mean 'environment'?")
    Path(found.error["message"].split(":")[0]).chmod(0o602)
    assert "everybody may write" in quash("list", "commands", "--output", "json").error["message"]


def left_half_made(bus) -> str:
    """A plan whose maker died an hour ago."""
    found = find(Flags(), os.environ, bootstrap.kinds())

    async def begin() -> str:
        backend = bootstrap.backend(found)
        chosen = Selection("commands", ids=tuple(bus.in_status(TROUBLED)[:3]))
        plan = await backend.planner.start([chosen], Verb.CANCEL, None, None, backend.who("jane@example.com"))
        await backend.close()
        return plan.id

    plan_id = asyncio.run(begin())
    with closing(sqlite3.connect(bus.folder / "journal.db")) as journal, journal:
        journal.execute("UPDATE plan SET holder = 'gone', lease_until = '2026-01-01T00:00:00Z'")
    return plan_id


def test_an_interrupted_plan_is_resumed_by_a_verb_and_by_no_look(quash, bus):
    plan_id = left_half_made(bus)
    listed = quash("plans").out.splitlines()
    assert listed[1].split()[:2] == [plan_id, "interrupted"]
    assert f"0 read; go on with: quash plans resume {plan_id}" in quash("plans", plan_id).out
    refused = quash("apply", plan_id, "--yes", "--expect-count", "3", "--reason", "bad deploy", "--output", "json")
    assert (refused.code, refused.error["code"]) == (Exit.STALE, "CONFLICT")
    assert f"quash plans resume {plan_id}" in refused.error["hint"]
    assert plans(quash) == []
    resumed = quash("plans", "resume", plan_id, "--operator", "joe@example.com", "--output", "json")
    assert (resumed.code, resumed.json["plan"]["state"], resumed.json["plan"]["counts"]["items"]) == (0, "ready", 3)
    [line] = quash("ledger", "--event", "planned", "--output", "jsonl").lines
    assert (line["operator"], line["details"]["resumed_by"]) == ("jane@example.com", "joe@example.com")


def test_a_plan_that_is_made_has_nothing_to_resume(quash, bus):
    plan = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--output", "json").json["plan"]
    again = quash("plans", "resume", plan["id"])
    assert again.code == Exit.DONE
    assert "there is nothing to resume" in again.err
    assert "1 in the plan" in again.out
    assert quash("plans", "resume", "pnone").code == Exit.PARTLY
    assert plans(quash) == ["planned"]


@pytest.mark.parametrize("way", ["a file", "the input", "all systems", "arguments"])
def test_more_ids_than_a_request_names_are_refused_with_a_sentence(quash, bus, tmp_path, monkeypatch, way):
    there = bus.in_status(TROUBLED)[0]
    system, tab = ("all", "commands\t") if way == "all systems" else ("commands", "")
    many = "\n".join(f"{tab}payments/{number}" for number in range(MOST_IDS + 1))
    again = "\n".join([f"{tab}{there}"] * (MOST_IDS + 1))
    for text, expected in ((many, Exit.USAGE), (again, Exit.DONE)):
        (tmp_path / "ids").write_text(text)
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        given = text.split("\n") if way == "arguments" else ["--ids", "-" if way == "the input" else tmp_path / "ids"]
        found = quash("plan", system, *given, "--output", "json")
        assert found.code == expected
        if expected is Exit.USAGE:
            assert "100,001 ids are too many: one request names at most 100,000" in found.err
        else:
            assert found.json["plan"]["counts"]["items"] == 1


def test_a_filter_that_is_too_long_is_refused_with_a_sentence(quash, bus):
    found = quash("plan", "commands", "--filter", f"type:{'x' * LONGEST_FILTER}")
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert "a filter has at most 65,536 characters" in found.err


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "commands", "--ids", "/dev/zero"),
        ("ledger", "verify", "--anchor-file", "/dev/zero"),
        ("list", "commands", "--config", "/dev/zero"),
    ],
    ids=" ".join,
)
def test_a_file_that_never_ends_is_refused(quash, bus, words):
    found = quash(*words)
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert "/dev/zero holds more than" in found.err


def test_a_plan_file_larger_than_one_can_be_is_refused(quash, bus, tmp_path):
    with (tmp_path / "plan.jsonl").open("wb") as file:
        file.truncate(LARGEST_PLAN + 1)
    found = quash("apply", tmp_path / "plan.jsonl", "--reason", "not wanted", "--yes", "--expect-count", 1)
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert "plan.jsonl holds more than 67,108,864 bytes" in found.err


@pytest.mark.parametrize("until", [None, 90])
def test_what_keeps_a_plan_waiting_in_another_process_is_listed_and_shown(quash, bus, until):
    """As the process noted it that reads the plan again."""
    plan = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--output", "json").json["plan"]["id"]
    now = datetime.now(UTC)
    over = None if until is None else stamp(now + timedelta(seconds=until))
    with closing(sqlite3.connect(bus.folder / "journal.db")) as journal, journal:
        journal.execute(
            "INSERT INTO plan_wait SELECT number, 'commands', ?, ?, ? FROM plan WHERE id = ?",
            (stamp(now), over, stamp(now), plan),
        )
    clock = f"{now.astimezone():%H:%M:%S}"
    words = f"commands: no answer since {clock}"
    if over is not None:
        words = f"waiting for the read limit of commands until {read(over).astimezone():%H:%M:%S}, since {clock}"
    [listed] = quash("plans", "--output", "json").json["plans"]
    shown = quash("plans", plan, "--output", "json").json["plan"]
    for told in (listed, shown):
        assert told["waiting"] == {"system": "commands", "since": stamp(now), "until": over}
    assert words in quash("plans", "--output", "csv").out
    assert f"read again: {words}" in quash("plans", plan).out
