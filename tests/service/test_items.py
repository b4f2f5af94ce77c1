"""Items over the wire: pages by keyset, around an item, counts, one item, its preview and its trail."""

import itertools
import sqlite3

import pytest

from support.backend import serving
from support.world import TROUBLED, fill
from tui_app.domain.errors import MalformedFilter, MalformedId, NotFound, UsageProblem
from tui_app.domain.items import PAGE_LIMIT, Cursor


def ids(page):
    return [item.id for item in page.items]


async def everything(client, **query):
    page = await client.items.page("commands", limit=PAGE_LIMIT, **query)
    assert page.next is None
    return ids(page)


async def test_what_is_there_is_described(backend):
    about = await backend.client.about()
    (commands,) = about.systems
    assert (about.operator, about.profile, about.host) == ("jane@example.com", "local", "ops1")
    assert (commands.system, commands.verbs, commands.default_sort) == ("commands", ["cancel"], "-updated")
    assert commands.default_filter == f"status:{TROUBLED}"
    assert [column.field for column in commands.columns][:2] == ["id", "type"]


@pytest.mark.parametrize("sort", ["-updated", "updated", "id", "-id", "attempts", "-reply_queue"])
async def test_pages_forwards_meet_every_row_once(backend, sort):
    whole, cursor, seen = await everything(backend.client, sort=sort), None, []
    while True:
        page = await backend.client.items.page("commands", sort=sort, limit=7, after=cursor)
        seen += ids(page)
        cursor = page.next
        if cursor is None:
            break
    assert seen == whole
    assert len(set(whole)) == 30


async def test_pages_backwards_meet_every_row_once(backend):
    whole = await everything(backend.client)
    page = await backend.client.items.page("commands", limit=7, last=True)
    seen = ids(page)
    while page.previous is not None:
        page = await backend.client.items.page("commands", limit=7, before=page.previous)
        seen = ids(page) + seen
    assert seen == whole


@pytest.mark.parametrize("at", [0, 1, 3, 15, 28, 29])
async def test_a_page_around_an_item_holds_it_and_is_full(backend, at):
    whole = await everything(backend.client)
    page = await backend.client.items.page("commands", around=whole[at], limit=9, count=True)
    start = min(max(at - 4, 0), 30 - 9)
    assert ids(page) == whole[start : start + 9]
    assert (page.total, page.position, page.exact) == (30, start + 1, True)
    assert (page.previous is None, page.next is None) == (start == 0, start + 9 == 30)


async def test_a_page_around_an_item_that_the_filter_hides_shows_its_place(backend):
    whole = await everything(backend.client)
    page = await backend.client.items.page("commands", filter=f'!id:"{whole[10]}"', around=whole[10], limit=4)
    assert ids(page) == [whole[8], whole[9], whole[11], whole[12]]


async def test_a_page_around_an_item_goes_on_both_ways(backend):
    whole = await everything(backend.client)
    page = await backend.client.items.page("commands", around=whole[15], limit=5)
    after = await backend.client.items.page("commands", after=page.next, limit=2)
    before = await backend.client.items.page("commands", before=page.previous, limit=2)
    assert ids(before) + ids(page) + ids(after) == whole[11:20]


@pytest.mark.parametrize(
    ("query", "position"),
    [({}, 1), ({"last": True}, 26), ({"limit": 30}, 1)],
)
async def test_a_counted_page_says_where_it_stands(backend, query, position):
    page = await backend.client.items.page("commands", **{"limit": 5, **query}, count=True)
    assert (page.total, page.position, page.exact) == (30, position, True)


async def test_positions_follow_the_cursors(backend):
    first = await backend.client.items.page("commands", limit=12)
    second = await backend.client.items.page("commands", limit=12, after=first.next, count=True)
    back = await backend.client.items.page("commands", limit=5, before=second.previous, count=True)
    assert (second.position, back.position) == (13, 8)


async def test_an_uncounted_page_counts_nothing(backend):
    page = await backend.client.items.page("commands", limit=5)
    assert (page.total, page.position) == (None, None)


async def test_a_filter_that_matches_nothing_has_no_place(backend):
    page = await backend.client.items.page("commands", filter="status:COMPLETED", count=True)
    assert (page.items, page.total, page.position, page.next, page.previous) == ([], 0, None, None, None)
    assert (await backend.client.items.count("commands", filter="status:COMPLETED")).value == 0


