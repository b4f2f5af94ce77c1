"""A journal, an embedded command bus and a runner that tests drive step by step, in one folder.

What the bus did is read from its own file with a plain connection, never from our journal: ``support.records``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.records import CommandRecords
from tui_app.domain.clocks import Reading
from tui_app.domain.describe import Verb
from tui_app.domain.items import Selection
from tui_app.domain.plan import Options, PlanState
from tui_app.domain.ports import System
from tui_app.domain.records import PlanRecord, RunItem, RunRecord, Who
from tui_app.engine.planning import Planner
from tui_app.engine.steering import Steering
from tui_app.engine.worker import Worker
from tui_app.store.sqlite import SqliteStore, open_store
from tui_app.systems.commands.embedded import EmbeddedCommands
from tui_app.systems.commands.schema import prepare

TROUBLED = "IN_TROUBLESHOOTING_QUEUE"
WHO = Who("jane@example.com", "jane", "ops1", "local", "local")


class MovableClock:
    """A clock that goes forward a millisecond at each look, and further when told to."""

    def __init__(self, moment: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) -> None:
        self.moment = moment
        self._jumped = timedelta(0)
        self._starts = 1

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def steady(self) -> float:
        """Goes with it, but for its jumps."""
        return (self.moment - self._jumped).timestamp()

    def boot(self) -> str:
        return f"boot-{self._starts}"

    def read(self) -> Reading:
        return Reading.of(self)

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def jump(self, by: timedelta) -> None:
        """Somebody sets it, forward or back."""
        self.moment += by
        self._jumped += by

    def start_anew(self) -> None:
        """The host is started anew: the other clock begins somewhere else."""
        self._jumped -= timedelta(days=400)
        self._starts += 1


@dataclass
class NoLauncher:
    """Counts how often a runner was asked for; the test is the runner."""

    starts: int = 0
    working: bool = False

    def start(self) -> None:
        self.starts += 1

    def at_work(self) -> bool:
        return self.working


def fill(path: Path, number: int, **columns: Any) -> list[str]:
    """Put commands into troubleshooting, all at once; their ids."""
    connection = sqlite3.connect(path)
    prepare(connection)
    row = {
        "domain": "payments",
        "type": "DebitAccount",
        "queue": "payments__commands",
        "status": TROUBLED,
        "attempts": 3,
        "max_attempts": 3,
        "error_code": "INVALID_ACCOUNT",
        "error": "account is closed",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "reply_queue": "payments__replies",
        **columns,
    }
    start = connection.execute("SELECT count(*) FROM command").fetchone()[0]
    names = ", ".join((*row, "id", "command_id", "updated_at"))
    marks = ", ".join("?" * (len(row) + 3))
    ids = [f"{row['domain']}/c{start + offset:06}" for offset in range(number)]
    with connection:
        connection.execute("INSERT OR IGNORE INTO queue (name) VALUES ('payments__replies')")
        connection.executemany(
            f"INSERT INTO command ({names}) VALUES ({marks})",
            (
                (*row.values(), one, one.split("/", 1)[1], f"2026-01-02T00:00:{offset % 60:02}.{offset:06}Z")
                for offset, one in enumerate(ids)
            ),
        )
    connection.close()
    return ids


def copy_bus(path: Path, folder: Path) -> None:
    """The same command bus in another folder, as two hosts reach one system."""
    folder.mkdir()
    with closing(sqlite3.connect(path)) as here, closing(sqlite3.connect(folder / path.name)) as there:
        here.backup(there)


@dataclass
class World:
    """Everything a run needs, without a service and without a second process."""

    folder: Path
    store: SqliteStore
    systems: Mapping[str, System]
    clock: MovableClock
    launcher: NoLauncher
    planner: Planner
    steering: Steering
    waits: list[float] = field(default_factory=list)

    @property
    def records(self) -> CommandRecords:
        return CommandRecords(self.folder / "commands.db")

    async def plan(
        self, *selections: Selection, ttl: timedelta | None = None, who: Who = WHO, verb: Verb = Verb.CANCEL
    ) -> PlanRecord:
        """A plan, made."""
        plan = await self.planner.start(selections, verb, None, ttl, who)
        return await self.made(plan.id)

    async def undo(self, run_id: str, who: Who = WHO) -> PlanRecord:
        """A plan that takes back what a run cancelled, made as the service does it."""
        selections = await self.steering.undoable(run_id)
        plan = await self.planner.start(selections, Verb.REINSTATE, None, None, who, undoes=run_id)
        return await self.made(plan.id)

    async def made(self, plan_id: str) -> PlanRecord:
        await self.planner.idle()
        plan = await self.store.plans.get(plan_id)
        assert plan.state is not PlanState.BUILDING
        return plan

    async def confirm(
        self, plan: PlanRecord, *, key: str = "k1", options: Options | None = None, who: Who = WHO
    ) -> RunRecord:
        return await self.steering.confirm(
            plan.id,
            plan_hash=plan.hash or "",
            reason="duplicate request",
            options=options or Options(),
            phrase=None,
            expect_count=plan.totals["counts"]["items"],
            key=key,
            who=who,
        )

    def worker(self, name: str = "w1", who: Who = WHO, systems: Mapping[str, System] | None = None) -> Worker:
        async def wait(seconds: float) -> None:
            self.waits.append(seconds)
            self.clock.forward(seconds)

        return Worker(name, self.store, systems or self.systems, self.clock, who, wait)

    async def items(self, run_id: str) -> list[RunItem]:
        return await self.store.runs.items(run_id, limit=100_000)

    async def close(self) -> None:
        await self.planner.close()
        await self.store.close()
        for system in self.systems.values():
            await system.close()


def commands(*ids: str) -> Selection:
    """These commands."""
    return Selection("commands", ids=ids)


def make_world(folder: Path, systems: Mapping[str, System] | None = None, clock: MovableClock | None = None) -> World:
    """A world in a folder; opened again on the same folder it goes on. Without systems: an embedded command bus.

    Systems of one's own may share its clock.
    """
    clock, launcher = clock or MovableClock(), NoLauncher()
    store = open_store(folder / "journal.db")
    systems = systems or {"commands": EmbeddedCommands(folder / "commands.db", clock)}
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.forward(seconds)

    planner = Planner(store, systems, clock, wait)
    steering = Steering(store, systems, launcher, clock, environment="local", cap=None, read_only=False)
    return World(folder, store, systems, clock, launcher, planner, steering, waits)
