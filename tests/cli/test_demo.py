"""`demo`: made-up data that never touches real state."""

import os
import sys
from pathlib import Path

import pytest

from support.command_line import TROUBLED, Bus, runner_at_work
from support.terminal import terminal
from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.engine.local import held


def of_each(rows: int) -> dict[str, int]:
    return dict.fromkeys(bootstrap.names(), rows)


def test_it_seeds_once_in_a_folder_of_its_own(quash):
    found = quash("demo", "--no-open", "--rows", 30, "--output", "json")
    assert (found.code, found.json["schema"]) == (Exit.DONE, "quash.demo.v1")
    demo = found.json["demo"]
    assert (demo["systems"], demo["new"]) == (of_each(30), True)
    assert Path(demo["data"]) == Path(os.environ["QUASH_DATA"]) / "demo"
    assert quash("list", "commands", "--output", "json").json["total"] == 0
    again = quash("demo", "--no-open", "--output", "json").json["demo"]
    assert (again["systems"], again["new"]) == (of_each(30), False)


def test_what_it_seeds_is_seen_by_every_verb(quash, tmp_path, monkeypatch):
    quash("demo", "--no-open", "--rows", 30, "--data", tmp_path)
    monkeypatch.setenv("QUASH_DATA", str(tmp_path))
    assert quash("list", "commands", "--output", "json").json["total"] == 30


def test_rows_that_exist_stay_and_another_number_says_so(quash, tmp_path):
    quash("demo", "--no-open", "--rows", 30, "--data", tmp_path)
    item = Bus(tmp_path).in_status(TROUBLED)[0]
    Bus(tmp_path).set_status(item, "COMPLETED")
    found = quash("demo", "--no-open", "--rows", 40, "--data", tmp_path)
    assert "has 30 rows" in found.err
    assert "--reset" in found.err
    assert (Bus(tmp_path).status(item), len(Bus(tmp_path).rows("SELECT id FROM command"))) == ("COMPLETED", 30)


def test_a_reset_makes_it_anew_with_its_journal(quash, tmp_path):
    quash("demo", "--no-open", "--rows", 30, "--data", tmp_path)
    item = Bus(tmp_path).in_status(TROUBLED)[0]
    words = ("--reason", "duplicate", "--yes", "--expect-count", 1, "--data", tmp_path)
    assert quash("cancel", "commands", item, *words).code == Exit.DONE
    found = quash("demo", "--no-open", "--rows", 40, "--reset", "--data", tmp_path, "--output", "json")
    assert found.json["demo"]["systems"] == of_each(40)
    assert Bus(tmp_path).status(item) == TROUBLED
    assert quash("runs", "--data", tmp_path, "--output", "json").json["runs"] == []
    same = quash("demo", "--no-open", "--reset", "--data", tmp_path, "--output", "json")
    assert same.json["demo"]["systems"] == of_each(40)


def test_no_reset_while_a_runner_works(quash, tmp_path):
    quash("demo", "--no-open", "--rows", 30, "--data", tmp_path)
    with runner_at_work(Bus(tmp_path)):
        found = quash("demo", "--no-open", "--reset", "--data", tmp_path, "--output", "json")
    assert (found.code, found.error["code"]) == (Exit.STALE, "CONFLICT")
    assert Bus(tmp_path).path.exists()


