"""Commands of a page, run one after another as at one prompt."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.pages import Command

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


class Shell:
    """One folder in which quash is installed, an environment that lasts, and the code of the last command."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        script = folder / ".venv" / "bin" / "quash"
        script.parent.mkdir(parents=True)
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui_app "$@"\n', encoding="utf-8")
        script.chmod(0o700)
        self._environment = {**os.environ, **environment}
        self.code = 0

    def run(self, line: str) -> str:
        """What a command prints on both streams."""
        script = f"(exit {self.code})\n{line}\nset -- $?\nenv -0 > environment\nexit $1\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        after = (self._folder / "environment").read_bytes().decode().rstrip("\0").split("\0")
        self._environment = dict(entry.partition("=")[::2] for entry in after)
        self.code = done.returncode
        return done.stdout.decode()

    def holds(self, command: Command) -> None:
        """Run a command of a page, which has to print what stands under it."""
        printed = self.run(command.line)
        assert re.fullmatch(as_pattern(command.output), settled(printed)), f"$ {command.line}\n{printed}"
