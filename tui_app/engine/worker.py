"""Driving one run: from its first chunk to its end, or to a pause."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from tui_app.domain.errors import (
    Conflict,
    NotAllowed,
    NotSignedIn,
    OutcomeUnknown,
    QuashError,
    RateLimited,
    Refused,
    StorageFull,
    Unavailable,
)
from tui_app.domain.ledger import Event
from tui_app.domain.moments import read, stamp, stretch
from tui_app.domain.ports import Clock, System
from tui_app.domain.rates import Rate
from tui_app.domain.records import Claim, Pause, RunRecord, Who
from tui_app.domain.run import OVER, PauseCause, RunState
from tui_app.domain.stores import Store
from tui_app.engine.binding import bearers, handed_on, identities, moved
from tui_app.engine.chunk import Bench, run_chunk
from tui_app.engine.heads import Heads
from tui_app.engine.pacing import Pace, Reach
from tui_app.engine.recall import Recall
from tui_app.engine.stopping import end, skip_unsent

TRIES = 6
"""How often in a row a system may be unavailable before the run pauses by itself."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0
"""Seconds; the wait doubles, with full jitter."""

LOOK = 1.0
"""Seconds after which whoever waits looks whether the operator wants something else."""

LIMITED = timedelta(seconds=60)
"""How long a system is left alone that limits us and does not say for how long."""

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(minutes=15)
"""What a system asks for is held to these."""

