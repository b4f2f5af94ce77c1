"""``--again``: what was cancelled before and came back is cancelled once more only where that is said."""

import json

import pytest

from support.command_line import TROUBLED
from tui_app.cli.exits import Exit

GIVEN = ("--reason", "duplicate request", "--yes")


@pytest.fixture
def back(quash, bus):
    """A command that was cancelled, whose sender was told, and that came back into troubleshooting."""
    item, queue = bus.rows(
        "SELECT id, reply_queue FROM command WHERE status = ? AND reply_queue IN (SELECT name FROM queue)", TROUBLED
    )[0]
    assert quash("cancel", "commands", item, *GIVEN, "--expect-count", 1).code == Exit.DONE
    bus.set_status(item, TROUBLED)
    return item, queue


def replies(bus, item):
    bodies = [json.loads(body) for (body,) in bus.rows("SELECT body FROM message")]
    return sum(f"{body['domain']}/{body['command_id']}" == item for body in bodies)


def test_without_it_nothing_is_sent_and_the_plan_says_how_to_mean_it(quash, bus, back):
    item, queue = back
    plan = quash("plan", "commands", item)
    assert "0 will be cancelled, 1 blocked" in plan.out
    assert f"cancelling again sends {queue} a second reply" in plan.out
    assert "1 item was cancelled before: --again plans them, too" in plan.out
    run = quash("cancel", "commands", item, *GIVEN, "--expect-count", 1)
    assert run.code == Exit.PARTLY
    assert (bus.status(item), replies(bus, item)) == (TROUBLED, 1)


def test_with_it_the_plan_is_another_one_and_the_run_is_verified(quash, bus, back):
    item, _ = back
    without = quash("plan", "commands", item, "--output", "json").json["plan"]
    plan = quash("plan", "commands", item, "--again", "--output", "json").json["plan"]
    assert (without["again"], without["needs_again"], without["counts"]["cancellable"]) == (False, 1, 0)
    assert (plan["again"], plan["needs_again"], plan["counts"]["cancellable"]) == (True, 0, 1)
    assert plan["hash"] != without["hash"]
    assert any("told a second time" in line["text"] for line in plan["summary"])
    run = quash("cancel", "commands", item, "--again", *GIVEN, "--expect-count", 1, "--output", "json")
    assert run.code == Exit.DONE
    assert run.json["run"]["verified"]["yes"] == 1
    assert (bus.status(item), replies(bus, item)) == ("CANCELED", 2)


def test_a_plan_file_keeps_it_under_its_hash(quash, bus, back, tmp_path):
    item, _ = back
    file = tmp_path / "plan.jsonl"
    assert quash("plan", "commands", item, "--again", "-o", file).code == Exit.DONE
    taken_out = tmp_path / "taken.jsonl"
    taken_out.write_text(file.read_text(encoding="ascii").replace('"again":true,', ""), encoding="ascii")
    odd = tmp_path / "odd.jsonl"
    odd.write_text(file.read_text(encoding="ascii").replace('"again":true', '"again":"yes"'), encoding="ascii")
    for changed in (taken_out, odd):
        assert quash("apply", changed, *GIVEN, "--expect-count", 1).code != Exit.DONE
    assert replies(bus, item) == 1
    assert quash("apply", file, *GIVEN, "--expect-count", 1).code == Exit.DONE
    assert replies(bus, item) == 2