async def test_every_status_is_listed_unless_filtered(backend):
    fill(backend.world.folder / "commands.db", 3, status="COMPLETED", domain="orders")
    page = await backend.client.items.page("commands", count=True)
    assert (page.total, {item.status for item in page.items}) == (33, {TROUBLED, "COMPLETED"})
    assert (await backend.client.items.count("commands", filter=f"status:{TROUBLED}")).value == 30


async def test_what_changed_later_is_left_out(backend):
    whole = await backend.client.items.page("commands", sort="updated")
    tenth = whole.items[9].fields["updated"]
    page = await backend.client.items.page("commands", as_of=tenth, count=True)
    assert page.total == 10
    assert (await backend.client.items.count("commands", as_of=tenth)).value == 10


@pytest.mark.parametrize(
    ("query", "error", "names"),
    [
        ({"limit": 0}, UsageProblem, "limit"),
        ({"limit": 501}, UsageProblem, "limit"),
        ({"sort": "colour"}, MalformedFilter, "colour"),
        ({"sort": "error"}, MalformedFilter, "error"),
        ({"sort": "-"}, UsageProblem, "sort"),
        ({"filter": "colour:red"}, MalformedFilter, "colour"),
        ({"filter": 'type:"open'}, MalformedFilter, "open"),
        ({"filter": "updated>yesterday"}, MalformedFilter, "yesterday"),
        ({"filter": "attempts>many"}, MalformedFilter, "many"),
        ({"after": "nonsense"}, UsageProblem, "cursor"),
        ({"before": "W10"}, UsageProblem, "cursor"),
        ({"after": "W10", "last": True}, UsageProblem, "after"),
        ({"around": "payments/c000001", "before": "W10"}, UsageProblem, "around"),
        ({"around": "nobody"}, MalformedId, "nobody"),
        ({"around": "payments/none"}, NotFound, "none"),
        ({"as_of": "soon"}, UsageProblem, "as_of"),
    ],
)
async def test_a_page_that_cannot_be_is_refused_with_what_is_wrong(backend, query, error, names):
    with pytest.raises(error) as caught:
        await backend.client.items.page("commands", **query)
    assert names in caught.value.message
    assert caught.value.hint
    assert type(caught.value) is error


@pytest.mark.parametrize("sort", ["updated", "attempts", "id"])
@pytest.mark.parametrize("value", [None, True, -1, 1.5, "", "x", "2026-01-01", "\0"])
async def test_a_cursor_of_another_column_breaks_nothing(backend, sort, value):
    place = Cursor(value, "payments/c000003").encode()
    for query in ({"after": place}, {"before": place}):
        page = await backend.client.items.page("commands", sort=sort, limit=3, count=True, **query)
        assert len(page.items) <= 3


async def test_an_unknown_system_is_not_found(backend):
    for asking in (
        backend.client.items.page("parcels"),
        backend.client.items.count("parcels"),
        backend.client.items.get("parcels", "a/b"),
        backend.client.items.preview("parcels", "a/b"),
        backend.client.items.trail("parcels", "a/b"),
    ):
        with pytest.raises(NotFound, match="parcels") as caught:
            await asking
        assert "commands" in caught.value.hint


@pytest.mark.parametrize("text", ["payments/none", "payments/../../v1", "payments/%2e%2e", "payments/a?b#c", "ü/☃ x"])
async def test_an_unknown_id_stays_one_segment_and_is_not_found(backend, text):
    for asking in (backend.client.items.get, backend.client.items.preview):
        with pytest.raises(NotFound, match="there is no command"):
            await asking("commands", text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "plain", "/", "a/", "/b", "a/b\x1b", "a/b\n", "a/\u0085", "a/" + "x" * 600, "a/\ud800"]
)
async def test_a_malformed_id_is_refused_before_anything_is_looked_up(backend, text):
    for asking in (backend.client.items.get, backend.client.items.preview, backend.client.items.trail):
        with pytest.raises(MalformedId):
            await asking("commands", text)


