"""The one way to the backend: the operations of ``/v1`` as methods, grouped as their paths are.

Errors are those of ``tui_app.domain.errors``, whatever carries the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from tui_app.client.channel import LONG_PATIENCE, Channel
from tui_app.client.items import Items
from tui_app.contract import paths
from tui_app.contract.ledger import LedgerCheck, LedgerCheckRequest, LedgerPage
from tui_app.contract.models import SERVICE, About, CredentialModel
from tui_app.contract.plans import PlanItemsModel, PlanModel, PlanRequest, PlansModel
from tui_app.contract.runs import ResumeRequest, RunItemsModel, RunModel, RunRequest, RunsModel
from tui_app.domain.errors import Conflict, Unavailable
from tui_app.domain.moments import stamp
from tui_app.domain.plan import stricter
from tui_app.outbound.tokens import TokenSource

if TYPE_CHECKING:
    import httpx

POLL_SECONDS = 0.1
"""How often a plan in the making, or a run that is waited for, is read."""


RESUME = "Go on with it: `quash plans resume {plan}`, or `space` on it in Runs."
"""What to do with a plan that is interrupted."""


class Plans:
    """Plans: made in the service, where they go on being made when nobody waits."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def start(self, request: PlanRequest) -> PlanModel:
        """Begin to make a plan."""
        return await self._channel.post(PlanModel, paths.PLANS, request, reads=True)

    async def get(self, plan: str, *, arrived: bool = False) -> PlanModel:
        """A plan as it stands; with ``arrived``, how many items came since."""
        return await self._channel.get(PlanModel, paths.fill(paths.PLAN, plan=plan), {"arrived": arrived}, named=plan)

    async def finished(self, plan: PlanModel, progress: Callable[[PlanModel], None] | None = None) -> PlanModel:
        """Wait until a plan is made; ``progress`` is called with each state of it.

        Raises:
            Unavailable: it could not be made.
            Conflict: nobody makes it any more.
        """
        while plan.state == "building":
            if plan.interrupted:
                raise Conflict(
                    f"plan {plan.id} is not made to its end, and nobody goes on with it",
                    hint=RESUME.format(plan=plan.id),
                )
            if progress:
                progress(plan)
            await asyncio.sleep(POLL_SECONDS)
            plan = await self.get(plan.id)
        if plan.state == "failed":
            raise Unavailable(f"the plan could not be made: {plan.error}", hint="Nothing was sent; try again.")
        return plan

    async def resume(self, plan: str) -> PlanModel:
        """Go on with a plan that nobody makes any more, in the name of its maker."""
        return await self._channel.post(PlanModel, paths.fill(paths.PLAN_RESUME, plan=plan), reads=True)

    async def list(self) -> list[PlanModel]:
        """The plans of this journal that can be read, newest first."""
        return (await self.listed()).plans

    async def listed(self) -> PlansModel:
        """The plans of this journal, newest first, and the names of those that cannot be read."""
        return await self._channel.get(PlansModel, paths.PLANS)

    async def items(
        self, plan: str, *, after: int | None = None, limit: int = 100, code: str | None = None
    ) -> PlanItemsModel:
        """Frozen items in order; ``code`` keeps those blocked for it, or with ``OK`` those that can be cancelled."""
        query = {"after": after, "limit": limit, "code": code}
        return await self._channel.get(PlanItemsModel, paths.fill(paths.PLAN_ITEMS, plan=plan), query)

    async def check(self, plan: str, progress: Callable[[PlanModel], None] | None = None) -> PlanModel:
        """Read every item of a plan again, and wait for the report in ``drift``.

        Raises:
            Unavailable: it could not be read again.
        """
        checked = await self._channel.post(PlanModel, paths.fill(paths.PLAN_CHECK, plan=plan), reads=True)
        while checked.drift is not None and checked.drift.state == "running":
            if progress:
                progress(checked)
            await asyncio.sleep(POLL_SECONDS)
            checked = await self.get(plan)
        if checked.drift is not None and checked.drift.state == "failed":
            raise Unavailable(f"the plan could not be read again: {checked.drift.error}", hint="Nothing was sent.")
        return checked

    async def load(
        self,
        document: bytes,
        *,
        expected_hash: str | None = None,
        progress: Callable[[PlanModel], None] | None = None,
    ) -> PlanModel:
        """Bring a plan file, and wait until its items are read; without its hash only who made it here may.

        Raises:
            Unavailable: its items could not be read.
        """
        brought = await self._channel.upload(PlanModel, paths.PLAN_IMPORT, document, {"hash": expected_hash})
        return await self.finished(brought, progress)

    def file(self, plan: str) -> AsyncIterator[bytes]:
        """The plan as a file, in pieces."""
        return self._channel.stream(paths.fill(paths.PLAN_FILE, plan=plan))


