"""`ledger`: its lines, its verification and its export."""

import json
import sqlite3
import stat
from contextlib import closing

import pytest

from support.command_line import TROUBLED
from tui_app.cli.exits import Exit

FIELDS = {"seq", "hash", "at", "operator", "event", "run", "system", "item", "code", "reason"}


@pytest.fixture
def run(quash, bus):
    words = ("--reason", "duplicate request", "--yes", "--expect-count", 3, "--output", "json")
    return quash("cancel", "commands", *bus.in_status(TROUBLED)[:2], "payments/nobody", *words).json["run"]


def tamper(bus, statement: str) -> None:
    with closing(sqlite3.connect(bus.folder / "journal.db")) as connection, connection:
        # Whoever may write the file may drop what keeps them from it, too.
        connection.executescript("DROP TRIGGER ledger_fixed; DROP TRIGGER ledger_kept")
        assert connection.execute(statement).rowcount > 0


def test_every_line_has_its_fields_and_every_outcome_its_line(quash, bus, run):
    lines = quash("ledger", "--output", "jsonl").lines
    assert all(line.keys() >= FIELDS for line in lines)
    assert [line["event"] for line in lines][:3] == ["planned", "confirmed", "started"]
    outcomes = [line for line in lines if line["item"]]
    assert {line["item"] for line in outcomes} == {*bus.in_status("CANCELED")[:2], "payments/nobody"}
    chunks = {line["seq"] for line in lines if line["event"] == "chunk" and not line["item"]}
    assert {line["seq"] for line in outcomes} <= chunks
    assert {line["reason"] for line in outcomes} == {"duplicate request"}


def test_lines_are_chosen_by_exact_values(quash, bus, run):
    everything = quash("ledger", "--output", "jsonl").lines
    for option, field in (("--event", "event"), ("--run", "run"), ("--by", "operator"), ("--item", "item")):
        value = next(line[field] for line in reversed(everything) if line[field])
        found = quash("ledger", option, value, "--output", "jsonl").lines
        assert found == [line for line in everything if line[field] == value]
    assert quash("ledger", "--event", "undo", "--output", "jsonl").out == ""
    assert quash("ledger", "--by", "nobody@example.com", "--output", "jsonl").out == ""
    assert quash("ledger", "--output", "json").json["lines"] == everything
    assert len(quash("ledger", "--output", "csv").out.splitlines()) == len(everything) + 1


def test_a_ledger_without_an_entry_is_no_all_clear(quash, bus, run):
    head = run["head"]
    for left in bus.folder.glob("journal.db*"):
        left.unlink()
    found = quash("ledger", "verify")
    assert (found.code, "OK" in found.out) == (Exit.PARTLY, False)
    assert "NOTHING TO VERIFY" in found.out
    assert "emptied or replaced" in found.out
    assert "NOTHING TO VERIFY" in quash("profile", "check", "--output", "json").json["ledger"]
    anchored = quash("ledger", "verify", "--anchor", head)
    assert (anchored.code, "is not in this ledger" in anchored.out) == (Exit.LEDGER, True)


def test_a_ledger_that_is_empty_beside_its_rows_is_broken(quash, bus, run):
    tamper(bus, "DELETE FROM ledger")
    assert quash("ledger", "verify").code == Exit.LEDGER


def test_a_ledger_that_holds(quash, bus, run):
    found = quash("ledger", "verify", "--output", "json")
    assert (found.code, found.json["schema"]) == (Exit.DONE, "quash.check.v1")
    assert found.json["ledger"]["holds"] is True
    assert found.json["ledger"]["head"] == run["head"]
    assert "OK: ledger verified" in quash("ledger", "verify", "--anchor", run["head"]).out


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET body = replace(CAST(body AS TEXT), 'duplicate', 'something') WHERE seq = 2",
        "DELETE FROM ledger WHERE seq = 3",
    ],
)
def test_a_ledger_that_was_changed(quash, bus, run, statement):
    tamper(bus, statement)
    found = quash("ledger", "verify", "--output", "json")
    assert found.code == Exit.LEDGER
    assert found.json["ledger"]["holds"] is False
    assert found.json["ledger"]["problems"]
    assert "LEDGER BROKEN" in quash("ledger", "verify").out


