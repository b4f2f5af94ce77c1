"""How the review, a run, the runs and the ledger look. A changed picture is read before it is accepted."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from support.canned import COMMANDS, HASH, Canned, blocked, item, plan, run
from support.console import Console, Operator, request
from tui_app.contract.ledger import LedgerCheck, LedgerLine
from tui_app.contract.models import TrailModel
from tui_app.contract.plans import PlanItemModel, PlanItemsModel
from tui_app.domain.errors import PlanExpired
from tui_app.tui.path import open_review
from tui_app.tui.screens.ledger import LedgerScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen

SMALL, LARGE = (80, 24), (120, 40)
REASON = "Bad deploy of payments, ticket 4711"
NOW = datetime(2026, 1, 2, 3, 4, 30, tzinfo=UTC)

UNTIL = "2026-01-02T03:12:42.000000Z"

Before = Callable[[Operator], Awaitable[None]]


@pytest.fixture
def pictured(snap_compare):
    """Compare a console over given answers, after something was done in it."""

    def compare(canned: Canned, size: tuple[int, int], before: Before) -> bool:
        app = Console(canned.client, utf8=True, clock=lambda: NOW)

        async def run_before(pilot) -> None:
            operator = Operator(app, pilot)
            await operator.until(lambda: app.about is not None, "an answer")
            await before(operator)
            await operator.until(lambda: all(one.is_finished or one.group in LASTING for one in app.workers), "rest")
            await pilot.pause()

        return snap_compare(app, terminal_size=size, run_before=run_before)

    return compare


LASTING = {"watch", "review", "plan"}


def mixed(**facts) -> Canned:
    canned = Canned(**facts)
    lines = [{"code": "REPLY_QUEUE_MISSING", "count": 2}, {"code": "NOT_FOUND", "count": 1}]
    environment = facts.get("environment", "local")
    phrase = "production 1877" if environment == "production" else "1877"
    canned.plan(
        plan(1877, blocked=lines, arrived=4, phrase=phrase, irreversible=True),
        blocked(0, "REPLY_QUEUE_MISSING", "its reply queue payments__gone does not exist"),
        blocked(1, "REPLY_QUEUE_MISSING", "its reply queue payments__gone does not exist"),
        blocked(2, "NOT_FOUND", "there is no such command"),
    )
    return canned


async def review(operator: Operator, reason: str = REASON, typed: str = "") -> None:
    open_review(operator.app, request(filter="status:IN_TROUBLESHOOTING_QUEUE"))
    await operator.on(ReviewScreen)
    await operator.sees("in the plan")
    screen = operator.app.screen
    screen.form.write(reason)
    if typed:
        await operator.press("enter")
        screen.form.confirmation.value = typed
        await operator.press("enter")


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_review_ready(pictured, size):
    assert pictured(mixed(), size, review)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_review_in_production_with_the_wrong_words(pictured, size):
    async def wrong(operator: Operator) -> None:
        await review(operator, typed="1877")
        await operator.sees("Type exactly: production 1877")

    assert pictured(mixed(environment="production", profile="prod"), size, wrong)


def test_review_of_nothing_that_can_be_cancelled(pictured):
    canned = Canned()
    canned.plan(
        plan(0, blocked=[{"code": "NOT_IN_TROUBLESHOOTING", "count": 2}], impact=[], irreversible=False),
        blocked(0, "NOT_IN_TROUBLESHOOTING", "it is COMPLETED"),
        blocked(1, "NOT_IN_TROUBLESHOOTING", "it is PENDING"),
    )
    assert pictured(canned, SMALL, review)


def test_review_of_an_expired_plan(pictured):
    canned = mixed()
    canned.answers["POST", "/v1/plans/p1/runs"] = PlanExpired("this plan expired at 03:34:05")

    async def expired(operator: Operator) -> None:
        await review(operator, typed="1877")
        await operator.sees("expired")

    assert pictured(canned, SMALL, expired)


def test_review_of_a_plan_in_the_making(pictured):
    canned = Canned()
    canned.plan(plan(0, state="building", hash=None, phrase=None, read=1200, expected=12000, impact=[]))

    async def making(operator: Operator) -> None:
        open_review(operator.app, request(filter="status:IN_TROUBLESHOOTING_QUEUE"))
        await operator.on(ReviewScreen)
        await operator.sees("1,200 of 12,000 read")

    assert pictured(canned, SMALL, making)


def several() -> Canned:
    """A plan over three systems, of which one has a deadline and another notifies people."""
    systems = [
        COMMANDS,
        COMMANDS.model_copy(update={"system": "cases", "title": "Cases", "one": "case", "many": "cases"}),
        COMMANDS.model_copy(
            update={"system": "schedules", "title": "Schedules", "one": "schedule", "many": "schedules"}
        ),
    ]
    canned = Canned(systems=systems)
    effects = [
        {"code": "S", "text": "2 posts do not go out on Example Inc.", "count": 2},
        {"code": "N", "text": "3 notifications to the referrers", "count": 3, "notifies": True},
        {"code": "W", "text": "1 is queued: the publisher may win", "warning": True},
        {"code": "L", "text": "2 cancelled schedules cannot be brought back", "irreversible": True},
    ]
    canned.plan(
        plan(
            6,
            by_system={"schedules": 2, "commands": 1, "cases": 3},
            targets=dict.fromkeys(("schedules", "commands", "cases"), "sqlite:1"),
            soonest="2026-01-02T03:12:42.000000Z",
            notices={"cases": "A case that you follow was cancelled.\nReason: {reason}"},
            impact=effects,
        )
    )
    names = ["schedules"] * 2 + ["commands"] + ["cases"] * 3
    dues = ["2026-01-02T03:12:42Z", "2026-01-02T05:00:00Z", *[None] * 4]
    rows = [
        PlanItemModel(position=at, system=name, id=f"{name[:2].upper()}-{at:04}", status="pending", cancellable=True,
                      due=due)
        for at, (name, due) in enumerate(zip(names, dues, strict=True))
    ]  # fmt: skip
    canned.answers["GET", "/v1/plans/p1/items"] = PlanItemsModel(items=rows)
    return canned


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_review_over_several_systems(pictured, size):
    async def nobody_notified(operator: Operator) -> None:
        await review(operator)
        if size == LARGE:
            operator.app.screen.query_one("#review-notify").value = False
            await operator.sees("nobody is notified")

    assert pictured(several(), size, nobody_notified)


def test_review_of_an_undo(pictured):
    canned = Canned()
    of = plan(2, verb="reinstate", soonest="2026-01-02T04:20:00Z", impact=[], irreversible=False)
    canned.plan(of)

    async def undoing(operator: Operator) -> None:
        open_review(operator.app, of)
        await operator.on(ReviewScreen)
        await operator.sees("type yes to reinstate 2")

    assert pictured(canned, SMALL, undoing)


def watched(*items, **facts) -> tuple[Canned, Before]:
    canned = Canned()
    of = run(*items, reason=REASON, **facts)
    trail = [
        TrailModel(at="2026-01-02T02:00:00Z", event="MOVED_TO_TROUBLESHOOTING", actor=None, details={"attempts": 3}),
        TrailModel(
            at="2026-01-02T03:04:05Z", event="OPERATOR_CANCEL", actor="jane@example.com", details={"reason": REASON}
        ),
    ]
    canned.run(of, *items, trail=trail)

    async def before(operator: Operator) -> None:
        operator.app.push_screen(RunScreen(of.id))
        await operator.on(RunScreen)
        await operator.sees(f"Run {of.id}")
        await operator.until(lambda: any(path.endswith("/trail") for path in canned.paths("GET")), "the trail")

    return canned, before


def ended() -> list:
    unknown = item(0, "unknown", message="the connection was reset", key="0b0fd2a2-2f0c-4b1e-9a51-3f1d0e6f2c11")
    refused = item(1, "refused", code="REPLY_QUEUE_MISSING", message="its reply queue vanished")
    contradicted = item(2, verified="contradicted", note="the status is COMPLETED")
    return [unknown, refused, contradicted, *(item(number) for number in range(3, 30))]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_run_that_goes_on(pictured, size):
    items = [*(item(number) for number in range(13)), item(13, "sending"), *(item(n, "planned") for n in range(14, 40))]
    assert pictured(*_at(watched(*items), size))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_run_that_ended_with_something_unknown(pictured, size):
    assert pictured(*_at(watched(*ended()), size))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_run_over_several_systems_that_can_be_undone(pictured, size):
    cases = [item(number, system="cases", id=f"CASE-92{number:05}", undo_until=UNTIL) for number in range(3)]
    undo = {"items": 3, "first_closes": UNTIL, "last_closes": UNTIL}
    assert pictured(*_at(watched(*cases, item(3), item(4), undo=undo), size))


def test_run_that_waits_for_the_gate(pictured):
    pause = {"cause": "gate", "message": "429 from the system", "until": "2026-01-02T03:05:17Z"}
    items = [item(0), *(item(number, "planned") for number in range(1, 9))]
    assert pictured(*_at(watched(*items, state="paused", pause=pause), SMALL))


def test_run_that_nobody_works_on(pictured):
    items = [item(0), *(item(number, "planned") for number in range(1, 9))]
    assert pictured(*_at(watched(*items, attended=False), SMALL))


def _at(pair: tuple[Canned, Before], size: tuple[int, int]) -> tuple[Canned, tuple[int, int], Before]:
    return pair[0], size, pair[1]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_runs(pictured, size):
    canned = Canned()
    undo = {"items": 1, "first_closes": "2026-01-02T04:20:00Z", "last_closes": "2026-01-02T04:20:00Z"}
    runs = [
        run(*[item(n, "planned") for n in range(9)], item(9), id="r5", created_at="2026-01-02T05:00:00Z"),
        run(item(0, "planned"), id="r4", plan="p4", attended=False, created_at="2026-01-02T04:00:00Z"),
        run(*ended(), id="r3", plan="p3", reason=REASON),
        run(item(0), id="r6", plan="p6", created_at="2026-01-01T10:00:00Z", undo=undo),
        run(item(0), item(1, "skipped"), id="r2", plan="p2", state="stopped", created_at="2026-01-01T09:00:00Z"),
    ]
    plans = [
        plan(0, id="p9", state="building", hash=None, read=1200, expected=12000, created_at="2026-01-02T06:00:00Z"),
        plan(12, id="p8", reason="Duplicate request", created_at="2026-01-02T01:00:00Z"),
    ]
    canned.answers["GET", "/v1/runs"] = {"runs": [one.model_dump() for one in runs]}
    canned.answers["GET", "/v1/plans"] = {"plans": [one.model_dump() for one in plans]}

    async def listed(operator: Operator) -> None:
        await operator.sees("interrupted")

    assert pictured(canned, size, listed)


def test_no_runs_yet(pictured):
    async def empty(operator: Operator) -> None:
        await operator.sees("No run yet")

    assert pictured(Canned(), SMALL, empty)


def entries() -> list[LedgerLine]:
    def line(seq: int, event: str, **facts) -> LedgerLine:
        known = {"seq": seq, "hash": HASH, "at": f"2026-01-02T03:04:{seq:02}Z", "operator": "jane@example.com"}
        return LedgerLine(**{**known, "event": event, **facts})

    of = {"run": "r0123456789abcdef"}
    return [
        line(7, "head", **of),
        line(6, "finished", **of),
        line(5, "verified", **of),
        line(4, "refused", item="payments/c000001", code="REPLY_QUEUE_MISSING", reason=REASON, **of),
        line(4, "cancelled", item="payments/c000000", reason=REASON, **of),
        line(4, "chunk", **of),
        line(3, "started", **of),
        line(2, "confirmed", plan="p1", reason=REASON, **of),
        line(1, "planned", plan="p1"),
    ]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])
def test_ledger_that_holds(pictured, size):
    canned = Canned()
    canned.ledger(*entries())

    async def verified(operator: Operator) -> None:
        await operator.press("5")
        await operator.on(LedgerScreen)
        await operator.sees("confirmed")
        await operator.press("V")
        await operator.sees("OK: ledger verified")

    assert pictured(canned, size, verified)


def test_ledger_that_does_not(pictured):
    canned = Canned()
    problem = "entry 2: its hash does not match its content"
    canned.ledger(check=LedgerCheck(holds=False, entries=1, items=0, seq=2, problems=[problem]))

    async def broken(operator: Operator) -> None:
        await operator.press("5")
        await operator.on(LedgerScreen)
        await operator.sees("The ledger is empty")
        await operator.press("V")
        await operator.sees("LEDGER BROKEN")

    assert pictured(canned, SMALL, broken)
