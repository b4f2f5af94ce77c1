"""The commands of the operator's guide, run in its order on made-up data, each with the exit code that it ends with."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.pages import ROOT, Command, commands_of, page
from support.walking import Shell

ELSEWHERE = {
    "quash runs resume RUN": "tests/integration/test_main_job.py"
    "::test_the_runner_is_killed_in_the_middle_and_the_run_is_resumed",
    "quash serve --port 8765": "tests/cli/test_serving.py::test_a_remote_profile_does_all_that_an_embedded_one_does",
}
"""Commands that need a killed runner or a second process, and the test that has one."""

OTHERS = {"systemctl", "sudo", "journalctl"}
"""Programs that are not ours, and act on the machine."""

ENDS = {"quash apply": 1, "quash show": 1, "quash list commands --filter 'error_code=": 2}
"""Commands that do not end with 0: those that name what is blocked, missing, or written wrong."""


def commands() -> list[Command]:
    """Every command of the guide, in its order."""
    return [
        command
        for fence in page("docs/guide.md").fences
        if fence.language == "console"
        for command in commands_of(fence)
    ]


def here() -> Iterator[Command]:
    """Those that are run here."""
    for command in commands():
        if command.line not in ELSEWHERE and command.line.split()[0] not in OTHERS:
            yield command


class Operator:
    """Somebody who puts in the place of what the guide gives as an example what was really printed before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shell = Shell(folder, QUASH_OPERATOR="jane@example.com", QUASH_DATA=str(folder / "data"), HOME=str(folder))
        self.plan = self.count = self.run = self.head = ""

    def does(self, line: str) -> str:
        """Run one line, and keep what it says of plans, runs and heads."""
        printed = self.shell.run(f'PATH="$PWD/.venv/bin:$PATH"; {self.meant(line)}')
        for name, pattern in (
            ("plan", r"^plan \w+ \(hash (\w{8})\)"),
            ("count", r"^  ([\d,]+) in the plan"),
            ("run", r"^run (r\w{16})"),
            ("head", r"head (\d+:\w{64})"),
        ):
            if found := re.findall(pattern, printed, re.MULTILINE):
                setattr(self, name, found[-1].replace(",", ""))
        return printed

    def meant(self, line: str) -> str:
        """The line with real ids, numbers and hashes."""
        line = line.replace("9f2c11ab", self.plan).replace("SEQ:HASH", self.head)
        line = line.replace("/var/log/quash/heads", str(self.folder / "heads")).replace(" | jq .run.counts", "")
        line = re.sub(r"\bRUN\b", self.run, line)
        count = "3" if "ids.txt" in line else self.undoable() if " undo " in line else self.count
        return re.sub(r"--expect-count \d+", f"--expect-count {count}", line)

    def undoable(self) -> str:
        """How many items of the run were given a time in which they can be brought back."""
        return "1"

    def ids(self, system: str, wanted: int) -> list[str]:
        """So many items that can be cancelled."""
        waiting = {"commands": "IN_TROUBLESHOOTING_QUEUE error_code:OUT_OF_STOCK"}.get(system, "pending")
        printed = self.does(f"quash list {system} --filter 'status:{waiting}' --limit 50 --output json")
        found = [item["id"] for item in json.loads(printed)["items"] if item["verdict"]["cancellable"]]
        assert len(found) >= wanted
        return found[:wanted]

    def writes_the_files(self) -> None:
        """Those that the guide names, with ids of this data."""
        (self.folder / "ids.txt").write_text("\n".join(self.ids("commands", 4)[:3]) + "\n", encoding="utf-8")
        lines = [f"{system}\t{self.ids(system, 4)[3]}" for system in ("schedules", "cases", "commands")]
        (self.folder / "ticket.txt").write_text("# a ticket\n" + "\n".join(lines) + "\n", encoding="utf-8")


def test_every_command_of_the_guide_is_run_or_names_the_test_that_runs_it() -> None:
    lines = {command.line for command in commands()}
    assert ELSEWHERE.keys() <= lines
    for node in ELSEWHERE.values():
        path, _, name = node.partition("::")
        assert re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8")), node
    ran = [command.line for command in here()]
    assert len(ran) > 15
    assert {line.split()[0] for line in ran} == {"quash", "cat", "echo"}
    assert [command.output for command in here() if command.line == "echo $?"] == [["1"], ["2"]]


@pytest.mark.slow
def test_the_commands_of_the_guide_end_as_the_guide_says(tmp_path: Path) -> None:
    operator = Operator(tmp_path)
    operator.does("quash demo --no-open --data data")
    operator.writes_the_files()
    ended = 0
    for command in here():
        if command.line == "echo $?":
            assert ended == int(command.output[0]), command
            continue
        if "--anchor-file" in command.line:
            (tmp_path / "heads").write_text(f"{operator.head}\n", encoding="utf-8")
        printed = operator.does(command.line)
        ended = operator.shell.code
        assert ended == next((code for begin, code in ENDS.items() if command.line.startswith(begin)), 0), printed
        if command.line.startswith("quash plan all"):
            operator.does("quash apply ticket.jsonl --yes --expect-count 3")
            assert operator.shell.code == 0