def test_a_ledger_that_was_cut_is_found_by_its_anchor(quash, bus, run):
    seq, _, digest = run["head"].partition(":")
    assert quash("ledger", "verify", "--anchor", f"{int(seq) + 1}:{digest}").code == Exit.LEDGER
    assert quash("ledger", "verify", "--anchor", f"{seq}:{'0' * 64}").code == Exit.LEDGER
    assert quash("ledger", "verify", "--anchor", "nonsense").code == Exit.USAGE


def test_an_export_ends_with_the_head(quash, bus, run, tmp_path):
    path = tmp_path / "ledger.jsonl"
    assert quash("ledger", "export", "-o", path).code == Exit.DONE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    head, *lines, foot = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert head["schema"] == "quash.ledger.v1"
    assert lines == quash("ledger", "--output", "jsonl").lines
    assert foot["head"] == run["head"]
    assert quash("ledger", "export", "-o", path).code == Exit.USAGE
    assert quash("ledger", "export", "--run", run["id"]).lines[-1]["head"] == run["head"]


def test_a_report_of_a_broken_ledger_says_so_and_exits_nine(quash, bus, run, tmp_path):
    whole = quash("runs", "report", run["id"])
    assert (whole.code, "OK: ledger verified" in whole.out) == (Exit.DONE, True)
    with closing(sqlite3.connect(bus.folder / "journal.db")) as connection, connection:
        # One pointer of one item, in a table that no hash covers.
        changed = connection.execute("UPDATE run_item SET state = 'refused' WHERE position = 0").rowcount
    assert changed == 1
    for words in (("runs", "report", run["id"]), ("ledger", "export")):
        for out in ((), ("-o", tmp_path / f"{words[0]}.jsonl")):
            found = quash(*words, *out, "--output", "jsonl")
            written = found.out if not out else out[1].read_text(encoding="ascii")
            foot = json.loads(written.splitlines()[-1])
            assert found.code == Exit.LEDGER
            assert foot["holds"] is False
            assert "state says refused, the ledger says cancelled" in foot["ledger"]
            assert "LEDGER BROKEN" in found.err


def test_an_anchor_file_is_compared_line_by_line(quash, bus, run, tmp_path):
    heads = tmp_path / "heads"
    heads.write_text(f"2026-01-02T03:04:05Z {run['id']} {run['head']}\n\n", encoding="ascii")
    found = quash("ledger", "verify", "--anchor-file", heads)
    assert (found.code, "Compared with 1 anchor." in found.out) == (Exit.DONE, True)
    assert "No anchor was compared" in quash("ledger", "verify").out
    seq, _, digest = run["head"].partition(":")
    heads.write_text(f"{run['head']}\n{seq}:{digest[::-1]}\n", encoding="ascii")
    found = quash("ledger", "verify", "--anchor-file", heads, "--output", "json")
    assert (found.code, found.json["ledger"]["anchors"]) == (Exit.LEDGER, 2)
    heads.write_text("", encoding="ascii")
    for file in (heads, tmp_path / "none"):
        assert quash("ledger", "verify", "--anchor-file", file).code == Exit.USAGE


