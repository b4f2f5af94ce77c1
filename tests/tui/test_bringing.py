"""Ids that the operator brings: named after ``:ids``, or pasted; what can be no id is said and never marked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from support.backend import serving
from support.case_server import case_server
from support.operator import LARGE, SMALL, Desk, desk_over, whole_demo
from support.world import make_world
from tui_app.systems.cases.words import DESCRIPTION as CASES
from tui_app.systems.commands.words import DESCRIPTION as COMMANDS
from tui_app.systems.schedules.words import DESCRIPTION as SCHEDULES
from tui_app.tui.bringing import doubted, ids_in
from tui_app.tui.screens.choose import Choose
from tui_app.tui.screens.review import ReviewScreen

NO_LIST = "This case management has no list of cases"


@pytest.fixture(params=["embedded", "tcp"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    async with whole_demo(request.param, tmp_path) as service, desk_over(service, SMALL) as opened:
        await opened.on("cases")
        yield opened


@pytest.fixture(params=[SMALL, LARGE], ids=["80x24", "120x40"])
async def listless(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    """On the cases of a server that has no list, where three of them are and nothing else is."""
    async with case_server("CASE-0", "CASE-1", "CASE-2") as way:
        world = make_world(tmp_path, {"cases": way.open()}, way.server.clock)
        async with (
            serving("embedded", tmp_path, world=world) as service,
            desk_over(service, request.param, messages=True) as opened,
        ):
            yield opened


async def command(desk: Desk, text: str) -> None:
    await desk.press("colon")
    await desk.until(lambda: desk.app.screen.query("#command-text"), "the command line")
    await desk.settled_keys()
    desk.app.screen.query_one("#command-text", Input).value = text
    await desk.press("enter")
    await desk.settled()


@pytest.mark.parametrize("text", ["a b c", "a,b,c", " a\nb\r\nc\n", "a,\tb ,, c"])
def test_ids_stand_apart_by_spaces_commas_or_lines(text: str) -> None:
    assert ids_in(text) == ["a", "b", "c"]


async def test_named_ids_are_marked_and_reviewed(desk: Desk) -> None:
    first, second = (row.id for row in desk.table.rows[:2])
    await command(desk, f"ids {first}, {second} {first}")
    assert set(desk.table.marks.ids) == {first, second}
    assert desk.said == ["2 ids brought, 2 marked; x reviews them."]
    assert desk.app.notice is None


async def test_what_can_be_no_id_is_named_and_never_marked(desk: Desk) -> None:
    good = desk.table.rows[0].id
    await command(desk, f"ids {good} case;drop a|b")
    assert set(desk.table.marks.ids) == {good}
    assert desk.said == ["1 id brought, 1 marked; x reviews them."]
    await desk.sees("Not marked, since no case has such an id: 'case;drop', 'a|b'. An id looks like CASE-")
    await desk.press("x")
    await desk.until(lambda: isinstance(desk.app.screen, ReviewScreen), "the review")
    await desk.sees("1 in the plan, 1 will be cancelled")
    assert desk.app.notice is None


async def test_where_none_can_be_one_nothing_is_marked(desk: Desk) -> None:
    await command(desk, "ids " + " ".join(f"{one};" for one in range(9)))
    assert not desk.table.marks
    assert desk.said == []
    await desk.sees("'0;', '1;', '2;', '3;', '4;', 4 more.")
    await desk.does("back")
    assert desk.app.notice is None


async def test_what_is_pasted_into_the_table_is_brought(desk: Desk) -> None:
    first, second = (row.id for row in desk.table.rows[:2])
    desk.app.post_message(events.Paste(f"{first}\n\x1b]52;c;eA==\x07\n{second}\n"))
    await desk.sees("2 marked", "Not marked, since no case has such an id")
    assert set(desk.table.marks.ids) == {first, second}
    assert "\x1b" not in desk.text


async def test_what_only_looks_like_an_id_is_told_as_not_there_before_anything_is_sent(desk: Desk) -> None:
    await desk.on("commands")
    desk.app.post_message(events.Paste("see payments/foo, thanks"))
    await desk.until(lambda: isinstance(desk.app.screen, Choose), "the question")
    await desk.settled_keys()
    await desk.press("down", "enter")
    await desk.until(lambda: set(desk.table.marks.ids) == {"payments/foo"}, "the mark")
    await desk.press("x")
    await desk.settled_review()
    await desk.sees("1 in the plan, 0 will be cancelled, 1 blocked", "NOT_FOUND", "payments/foo")
    [plan] = await desk.service.client.plans.list()
    assert (plan.counts.items, plan.counts.cancellable, plan.counts.blocked) == (1, 0, 1)
    assert not await desk.service.client.runs.list()


LETTER = "Hi team, please cancel:\n{}\n{}\nThese 2 are duplicates. Thanks!"
WORDS = ["Hi", "team", "please", "These", "2", "are"]
"""Those of the letter that could be ids of cases; the others have characters that no such id has."""


@pytest.mark.parametrize("told", [True, False], ids=["by how ids look", "by nothing"])
@pytest.mark.parametrize("take", [False, True])
async def test_words_around_pasted_ids_are_asked_about_before_they_are_marked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, told: bool, take: bool
) -> None:
    if not told:
        # What this is to find: every word that could be an id is taken for one.
        monkeypatch.setattr("tui_app.tui.bringing.doubted", lambda text, pattern: [])
    table, ids = desk.table, [row.id for row in desk.table.rows[:2]]
    desk.app.post_message(events.Paste(LETTER.format(*ids)))
    if not told:
        await desk.until(lambda: len(table.marks.ids) > 2, "too many marks")
        return
    await desk.until(lambda: isinstance(desk.app.screen, Choose), "the question")
    await desk.sees("6 words may be no id of a case:", "'Hi', 'team'", "1 more.")
    await desk.settled_keys()
    assert not table.marks
    await desk.press(*(["down", "down"] if take else []), "enter")
    await desk.until(lambda: bool(table.marks), "the marks")
    assert set(table.marks.ids) == {*ids, *(WORDS if take else [])}


async def test_leaving_the_question_about_words_marks_the_ids_alone(desk: Desk) -> None:
    table, ids = desk.table, [row.id for row in desk.table.rows[:2]]
    desk.app.post_message(events.Paste(f"please {ids[0]} {ids[1]}"))
    await desk.until(lambda: isinstance(desk.app.screen, Choose), "the question")
    await desk.settled_keys()
    await desk.press("escape")
    await desk.until(lambda: bool(table.marks), "the marks")
    assert set(table.marks.ids) == set(ids)


async def test_an_id_in_a_sentence_can_be_marked_without_the_words_around_it(desk: Desk) -> None:
    table, one = desk.table, desk.table.rows[0].id
    desk.app.post_message(events.Paste(f"please cancel: {one} and thanks"))
    await desk.until(lambda: isinstance(desk.app.screen, Choose), "the question")
    await desk.sees("4 words may be no id of a case:", "Mark those that look like ids: 1 in all")
    await desk.settled_keys()
    await desk.press("down", "enter")
    await desk.until(lambda: set(table.marks.ids) == {one}, "the mark")


@pytest.mark.parametrize(
    ("text", "pattern", "odd"),
    [
        ("CASE-1 CASE-2", CASES.id_pattern, []),
        ("please cancel CASE-1 CASE-2", CASES.id_pattern, ["please", "cancel"]),
        ("cancel: CASE-1", CASES.id_pattern, ["cancel:"]),
        ("the 3 orders", CASES.id_pattern, ["the", "3", "orders"]),
        ("17\n18", CASES.id_pattern, []),
        ("17\n18", r"CASE-\d+", ["17", "18"]),
        ("payments/c000001 and payments/c2", COMMANDS.id_pattern, ["and"]),
        ("and/or", COMMANDS.id_pattern, []),
        ("0b54c1de-6a0c-4b52-9d2e-5f1a7c3e8b90 1 now", SCHEDULES.id_pattern, ["now"]),
        ("anything at all", "", []),
        ("anything at all", "(", []),
    ],
)
def test_what_is_doubted_follows_from_how_ids_look_and_from_the_neighbours(
    text: str, pattern: str, odd: list[str]
) -> None:
    assert doubted(text, pattern) == odd


async def test_a_paste_of_many_lines_after_the_word_loses_none(desk: Desk) -> None:
    wanted = [row.id for row in desk.table.rows[:3]]
    await desk.press("colon")
    await desk.until(lambda: desk.app.screen.query("#command-text"), "the command line")
    await desk.settled_keys()
    await desk.type("ids ")
    desk.app.post_message(events.Paste("\n".join(wanted)))
    field = desk.app.screen.query_one("#command-text", Input)
    await desk.until(lambda: wanted[-1] in field.value, "the paste")
    await desk.press("enter")
    await desk.until(lambda: desk.app.screen is desk.items, "the table")
    await desk.settled()
    assert set(desk.table.marks.ids) == set(wanted)


async def test_a_system_without_a_list_says_how_to_bring_ids_and_says_it_once(listless: Desk) -> None:
    await listless.sees(
        f"{NO_LIST}: name those that you want. :ids ID ID marks them, and so does pasting them here; / with id:ID,ID "
        "shows them."
    )
    assert listless.said == []
    assert listless.numbers == "no rows"
    await listless.filters("priority:P1", enter=False)
    await listless.sees(
        f"{NO_LIST}: name those that you want; beside ids, only a status can be filtered by. :ids ID ID"
    )
    assert listless.said == []


async def test_ids_brought_where_there_is_no_list_are_shown_and_reviewed(listless: Desk) -> None:
    listless.app.post_message(events.Paste("CASE-1 CASE-2"))
    await listless.sees("no rows · 2 marked")
    await listless.does("only_marked")
    await listless.sees("CASE-1", "CASE-2", "2 marked · only the marked")
    await listless.does("back")
    await listless.filters("id:CASE-0")
    await listless.sees("CASE-0", "1–1 of 1")
