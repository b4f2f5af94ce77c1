"""Stopping a run: what was not sent is skipped, which needs no system, no token and nobody's chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tui_app.domain.ledger import Event
from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock
from tui_app.domain.records import RunRecord
from tui_app.domain.run import RunState
from tui_app.domain.stores import RunStore, WorkStore
from tui_app.engine.heads import Heads

AT_ONCE = 1_000
"""Items that are skipped in one transaction: some tens of milliseconds, for which a worker may have to wait."""


async def skip_unsent(work: WorkStore, clock: Clock, run_id: str, facts: Mapping[str, Any]) -> None:
    """Skip all that is planned in a run whose stop was asked for. Whoever does it, and however many at once."""
    after: int | None = -1
    while after is not None:
        after = await work.skip(run_id, after, AT_ONCE, facts, stamp(clock.now()))


async def end(
    runs: RunStore, run: RunRecord, state: RunState, facts: Mapping[str, Any], heads: Heads | None
) -> RunRecord:
    """End a run, with an entry that tells who ended it and how its items stand, and keep the ledger's head elsewhere.

    Raises:
        Conflict: it cannot come to this state.
    """
    told = {**facts, "outcomes": {one.value: number for one, number in run.states.items()}}
    event = Event.STOPPED if state is RunState.STOPPED else Event.FINISHED
    done = await runs.move(run.id, state, event, told)
    if heads is not None:
        await asyncio.to_thread(heads.keep, done)
    return done