def test_the_runner_appends_each_head_to_the_anchor_file_of_the_profile(quash, runners, bus, config, tmp_path):
    heads = tmp_path / "heads"
    config(f'[profiles.local]\nanchor_file = "{heads}"\n[profiles.local.commands]\n')
    words = ("--reason", "duplicate request", "--yes", "--expect-count", 1, "--output", "json")
    run = quash("cancel", "commands", bus.in_status(TROUBLED)[0], *words).json["run"]
    runners.finish()
    assert heads.read_text(encoding="ascii").split()[1:] == [run["id"], run["head"]]
    assert quash("ledger", "verify", "--output", "json").json["ledger"]["anchors"] == 1
    heads.write_text(f"1:{'0' * 64}\n", encoding="ascii")
    assert quash("ledger", "verify").code == Exit.LEDGER


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
@pytest.mark.parametrize(
    "words",
    [
        ("ledger", "--run", "nosuch"),
        ("ledger", "--item", "payments/nosuch"),
        ("ledger", "export", "--run", "nosuch"),
        *(("runs", verb, "nosuch") for verb in ("show", "pause", "resume", "stop", "verify", "report")),
        *(
            ("runs", verb, "nosuch", "--reason", "duplicate", "--yes", "--expect-count", 1)
            for verb in ("retry", "undo")
        ),
        ("plans", "show", "nosuch"),
        ("plans", "resume", "nosuch"),
        ("apply", "nosuch", "--reason", "duplicate", "--yes", "--expect-count", 1),
        ("show", "commands", "payments/nosuch"),
    ],
    ids=lambda words: "-".join(map(str, words[:3])) if isinstance(words, tuple) else words,
)
def test_what_is_named_and_not_there_ends_with_not_found(quash, bus, words, form):
    found = quash(*words, "--output", form)
    assert (found.code, found.out) == (Exit.PARTLY, "")
    assert "nosuch" in found.err


def test_an_event_that_there_is_not_is_refused(quash, bus):
    found = quash("ledger", "--event", "canceled")
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert "cancelled" in found.err


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE run SET confirmed = 'zz'",
        "UPDATE run SET items = 'many'",
        "UPDATE tally SET state = x'00ff' WHERE state = 'cancelled'",
        "UPDATE plan SET head = '{}'",
        "UPDATE run SET plan = 4711",
        "ALTER TABLE run RENAME COLUMN wanted TO meant",
    ],
)
def test_rows_that_cannot_be_read_are_told_as_a_ledger_that_is_broken(quash, bus, run, statement):
    with closing(sqlite3.connect(bus.folder / "journal.db")) as connection, connection:
        connection.execute(statement)
    found = quash("ledger", "verify", "--output", "json")
    assert (found.code, found.json["ledger"]["holds"]) == (Exit.LEDGER, False)
    if "ALTER" not in statement:
        shown = quash("runs", run["id"])
        assert (shown.code, shown.out) == (Exit.LEDGER, "")
        assert f"run {run['id']} cannot be read" in shown.err
        assert "ledger verify` names what differs" in shown.err
        listed = quash("runs", "--output", "json")
        assert (listed.code, listed.json["runs"]) == (Exit.LEDGER, [])
        assert f"run {run['id']} cannot be read and is not listed" in listed.err
    other = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--output", "json")
    assert (other.code, other.json["plan"]["state"]) == (Exit.DONE, "ready")


def test_plans_that_cannot_be_read_hide_no_other(quash, bus, run):
    other = quash("plan", "commands", bus.in_status(TROUBLED)[0], "--output", "json").json["plan"]
    with closing(sqlite3.connect(bus.folder / "journal.db")) as connection, connection:
        connection.execute("UPDATE plan SET totals = 'zz', drift = x'00' WHERE id = ?", (run["plan"],))
    listed = quash("plans", "--output", "json")
    assert (listed.code, [one["id"] for one in listed.json["plans"]]) == (Exit.LEDGER, [other["id"]])
    assert f"plan {run['plan']} cannot be read and is not listed" in listed.err


@pytest.mark.parametrize("verb", [["runs"], ["ledger"], ["ledger", "verify"], ["plans", "list"]])
@pytest.mark.parametrize("version", [1, 999])
def test_journal_of_another_version_than_it_says_is_told_in_a_sentence(quash, bus, run, verb, version):
    with closing(sqlite3.connect(bus.folder / "journal.db")) as connection:
        connection.execute(f"PRAGMA user_version={version}")
    found = quash(*verb)
    assert found.code == Exit.NO_ACCESS
    assert ("not those of its version" if version == 1 else "written by a newer quash") in found.err