class Runs:
    """Runs: watched and steered, never executed from here."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def list(self) -> list[RunModel]:
        """The runs of this journal that can be read, newest first."""
        return (await self.listed()).runs

    async def listed(self) -> RunsModel:
        """The runs of this journal, newest first, and the names of those that cannot be read."""
        return await self._channel.get(RunsModel, paths.RUNS)

    async def get(self, run: str) -> RunModel:
        """A run as it stands."""
        return await self._channel.get(RunModel, paths.fill(paths.RUN, run=run), named=run)

    async def items(
        self,
        run: str,
        *,
        after: int | None = None,
        limit: int = 100,
        state: str | None = None,
        verified: str | None = None,
    ) -> RunItemsModel:
        """Items of a run in order; ``state`` keeps one state, ``verified`` one result of their verification."""
        query = {"after": after, "limit": limit, "state": state, "verified": verified}
        return await self._channel.get(RunItemsModel, paths.fill(paths.RUN_ITEMS, run=run), query)

    async def pause(self, run: str) -> RunModel:
        """Ask a run to pause after the chunk it is at."""
        return await self._channel.post(RunModel, paths.fill(paths.RUN_PAUSE, run=run), named=run)

    async def resume(self, run: str, *, take_over: bool = False, accept_target: bool = False) -> RunModel:
        """Go on with a run, paused or interrupted."""
        accepted = ResumeRequest(take_over=take_over, accept_target=accept_target)
        return await self._channel.post(RunModel, paths.fill(paths.RUN_RESUME, run=run), accepted, named=run)

    async def stop(self, run: str) -> RunModel:
        """Stop a run for good: what was not sent is skipped."""
        return await self._channel.post(RunModel, paths.fill(paths.RUN_STOP, run=run), named=run)

    async def retry(self, run: str) -> PlanModel:
        """Begin a new plan over what this run could not cancel."""
        return await self._channel.post(PlanModel, paths.fill(paths.RUN_RETRY, run=run), reads=True)

    async def undo(self, run: str) -> PlanModel:
        """Begin a plan that brings back what this run cancelled; a run that goes on is paused when it is confirmed."""
        return await self._channel.post(PlanModel, paths.fill(paths.RUN_UNDO, run=run), reads=True)

    async def verify(self, run: str) -> RunModel:
        """Hold the cancelled items of a run against the system once more."""
        path = paths.fill(paths.RUN_VERIFY, run=run)
        return await self._channel.post(RunModel, path, reads=True, patience=LONG_PATIENCE)


class Ledger:
    """The ledger: who did what."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def page(
        self,
        *,
        run: str | None = None,
        operator: str | None = None,
        item: str | None = None,
        event: str | None = None,
        after: str | None = None,
        limit: int = 200,
        newest: bool = False,
    ) -> LedgerPage:
        """Lines in order, oldest first, or ``newest`` first."""
        query = {
            "run": run,
            "operator": operator,
            "item": item,
            "event": event,
            "after": after,
            "limit": limit,
            "newest": newest,
        }
        return await self._channel.get(LedgerPage, paths.LEDGER, query)

    async def check(self, anchors: Sequence[str] = ()) -> LedgerCheck:
        """Verify the whole journal; ``anchors`` are heads from elsewhere, each ``SEQ:HASH``."""
        asked = LedgerCheckRequest(anchors=list(anchors))
        return await self._channel.post(LedgerCheck, paths.LEDGER_CHECK, asked, reads=True, patience=LONG_PATIENCE)


class BackendClient:
    """The backend as one object; a process has one, and closes it at its end.

    On a socket it needs ``tokens``, or the one ``token`` that is at hand. ``origin`` names the other side in messages
    to the operator. ``environment`` is what the profile in use calls the service's, empty where it leaves that to it.
    """

    def __init__(
        self,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        *,
        token: str | None = None,
        tokens: TokenSource | None = None,
        origin: str = "the service",
        environment: str = "",
    ) -> None:
        self._environment = environment
        given = tokens if token is None else TokenSource.given(token)
        self._channel = Channel(base_url, transport, tokens=given, origin=origin)
        self.items = Items(self._channel)
        self.plans = Plans(self._channel)
        self.runs = Runs(self._channel)
        self.ledger = Ledger(self._channel)

    async def about(self, *, sign_in: bool = False) -> About:
        """Who we are, and what is there; with the end of the token of ours.

        With ``sign_in`` the tokens of the systems are at hand by then, so that it is known when they end.
        """
        said = await self._channel.get(About, paths.ABOUT, {"sign_in": sign_in})
        about = said.model_copy(update={"environment": stricter(self._environment, said.environment)})
        until = self._channel.signed_in_until
        if until is None:
            return about
        ours = CredentialModel(system=SERVICE, expires_at=stamp(until))
        return about.model_copy(update={"credentials": [*about.credentials, ours]})

    async def plan(self, request: PlanRequest, progress: Callable[[PlanModel], None] | None = None) -> PlanModel:
        """Freeze a selection, and wait until it is frozen.

        Raises:
            Unavailable: it could not be read; nothing was sent.
        """
        return await self.plans.finished(await self.plans.start(request), progress)

    async def run(self, plan: str, confirmed: RunRequest, key: str) -> RunModel:
        """Confirm a plan: the one commit point. The same ``key`` confirms it once, however often it is sent."""
        path = paths.fill(paths.PLAN_RUNS, plan=plan)
        return await self._channel.post(RunModel, path, confirmed, headers={paths.IDEMPOTENCY: key})

    async def close(self) -> None:
        """Close the connection; an embedded service is shut down."""
        await self._channel.close()
