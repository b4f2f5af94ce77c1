"""Beside a number stands which items it counts: up to twenty in text, all in JSON."""

import pytest

from support.command_line import TROUBLED
from tui_app.cli import named_items

GIVEN = ("--reason", "duplicate", "--yes")
UNKNOWN_IDS = [f"payments/nobody-{number:02}" for number in range(23)]


def test_plan_names_its_blocked_items(quash, bus):
    found = quash("plan", "commands", bus.in_status(TROUBLED)[0], *UNKNOWN_IDS)
    assert "  blocked: 23 NOT_FOUND" in found.out
    assert [one for one in UNKNOWN_IDS if f"    commands {one}: " in found.out] == UNKNOWN_IDS[:20]
    assert "    and 3 more; --output json names all" in found.out
    data = quash("plan", "commands", bus.in_status(TROUBLED)[0], *UNKNOWN_IDS, "--output", "json").json
    assert [(one["kind"], one["id"]) for one in data["blocked"]] == [("NOT_FOUND", one) for one in UNKNOWN_IDS]


def test_run_names_what_it_skipped(quash, bus):
    item = bus.in_status(TROUBLED)[0]
    found = quash("cancel", "commands", item, *UNKNOWN_IDS, *GIVEN, "--expect-count", 24)
    assert f"    commands {UNKNOWN_IDS[0]}: " in found.err, "the plan that was shown names them too"
    run = quash("runs", "--output", "json").json["runs"][0]["id"]
    text = quash("runs", run).out
    assert [one for one in UNKNOWN_IDS if f"  skipped: commands {one}: NOT_FOUND" in text] == UNKNOWN_IDS[:20]
    assert f"3 more are skipped; all of them: quash runs report {run}" in text
    data = quash("runs", run, "--output", "json").json
    assert [(one["kind"], one["id"]) for one in data["not_done"]] == [("skipped", one) for one in UNKNOWN_IDS]


def test_run_names_what_drifted_and_why(quash, bus):
    same, gone = bus.in_status(TROUBLED)[:2]
    plan = quash("plan", "commands", same, gone, "--output", "json").json["plan"]
    bus.set_status(gone, "COMPLETED")
    found = quash("apply", plan["id"], *GIVEN, "--expect-count", 2, "--accept-drift")
    assert f"skipped: commands {gone}: DRIFTED: changed since the plan" in found.out
    assert same not in found.out


def test_all_items_are_read_over_several_pages(quash, bus, monkeypatch):
    monkeypatch.setattr(named_items, "PAGE_LIMIT", 4)
    data = quash("plan", "commands", *UNKNOWN_IDS, "--output", "json").json
    assert [one["id"] for one in data["blocked"]] == UNKNOWN_IDS


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_other_forms_are_printed_as_before(quash, bus, form):
    found = quash("plan", "commands", *UNKNOWN_IDS[:2], "--output", form)
    assert "NOT_FOUND" in found.out