@pytest.mark.parametrize("kept", [True, False], ids=["in use", "not kept"])
def test_no_reset_while_a_console_is_open(quash, tmp_path, monkeypatch, kept):
    if not kept:
        # What this is to find: nothing says that the folder is in use.
        monkeypatch.setattr("tui_app.config.places.fcntl.flock", lambda descriptor, how: None)
    with terminal([sys.executable, "-m", "tui_app", "demo", "--rows", "30", "--data", str(tmp_path)]) as console:
        console.sees("as of")
        before = Bus(tmp_path).path.stat().st_ino
        found = quash("demo", "--no-open", "--reset", "--data", tmp_path, "--output", "json")
        if not kept:
            assert Bus(tmp_path).path.stat().st_ino != before
            return
        assert (found.code, found.error["code"]) == (Exit.STALE, "CONFLICT")
        assert "Close that console or service first" in found.error["hint"]
        assert Bus(tmp_path).path.stat().st_ino == before
        assert quash("list", "commands", "--data", tmp_path, "--output", "json").json["total"] == 30
        console.type("Q")
        assert console.ends() == 0
    assert quash("demo", "--no-open", "--reset", "--data", tmp_path).code == Exit.DONE


@pytest.mark.parametrize("options", [[], ["--reset"]])
def test_real_state_is_left_alone(quash, tmp_path, options):
    quash("list", "commands", "--data", tmp_path)
    found = quash("demo", "--no-open", "--data", tmp_path, *options, "--output", "json")
    assert found.code == Exit.USAGE
    assert "no demo made" in found.error["message"]
    assert Bus(tmp_path).rows("SELECT count(*) FROM command") == [(0,)]


def test_a_seeding_that_was_interrupted_is_completed(quash, tmp_path):
    quash("demo", "--no-open", "--rows", 10, "--data", tmp_path)
    (Bus(tmp_path).folder / "demo.json").write_text('{"rows": 30, "complete": false}', encoding="ascii")
    found = quash("demo", "--no-open", "--data", tmp_path, "--output", "json")
    assert found.json["demo"]["new"] is True
    assert len(Bus(tmp_path).rows("SELECT id FROM command")) == 30


def test_the_configuration_is_ignored(quash, config, monkeypatch):
    config("nonsense")
    monkeypatch.setenv("QUASH_PROFILE", "prod")
    found = quash("demo", "--no-open", "--rows", 30, "--output", "json")
    assert (found.code, found.json["demo"]["profile"]) == (Exit.DONE, "local")


def test_every_system_has_its_rows(quash, tmp_path):
    quash("demo", "--no-open", "--rows", 25, "--data", tmp_path)
    for system in bootstrap.names():
        assert quash("list", system, "--data", tmp_path, "--output", "json").json["total"] == 25


def test_it_says_how_far_it_is_on_a_terminal(tmp_path):
    words = ("demo", "--no-open", "--rows", "30", "--data", str(tmp_path))
    with terminal([sys.executable, "-m", "tui_app", *words]) as seen:
        assert seen.ends() == Exit.DONE
        for system in bootstrap.names():
            assert f"making 30 {system}" in seen.text
        assert "made 30 items of each system" in seen.text


def test_it_says_how_to_look_at_it(quash):
    out = quash("demo", "--no-open", "--rows", 30).out
    command = out.partition("with: ")[2].split()
    assert quash(*command[1:], "--output", "json").json["total"] == 30


def test_the_first_rows_can_all_be_cancelled(quash):
    quash("demo", "--no-open", "--rows", 100, "--data", os.environ["QUASH_DATA"])
    found = quash("list", "commands", "--filter", f"status:{TROUBLED}", "--limit", 20, "--output", "json").json
    assert {item["verdict"]["cancellable"] for item in found["items"]} == {True}


def test_two_do_not_seed_at_once(quash, tmp_path):
    folder = tmp_path / "profiles" / "local"
    folder.mkdir(mode=0o700, parents=True)
    with held(folder) as ours:
        (folder / "demo.json").write_text('{"rows": 30, "complete": false}', encoding="ascii")
        found = quash("demo", "--no-open", "--data", tmp_path, "--output", "json")
    assert ours
    assert (found.code, found.error["code"]) == (Exit.NO_ACCESS, "BUSY")
    assert not (folder / "commands.db").exists()
    assert quash("demo", "--no-open", "--data", tmp_path, "--output", "json").json["demo"]["systems"] == of_each(30)
