"""The README's block of commands, run as it stands: each prints what the page says it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.pages import Command, Fence, commands_of, page

VOLATILE = (
    (re.compile(r"\b([pr])[0-9a-f]{16}\b"), r"<\1>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\(hash [0-9a-f]{8}\)"), "(hash <hash>)"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "<time>"),
    (re.compile(r" +"), " "),
)


def settled(text: str) -> str:
    """The text without what differs from one run to the next."""
    for pattern, put in VOLATILE:
        text = pattern.sub(put, text)
    return text.strip()


def as_pattern(lines: list[str]) -> str:
    """What is printed, as a pattern: … stands for the rest of a line, and on a line of its own for whole lines."""
    groups = re.split(r"\n…\n", settled("\n".join(lines)))
    return r"\n(?:.*\n)*".join(".*".join(re.escape(piece) for piece in group.split("…")) for group in groups)


def block() -> Fence:
    [found] = [fence for fence in page("README.md").fences if fence.language == "console"]
    return found


def run(command: Command, folder: Path, environment: dict[str, str]) -> tuple[str, dict[str, str]]:
    """What a command prints on both streams, and the environment after it."""
    script = f"{command.line}\nset -- $?\nenv -0 > environment\nexit $1\n"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    after = (folder / "environment").read_bytes().decode().rstrip("\0").split("\0")
    return done.stdout.decode(), dict(entry.partition("=")[::2] for entry in after)


@pytest.mark.slow
def test_the_first_five_minutes_print_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    script = tmp_path / ".venv" / "bin" / "quash"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui_app "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    environment = dict(os.environ)
    commands = commands_of(block())
    assert len(commands) > 5
    for command in commands:
        printed, environment = run(command, tmp_path, environment)
        assert re.fullmatch(as_pattern(command.output), settled(printed)), f"$ {command.line}\n{printed}"


def test_the_comparison_sees_a_difference() -> None:
    said = as_pattern(["plan p0f3a7f55d9c1e2b4 (hash a835abea): …", "  225 in the plan"])
    assert re.fullmatch(said, settled("plan p1111111111111111 (hash 00000000): anything\n  225 in the plan\n"))
    assert not re.fullmatch(said, settled("plan p1111111111111111 (hash 00000000): anything\n  224 in the plan\n"))
