"""Runs: watched and steered. Executing them is the runner's business."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from pydantic import Field

from tui_app.contract import paths
from tui_app.contract.plans import PlanModel
from tui_app.contract.principal import OPERATE
from tui_app.contract.runs import ResumeRequest, RunItemsModel, RunModel, RunsModel
from tui_app.domain.describe import Verb
from tui_app.domain.items import PAGE_LIMIT
from tui_app.domain.legible import readable
from tui_app.domain.records import RunRecord
from tui_app.domain.run import ItemState, Verified
from tui_app.service.backend import Backend
from tui_app.service.plans import JOURNAL, NEWEST, STORED, check_room, told
from tui_app.service.table import Call, NoQuery, Query, Route
from tui_app.service.words import run_item_model, run_model


class RunItemsQuery(Query):
    """Which items of a run: beyond a position, and all, or those in one state, or verified with one result."""

    after: int = Field(default=-1, ge=-1, lt=2**63)
    limit: int = Field(default=100, ge=1, le=PAGE_LIMIT)
    state: ItemState | None = None
    verified: Verified | None = None


def _told(backend: Backend, run: RunRecord) -> RunModel:
    missing = [name for name in run.targets if name not in backend.systems]
    return run_model(run, at_work=backend.launcher.at_work()).model_copy(update={"missing": missing})


async def newest(call: Call[NoQuery, None]) -> RunsModel:
    """The runs of this journal."""
    unreadable: list[str] = []
    runs = await call.backend.store.runs.newest(NEWEST, unreadable)
    told_runs = readable(runs, partial(_told, call.backend), unreadable)
    return RunsModel(runs=told_runs, unreadable=unreadable)


async def get(call: Call[NoQuery, None]) -> RunModel:
    """A run as it stands."""
    store = call.backend.store
    run = _told(call.backend, await store.runs.get(call.parts["run"]))
    return run if run.over else run.model_copy(update={"held": await store.held()})


async def items(call: Call[RunItemsQuery, None]) -> RunItemsModel:
    """Items of a run in the order of its plan."""
    asked, runs = call.query, call.backend.store.runs
    run = await runs.get(call.parts["run"])
    rows = await runs.items(
        run.id, after=asked.after, limit=asked.limit + 1, state=asked.state, verified=asked.verified
    )
    shown = rows[: asked.limit]
    more = shown[-1].item.position if len(rows) > asked.limit else None
    return RunItemsModel(items=[run_item_model(row) for row in shown], next=more)


async def pause(call: Call[NoQuery, None]) -> RunModel:
    """Ask a run to pause."""
    return _told(call.backend, await call.backend.steering.pause(call.parts["run"], call.who))


async def resume(call: Call[NoQuery, ResumeRequest]) -> RunModel:
    """Go on with a run."""
    run = await call.backend.steering.resume(
        call.parts["run"], call.who, take_over=call.body.take_over, accept_target=call.body.accept_target
    )
    return _told(call.backend, run)


async def stop(call: Call[NoQuery, None]) -> RunModel:
    """Stop a run for good."""
    return _told(call.backend, await call.backend.steering.stop(call.parts["run"], call.who))


async def retry(call: Call[NoQuery, None]) -> PlanModel:
    """Begin a new plan over what a run could not cancel."""
    backend = call.backend
    backend.steering.check_writable()
    check_room(call)
    run = await backend.store.runs.get(call.parts["run"])
    selections = await backend.steering.refused(run.id)
    plan = await backend.planner.start(selections, run.plan.verb, run.confirmed.reason, None, call.who)
    return told(backend, plan)


async def undo(call: Call[NoQuery, None]) -> PlanModel:
    """Begin a plan that brings back what a run cancelled."""
    backend, run_id = call.backend, call.parts["run"]
    check_room(call)
    selections = await backend.steering.undoable(run_id)
    plan = await backend.planner.start(selections, Verb.REINSTATE, None, None, call.who, undoes=run_id)
    return told(backend, plan)


async def verify(call: Call[NoQuery, None]) -> RunModel:
    """Hold what a run cancelled against the system once more."""
    return _told(call.backend, await call.backend.steering.verify(call.parts["run"], call.who))


ONE_RUN = ("NOT_FOUND", *JOURNAL)


def _steer(path: str, name: str, summary: str, handle: Callable[[Call[NoQuery, None]], Awaitable[RunModel]]) -> Route:
    errors = ("CONFLICT", "NOT_FOUND", *STORED)
    return Route("POST", path, name, summary, handle, RunModel, needs=OPERATE, errors=errors)


ROUTES = (
    Route("GET", paths.RUNS, "runs", "Runs, newest first", newest, RunsModel, errors=JOURNAL),
    Route("GET", paths.RUN, "run", "A run as it stands", get, RunModel, errors=ONE_RUN),
    Route("GET", paths.RUN_ITEMS, "run_items", "Items of a run in order", items, RunItemsModel,
          query=RunItemsQuery, errors=ONE_RUN),
    _steer(paths.RUN_PAUSE, "pause", "Ask a run to pause", pause),
    Route("POST", paths.RUN_RESUME, "resume", "Go on with a run", resume, RunModel, body=ResumeRequest,
          needs=OPERATE,
          errors=("CONFLICT", "NOT_FOUND", "NEEDS_TAKEOVER", "TARGET_CHANGED", *STORED)),
    _steer(paths.RUN_STOP, "stop", "Stop a run for good", stop),
    Route("POST", paths.RUN_RETRY, "retry", "A new plan over what a run could not cancel", retry, PlanModel, 202,
          needs=OPERATE, errors=("CONFLICT", "NOT_FOUND", *STORED)),
    Route("POST", paths.RUN_UNDO, "undo", "A plan that brings back what a run cancelled", undo, PlanModel, 202,
          needs=OPERATE, errors=("CONFLICT", "NOT_FOUND", *STORED)),
    _steer(paths.RUN_VERIFY, "verify", "Verify the cancelled items of a run once more", verify),
)  # fmt: skip
