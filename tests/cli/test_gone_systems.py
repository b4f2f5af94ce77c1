"""Plans and runs whose system has left the profile, moved, or cannot be used: told plainly, and the others go on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command_line import TROUBLED, Bus, Quash, Result, Runners, runner_at_work
from tui_app.cli.exits import Exit

REASON = ("--reason", "wrong patient", "--yes")
GONE = "this profile does not have the system cases any more"
WITHOUT = "[profiles.local.commands]\n"
HEALTHY = (
    "SELECT id FROM cases WHERE status = 'in_progress'"
    " AND NOT EXISTS (SELECT 1 FROM dependency AS d WHERE d.case_id = cases.id) LIMIT 6"
)


@dataclass(frozen=True)
class Left:
    """What was made while the profile had its cases: plans, a run that is over, one that waits, one of commands."""

    plan: str
    file: Path
    over: str
    waiting: str
    other: str


@pytest.fixture
def left(quash: Quash, bus: Bus, runners: Runners, tmp_path: Path) -> Left:
    cases = [row[0] for row in bus.of("cases", HEALTHY)]
    told = ("--output", "json")
    over = quash("cancel", "cases", cases[0], *REASON, "--expect-count", 1, *told).json["run"]
    assert over["counts"]["cancelled"] == 1
    assert over["undo"] is not None
    plan = quash("plan", "cases", cases[1], *told).json["plan"]["id"]
    file = tmp_path / "plan.jsonl"
    assert quash("plan", "cases", cases[2], "-o", file).code == Exit.DONE
    with runner_at_work(bus, runners):
        first = quash("cancel", "cases", *cases[3:5], *REASON, "--expect-count", 2, "--detach", *told)
        command = bus.in_status(TROUBLED)[0]
        second = quash("cancel", "commands", command, *REASON, "--expect-count", 1, "--detach", *told)
    return Left(plan, file, over["id"], first.json["run"]["id"], second.json["run"]["id"])


def reads(left: Left) -> list[tuple[object, ...]]:
    """What only looks."""
    return [
        ("plans",),
        ("plans", left.plan),
        ("runs",),
        ("runs", left.over),
        ("runs", left.waiting),
        ("ledger",),
        ("ledger", "--run", left.over),
        ("ledger", "verify"),
    ]


def acts(left: Left) -> list[tuple[object, ...]]:
    """What would need the system, or changes something."""
    return [
        ("plans", "resume", left.plan),
        ("apply", left.plan, *REASON, "--expect-count", 1),
        ("apply", left.file, *REASON, "--expect-count", 1),
        ("runs", "verify", left.over),
        ("runs", "undo", left.over, *REASON, "--expect-count", 1),
        ("runs", "retry", left.over, *REASON, "--expect-count", 1),
        ("runs", "pause", left.waiting),
        ("runs", "resume", left.waiting, "--detach"),
        ("runs", "resume", left.waiting, "--detach", "--accept-target"),
        ("runs", "stop", left.waiting),
        ("show", "cases", "CASE-1"),
        ("list", "cases"),
    ]


def held(told: Result, words: tuple[object, ...], bus: Bus) -> Result:
    """Nothing broke: there is a sentence, and no report of an error of ours."""
    assert told.code in set(Exit) - {Exit.FAULT}, (words, told)
    assert "Traceback" not in told.err, words
    assert not (bus.folder / "faults.log").exists(), (words, told)
    return told


PROFILES = {
    "gone": WITHOUT,
    "at an address where nobody is": f"{WITHOUT}[profiles.local.cases]\nurl = 'http://127.0.0.1:9'\n",
    "read-only": f"[profiles.local]\nread_only = true\n{WITHOUT}[profiles.local.cases]\n",
}
UNREADABLE = {
    "kases": f"{WITHOUT}[profiles.local.kases]\n",
    "profiles.local.cases.url": f"{WITHOUT}[profiles.local.cases]\nurl = 'nowhere'\n",
    "profiles.local.cases.rate": f"{WITHOUT}[profiles.local.cases]\nrate = 'soon'\n",
}
"""Profiles that nothing is opened with, by what each refusal names: another name, and settings of nonsense."""


@pytest.mark.parametrize("profile", PROFILES)
def test_every_verb_says_what_is_so_and_nothing_breaks(
    quash: Quash,
    bus: Bus,
    runners: Runners,
    config: Callable[[str], None],
    left: Left,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
) -> None:
    monkeypatch.setenv("QUASH_CASES_TOKEN", "opaque")
    before = bus.of("cases", "SELECT * FROM cases ORDER BY id")
    config(PROFILES[profile])
    runners.held = True
    for words in reads(left):
        told = held(quash(*words), words, bus)
        assert told.code == Exit.DONE, (words, told)
        of_cases = len(words) == 2 and words[0] != "ledger"
        assert (GONE in told.out) == (profile == "gone" and of_cases), words
    for words in acts(left):
        held(quash(*words), words, bus)
    assert bus.of("cases", "SELECT * FROM cases ORDER BY id") == before


def test_a_profile_that_cannot_be_read_is_refused_with_what_is_wrong_whatever_is_asked(
    quash: Quash, bus: Bus, config: Callable[[str], None], left: Left
) -> None:
    for named, profile in UNREADABLE.items():
        config(profile)
        for words in (*reads(left), *acts(left)):
            told = held(quash(*words), words, bus)
            assert (told.code, named in told.err) == (Exit.USAGE, True), (words, told)


def test_what_needs_a_system_that_is_gone_is_refused_and_its_run_pauses_while_the_others_go_on(
    quash: Quash, bus: Bus, runners: Runners, config: Callable[[str], None], left: Left
) -> None:
    config(WITHOUT)
    assert quash("runner").code == Exit.DONE
    other = quash("runs", left.other, "--output", "json").json["run"]
    assert (other["state"], other["counts"]["cancelled"], other["missing"]) == ("finished", 1, [])
    run = quash("runs", left.waiting, "--output", "json").json["run"]
    assert (run["state"], run["pause"]["cause"], run["missing"]) == ("paused", "target", ["cases"])
    assert run["pause"]["message"] == GONE
    refused = [
        ("apply", left.plan, *REASON, "--expect-count", 1),
        ("runs", "verify", left.over),
        ("runs", "undo", left.over, *REASON, "--expect-count", 1),
        ("runs", "resume", left.waiting),
        ("runs", "resume", left.waiting, "--accept-target"),
    ]
    for words in refused:
        told = quash(*words)
        assert (told.code in (Exit.USAGE, Exit.NO_ACCESS), GONE in told.err, "ut it back" in told.err) == (True,) * 3, (
            told
        )
    assert quash("plans", left.plan, "--output", "json").json["plan"]["missing"] == ["cases"]
    config(f"{WITHOUT}[profiles.local.cases]\n")
    again = quash("runs", "resume", left.waiting, "--output", "json")
    assert again.json["run"]["counts"]["cancelled"] == 2, "put back, it goes on"
    assert quash("runs", "verify", left.over).code == Exit.DONE


def test_a_run_whose_system_is_gone_can_be_stopped(
    quash: Quash, bus: Bus, config: Callable[[str], None], left: Left
) -> None:
    config(WITHOUT)
    stopped = quash("runs", "stop", left.waiting, "--output", "json").json["run"]
    assert (stopped["state"], stopped["counts"]["skipped"]) == ("stopped", 2)
    assert quash("ledger", "verify").code == Exit.DONE
