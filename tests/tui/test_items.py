"""The items screen, in the operator's words."""

import json
from typing import Any

from textual.widgets import Input

from support.operator import Desk, desk_over
from support.world import fill
from tui_app.domain.errors import MalformedFilter
from tui_app.tui.screens.detail import DetailScreen
from tui_app.tui.screens.items import ItemsScreen
from tui_app.tui.screens.review import ReviewScreen
from tui_app.tui.widgets.item_table import ItemTable


async def test_mark_review_confirm_and_see_the_outcomes(desk: Desk) -> None:
    await desk.on("commands").mark(3).cancel("duplicate request").expects(cancelled=3)


async def test_what_was_marked_for_a_run_is_no_longer_marked_and_no_longer_there(small: Desk) -> None:
    await small.mark(2)
    ids = set(small.table.marks.ids)
    await small.cancel("duplicate request")
    await small.press("escape")
    await small.until(lambda: isinstance(small.app.screen, ItemsScreen), "the items")
    await small.settled()
    assert small.numbers == "1–19 of 214", small.text
    assert not small.table.marks
    assert not ids & {row.id for row in small.table.rows}


async def test_the_numbers_are_honest(small: Desk) -> None:
    assert small.numbers == "1–19 of 216"
    await small.mark(2).filters("type:DebitAccount status:IN_TROUBLESHOOTING_QUEUE")
    assert small.numbers.endswith("of 35 · 2 marked (2 hidden by the filter)")
    await small.filters("status:IN_TROUBLESHOOTING_QUEUE")
    assert small.numbers.endswith("of 216 · 2 marked")


async def test_a_filter_that_is_corrected_in_a_burst_is_the_one_in_force(small: Desk) -> None:
    await small.press("slash")
    small.burst(*"type:DebitAcount", *["left"] * 4, "c", "end", *"x", "backspace", "enter")
    await small.until(lambda: small.items.reading.filter == "type:DebitAccount", "the filter")
    await small.settled()
    assert isinstance(small.app.focused, ItemTable)


async def test_everything_that_matches_is_marked_as_a_filter(small: Desk) -> None:
    await small.does("mark_all", "mark")
    marks = small.table.marks
    assert (marks.count, marks.exact) == (215, True)
    [selection] = marks.selections("commands")
    assert selection["filter"] == "status:IN_TROUBLESHOOTING_QUEUE"
    assert selection["as_of"]
    assert len(selection["excluded"]) == 1
    assert len(json.dumps(selection)) < 500


async def test_a_row_that_changed_after_everything_was_marked_is_not_marked(small: Desk) -> None:
    await small.does("mark_all")
    last = small.table.rows[0].id
    small.service.world.clock.forward(7200)
    [late] = fill(small.service.world.folder / "commands.db", 1, updated_at="2026-01-05T10:00:00.000000Z")
    await small.does("refresh")
    window = small.table.window
    assert window is not None
    assert window.index_of(late) is not None
    assert late not in small.table.members
    assert last in small.table.members
    assert small.table.marks.count == 216
    assert window.total == 217


async def test_the_cursor_stays_on_its_item_through_refresh_sort_and_filter(small: Desk) -> None:
    await small.does("down", "down", "down")
    here = small.here
    await small.does("refresh")
    assert small.here == here
    await small.does("right", "sort")
    assert small.table.window.view.sort == "type"
    assert small.here == here
    await small.does("sort_reverse")
    assert small.table.window.view.sort == "-type"
    assert small.here == here
    kind = small.table.item.fields["type"]
    await small.filters(f"type:{kind}")
    assert small.here == here


async def test_a_half_typed_filter_says_so_and_keeps_the_rows(small: Desk) -> None:
    before = [row.id for row in small.table.rows]
    await small.press("slash")
    small.items.query_one("#filter-text", Input).value = "typ:Debit"
    await small.sees("there is no field 'typ'. Did you mean 'type'?")
    assert [row.id for row in small.table.rows] == before
    await small.press("enter")
    assert not small.table.has_focus
    await small.press("escape")
    await small.settled()
    assert small.table.has_focus
    assert "status:IN_TROUBLESHOOTING_QUEUE" in small.text
    assert "there is no field" not in small.text
    assert [row.id for row in small.table.rows] == before


async def test_typing_filters_without_enter_and_escape_restores(small: Desk) -> None:
    await small.filters("type:BookCourier", enter=False)
    await small.until(lambda: {row.fields["type"] for row in small.table.rows} == {"BookCourier"})
    await small.press("escape")
    await small.until(lambda: small.numbers.endswith("of 216"))


