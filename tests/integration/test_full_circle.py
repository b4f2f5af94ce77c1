"""A quash whose cases and schedules are another quash over TCP, with real processes on both sides."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tui_app import bootstrap
from tui_app.domain import moments

USER = "jane@example.com"
QUASH = [sys.executable, "-m", "tui_app"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("QUASH_")}
SERVED = """
[profiles.served]
environment = "test"
[profiles.served.cases]
native_rate = "1000/second"
native_read_rate = "1000/second"
[profiles.served.schedules]
"""
FAR = """
[profiles.far]
environment = "test"
[profiles.far.cases]
url = "{url}"
token_file = "{token}"
contact = "#case-ops"
[profiles.far.schedules]
url = "{url}"
token_file = "{token}"
"""


@dataclass
class Far:
    """The near side's command line, and the far side's own files."""

    config: Path
    data: Path
    served: Path

    def quash(self, *words: str, code: int = 0) -> Any:
        """The document that a verb prints."""
        where = ("--config", str(self.config), "--data", str(self.data), "--profile", "far", "--operator", USER)
        command = [*QUASH, *words, *where, "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=CLEAN)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def rows(self, system: str, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.served / f"{system}.db")) as connection:
            return connection.execute(query).fetchall()

    def ids(self, system: str, query: str) -> list[str]:
        return [str(row[0]) for row in self.rows(system, query)]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    """`quash serve` on embedded cases and schedules, and a profile of another state folder that points there."""
    (tmp_path / "served.toml").write_text(SERVED, encoding="utf-8")
    data = tmp_path / "served"
    near = ("--config", str(tmp_path / "served.toml"), "--data", str(data), "--profile", "served")
    folder = data / "profiles" / "served"
    folder.mkdir(parents=True, mode=0o700)
    for name in ("cases", "schedules"):
        bootstrap.plugs()[name].seed(folder / f"{name}.db", 200)
    serve = [*QUASH, "serve", "--port", "0", "--output", "json", *near]
    process = subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, env=CLEAN)
    assert process.stderr is not None
    with process.stderr as said:
        try:
            where = json.loads(said.readline())["message"]
            url = where.rpartition(" ")[2].removesuffix("/v1")
            permissions = ("--permission", "cancel_case", "--permission", "cancel_schedule")
            token = [*QUASH, "token", "--user", USER, *permissions, *near]
            made = subprocess.run(token, capture_output=True, text=True, timeout=60, check=True, env=CLEAN)
            (tmp_path / "token").write_text(made.stdout, encoding="ascii")
            config = tmp_path / "far.toml"
            config.write_text(FAR.format(url=url, token=tmp_path / "token"), encoding="utf-8")
            yield Far(config, tmp_path / "near", folder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def test_one_plan_over_both_is_cancelled_there_verified_and_the_cases_undone(far: Far, tmp_path: Path) -> None:
    cases = far.ids("cases", "SELECT id FROM cases WHERE status = 'pending' AND hold = '' ORDER BY id LIMIT 4")
    posts = far.ids("schedules", "SELECT id FROM schedule WHERE status = 'pending' ORDER BY run_at DESC LIMIT 4")
    assert (len(cases), len(posts)) == (4, 4)
    chosen = tmp_path / "chosen"
    chosen.write_text("".join(f"cases\t{one}\n" for one in cases) + "".join(f"schedules\t{one}\n" for one in posts))
    words = ("--reason", "duplicate order", "--yes", "--expect-count", "8")
    run = far.quash("cancel", "all", "--ids", str(chosen), *words)["run"]
    assert (run["state"], run["counts"]["cancelled"], run["verified"]["yes"]) == ("finished", 8, 8)
    stand = dict(far.rows("cases", "SELECT id, status FROM cases"))
    stand |= dict(far.rows("schedules", "SELECT id, status FROM schedule"))
    assert {stand[one] for one in (*cases, *posts)} == {"cancelled"}

    undone = far.quash("runs", "undo", run["id"], "--reason", "wrong ones", "--yes", "--expect-count", "4")["run"]
    assert (undone["counts"]["reinstated"], undone["verified"]["yes"]) == (4, 4)
    stand = dict(far.rows("cases", "SELECT id, status FROM cases"))
    assert {stand[one] for one in cases} == {"pending"}
    events = "SELECT case_id, event FROM audit WHERE event IN ('CASE_CANCELLED', 'CASE_REINSTATED') AND at > '2026-02'"
    told = [event for case_id, event in far.rows("cases", events) if case_id in cases]
    assert (told.count("CASE_CANCELLED"), told.count("CASE_REINSTATED")) == (4, 4)
    far.quash("ledger", "verify", code=0)


def test_what_is_there_is_listed_as_it_is_where_it_is(far: Far) -> None:
    for name, table in (("cases", "cases"), ("schedules", "schedule")):
        page = far.quash("list", name, "--limit", "100")
        there = dict(far.rows(name, f"SELECT id, status FROM {table}"))
        assert (len(page["items"]), page["total"]) == (100, 200)
        assert {one["id"]: there[one["id"]] for one in page["items"]} == {
            one["id"]: one["status"] for one in page["items"]
        }


def test_two_runs_at_a_rate_send_no_more_of_them_in_any_second_than_it_says(far: Far) -> None:
    """By the far side's own record of when each cancellation was asked for; the near side's processes are real."""
    config = far.config.read_text(encoding="utf-8")
    far.config.write_text(config.replace("[profiles.far.cases]", '[profiles.far.cases]\nrate = "3/second"'), "utf-8")
    cases = far.ids("cases", "SELECT id FROM cases WHERE status = 'pending' AND hold = '' ORDER BY id LIMIT 10")
    words = ("--reason", "duplicate order", "--yes", "--expect-count", "5")
    first = far.quash("cancel", "cases", *cases[:5], *words, "--detach")["run"]
    second = far.quash("cancel", "cases", *cases[5:], *words)["run"]
    first = far.quash("runs", "resume", first["id"])["run"]
    assert [run["counts"]["cancelled"] for run in (first, second)] == [5, 5]
    asked = "SELECT case_id, at FROM audit WHERE event = 'CASE_CANCELLATION_REQUESTED' AND at > '2026-02' ORDER BY at"
    times = [moments.read(at) for case_id, at in far.rows("cases", asked) if case_id in cases]
    assert len(times) == 10
    assert all(late - early >= timedelta(seconds=1) for early, late in zip(times, times[3:], strict=False))
