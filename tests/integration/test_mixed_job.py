"""One plan over three systems with real processes, and a runner that does not live to see its end.

The runner is killed in the middle of each system and in the middle of the undo; whoever is left goes on with
`quash runs resume`. What happened is read from the systems' own files.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.mixed import fill_all, fill_cases, fill_schedules, records
from support.world import fill
from tui_app.domain.describe import Verb
from tui_app.store.sqlite import open_store

SIZES: Mapping[str, int] = {"schedules": 3_000, "commands": 3_000, "cases": 1_000}
"""Several chunks of each: a runner that is killed after the first is in the middle."""

PATIENCE = 60.0
MIDDLE = """
SELECT sum(state IN ('done', 'aside')), count(*), max(CASE WHEN state = 'claimed' THEN worker END)
FROM chunk WHERE run = (SELECT max(number) FROM run) AND system = ?
"""
"""Of the newest run: chunks of a system that the runner is through with, all of them, and who has one in hand."""

REASON = "campaign and queue of a faulty deploy"


@dataclass(frozen=True)
class Host:
    """A host with quash on it: its own processes, and the state that they share."""

    data: Path
    environment: Mapping[str, str]
    killed: list[int] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.data / "profiles" / "local"

    async def quash(self, *words: object) -> tuple[int, Any, str]:
        """Exit code, the JSON printed, and what was said beside it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tui_app",
            "--data",
            str(self.data),
            *(str(word) for word in words),
            env=dict(self.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        told = json.loads(out) if out.startswith(b"{") else out.decode()
        return process.returncode or 0, told, err.decode()

    def asked(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What stands in the journal."""
        with closing(sqlite3.connect(self.folder / "journal.db", timeout=30)) as journal:
            return journal.execute(query, values).fetchall()

    def kill_in_the_middle(self, system: str) -> None:
        """kill -9 of the runner of the newest run, once it is through with some chunks of a system and not with all."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            [(through, chunks, held)] = self.asked(MIDDLE, system)
            worker = None if held is None else int(held.rpartition(":")[2].partition("/")[0])
            if not through or worker is None or worker in self.killed:
                continue
            assert through < chunks, f"{system} were through before anybody could look"
            os.kill(worker, signal.SIGKILL)
            self.killed.append(worker)
            return
        raise AssertionError(f"no runner came to the middle of {system}")

    async def killed_on(self, system: str, *words: object) -> tuple[int, Any, str]:
        """What a command says that starts a runner, which is killed in the middle of a system."""
        watching = asyncio.create_task(asyncio.to_thread(self.kill_in_the_middle, system))
        told = await self.quash(*words, "--output", "json", "--detach")
        await watching
        return told


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path / "state", {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    made.folder.mkdir(parents=True, mode=0o700)
    fill_all(made.folder, 0)
    fill_schedules(made.folder / "schedules.db", SIZES["schedules"])
    fill(made.folder / "commands.db", SIZES["commands"])
    fill_cases(made.folder / "cases.db", SIZES["cases"])
    return made


def lines(host: Host) -> str:
    """Every item that is there, as a file of ids of several systems holds them."""
    tables = {"commands": "command", "cases": "cases", "schedules": "schedule"}
    found = []
    for one in records(host.folder).values():
        found += [f"{one.system}\t{item}" for (item,) in one.rows(f"SELECT id FROM {tables[one.system]}")]
    return "\n".join(found) + "\n"


@pytest.mark.slow
async def test_the_runner_is_killed_on_each_system_and_on_the_undo_and_somebody_goes_on(
    host: Host, tmp_path: Path
) -> None:
    total = sum(SIZES.values())
    ids = tmp_path / "ids.txt"
    ids.write_text(lines(host), encoding="utf-8")
    code, printed, said = await host.quash("plan", "all", "--ids", ids, "--output", "json")
    assert code == 0, said
    plan = printed["plan"]["id"]
    guards = ("--reason", REASON, "--yes", "--expect-count")
    code, printed, said = await host.killed_on("schedules", "apply", plan, *guards, total)
    assert code == 0, said
    run = printed["run"]["id"]
    order = [system for (system,) in host.asked("SELECT system FROM chunk GROUP BY system ORDER BY min(number)")]
    assert order[0] == "schedules"
    for system in order[1:]:
        code, _, said = await host.killed_on(system, "runs", "resume", run)
        assert code == 0, said
    code, printed, said = await host.quash("runs", "resume", run, "--output", "json")
    assert code == 0, said
    assert printed["run"]["counts"] == {
        "cancelled": total,
        "already_cancelled": 0,
        "refused": 0,
        "skipped": 0,
        "unknown": 0,
        "pending": 0,
    }
    assert printed["run"]["verified"]["yes"] == total
    for one in records(host.folder).values():
        assert len(one.cancelled()) == SIZES[one.system]

    code, printed, said = await host.killed_on("cases", "runs", "undo", run, *guards, SIZES["cases"])
    assert code == 0, said
    undo = printed["run"]["id"]
    code, printed, said = await host.quash("runs", "resume", undo, "--output", "json")
    assert code == 0, said
    assert len(set(host.killed)) == 4
    assert printed["run"]["counts"]["reinstated"] == printed["run"]["verified"]["yes"] == SIZES["cases"]
    assert records(host.folder)["cases"].cancelled() == set()

    code, _, said = await host.quash("ledger", "verify")
    assert code == 0, said
    store = open_store(host.folder / "journal.db")
    await assert_invariants(store, *records(host.folder).values())
    await store.close()
    done = {one.system: [effect.verb for effect in one.effects()] for one in records(host.folder).values()}
    assert done["commands"] == [Verb.CANCEL] * SIZES["commands"]
    assert done["schedules"] == [Verb.CANCEL] * SIZES["schedules"]
    assert sorted(done["cases"]) == sorted([Verb.CANCEL, Verb.REINSTATE] * SIZES["cases"])