async def test_the_present_filter_is_selected_so_that_typing_replaces_it(small: Desk) -> None:
    await small.filters("DebitAccount")
    assert small.items.reading.filter == "DebitAccount"
    assert "DebitAccount" in small.text


async def test_a_filter_that_matches_nothing_says_how_many_there_are(small: Desk) -> None:
    await small.filters("type:Nothing")
    assert "No commands match the filter; there are 300 in all." in small.text
    assert small.numbers == "no rows"


async def test_ranges(small: Desk) -> None:
    await small.does("range", "down", "down")
    assert "range of 3" in small.numbers
    await small.does("range")
    assert small.numbers == "1–19 of 216 · 3 marked"
    await small.does("range_down", "range_down", "range")
    assert small.table.marks.count == 5
    await small.does("range", "down", "back")
    assert "range" not in small.numbers
    assert small.table.marks.count == 5


async def test_a_range_that_is_still_open_is_what_is_reviewed(small: Desk) -> None:
    await small.does("range", "down", "down", "review")
    await small.sees("3 in the plan")


async def test_a_range_over_several_pages(small: Desk) -> None:
    await small.does("range", *["page_down"] * 10)
    assert len(small.table.in_range()) == 191
    await small.does("range")
    assert small.table.marks.count == 191


async def test_invert_and_clear(small: Desk) -> None:
    await small.mark(2).does("invert")
    assert small.table.marks.count == 214
    assert len(small.table.marks.selections("commands")[0]["excluded"]) == 2
    await small.does("invert")
    assert small.table.marks.count == 2
    assert len(small.table.marks.ids) == 2
    await small.does("clear")
    assert not small.table.marks


async def test_marks_that_a_filter_hides_stay_when_the_rest_is_inverted(small: Desk) -> None:
    await small.mark(2)
    hidden = set(small.table.marks.ids)
    await small.filters("type:BookCourier status:IN_TROUBLESHOOTING_QUEUE").does("invert")
    assert hidden - set(small.table.marks.ids) == {row.id for row in small.table.rows if row.id in hidden}
    [whole] = small.table.marks.whole
    assert whole.filter == "type:BookCourier status:IN_TROUBLESHOOTING_QUEUE"


async def test_every_item_with_the_same_value(small: Desk) -> None:
    await small.does("right")
    kind = small.table.item.fields["type"]
    await small.does("same")
    shown = {row.id for row in small.table.rows if row.fields["type"] == kind}
    assert {row.id for row in small.table.rows if row.id in small.table.members} == shown
    first = small.table.marks.count
    other = next(row.fields["type"] for row in small.table.rows if row.fields["type"] != kind)
    while small.table.item.fields["type"] != other:
        await small.does("down")
    await small.does("same")
    assert small.table.marks.count > first
    assert small.table.marks.exact
    assert len(small.table.marks.selections("commands")) == 2


async def test_only_the_marked(small: Desk) -> None:
    await small.mark(3).does("only_marked")
    assert {row.id for row in small.table.rows} == set(small.table.marks.ids)
    assert "only the marked" in small.numbers
    await small.does("only_marked")
    assert small.numbers == "1–19 of 216 · 3 marked"
    await small.does("clear", "mark_all", "mark", "only_marked")
    assert small.table.window.total == 215
    await small.does("back")
    assert small.table.window.total == 216


async def test_to_the_end_and_back(small: Desk) -> None:
    first = small.here
    await small.does("last")
    assert small.numbers == "198–216 of 216"
    assert small.table.item is small.table.rows[-1]
    await small.does("page_up")
    assert small.numbers == "179–197 of 216"
    await small.does("first")
    assert small.numbers == "1–19 of 216"
    assert small.here == first


async def test_every_row_is_met_once_on_the_way_down_and_up(small: Desk) -> None:
    await small.filters("status:IN_TROUBLESHOOTING_QUEUE,PENDING,IN_PROGRESS,COMPLETED,FAILED,CANCELED")
    down = await walked(small, "down")
    assert len(set(down)) == 300
    assert await walked(small, "up") == down[::-1]


async def walked(desk: Desk, where: str) -> list[str | None]:
    """The ids of all rows, from the cursor on."""
    met = [desk.here]
    while len(met) < 300:
        desk.table.move(where)
        if desk.table._reading:
            await desk.settled()
        met.append(desk.here)
    return met