@pytest.mark.parametrize(
    "odd", ["a b", "a/b/c", "ü☃", "a%2Fb", "a+b", "a?b=c&d", "a#b", "..", "[@click=app.quit]x[/]", "\u202e"]
)
async def test_ids_of_every_shape_are_found_again(backend, odd):
    connection = sqlite3.connect(backend.world.folder / "commands.db")
    with connection:
        connection.execute(
            "UPDATE command SET id = ?, command_id = ? WHERE id = 'payments/c000003'", (f"payments/{odd}", odd)
        )
    connection.close()
    wanted = f"payments/{odd}"
    assert (await backend.client.items.get("commands", wanted)).id == wanted
    assert (await backend.client.items.preview("commands", wanted)).verdict.cancellable
    assert wanted in ids(await backend.client.items.page("commands", around=wanted, limit=3))


async def test_a_row_says_what_it_is(backend):
    item = await backend.client.items.get("commands", "payments/c000003")
    assert (item.system, item.status, item.verdict.cancellable) == ("commands", TROUBLED, True)
    assert item.fields["error_code"] == "INVALID_ACCOUNT"
    assert item.fields["updated"].endswith("Z")


async def test_a_preview_says_in_words_what_would_happen(backend):
    preview = await backend.client.items.preview("commands", "payments/c000003")
    lines = {line.code: line for line in preview.impact}
    assert lines["REPLY"].text == "its sender is told: one reply to payments__replies"
    assert lines["IRREVERSIBLE"].irreversible
    assert preview.irreversible
    assert "Reply to payments__replies" in [section.title for section in preview.sections]


async def test_a_target_in_an_effect_is_never_a_template(backend):
    fill(backend.world.folder / "commands.db", 1, domain="orders", reply_queue="{count}{0.__class__}")
    connection = sqlite3.connect(backend.world.folder / "commands.db")
    with connection:
        connection.execute("INSERT INTO queue (name) VALUES ('{count}{0.__class__}')")
    connection.close()
    (item,) = (await backend.client.items.page("commands", filter="domain:orders")).items
    preview = await backend.client.items.preview("commands", item.id)
    assert preview.impact[0].text == "its sender is told: one reply to {count}{0.__class__}"


async def test_a_blocked_item_says_why(backend):
    fill(backend.world.folder / "commands.db", 1, domain="orders", status="COMPLETED")
    (item,) = (await backend.client.items.page("commands", filter="domain:orders")).items
    assert (item.verdict.cancellable, item.verdict.code) == (False, "TERMINAL")
    preview = await backend.client.items.preview("commands", item.id)
    assert (preview.impact, preview.irreversible) == ([], False)
    assert "COMPLETED" in (preview.verdict.reason or "")


async def test_half_characters_in_a_trail_are_shown_not_fatal(backend):
    connection = sqlite3.connect(backend.world.folder / "commands.db")
    with connection:
        connection.execute(
            "INSERT INTO audit (id, event, at, details) VALUES ('payments/c000003', 'SENT', '2026-01-01T00:00:00Z', ?)",
            ('{"note": "half \\ud83d", "numbers": [1.5, null]}',),
        )
    connection.close()
    trail = await backend.client.items.trail("commands", "payments/c000003")
    assert [(one.event, one.details["note"]) for one in trail] == [("SENT", "half \\ud83d")]


async def test_both_ways_answer_the_same(tmp_path):
    answers = []
    for way in ("embedded", "tcp"):
        (tmp_path / way).mkdir()
        async with serving(way, tmp_path / way, rows=12) as service:
            page = await service.client.items.page("commands", limit=5, count=True)
            about = await service.client.about()
            # A token is needed on a socket alone.
            answers.append([page.model_dump(exclude={"as_of"}), about.model_copy(update={"credentials": []})])
    assert all(one == other for one, other in itertools.pairwise(answers))


@pytest.mark.parametrize(
    ("ids", "good", "bad"),
    [
        (["payments/a", "payments/a", "b/c"], ["payments/a", "b/c"], []),
        (["payments/a", "no-slash", "no-slash", " x/y"], ["payments/a"], ["no-slash", " x/y"]),
        ([], [], []),
    ],
)
async def test_ids_are_checked_without_being_looked_up(backend, ids, good, bad):
    found = await backend.client.items.check_ids("commands", ids)
    assert found.ids == good
    assert [one.id for one in found.malformed] == bad
    assert all(one.id.strip() in one.message for one in found.malformed)
