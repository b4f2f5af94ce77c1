"""Deliberately broken variants of quash, and the tests that have to find them.

A broken variant is one change of one module: the guard of a row of docs/failure-modes.md is taken out, or what a
careless author would have written stands in its place. The test of that row runs with the changed module in place of
the one of quash, and has to fail, for the reason that the variant names.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import pytest
import sitecustomize

from support.sizes import ROOT

FOLDER = ROOT / "tests" / "mutants"
# The plugins are loaded before pytest could rewrite their assertions, which are none of ours.
LOADED_BEFORE = "ignore::pytest.PytestAssertRewriteWarning"
# What a broken variant keeps from coming is not waited for as long as what only takes its time.
PATIENCE = "8"
WORDS = ("-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", LOADED_BEFORE)


class Ended(NamedTuple):
    """How a run of pytest ended, and what it said."""

    code: int
    said: str

    def reasons(self) -> str:
        """The lines in which a test says why it failed, and those in which pytest sums that up."""
        return "\n".join(line for line in self.said.splitlines() if re.match(r"E  |FAILED ", line))

    def skipped(self) -> bool:
        """Whether all that was run found that it cannot run on this machine."""
        return (
            self.code == pytest.ExitCode.OK and re.search(r"^=+ \d+ skipped in ", self.said, re.MULTILINE) is not None
        )


@dataclass(frozen=True)
class Mutant:
    """One broken variant."""

    name: str
    file: str
    old: str
    """What stands in the file, once."""
    new: str
    """What the broken variant has in its place."""
    test: str
    """The test that has to find it, as pytest names it."""
    fails: str
    """What stands in the failure of that test: it fails for this reason and no other."""

    @property
    def path(self) -> Path:
        return ROOT / self.file

    @property
    def module(self) -> str:
        """The name of the module that is changed."""
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def is_there(self) -> bool:
        """Whether what the variant changes still stands in the file, and can be meant by nothing else."""
        return self.path.is_file() and self.path.read_text(encoding="utf-8").count(self.old) == 1

    def changed(self) -> str:
        """The text of the module with the change."""
        return self.path.read_text(encoding="utf-8").replace(self.old, self.new)


class Runs:
    """Runs of pytest, each in a fork of one process that has loaded what they all need."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.warm"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()

    def run(self, mutant: Mutant) -> Ended:
        """Run the test of a broken variant where its module is in place of the one of quash."""
        with tempfile.TemporaryDirectory(prefix="m", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as folder:
            changed, said = Path(folder) / "changed.py", Path(folder) / "said"
            changed.write_text(mutant.changed(), encoding="utf-8")
            own = {"PYTEST_DEBUG_TEMPROOT": folder, sitecustomize.VARIABLE: f"{mutant.module}={changed}"}
            wanted = {"words": [*WORDS, mutant.test], "environment": environment() | own, "said": str(said)}
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return Ended(code, said.read_text(encoding="utf-8", errors="replace"))


def environment() -> dict[str, str]:
    """An environment in which every process that a test starts may have a module replaced."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return own | {"PYTHONPATH": str(ROOT / "tests"), "COLUMNS": "240", "QUASH_TEST_PATIENCE": PATIENCE}


def mutants() -> list[Mutant]:
    """Every broken variant of the tables in tests/mutants."""
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))]
    return [Mutant(name, **one) for table in tables for name, one in table.items()]