async def test_columns_that_do_not_fit_are_reached_by_the_column_cursor(small: Desk) -> None:
    assert "Updated" not in small.text
    await small.does(*["right"] * 7)
    assert "Updated" in small.text
    assert "Id" in small.text
    await small.does("sort")
    assert small.table.window.view.sort == "-updated"


async def test_the_column_cursor_goes_over_what_is_drawn_before_it_comes_to_what_is_not(small: Desk) -> None:
    drawn = small.text.splitlines()[2]
    titles = [column.title for column in small.items.system.columns if column.title in drawn]
    assert titles == ["Id", "Type", "Error code", "Error"]
    for title in titles[1:]:
        await small.does("right")
        assert small.table.described.title == title
        assert small.text.splitlines()[2] == drawn
    await small.does("right")
    assert small.table.described.title == "Status"
    assert "Status" in small.text.splitlines()[2]
    await small.does(*["left"] * 4)
    assert small.table.described.title == "Id"
    assert small.text.splitlines()[2] == drawn


async def test_a_filter_that_the_service_refuses_keeps_its_field(small: Desk) -> None:
    client = small.app.client
    page = client.items.page

    async def refusing(system: str, **asked: Any) -> Any:
        if "DebitAccount" in asked.get("filter", ""):
            raise MalformedFilter("this server does not filter by type", hint="Filter by id.")
        return await page(system, **asked)

    client.items.page = refusing  # type: ignore[method-assign]
    await small.press("slash")
    await small.type("type:DebitAccount")
    await small.press("enter")
    await small.sees("This server does not filter by type")
    assert isinstance(small.app.focused, Input)
    await small.press("a", "x", "q")
    assert small.app.focused.value == "type:DebitAccountaxq"
    assert not small.table.marks
    await small.press("escape")
    await small.settled()
    assert small.table.has_focus
    assert small.table.rows


async def test_a_column_that_has_no_order_says_so(small: Desk) -> None:
    await small.does("right", "right", "right", "sort")
    assert small.table.described.field == "error"
    assert small.said == ["The system cannot order by Error; h and l go to another column."]
    assert small.table.window.view.sort == "-updated"


async def test_the_panel_is_open_where_there_is_room_and_follows_the_cursor(desk: Desk, size) -> None:
    if size[0] < 120:
        assert "can be cancelled" not in desk.text
        await desk.does("preview")
    await desk.sees("✓ can be cancelled", "What would happen", "What cannot be undone")
    await desk.until(lambda: "Trail" in desk.panel)
    await desk.does("down")
    await desk.until(lambda: desk.here in desk.panel)
    await desk.filters("status:PENDING")
    await desk.until(lambda: "✗ cannot:" in desk.panel)


async def test_the_panel_shows_the_very_reply(local) -> None:
    async with desk_over(local, (140, 60)) as desk:
        await desk.sees("Reply to", '"outcome": "CANCELED"', "OPERATOR_CANCELED")


async def test_detail_shows_every_field_and_the_trail(small: Desk) -> None:
    here = small.here
    await small.does("detail")
    assert isinstance(small.app.screen, DetailScreen)
    await small.sees(here, "correlation_id", "can be cancelled")
    await small.does("last")
    await small.sees("PERMANENT")
    await small.does("review")
    assert isinstance(small.app.screen, ReviewScreen)
    await small.settled_review()
    await small.press("escape")
    await small.until(lambda: isinstance(small.app.screen, DetailScreen))
    await small.does("level_up")
    assert small.here == here


async def test_the_review_of_nothing_marked_is_of_the_cursor(small: Desk) -> None:
    await small.does("down", "down")
    here = small.here
    await small.does("review")
    await small.settled_review()
    plan = (await small.service.client.plans.list())[0]
    rows = await small.service.client.plans.items(plan.id)
    assert [row.id for row in rows.items] == [here]


async def test_what_is_reviewed_of_everything_is_what_was_seen(small: Desk) -> None:
    await small.does("mark_all", "mark", "preview_marked")
    await small.settled_review()
    plan = (await small.service.client.plans.list())[0]
    assert plan.counts.items == 215


async def test_ids_can_be_brought(small: Desk) -> None:
    ids = [row.id for row in small.table.rows[:2]]
    await small.press("colon")
    await small.settled_keys()
    await small.type(f"ids {ids[0]} {ids[1]}")
    await small.press("enter")
    await small.settled()
    assert list(small.table.marks.ids) == ids


async def test_automatic_refresh_is_said(small: Desk) -> None:
    await small.does("auto")
    assert "every 5 s" in small.numbers
    await small.does("auto")
    assert "every" not in small.numbers
