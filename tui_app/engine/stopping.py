"""Stopping a run: what was not sent is skipped, which needs no system, no token and nobody's chunk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock
from tui_app.domain.records import RunRecord
from tui_app.domain.stores import WorkStore

AT_ONCE = 1_000
"""Items that are skipped in one transaction: some tens of milliseconds, for which a worker may have to wait."""


async def skip_unsent(work: WorkStore, clock: Clock, run_id: str, facts: Mapping[str, Any]) -> None:
    """Skip all that is planned in a run whose stop was asked for. Whoever does it, and however many at once."""
    after: int | None = -1
    while after is not None:
        after = await work.skip(run_id, after, AT_ONCE, facts, stamp(clock.now()))


def ended(run: RunRecord, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the last entry of a run tells: who ended it, and how its items stand."""
    return {**facts, "outcomes": {state.value: number for state, number in run.states.items()}}
