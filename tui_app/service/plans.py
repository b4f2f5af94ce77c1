"""Plans: begun and resumed here, made by the engine, read as they grow, checked for drift, and confirmed into runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from pydantic import Field

from tui_app.contract import paths
from tui_app.contract.models import MOST_IDS
from tui_app.contract.plans import PlanItemsModel, PlanModel, PlanRequest, PlansModel, SelectionModel, WaitingModel
from tui_app.contract.principal import OPERATE
from tui_app.contract.runs import RunModel, RunRequest
from tui_app.domain.describe import Verb
from tui_app.domain.errors import RateLimited, UsageProblem
from tui_app.domain.filters import LONGEST_FILTER, parse
from tui_app.domain.items import PAGE_LIMIT, Selection
from tui_app.domain.legible import readable
from tui_app.domain.plan import Options
from tui_app.domain.records import PlanRecord
from tui_app.domain.verdict import VerdictCode
from tui_app.engine import planfile
from tui_app.service.backend import Backend
from tui_app.service.items import UNREACHABLE, moment
from tui_app.service.table import FILE, IDS, Call, NoQuery, Query, Route, Stream
from tui_app.service.words import plan_item_model, plan_model, run_model

OPERATORS_PLANS, VIEWERS_PLANS = 8, 2
"""Plans of one principal that are made or read again at a time: of one with the permission ``operate``, of another."""

NEWEST = 100
"""How many plans or runs a list holds."""

BLOCKED_OR_OK = Literal["OK"] | VerdictCode


class PlanQuery(Query):
    """Whether to count what came since."""

    arrived: bool = False


class PlanItemsQuery(Query):
    """Which items of a plan: beyond a position, and all, or those blocked for a code, or with ``OK`` the others."""

    after: int = Field(default=-1, ge=-1, lt=2**63)
    limit: int = Field(default=100, ge=1, le=PAGE_LIMIT)
    code: BLOCKED_OR_OK | None = None


class ImportQuery(Query):
    """The hash of the plan that was reviewed, whole or its first digits."""

    hash: str | None = Field(default=None, min_length=8, max_length=64, pattern="^[0-9a-fA-F]+$")


def told(backend: Backend, plan: PlanRecord, arrived: int | None = None) -> PlanModel:
    """A plan as it is answered."""
    systems = [backend.systems[name] for name in plan.head.targets if name in backend.systems]
    planner = backend.planner
    waiting = planner.waiting(plan)
    lives = {
        "interrupted": planner.interrupted(plan),
        "missing": [name for name in plan.head.targets if name not in backend.systems],
        "waiting": None if waiting is None else WaitingModel.of(waiting),
    }
    return plan_model(plan, systems, backend.facts, arrived).model_copy(update=lives)


def _selection(given: SelectionModel) -> Selection:
    return Selection(
        system=given.system,
        ids=None if given.ids is None else tuple(given.ids),
        filter=None if given.filter is None else parse(given.filter),
        as_of=moment(given.as_of),
        excluded=frozenset(given.excluded),
    )


def _selections(wanted: Sequence[SelectionModel]) -> list[Selection]:
    """What is selected, as long as all of it together is not more than a plan takes.

    Raises:
        UsageProblem: it is.
    """
    ids = sum(len(one.ids or ()) + len(one.excluded) for one in wanted)
    characters = sum(len(one.filter or "") for one in wanted)
    if ids > MOST_IDS or characters > LONGEST_FILTER:
        raise UsageProblem(
            f"selections: together they have at most {MOST_IDS:,} ids and filters of {LONGEST_FILTER:,} characters",
            hint="Select by a filter, or split the work into several plans.",
            fields=["selections"],
        )
    return [_selection(one) for one in wanted]


def check_room(call: Call[Any, Any]) -> None:
    """Refuse to begin one more plan, or to read one again, while many of this principal are under way.

    Raises:
        RateLimited: saying how many are.
    """
    principal = call.principal
    most = OPERATORS_PLANS if principal.may(OPERATE) else VIEWERS_PLANS
    if not principal.unlimited and call.backend.planner.under_way(principal.name) >= most:
        raise RateLimited(
            f"{most} plans of {principal.name} are being made or read again, and no more at a time",
            hint="Wait until one of them is done.",
            retry_after=1,
        )


async def start(call: Call[NoQuery, PlanRequest]) -> PlanModel:
    """Begin to make a plan."""
    call.backend.steering.check_writable()
    check_room(call)
    wanted = call.body
    ttl = None if wanted.ttl is None else timedelta(seconds=wanted.ttl)
    selections = await asyncio.to_thread(_selections, wanted.selections)
    plan = await call.backend.planner.start(
        selections, Verb(wanted.verb), wanted.reason, ttl, call.who, again=wanted.again
    )
    return told(call.backend, plan)


async def newest(call: Call[NoQuery, None]) -> PlansModel:
    """The plans of this journal."""
    unreadable: list[str] = []
    plans = await call.backend.store.plans.newest(NEWEST, unreadable)
    return PlansModel(plans=readable(plans, partial(told, call.backend), unreadable), unreadable=unreadable)


async def get(call: Call[PlanQuery, None]) -> PlanModel:
    """A plan as it stands."""
    plan = await call.backend.store.plans.get(call.parts["plan"])
    return told(call.backend, plan, await call.backend.planner.arrived(plan) if call.query.arrived else None)


async def resume(call: Call[NoQuery, None]) -> PlanModel:
    """Go on with a plan that nobody makes any more."""
    call.backend.steering.check_writable()
    check_room(call)
    return told(call.backend, await call.backend.planner.resume(call.parts["plan"], call.who))


async def items(call: Call[PlanItemsQuery, None]) -> PlanItemsModel:
    """Frozen items in order."""
    asked, plans = call.query, call.backend.store.plans
    plan = await plans.get(call.parts["plan"])
    rows = await plans.items(plan.id, after=asked.after, limit=asked.limit + 1, code=asked.code)
    shown = rows[: asked.limit]
    more = shown[-1].position if len(rows) > asked.limit else None
    return PlanItemsModel(items=[plan_item_model(row) for row in shown], next=more)


async def file(call: Call[NoQuery, None]) -> Stream:
    """The plan as a file, line by line."""
    return Stream(planfile.write(call.backend.store, call.parts["plan"]))


async def check(call: Call[NoQuery, None]) -> PlanModel:
    """Begin to read every item of a plan again, which notes on the plan what moved.

    Whoever made it may do that with it; with the plan of somebody else it takes the permission to change something.
    """
    plan = await call.backend.store.plans.get(call.parts["plan"])
    if plan.maker is None or plan.maker.operator != call.principal.name:
        await call.backend.permit(call.principal, OPERATE, "Read a plan of somebody else again")
    check_room(call)
    return told(call.backend, await call.backend.planner.check(call.parts["plan"], call.who))


async def load(call: Call[ImportQuery, bytes]) -> PlanModel:
    """Bring a plan file."""
    backend = call.backend
    backend.steering.check_writable()
    check_room(call)
    now = backend.clock.now()
    plan = await planfile.load(backend.store, call.body, call.query.hash, call.who, backend.systems, now)
    return told(backend, await backend.planner.bring(plan, call.who))


async def confirm(call: Call[NoQuery, RunRequest]) -> RunModel:
    """Confirm a plan: the one commit point. The same key and the same confirmation give the same run."""
    wanted = call.body
    run = await call.backend.steering.confirm(
        call.parts["plan"],
        plan_hash=wanted.hash,
        reason=wanted.reason,
        options=Options(wanted.options.notify_stakeholders, wanted.options.accept_drift),
        phrase=wanted.phrase,
        expect_count=wanted.expect_count,
        key=call.key,
        who=call.who,
    )
    return run_model(run, at_work=call.backend.launcher.at_work())


STORED = ("LEDGER_BROKEN", *UNREACHABLE)
"""What a route can answer that reads a system for a plan or a run of the journal."""

JOURNAL = ("UNAVAILABLE", "CANNOT_CONNECT", "BUSY", "STORAGE_FULL", "LEDGER_BROKEN")
ONE_PLAN = ("NOT_FOUND", *JOURNAL)

ROUTES = (
    Route("POST", paths.PLANS, "plan", "Begin to make a plan", start, PlanModel, 202, body=PlanRequest, largest=IDS,
          errors=("FORBIDDEN", "MALFORMED_ID", "MALFORMED_FILTER", "INVALID_REASON", *STORED)),
    Route("GET", paths.PLANS, "plans", "Plans, newest first", newest, PlansModel, errors=JOURNAL),
    Route("POST", paths.PLAN_IMPORT, "plan_import", "Bring a plan file", load, PlanModel, 201, query=ImportQuery,
          body=bytes, media=paths.JSON_LINES, largest=FILE, needs=OPERATE,
          errors=("PLAN_CHANGED", "TARGET_CHANGED", "MALFORMED_ID", "INVALID_REASON", "CONFLICT", *STORED)),
    Route("GET", paths.PLAN, "plan_state", "A plan as it stands", get, PlanModel, query=PlanQuery,
          errors=("NOT_FOUND", *STORED)),
    Route("GET", paths.PLAN_ITEMS, "plan_items", "Frozen items in order", items, PlanItemsModel,
          query=PlanItemsQuery, errors=ONE_PLAN),
    Route("GET", paths.PLAN_FILE, "plan_file", "The plan as a file", file, paths.JSON_LINES,
          errors=("CONFLICT", *ONE_PLAN)),
    Route("POST", paths.PLAN_CHECK, "plan_check", "Read every item of a plan again", check, PlanModel, 202,
          errors=("FORBIDDEN", "CONFLICT", *ONE_PLAN)),
    Route("POST", paths.PLAN_RESUME, "plan_resume", "Go on with a plan that nobody makes any more", resume, PlanModel,
          202, needs=OPERATE, errors=ONE_PLAN),
    Route("POST", paths.PLAN_RUNS, "confirm", "Confirm a plan: the one commit point", confirm, RunModel, 201,
          body=RunRequest, needs=OPERATE, keyed=True,
          errors=("INVALID_REASON", "CONFLICT", "PLAN_EXPIRED", "PLAN_CHANGED", "DRIFTED", "ABOVE_CAP",
                  "COUNT_DIFFERS", "PHRASE_DIFFERS", "TARGET_CHANGED", "NOT_FOUND", *STORED)),
)  # fmt: skip
