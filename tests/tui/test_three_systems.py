"""Three systems in one console: marks in several places, one plan over all, deadlines that count down, and undo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.backend import Service
from support.operator import LARGE, SMALL, Desk, desk_over, whole_demo
from tui_app.tui.screens.detail import DetailScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.screens.run import RunScreen
from tui_app.tui.undoing import sentence
from tui_app.tui.widgets.item_table import ItemTable


@pytest.fixture(params=["embedded", "tcp"])
async def whole(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    async with whole_demo(request.param, tmp_path) as service:
        yield service


@pytest.fixture
async def desk(whole: Service) -> AsyncIterator[Desk]:
    async with desk_over(whole, LARGE, clock=lambda: whole.world.clock.moment) as opened:
        yield opened


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Desk]:
    async with (
        whole_demo("embedded", tmp_path) as service,
        desk_over(service, SMALL, clock=lambda: service.world.clock.moment) as opened,
    ):
        yield opened


async def test_one_plan_over_all_places_is_cancelled_and_what_can_be_brought_back_is(desk: Desk) -> None:
    await desk.mark_in("schedules", 2).mark_in("cases", 3).mark_in("commands", 1)
    await desk.sees("1 marked", "also marked: 3 cases, 2 schedules; X reviews all")
    await desk.cancel_all("bad deploy").expects(cancelled=6)
    await desk.sees("✓ finished · verified: 6 yes", "3 can be undone, the first window closes in")
    rows = [line for line in desk.text.splitlines() if "✓ verified" in line and "│" in line]
    assert [row.split("verified")[1].split()[0] for row in rows[-6:]] == ["schedules"] * 2 + ["commands"] + [
        "cases"
    ] * 3
    await desk.undo("wrong ticket").expects(reinstated=3)
    await desk.sees("reinstates", "✓ finished · verified: 3 yes")
    # What was used is marked no longer, in any place.
    for place in ("commands", "cases", "schedules"):
        await desk.on(place)
        await desk.does(*["back"] * (len(desk.app.screen_stack) - 1))
        assert not desk.table.marks
        assert "also marked" not in desk.numbers


async def test_marks_in_other_places_are_kept_said_and_part_of_no_plan_but_that_of_all(small: Desk) -> None:
    await small.mark_in("cases", 2).on("schedules")
    assert small.table.marks.count == 0
    await small.sees("also marked: 2 cases; X reviews all")
    await small.press("x")
    await small.until(lambda: isinstance(small.app.screen, ReviewScreen))
    await small.settled_review()
    await small.sees("1 in the plan, 1 will be cancelled")
    await small.press("escape")
    await small.until(lambda: not isinstance(small.app.screen, ReviewScreen))
    await small.does("review_all")
    await small.sees("2 in the plan, 2 will be cancelled")


async def test_the_key_of_all_places_says_where_nothing_else_is_marked(small: Desk) -> None:
    await small.on("cases").mark(1).does("review_all")
    assert small.said == ["Nothing is marked in another place; x reviews what is marked here."]


async def test_marks_that_a_filter_hides_are_counted_in_the_review_of_all(small: Desk) -> None:
    await small.mark_in("cases", 2).filters("status:on_hold").on("schedules").mark(1).does("review_all")
    await small.sees("2 hidden by the filter", "3 in the plan")


async def test_marks_changed_while_their_review_stood_are_another_intention(small: Desk) -> None:
    await small.mark_in("cases", 1).on("schedules").mark(1)
    cases = next(screen for screen in small.app.basket.marked if screen.system_name == "cases")
    await small.does("review_all")
    cases.marking.mark_ids(["CASE-9204400"])
    await small.settled_review()
    await small.type("bad deploy")
    await small.press("enter", "y", "e", "s", "enter")
    await small.until(lambda: isinstance(small.app.screen, RunScreen))
    assert [screen.system_name for screen in small.app.basket.marked] == ["cases"]


async def test_a_plan_says_how_much_belongs_to_which_system_and_each_item_to_whom(desk: Desk) -> None:
    await desk.mark_in("schedules", 1).mark_in("cases", 2).does("review_all")
    await desk.sees(
        "3 in the plan", "will be cancelled: 1 schedule, 2 cases", "✓ 3 will be cancelled", "schedules", "cases CASE-"
    )


async def test_a_deadline_is_the_time_left_and_counts_down_only_where_it_reads_differently(small: Desk) -> None:
    await small.on("schedules")
    clock, table = small.service.world.clock, small.table
    clock.forward(30)
    soon = next(at for at, row in enumerate(table.rows) if row.fields["run_at"] > _text(clock.moment))
    assert "in 8 min" in _line(table, soon)
    drawn: list[int] = []
    table.refresh_rows = lambda *indexes: drawn.extend(indexes)  # type: ignore[method-assign]
    table.ticking.tick()
    drawn.clear()
    table.ticking.tick()
    assert drawn == [], "an idle table writes nothing"
    before = _line(table, soon)
    clock.forward(2)
    table.ticking.tick()
    assert soon in drawn
    assert len(drawn) < len(table.rows[: table.lines])
    assert _line(table, soon) != before
    clock.forward(3600)
    assert "min ago" in _line(table, soon)


async def test_commands_have_nothing_that_ticks(small: Desk) -> None:
    await small.on("commands")
    assert small.table.ticking._timer is None


async def test_the_detail_says_the_moment_and_the_time_left_and_goes_on_counting(small: Desk) -> None:
    await small.on("schedules").does("last", "detail")
    screen = small.app.screen
    assert isinstance(screen, DetailScreen)
    moment = small.app.screen._item.fields["run_at"][:4]
    await small.sees("Goes out", moment)
    before = small.text
    small.service.world.clock.forward(86_400 * 5)
    screen._tick()
    await small.until(lambda: small.text != before, "another time left")


async def test_the_review_counts_down_to_the_first_deadline_and_says_when_it_has_passed(small: Desk) -> None:
    await small.on("schedules").filters("status:pending").does("first").mark(1).does("review")
    await small.sees("! the first is due in 9 min")
    screen = small.app.screen
    assert isinstance(screen, ReviewScreen)
    small.service.world.clock.forward(485)
    screen._tick()
    await small.sees("the first is due in 5")
    small.service.world.clock.forward(120)
    screen._tick()
    await small.sees("! the first was due 1 min ago")


async def test_who_is_notified_reads_the_reason_as_it_is_typed_and_nobody_is_where_that_is_chosen(desk: Desk) -> None:
    await desk.on("cases").mark(1).does("review")
    await desk.settled_review()
    await desk.sees("they read: A case that you follow was cancelled", "Reason: ...", "[x] notify stakeholders")
    await desk.type("[b]bad[/b] deploy")
    await desk.sees("Reason: [b]bad[/b] deploy", "is notified of it")
    await desk.press("tab", "tab")
    await desk.until(lambda: desk.app.focused is not None and desk.app.focused.id == "review-notify", "the option")
    await desk.press("space")
    await desk.sees("[ ] notify stakeholders", "✗ does not happen: referrer", "nobody is notified", "--no-notify")
    assert "they read" not in desk.text


async def test_the_option_to_notify_is_there_only_where_somebody_is(small: Desk) -> None:
    await small.on("schedules").mark(1).does("review")
    await small.settled_review()
    assert "notify stakeholders" not in small.text
    screen = small.app.screen
    assert isinstance(screen, ReviewScreen)
    assert screen.form.notifies


async def test_undo_says_when_nothing_can_be_brought_back_and_when_it_is_too_late(small: Desk) -> None:
    await small.on("schedules").mark(1).cancel("campaign postponed").expects(cancelled=1)
    await small.press("u")
    assert small.said == ["Nothing here can be brought back."]
    await small.on("cases").mark(2).cancel("duplicate request").expects(cancelled=2)
    await small.sees("2 can be undone, the first window closes in")
    small.service.world.clock.forward(7100)
    small.app.screen._tick()
    await small.sees("the first window closes in 1 min")
    small.service.world.clock.forward(600)
    small.app.screen._tick()
    await small.sees("undo: the last window closed at")
    await small.press("u")
    await small.until(lambda: any(said.startswith("The last window closed at ") for said in small.said), "the reason")


async def test_the_list_of_runs_says_until_when_and_begins_an_undo(small: Desk) -> None:
    await small.on("cases").mark(2).cancel("duplicate request").expects(cancelled=2)
    await small.on("runs")
    await small.sees("2 can be undone, the first window closes in")
    await small.press("u")
    await small.until(lambda: isinstance(small.app.screen, ReviewScreen))
    await small.sees("2 in the plan, 2 will be reinstated", "! the first window closes in", "type yes to reinstate 2")
    run = await small.last_run()
    assert "some windows have closed" not in str(sentence(run, small.service.world.clock.moment))


async def test_an_item_of_a_run_says_until_when_it_can_be_brought_back(desk: Desk) -> None:
    await desk.on("cases").mark(1).cancel("duplicate request").expects(cancelled=1)
    await desk.sees("undo until 2026-", "11:00:01, in")


def _text(moment: object) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")  # type: ignore[attr-defined]


def _line(table: ItemTable, index: int) -> str:
    return table.render_line(index - table.eye.top + 1).text
