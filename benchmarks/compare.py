"""Two checkouts, benchmark by benchmark: the CPU time and the time that each takes, and their ratios.

    python benchmarks/compare.py BEFORE AFTER [--rounds N] [--only NAME]

Each checkout needs its ``.venv``. A benchmark runs in both in turn, once a round, the order changing from round to
round, so that what a busy machine adds falls on both; a ratio is that of the medians. CPU is that of the benchmark and
of all that it starts, without servers that run anyway, such as PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

ARGUMENTS = {
    "journal": ("5000",),
    "embedded_cancel": ("20000",),
    "schedule_cancel": ("--rounds", "1"),
    "http_cancel": ("--rounds", "1", "--items", "400"),
    "postgres_cancel": ("--rounds", "1"),
    "startup": ("3",),
}
"""What is measured, with numbers that keep one run below some ten seconds."""


@dataclass(frozen=True)
class Run:
    """Seconds of one run."""

    cpu: float
    wall: float


@dataclass
class Side:
    """One checkout, and what its runs took."""

    root: Path
    runs: list[Run] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    def has(self, name: str) -> bool:
        return (self.root / "benchmarks" / f"{name}.py").is_file()

    def measure(self, name: str, arguments: tuple[str, ...]) -> None:
        """Run a benchmark once.

        Raises:
            SystemExit: it failed; its last words are told.
        """
        command = [str(python_of(self.root)), str(self.root / "benchmarks" / f"{name}.py"), *arguments]
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        wall, after = time.perf_counter() - began, os.times()
        # Some end with 1 where a figure is missed, and have measured all the same.
        if not done.stdout.strip():
            raise SystemExit(f"{self.root}: {name} printed no figure: {done.stderr[-2000:]}")
        used = after.children_user + after.children_system - before.children_user - before.children_system
        self.runs.append(Run(used, wall))


def python_of(root: Path) -> Path:
    """The interpreter of a checkout."""
    return root / ".venv" / "bin" / "python"


def compile_all(root: Path) -> None:
    """Write the bytecode of a checkout, since an interpreter that writes none would compile at every start."""
    command = [str(python_of(root)), "-m", "compileall", "-q", "tui_app", "tests", "benchmarks"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def compared(name: str, before: Path, after: Path, rounds: int, arguments: tuple[str, ...]) -> str:
    """The line of one benchmark."""
    sides = (Side(before), Side(after))
    if not all(side.has(name) for side in sides):
        return f"{name:<16}  not in both"
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            side.measure(name, arguments)
    old, new = sides
    times = f"{old.cpu:>10.2f} {new.cpu:>10.2f} {new.cpu / old.cpu:>10.3f}"
    return f"{name:<16} {times} {new.wall / old.wall:>10.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="a checkout with its .venv")
    parser.add_argument("after", type=Path, help="a checkout with its .venv")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each benchmark in each checkout")
    parser.add_argument("--only", choices=ARGUMENTS, action="append", help="this benchmark; may be repeated")
    parser.add_argument("--arguments", metavar="TEXT", help="given to the benchmarks in place of the usual ones")
    given = parser.parse_args()
    before, after = given.before.resolve(), given.after.resolve()
    for root in (before, after):
        if not python_of(root).is_file():
            parser.error(f"{root} has no {python_of(Path())}: run `make install` there")
        compile_all(root)
    print(f"{before} against {after}, medians of {given.rounds} rounds")
    heads = (f"{word:>10}" for word in ("CPU before", "CPU after", "CPU ratio", "wall ratio"))
    print(f"{'benchmark':<16}", *heads, flush=True)
    for name in given.only or ARGUMENTS:
        arguments = ARGUMENTS[name] if given.arguments is None else tuple(shlex.split(given.arguments))
        print(compared(name, before, after, given.rounds, arguments), flush=True)


if __name__ == "__main__":
    main()
