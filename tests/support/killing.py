"""Where a runner is killed: a folder with all the systems, whose times go on from one process to the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.dying import ACCEPTING, POINTS, world_of
from support.invariants import assert_invariants
from support.mixed import everything, records
from support.records import Records
from support.world import MovableClock, World
from tui_app.domain.describe import Verb
from tui_app.domain.moments import stamp
from tui_app.domain.records import RunRecord
from tui_app.domain.run import ItemState, RunState, Verified

APART = timedelta(minutes=1)
"""From one process to the next: far less than a case can be brought back for, and far more than a process takes."""


@dataclass
class Site:
    """A run of one verb over one system (or all of them) that is killed and resumed. ``chunk`` is the size of each."""

    folder: Path
    names: tuple[str, ...]
    items: int
    chunk: int
    verb: Verb = Verb.CANCEL
    conninfo: str | None = None
    own: dict[str, Records] = field(default_factory=dict)
    moment: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.own = records(self.folder) | self.own

    @property
    def points(self) -> tuple[str, ...]:
        """Where a runner of this run can be killed."""
        accepting = "cases" in self.names and self.verb is Verb.CANCEL
        return (*POINTS, *ACCEPTING) if accepting else POINTS

    @property
    def done(self) -> ItemState:
        return ItemState.REINSTATED if self.verb is Verb.REINSTATE else ItemState.CANCELLED

    def world(self) -> World:
        """The world as the next process finds it."""
        self.moment += APART
        return world_of(self.folder, MovableClock(self.moment), self.chunk, self.conninfo)

    async def confirmed(self) -> str:
        """The run, confirmed and not begun."""
        world = self.world()
        plan = await world.plan(*everything(*self.names))
        run = await world.confirm(plan)
        if self.verb is Verb.REINSTATE:
            done = await world.worker().drive(run.id)
            assert done.states == {ItemState.CANCELLED: self.items}
            run = await world.confirm(await world.undo(run.id), key="undo")
        await world.close()
        return run.id

    def kill(self, run_id: str, point: str, nth: int, *, runner: str | None = None) -> None:
        """Drive the run in a process of its own that kills itself at a point."""
        self.moment += APART
        bus = ["--bus", self.conninfo] if self.conninfo else []
        broken = ["--runner", runner] if runner else []
        where = [str(self.folder), run_id, point, str(nth), stamp(self.moment), str(self.chunk), *bus, *broken]
        path = os.pathsep.join(sys.path)
        command = [sys.executable, "-m", "support.dying", *where]
        code = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, timeout=120).returncode
        assert code == -signal.SIGKILL, f"{point} was not reached for the {nth}th time"

    def effects(self, run_id: str) -> int:
        """How many items this run has changed, by the systems' own audits."""
        return sum(effect.run == run_id for one in self.own.values() for effect in one.effects())

    def taken(self) -> int:
        """How many the systems took up for anybody, done with them or not."""
        return sum(one.taken().total() for one in self.own.values())

    async def check(self) -> None:
        """Hold everything against the systems' own records, as it stands now."""
        world = self.world()
        await assert_invariants(world.store, *self.own.values())
        await world.close()

    async def resume(self, run_id: str) -> RunRecord:
        """Go on by the ordinary claim, to the end; all invariants hold then."""
        world = self.world()
        done = await world.worker("next").drive(run_id)
        await assert_invariants(world.store, *self.own.values())
        assert done.state is RunState.FINISHED
        assert done.verified == {Verified.YES: done.states[self.done]}
        await world.close()
        return done
