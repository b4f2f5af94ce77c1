"""Each benchmark runs to its end with tiny numbers; what it measures is read by a person."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
ARGUMENTS = {
    "compare.py": [str(ROOT), str(ROOT), "--rounds", "1", "--only", "journal", "--arguments", "200"],
    "embedded_cancel.py": ["500"],
    "http_cancel.py": ["--items", "20", "--rounds", "1"],
    "journal.py": ["200"],
    "postgres_cancel.py": ["--commands", "40", "--sample", "10", "--rounds", "1"],
    "schedule_cancel.py": ["--schedules", "40", "--sample", "10", "--rounds", "1"],
    "service_load.py": ["--asks", "4", "--rows", "100", "--silent", "60"],
    "startup.py": ["1"],
}
NEED_POSTGRES = {"postgres_cancel.py", "schedule_cancel.py"}
LONGEST_S = 300


def test_every_benchmark_has_arguments_here():
    assert sorted(path.name for path in FOLDER.glob("[a-z]*.py")) == sorted(ARGUMENTS)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_benchmark_runs_with_tiny_numbers(name: str, request: pytest.FixtureRequest):
    environment = dict(os.environ)
    if name in NEED_POSTGRES:
        environment["QUASH_TEST_POSTGRES"] = request.getfixturevalue("postgres_url")
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), *ARGUMENTS[name]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip(), "it printed no figure"