Wait = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: its name, what it may use, and on whose behalf it acts.

    One that ``serves`` works for a service, which has checked who confirmed each run: it acts for that principal.
    ``rates`` are those of the profile, by system. ``heads`` keeps the head of the ledger elsewhere when a run ends.
    """

    name: str
    store: Store
    systems: Mapping[str, System]
    clock: Clock
    who: Who
    wait: Wait = asyncio.sleep
    serves: bool = False
    rates: Mapping[str, Rate] = field(default_factory=dict)
    heads: Heads | None = None

    async def drive(self, run_id: str) -> RunRecord:
        """Work on a run until it is over or paused.

        Raises:
            StorageFull: nothing more can be written down, so nothing more is sent; the run stays as it is.
            Conflict: another worker has it.
        """
        run = await self._start(await self.store.runs.get(run_id))
        failures, reach, recall = 0, Reach(), Recall(self.store.runs, run.plan)
        while run.state is RunState.RUNNING:
            if run.wanted is RunState.PAUSED:
                return await self._pause(run, PauseCause.OPERATOR, None)
            if run.wanted is RunState.STOPPED:
                run = await self._skip_unsent(run)
                if not run.unsettled:
                    return await self._end(run)
            claim = await self.store.work.claim(run_id, self.name, self.clock.now())
            if claim is None:
                run = await self._end_or_wait(run)
                continue
            problem = await self._work_on(run, claim, reach, recall)
            if isinstance(problem, RateLimited):
                await self.store.work.close_gate(claim.system, self.clock.now() + asked_for(problem))
                await self.store.work.release(claim)
            elif problem is not None:
                failures += 1
                await self.store.work.release(claim, failed=True)
                paused = await self._wait_or_pause(problem, run, failures)
                if paused is not None:
                    return paused
            else:
                failures = 0
            run = await self.store.runs.get(run_id)
        return run

    async def _start(self, run: RunRecord) -> RunRecord:
        if run.state in OVER or run.state is RunState.PAUSED:
            return run
        if run.principal != self._acting(run).operator:
            message = f"the run belongs to {run.principal}, and this runner acts for {self.who.operator}"
            return await self._pause(run, PauseCause.PRINCIPAL, message)
        if run.wanted is RunState.STOPPED:
            run = await self._skip_unsent(run)
            if not run.unsettled:
                return await self._end(run)
        kept = await self._keep_out(run)
        if kept is not None:
            return kept
        if run.state is RunState.QUEUED:
            return await self.store.runs.move(run.id, RunState.RUNNING, Event.STARTED, self._facts(run))
        return run

    async def _keep_out(self, run: RunRecord) -> RunRecord | None:
        """Pause a run whose systems or tokens are not those that it is bound to, or do not tell that they are."""
        failures = 0
        while True:
            try:
                message = moved(run.targets, await identities(self.systems, run.targets))
                if message is not None:
                    return await self._pause(run, PauseCause.TARGET, message)
                message = handed_on(run, await bearers(self.systems, run.targets))
                return None if message is None else await self._pause(run, PauseCause.PRINCIPAL, message)
            except (Unavailable, NotSignedIn) as problem:
                failures += 1
                paused = await self._wait_or_pause(problem, run, failures)
                if paused is not None:
                    return paused

    async def _skip_unsent(self, run: RunRecord) -> RunRecord:
        if not run.unsent:
            return run
        await skip_unsent(self.store.work, self.clock, run.id, self._facts(run))
        return await self.store.runs.get(run.id)

    async def _work_on(self, run: RunRecord, claim: Claim, reach: Reach, recall: Recall) -> QuashError | None:
        bench = Bench(self.store.work, self.systems[claim.system], recall, self.clock, self._facts(run))
        try:
            if run.wanted is RunState.STOPPED:
                await run_chunk(bench, run, claim, stopping=True)
                return None
            async with Pace(self.store.work, self.clock, self.rates).turn(reach.part(claim)) as part:
                reach.note(claim.system, await run_chunk(bench, run, part))
        except (StorageFull, Conflict):
            raise
        except (Unavailable, OutcomeUnknown, Refused) as problem:
            return problem
        return None

    async def _wait_or_pause(self, problem: QuashError, run: RunRecord, failures: int) -> RunRecord | None:
        """Wait and go on, or pause: when it is no passing trouble, or has not passed."""
        if isinstance(problem, NotSignedIn | NotAllowed):
            return await self._pause(run, PauseCause.CREDENTIALS, problem.message)
        if failures >= TRIES or isinstance(problem, Refused):
            return await self._pause(run, PauseCause.BREAKER, problem.message)
        asked = problem.retry_after if isinstance(problem, Unavailable) else None
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (failures - 1))
        await self.wait(asked if asked is not None else random.uniform(0, longest))  # noqa: S311
        return None

    async def _end_or_wait(self, run: RunRecord) -> RunRecord:
        due = await self.store.work.next_due(run.id, self.clock.now())
        if due is not None:
            left = (read(due) - self.clock.now()).total_seconds()
            # In short steps: an operator who asks for a pause is not to wait for a limit.
            await self.wait(min(max(0.0, left), LOOK))
            return await self.store.runs.get(run.id)
        # A stop may have ended the last chunks since the run was read.
        return await self._end(await self.store.runs.get(run.id))

    async def _end(self, run: RunRecord) -> RunRecord:
        stopped = run.wanted is RunState.STOPPED
        state = RunState.STOPPED if stopped else RunState.FINISHED
        return await end(self.store.runs, run, state, self._facts(run), self.heads)

    async def _pause(self, run: RunRecord, cause: PauseCause, message: str | None) -> RunRecord:
        facts = {**self._facts(run), "cause": cause.value, "message": message}
        pause = Pause(cause, message)
        return await self.store.runs.move(run.id, RunState.PAUSED, Event.PAUSED, facts, pause=pause)

    def _acting(self, run: RunRecord) -> Who:
        return replace(self.who, operator=run.principal) if self.serves else self.who

    def _facts(self, run: RunRecord) -> dict[str, Any]:
        return {
            **asdict(self._acting(run)),
            "at": stamp(self.clock.now()),
            "plan_hash": run.confirmed.plan_hash,
            "worker": self.name,
        }


def asked_for(limited: RateLimited) -> timedelta:
    """For how long a system wants to be left alone, within reason."""
    if limited.retry_after is None:
        return LIMITED
    return min(max(stretch(limited.retry_after), SHORTEST), LONGEST)
