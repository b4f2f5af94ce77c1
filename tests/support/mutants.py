"""Deliberately broken variants of quash, and the tests that have to find them.

A broken variant is one change of one file: the guard of a row of docs/failure-modes.md is taken out, or what a careless
author would have written stands in its place. The tests of that row run against a copy of the repository with that
change, and have to fail, for the reason that the variant names.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.sizes import ROOT

FOLDER = ROOT / "tests" / "mutants"
# What the tests of a row read; everything else of the repository is no part of the copy.
COPIED = (
    "tui_app",
    "tests",
    "docs",
    "styles",
    "benchmarks",
    "pyproject.toml",
    "README.md",
    "Makefile",
    "requirements.txt",
)
SECONDS = 300


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

    def is_there(self) -> bool:
        """Whether what the variant changes still stands in the file, and can be meant by nothing else."""
        return self.path.is_file() and self.path.read_text(encoding="utf-8").count(self.old) == 1

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the test against a copy of the repository that is broken in this way."""
        with tempfile.TemporaryDirectory(prefix="m", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as folder:
            root = Path(folder) / "quash"
            copied(root)
            broken = root / self.file
            text = broken.read_text(encoding="utf-8")
            broken.write_text(text.replace(self.old, self.new), encoding="utf-8")
            command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", self.test]
            return subprocess.run(
                command, cwd=root, env=environment(root, Path(folder)), capture_output=True, text=True, timeout=SECONDS
            )


def copied(root: Path) -> None:
    """Copy what tests read; with its compiled modules, which are those of the unchanged files."""
    root.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__snapshots__"))
        else:
            shutil.copy2(source, root / name)


def environment(root: Path, folder: Path) -> Mapping[str, str]:
    """An environment in which every process that the test starts imports the copy."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    path = os.pathsep.join((str(root), str(root / "tests")))
    return own | {"PYTHONPATH": path, "PYTEST_DEBUG_TEMPROOT": str(folder), "COLUMNS": "240"}


def reasons(output: str) -> str:
    """The lines in which a test says why it failed, and those in which pytest sums that up."""
    return "\n".join(line for line in output.splitlines() if re.match(r"E  |FAILED ", line))


def mutants() -> list[Mutant]:
    """Every broken variant of the tables in tests/mutants."""
    tables = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))]
    return [Mutant(name, **one) for table in tables for name, one in table.items()]
