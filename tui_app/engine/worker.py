"""Driving one run: from its first chunk to its end, or to a pause."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Any

from tui_app.domain.advice import gone
from tui_app.domain.clocks import Reading
from tui_app.domain.errors import (
    Busy,
    Conflict,
    Fault,
    NotAllowed,
    NotSignedIn,
    QuashError,
    RateLimited,
    Refused,
    Unavailable,
)
from tui_app.domain.ledger import Event
from tui_app.domain.moments import read, stamp, stretch
from tui_app.domain.ports import Clock, System
from tui_app.domain.rates import ASKED, Rate
from tui_app.domain.records import Claim, Pause, RunRecord, Who
from tui_app.domain.run import OVER, PauseCause, RunState
from tui_app.domain.stores import Store
from tui_app.engine.binding import bearers, handed_on, identities, moved
from tui_app.engine.calls import Doubts
from tui_app.engine.chunk import Bench, SystemTrouble, run_chunk
from tui_app.engine.clock_watch import ClockWatch
from tui_app.engine.containment import Caught, contained
from tui_app.engine.faults import Reports
from tui_app.engine.heads import Heads
from tui_app.engine.pacing import Pace, Reach
from tui_app.engine.recall import Recall
from tui_app.engine.silence import Silence
from tui_app.engine.stopping import end, skip_unsent

TRIES = 6
"""How often in a row a system may be unavailable before the run pauses by itself."""

FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0
"""Seconds; the wait doubles, with full jitter."""

LOOK = 1.0
"""Seconds after which whoever waits looks whether the operator wants something else."""

LIMITED = timedelta(seconds=60)
"""How long a system is left alone that limits us and does not say for how long."""

SHORTEST, LONGEST = timedelta(seconds=1), ASKED
"""What a system asks for is held to these."""

Wait = Callable[[float], Awaitable[None]]

_log = logging.getLogger("quash.runner")


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: its name, what it may use, and on whose behalf it acts.

    One that ``serves`` works for a service, which has checked who confirmed each run: it acts for that principal.
    ``rates`` are those of the profile, by system. ``heads`` keeps the head of the ledger elsewhere when a run ends.
    ``reports`` is where errors of ours are written down.
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
    reports: Reports = field(default_factory=Reports)
    _watches: dict[str, ClockWatch] = field(default_factory=dict)

    async def drive(self, run_id: str) -> RunRecord:
        """Work on a run until it is over or paused; an error of the journal or of ours pauses it and says why.

        Raises:
            Fault: the run could not even be paused; it stays as it is, and the report is in its details.
        """
        failures = 0
        while True:
            driven = await contained(self._drive(run_id))
            if not isinstance(driven, Caught):
                return driven
            error = driven.error
            if not isinstance(error, Busy):
                failures += 1
            paused = await contained(self._after(run_id, error, failures))
            if not isinstance(paused, Caught):
                if paused is not None:
                    return paused
            elif failures >= TRIES:
                report = self.reports.note(error)
                _log.error("run %s: left as it is: %s (report %s)", run_id, _words(error), report)
                raise Fault(f"run {run_id} could not go on: {_words(error)}", id=report) from error
            await self.wait(random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**failures)))  # noqa: S311

    async def _after(self, run_id: str, error: Exception, failures: int) -> RunRecord | None:
        """What becomes of a run that an error ended: it is paused, or none where it is to be driven again."""
        if isinstance(error, Busy):
            _log.warning("run %s waits: %s", run_id, error.message)
            return None
        if isinstance(error, Conflict) and failures < TRIES:
            # Somebody else changed it meanwhile: it is looked at again.
            _log.warning("run %s: %s", run_id, error.message)
            return None
        run = await self.store.runs.get(run_id)
        if run.state in OVER or run.state is RunState.PAUSED:
            return run
        report = self.reports.note(error)
        _log.error("run %s is paused: %s (report %s)", run_id, _words(error), report)
        told = f"{_words(error)} (report {report} in faults.log)"
        return await self._pause(run, PauseCause.FAULT, told)

    async def _drive(self, run_id: str) -> RunRecord:
        # Of its own: a chunk that an error left claimed is claimed again by whoever drives the run next.
        name = f"{self.name}/{secrets.token_hex(4)}"
        run = await self.store.runs.get(run_id)
        watch = self._watches.setdefault(run_id, ClockWatch(self.store.work, self.clock, run))
        if run.state not in OVER and run.state is not RunState.PAUSED:
            await watch.look()
        run = await self._start(run)
        failures, reach, recall, doubts = 0, Reach(), Recall(self.store.runs, run.plan), Doubts()
        silence = Silence(self.store.work, self.clock, run_id)
        while run.state is RunState.RUNNING:
            await watch.look()
            if run.wanted is RunState.PAUSED:
                return await self._pause(run, PauseCause.OPERATOR, None)
            if run.wanted is RunState.STOPPED:
                run = await self._skip_unsent(run)
                if not run.unsettled:
                    return await self._end(run)
            claim = await self.store.work.claim(run_id, name, Reading.of(self.clock))
            if claim is None:
                run = await self._end_or_wait(run)
                continue
            if claim.system not in self.systems:
                await self.store.work.release(claim)
                return await self._pause(run, PauseCause.TARGET, gone([claim.system]))
            bench = self._bench(run, claim, recall, doubts)
            async with silence.watched(claim.system, bench.system):
                problem = await self._work_on(bench, run, claim, reach)
            if isinstance(problem, RateLimited):
                await self.store.work.close_gate(claim.system, self.clock.now() + asked_for(problem))
                await self.store.work.release(claim)
            elif problem is not None:
                failures += 1
                await self.store.work.release(claim, failed=True)
                paused = await self._wait_or_pause(problem, run, failures)
                if paused is not None:
                    return paused
            elif bench.turn.asked:
                # A turn in which nothing was asked says nothing about the system.
                failures = 0
            run = await self.store.runs.get(run_id)
        return run

    def _bench(self, run: RunRecord, claim: Claim, recall: Recall, doubts: Doubts) -> Bench:
        system, facts = self.systems[claim.system], self._facts(run)
        return Bench(self.store.work, system, recall, self.clock, facts, self.reports, doubts)

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

    async def _work_on(self, bench: Bench, run: RunRecord, claim: Claim, reach: Reach) -> QuashError | None:
        """Why a chunk did not come to its end, where the system is the reason.

        Raises:
            Exception: of the journal, or of ours.
        """
        try:
            if run.wanted is RunState.STOPPED:
                await run_chunk(bench, run, claim, stopping=True)
                return None
            pace = Pace(self.store.work, self.clock, self.rates)
            async with pace.turn(reach.part(claim), lambda: bench.turn.used) as part:
                reach.note(claim.system, await run_chunk(bench, run, part))
        except SystemTrouble as trouble:
            _log.info("run %s, chunk %d, %s: %s", run.id, claim.chunk, claim.system, trouble.error.message)
            return trouble.error
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
            **self._clock_facts(run),
        }

    def _clock_facts(self, run: RunRecord) -> dict[str, Any]:
        """What the ledger is told of a clock that was set while this run was under way."""
        watch = self._watches.get(run.id)
        return {} if watch is None or watch.noted is None else {"clock": watch.noted}


def _words(error: Exception) -> str:
    """What an error says: the sentence of one of ours, else that quash broke, and at what."""
    return error.message if isinstance(error, QuashError) else f"an error in quash: {type(error).__name__}"


def asked_for(limited: RateLimited) -> timedelta:
    """For how long a system wants to be left alone, within reason."""
    if limited.retry_after is None:
        return LIMITED
    return min(max(stretch(limited.retry_after), SHORTEST), LONGEST)
