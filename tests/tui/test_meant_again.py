"""In the review: what was cancelled before is blocked, until the box says that it is meant."""

import sqlite3

import pytest

from support.backend import Service
from support.console import Operator, open_console, request
from support.world import TROUBLED
from tui_app.tui.path import open_review
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen

BACK = "UPDATE command SET status = ?, revision = revision + 1 WHERE id = ?"


@pytest.fixture
async def operator(backend: Service):
    async with open_console(backend) as opened:
        yield opened


async def cancelled_before(operator: Operator, item: str) -> None:
    """A command that was cancelled, whose sender was told, and that came back into troubleshooting."""
    with sqlite3.connect(operator.service.world.folder / "commands.db") as connection:
        connection.execute(BACK, (TROUBLED, item))
        details = '{"operator": "joe@example.com", "reason": "mine", "reply_to": "payments__replies"}'
        connection.execute(
            "INSERT INTO audit (id, event, at, details) VALUES (?, 'OPERATOR_CANCEL', '2026-01-02T00:00:00Z', ?)",
            (item, details),
        )


async def test_the_box_of_the_review_makes_the_plan_anew_with_what_was_cancelled_before(operator):
    first, second = "payments/c000001", "payments/c000002"
    await cancelled_before(operator, first)
    open_review(operator.app, request((first, second)))
    await operator.on(ReviewScreen)
    await operator.sees("2 in the plan, 1 will be cancelled, 1 blocked", "CANCELLED_BEFORE")
    screen = operator.app.screen
    plan = screen.review.plan.hash
    await operator.type("Bad deploy")
    await operator.press("tab", "tab", "space")
    await operator.sees("2 in the plan, 2 will be cancelled, 0 blocked", "told a second time")
    assert screen.review.plan.hash != plan
    assert "--again" in screen.review.command_line("x", notify=True, accept_drift=False)
    await operator.press("space")
    await operator.sees("2 in the plan, 1 will be cancelled, 1 blocked")
    await operator.press("space")
    await operator.sees("2 in the plan, 2 will be cancelled, 0 blocked")
    await operator.press("shift+tab")
    await operator.type("yes")
    await operator.press("enter")
    await operator.on(RunScreen)


async def test_without_anything_of_that_kind_there_is_no_box(operator):
    open_review(operator.app, request(("payments/c000001",)))
    await operator.on(ReviewScreen)
    await operator.sees("1 in the plan, 1 will be cancelled, 0 blocked")
    assert not operator.app.screen.query_one("#review-again").display
