"""A service that answers with what it was given: for states that a real one is seldom in, and for pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from tui_app.client.backend import BackendClient
from tui_app.contract.ledger import LedgerCheck, LedgerLine, LedgerPage
from tui_app.contract.models import About, SystemModel, TrailModel, Wire
from tui_app.contract.plans import PlanItemModel, PlanItemsModel, PlanModel
from tui_app.contract.problems import MEDIA_TYPE, to_problem
from tui_app.contract.runs import OptionsModel, OutcomeLine, RunItemModel, RunItemsModel, RunModel, VerifiedModel
from tui_app.domain.errors import NotFound, QuashError

Answer = Wire | QuashError | dict[str, Any] | Callable[[httpx.Request], Any]

AT = "2026-01-02T03:04:05.000000Z"
HASH = "ab12cd34" * 8

COMMANDS = SystemModel(
    system="commands",
    title="Commands",
    one="command",
    many="commands",
    id_example="payments/abc-123",
    columns=[],
    default_sort="-updated_at",
    default_filter="status:IN_TROUBLESHOOTING_QUEUE",
    statuses=["IN_TROUBLESHOOTING_QUEUE", "CANCELED"],
    status_tones={},
    filterable=["status"],
    verbs=["cancel"],
    reason_templates=["Duplicate request", "Bad deploy"],
    reason_goes_to="the reply to the sender",
    lists=True,
)


def about(**facts: Any) -> About:
    known = {
        "version": "1",
        "profile": "local",
        "environment": "local",
        "operator": "jane@example.com",
        "host": "ops1",
        "read_only": False,
        "cap": None,
        "store": "SQLite",
        "systems": [COMMANDS],
    }
    return About(**{**known, **facts})


def plan(cancellable: int = 3, **facts: Any) -> PlanModel:
    blocked = sum(line["count"] for line in facts.get("blocked", ()))
    words = None if not cancellable else "yes" if cancellable <= 20 else str(cancellable)
    known = {
        "id": "p1",
        "state": "ready",
        "verb": "cancel",
        "hash": HASH,
        "counts": {"items": cancellable + blocked, "cancellable": cancellable, "blocked": blocked},
        "read": cancellable + blocked,
        "phrase": words,
        "selection": "commands: status:IN_TROUBLESHOOTING_QUEUE",
        "operator": "jane@example.com",
        "host": "ops1",
        "created_at": AT,
        "expires_at": "2026-01-02T03:34:05.000000Z",
        "targets": {"commands": "sqlite:1"},
        "arrived": 0,
        "impact": [
            {"code": "REPLY", "text": f"{cancellable:,} replies to payments__replies", "count": cancellable},
            {
                "code": "LAST",
                "text": f"{cancellable:,} cancelled commands cannot be brought back",
                "irreversible": True,
            },
        ],
        "irreversible": True,
    }
    return PlanModel.model_validate({**known, **facts})


def run(*items: RunItemModel, **facts: Any) -> RunModel:
    """A run of these items; its numbers follow from them."""
    counts = dict.fromkeys(("cancelled", "already_cancelled", "refused", "skipped", "unknown", "pending"), 0)
    lines: dict[tuple[str, str | None], int] = {}
    for item in items:
        counts[item.state if item.state in counts else "pending"] += 1
        if item.state in counts:
            lines[item.state, item.code] = lines.get((item.state, item.code), 0) + 1
    verified = VerifiedModel(
        **{kind: sum(item.verified == kind for item in items) for kind in ("yes", "contradicted", "not_known")}
    )
    known = {
        "id": "r0123456789abcdef",
        "plan": "p1",
        "plan_hash": HASH,
        "verb": "cancel",
        "state": "running" if counts["pending"] else "finished",
        "counts": counts,
        "items": len(items),
        "verified": verified,
        "outcomes": [OutcomeLine(state=state, code=code, count=number) for (state, code), number in lines.items()],
        "operator": "jane@example.com",
        "reason": "Bad deploy",
        "options": OptionsModel(),
        "created_at": AT,
        "started_at": AT,
        "ended_at": None if counts["pending"] else "2026-01-02T03:04:25.000000Z",
        "attended": True,
    }
    return RunModel.model_validate({**known, **facts})


def item(position: int, state: str = "cancelled", **facts: Any) -> RunItemModel:
    known: dict[str, Any] = {
        "position": position,
        "system": "commands",
        "id": f"payments/c{position:06}",
        "state": state,
    }
    if state == "cancelled":
        known |= {"before": "IN_TROUBLESHOOTING_QUEUE", "after": "CANCELED", "verified": "yes"}
        known |= {"key": "fb30329b-e498-43de-bc6c-9cae0eabf19b", "sent_at": AT, "at": AT}
    return RunItemModel.model_validate({**known, **facts})


class Canned:
    """Answers by method and path; ``asked`` are the requests that came, in order."""

    def __init__(self, **facts: Any) -> None:
        self.answers: dict[tuple[str, str], Answer] = {
            ("GET", "/v1"): about(**facts),
            ("GET", "/v1/runs"): {"runs": []},
            ("GET", "/v1/plans"): {"plans": []},
            ("GET", "/v1/ledger"): LedgerPage(lines=[]),
        }
        self.asked: list[httpx.Request] = []

    def client(self, environment: str = "") -> BackendClient:
        return BackendClient("http://quash.invalid", httpx.MockTransport(self._answer), environment=environment)

    def paths(self, method: str = "POST") -> list[str]:
        return [request.url.path for request in self.asked if request.method == method]

    def plan(self, of: PlanModel, *blocked: PlanItemModel) -> None:
        """A plan and its items."""

        def items(request: httpx.Request) -> Wire:
            code = request.url.params.get("code")
            after = int(request.url.params.get("after", -1))
            limit = int(request.url.params["limit"])
            if code not in (None, "OK"):
                return PlanItemsModel(items=[one for one in blocked if one.code == code])
            numbers = range(after + 1, min(after + 1 + limit, of.counts.cancellable))
            rows = [_planned(number) for number in numbers]
            return PlanItemsModel(items=rows, next=rows[-1].position if len(rows) == limit else None)

        self.answers["POST", "/v1/plans"] = of
        self.answers["GET", "/v1/plans"] = {"plans": [of.model_dump()]}
        self.answers["GET", f"/v1/plans/{of.id}"] = of
        self.answers["POST", f"/v1/plans/{of.id}/check"] = of
        self.answers["GET", f"/v1/plans/{of.id}/items"] = items

    def run(self, of: RunModel, *items: RunItemModel, trail: list[TrailModel] | None = None) -> None:
        """A run and its items."""

        def rows(request: httpx.Request) -> Wire:
            state, after = request.url.params.get("state"), int(request.url.params.get("after", -1))
            limit, verified = int(request.url.params["limit"]), request.url.params.get("verified")
            those = [one for one in items if one.position > after and state in (None, one.state)]
            those = [one for one in those if verified in (None, one.verified)]
            return RunItemsModel(items=those[:limit], next=those[limit - 1].position if len(those) > limit else None)

        self.answers["GET", "/v1/runs"] = {"runs": [of.model_dump()]}
        self.answers["GET", f"/v1/runs/{of.id}"] = of
        targets = {one.system: "sqlite:1" for one in items} or {"commands": "sqlite:1"}
        self.answers.setdefault(("GET", f"/v1/plans/{of.plan}"), plan(id=of.plan, targets=targets))
        self.answers["GET", f"/v1/runs/{of.id}/items"] = rows
        for one in items:
            told = {"trail": [entry.model_dump() for entry in trail or ()]}
            self.answers["GET", f"/v1/systems/{one.system}/items/{one.id}/trail"] = told

    def ledger(self, *lines: LedgerLine, check: LedgerCheck | None = None) -> None:
        """Lines, newest first, by fifties."""

        def page(request: httpx.Request) -> Wire:
            asked = request.url.params
            wanted = {name: asked[name] for name in ("run", "operator", "item", "event") if name in asked}
            those = [one for one in lines if all(getattr(one, name) == value for name, value in wanted.items())]
            if "newest" not in asked:
                those.reverse()
            first, limit = int(asked.get("after", 0)), int(asked["limit"])
            more = str(first + limit) if first + limit < len(those) else None
            return LedgerPage(lines=those[first : first + limit], next=more)

        self.answers["GET", "/v1/ledger"] = page
        self.answers["POST", "/v1/ledger/check"] = check or LedgerCheck(
            holds=True, entries=len(lines), items=0, head=f"{len(lines)}:{HASH}"
        )

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.get((request.method, request.url.path)) or NotFound(f"no {request.url.path}")
        if callable(answer) and not isinstance(answer, Wire | QuashError):
            answer = answer(request)
            if hasattr(answer, "__await__"):
                answer = await answer
        if isinstance(answer, Exception):
            if not isinstance(answer, QuashError):
                raise answer
            problem = to_problem(answer)
            return httpx.Response(
                problem.status, content=problem.model_dump_json(), headers={"content-type": MEDIA_TYPE}
            )
        body = answer.model_dump_json() if isinstance(answer, Wire) else json.dumps(answer)
        return httpx.Response(200, content=body)


def _planned(position: int) -> PlanItemModel:
    return PlanItemModel(
        position=position,
        system="commands",
        id=f"payments/c{position:06}",
        status="IN_TROUBLESHOOTING_QUEUE",
        cancellable=True,
    )


def blocked(position: int, code: str, reason: str) -> PlanItemModel:
    """A frozen item that cannot be cancelled."""
    return PlanItemModel(
        position=position,
        system="commands",
        id=f"payments/c{position:06}",
        status="IN_TROUBLESHOOTING_QUEUE",
        cancellable=False,
        code=code,
        reason=reason,
    )
