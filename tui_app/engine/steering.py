"""Confirming a plan, and steering its run: what an operator may do to work that is under way.

Nothing is executed here. A confirmed run is stored, and a runner is asked to look.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from tui_app.domain.describe import Verb
from tui_app.domain.errors import (
    Conflict,
    NeedsTakeover,
    NotAllowed,
    NotFound,
    PhraseDiffers,
    PlanChanged,
    TargetChanged,
)
from tui_app.domain.items import Selection
from tui_app.domain.ledger import Event
from tui_app.domain.moments import stamp
from tui_app.domain.plan import Confirmed, Options, PlanState, check_cap, check_count, check_expiry, check_phrase
from tui_app.domain.ports import Clock, System
from tui_app.domain.reasons import check_reason
from tui_app.domain.records import NewRun, Pause, PlanRecord, RunItem, RunRecord, Who
from tui_app.domain.run import EFFECTIVE, OVER, Errand, ItemState, Order, PauseCause, RunState
from tui_app.domain.stores import Launcher, Store
from tui_app.domain.verdict import FINAL
from tui_app.engine.binding import bearers, check_there, check_words, handed_on, identities, moved
from tui_app.engine.heads import Heads
from tui_app.engine.recall import made_by
from tui_app.engine.stopping import end, skip_unsent

PAGE = 500

FROZEN = "this journal cannot be written: it can be read, verified and exported, and nothing can be planned or run"

_NO_RETRY = "What was refused for good, such as a post that was published, is left out."
_NO_WINDOW = "Its systems have no undo, nothing was cancelled, or a later run has brought all of it back."


class Steering:
    """The operator's hand on plans and runs. ``environment``, ``cap`` and ``read_only`` are those of the profile.

    ``frozen``: the journal cannot be written. ``heads`` keeps the head of the ledger elsewhere when a run ends here.
    """

    def __init__(
        self,
        store: Store,
        systems: Mapping[str, System],
        launcher: Launcher,
        clock: Clock,
        *,
        environment: str,
        cap: int | None,
        read_only: bool,
        frozen: bool = False,
        heads: Heads | None = None,
    ) -> None:
        self._store = store
        self._systems = systems
        self._launcher = launcher
        self._clock = clock
        self._environment = environment
        self._cap = cap
        self._read_only = read_only
        self._frozen = frozen
        self._heads = heads

    async def confirm(
        self,
        plan_id: str,
        *,
        plan_hash: str,
        reason: str,
        options: Options,
        phrase: str | None,
        expect_count: int | None,
        key: str,
        who: Who,
    ) -> RunRecord:
        """Turn a plan into a run: the one commit point; durable when this returns. The same key gives the same run.

        Raises:
            NotAllowed: the profile is read-only.
            Conflict: the plan is not made yet, has been applied, or the key was used for something else.
            PlanChanged, PlanExpired, AboveCap, CountDiffers, PhraseDiffers, InvalidReason: as they say.
            TargetChanged: a system is not the one that was planned against.
        """
        self.check_writable()
        plan = await self._store.plans.get(plan_id)
        if plan.state is not PlanState.READY or plan.hash is None:
            raise Conflict(f"plan {plan_id} is {plan.state}", hint="Wait until it is made.")
        if plan_hash != plan.hash:
            raise PlanChanged(f"plan {plan_id} has the hash {plan.hash[:8]}, not {plan_hash[:8]}")
        reason = check_reason(reason, self._reason_room(plan))
        await check_words(self._systems, plan.head.targets, who.operator, reason)
        typed = self._check_confirmation(plan, phrase, expect_count)
        confirmed = Confirmed(plan_id, plan.hash, reason, options, typed)
        new = NewRun(
            id=f"r{secrets.token_hex(8)}",
            key=key,
            secret=secrets.token_bytes(32),
            confirmed=confirmed,
            principal=who.operator,
            created_at=stamp(self._clock.now()),
            bearers=await bearers(self._systems, plan.head.targets),
        )
        if await self._store.runs.known(key) is None:
            check_expiry(plan.head, self._clock.now())
            await self._check_targets(plan.head.targets)
            await self._pause_undone(plan.head.undoes, who)
        sizes = {name: system.chunk_size for name, system in self._systems.items()}
        run = await self._store.runs.confirm(new, sizes, who)
        self._launcher.start()
        return run

    async def _pause_undone(self, run_id: str | None, who: Who) -> None:
        """Pause the run that is about to be undone, if it is still going on: it would cancel what is brought back."""
        try:
            run = None if run_id is None else await self._store.runs.get(run_id)
        except NotFound:
            # The plan came as a file from another journal, and that run with it.
            return
        if run is None or run.wanted is RunState.STOPPED or run.state in (*OVER, RunState.PAUSED):
            return
        await self.pause(run.id, who)

    async def pause(self, run_id: str, who: Who) -> RunRecord:
        """Ask a run to pause after the chunk it is at; one that nobody works on is paused at once."""
        self.check_writable()
        run = await self._store.runs.ask_pause(run_id, self._facts(who))
        if run.state is RunState.PAUSED or self._launcher.at_work():
            return run
        return await self._store.runs.move(
            run_id, RunState.PAUSED, Event.PAUSED, self._facts(who), pause=Pause(PauseCause.OPERATOR)
        )

    async def stop(self, run_id: str, who: Who) -> RunRecord:
        """Stop a run for good: what was not sent is skipped before this returns, what is on its way is settled.

        The first needs no system. The second is a runner's work; where it cannot be done now the run pauses, and
        resuming settles it.

        Raises:
            NeedsTakeover: it belongs to another principal, in whose name it is settled.
        """
        self.check_writable()
        self._check_hands(await self._store.runs.get(run_id), who)
        facts = self._facts(who)
        await self._store.runs.ask_stop(run_id, facts)
        await skip_unsent(self._store.work, self._clock, run_id, facts)
        run = await self._store.runs.get(run_id)
        if run.state not in OVER and not run.unsettled and not self._launcher.at_work():
            return await end(self._store.runs, run, RunState.STOPPED, self._facts(who), self._heads)
        self._launcher.start()
        return run

    async def resume(self, run_id: str, who: Who, *, take_over: bool = False, accept_target: bool = False) -> RunRecord:
        """Go on with a run that was paused or interrupted; one that is over stays as it is.

        Raises:
            NeedsTakeover: its principal or one of its tokens is another one, and ``take_over`` was not said.
            NotSignedIn: nobody gives the token of one of its systems.
            TargetChanged: a system is another one, and ``accept_target`` was not said.
        """
        self.check_writable()
        run = await self._store.runs.get(run_id)
        if run.state in OVER:
            return run
        run = await self._accept(run, who, take_over=take_over, accept_target=accept_target)
        if run.wanted is RunState.PAUSED:
            run = await self._store.runs.ask_pause(run_id, self._facts(who), wanted=False)
        if run.state is RunState.PAUSED:
            run = await self._store.runs.move(run_id, RunState.QUEUED, Event.RESUMED, self._facts(who))
        self._launcher.start()
        return run

    async def refused(self, run_id: str) -> list[Selection]:
        """What a run could not cancel and might cancel now, as selections for a new plan with new keys.

        Raises:
            Conflict: the run is not over, or nothing was refused that may be different now.
        """
        run = await self._store.runs.get(run_id)
        if run.state not in OVER:
            raise Conflict(f"run {run_id} is {run.state}", hint="Wait until it is over, or stop it.")
        ids: dict[str, list[str]] = {}
        after = -1
        while page := await self._store.runs.items(run_id, after=after, limit=PAGE, state=ItemState.REFUSED):
            for one in page:
                if one.outcome is None or one.outcome.answer.code not in FINAL:
                    ids.setdefault(one.item.system, []).append(one.item.seen.id)
            after = page[-1].item.position
        if not ids:
            raise Conflict(f"run {run_id} has nothing that could be retried", hint=_NO_RETRY)
        check_there(self._systems, ids)
        return [Selection(system, ids=tuple(found)) for system, found in ids.items()]

    async def undoable(self, run_id: str) -> list[Selection]:
        """What a run cancelled and can still be brought back, as selections, the window that closes first in front.

        Raises:
            Conflict: the run is an undo itself, it cancelled nothing that can be undone, or every window has closed.
        """
        self.check_writable()
        run = await self._store.runs.get(run_id)
        if run.plan.verb is not Verb.CANCEL:
            raise Conflict(f"run {run_id} is an undo itself", hint="Plan a new cancellation.")
        if run.undo is None:
            raise Conflict(f"run {run_id} has nothing that can be brought back", hint=_NO_WINDOW)
        if run.undo.last_closes <= stamp(self._clock.now()):
            raise Conflict(f"the last window to undo run {run_id} closed at {run.undo.last_closes}", hint="")
        found: dict[str, list[tuple[str, str]]] = {}
        async for system, item_id, made in made_by(self._store.runs, run_id):
            found.setdefault(system, []).append((made.undo_until, item_id))
        check_there(self._systems, found)
        return [Selection(system, ids=tuple(id for _, id in sorted(windows))) for system, windows in found.items()]

    async def verify(self, run_id: str, who: Who) -> RunRecord:
        """Hold everything that was cancelled against the systems once more; reads only."""
        run = await self._store.runs.get(run_id)
        after = -1
        while page := await self._store.runs.items(run_id, after=after, limit=PAGE):
            by_system: dict[str, list[RunItem]] = {}
            for one in page:
                if one.state in EFFECTIVE:
                    by_system.setdefault(one.item.system, []).append(one)
            for system, items in by_system.items():
                await self._verify_page(run, system, items, who)
            after = page[-1].item.position
        return await self._store.runs.get(run_id)

    async def _verify_page(self, run: RunRecord, system: str, items: list[RunItem], who: Who) -> None:
        orders = [Order(one.item.seen.id, one.key or "", one.item.seen, one.sent_at) for one in items]
        errand = Errand(
            run_id=run.id,
            chunk=-1,
            verb=run.plan.verb,
            operator=run.principal,
            reason=run.confirmed.reason,
            options=run.confirmed.options,
            again=run.plan.again,
            intents=partial(self._store.work.intents, system),
        )
        check_there(self._systems, [system])
        found = await self._systems[system].verify(orders, errand)
        facts = self._facts(who, system=system, requested=True)
        positions = (one.item.position for one in items)
        await self._store.runs.note_verified(
            run.id, dict(zip(positions, found, strict=True)), facts, stamp(self._clock.now())
        )

    def check_writable(self) -> None:
        """Refuse where nothing may be cancelled, and so nothing planned for it.

        Raises:
            NotAllowed: the profile is read-only, or the journal cannot be written.
        """
        if self._frozen:
            raise NotAllowed(FROZEN, hint="Copy its folder to one that you may write to, and name that with --data.")
        if self._read_only:
            raise NotAllowed("this profile is read-only", hint="Use a profile without read_only = true.")

    def _reason_room(self, plan: PlanRecord) -> int:
        """What the system of this plan that needs most of a reason needs of it."""
        named = (self._systems[name] for name in plan.head.targets if name in self._systems)
        return max((system.description.reason_room for system in named), default=0)

    def _check_confirmation(self, plan: PlanRecord, phrase: str | None, expect_count: int | None) -> str:
        """The confirmation as it is recorded."""
        counts = plan.totals["counts"]
        check_cap(counts["cancellable"], self._cap)
        if expect_count is not None:
            check_count(expect_count, counts["items"], counts["cancellable"])
        if phrase is not None:
            check_phrase(phrase, counts["cancellable"], self._environment)
            return phrase
        if expect_count is None:
            raise PhraseDiffers("a run has to be confirmed", hint="Type the phrase, or give --yes --expect-count N.")
        return f"--yes --expect-count {expect_count}"

    async def _check_targets(self, targets: Mapping[str, str]) -> None:
        elsewhere = moved(targets, await identities(self._systems, targets))
        if elsewhere is not None:
            raise TargetChanged(elsewhere, hint="Make a new plan, or use the profile it was made with.")

    async def _accept(self, run: RunRecord, who: Who, *, take_over: bool, accept_target: bool) -> RunRecord:
        check_there(self._systems, run.targets)
        now, held = await identities(self._systems, run.targets), await bearers(self._systems, run.targets)
        elsewhere, other_token = moved(run.targets, now), handed_on(run, held)
        if not take_over:
            self._check_hands(run, who)
            if other_token is not None:
                raise NeedsTakeover(other_token)
        if elsewhere is not None and not accept_target:
            raise TargetChanged(f"run {run.id} was planned against another system than this profile points at")
        if run.principal == who.operator and elsewhere is None and other_token is None:
            return run
        return await self._store.runs.take_over(run.id, who.operator, now, held, self._facts(who))

    def _check_hands(self, run: RunRecord, who: Who) -> None:
        if run.principal != who.operator:
            raise NeedsTakeover(f"run {run.id} belongs to {run.principal}, and you are {who.operator}")

    def _facts(self, who: Who, **more: Any) -> dict[str, Any]:
        return {**asdict(who), "at": stamp(self._clock.now()), **more}
