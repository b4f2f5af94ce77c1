"""What the numbers of a schedule stand for is read apart, kept, and worth few requests; what is not read says so."""

from datetime import timedelta

import pytest

from support.raw_server import Answered, raw_server
from support.schedule_servers import ALL, LuxarisPosts, adapter, told
from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import PageQuery, Sort
from tui_app.systems.schedules import http_names
from tui_app.systems.schedules.http_names import ALLOWANCE, KEPT, LISTED, WINDOW

PAGE = PageQuery(Filter(), Sort("run_at"), 100)


@pytest.fixture
async def posts():
    return LuxarisPosts()


@pytest.fixture
async def system(posts):
    async with raw_server(posts.handle) as server:
        system = adapter(server, posts)
        yield system
        await system.close()


def beside(posts):
    """What was asked for beside the schedules themselves."""
    return [one.path for one in posts.asked if not one.path.startswith(ALL)]


def with_contents(posts, number):
    for variant in range(100, 100 + number):
        posts.contents[str(variant)] = f"content {variant}"
        posts.add(post_variant_id=variant, run_at=told(posts.clock.moment + timedelta(minutes=variant)))


async def test_names_stand_in_place_of_numbers_wherever_a_schedule_is_seen(posts, system):
    item_id = posts.add()
    [row] = (await system.page(PAGE)).items
    item = await system.item(item_id)
    [seen] = await system.survey([item_id])
    preview = await system.preview(item_id)
    for fields in (row.fields, item.fields):
        assert (fields["channel"], fields["content"]) == ("X Acme News", "20 % off until Sunday")
        assert (fields["channel_connection"], fields["post_variant"]) == ("12", "31")
    assert [one.target for one in seen.effects if one.target] == ["X Acme News"]
    assert [part.lines[0] for part in preview.sections if part.title == "Content"] == ["20 % off until Sunday"]
    assert [item.id for item in (await system.page(PageQuery(parse('channel:"X Acme News"'), Sort("id")))).items]
    assert len(beside(posts)) == 2, "each is read once"
    posts.clock.forward(KEPT.total_seconds())
    await system.item(item_id)
    assert len(beside(posts)) == 4, "and anew after a while"


async def test_the_error_of_a_failed_one_and_where_a_published_one_is_seen_are_shown(posts, system):
    failed = posts.add(
        status="failed",
        attempt_count=2,
        error_code="X_RATE",
        error_message="too many posts",
        last_attempt_at=told(posts.clock.moment),
    )
    public = posts.add(status="success")
    posts.events[failed] = [
        {"attempt_index": 1, "timestamp": told(posts.clock.moment), "status": "failed", "error_code": "X_RATE"}
    ]
    posts.events[public] = [
        {
            "attempt_index": 1,
            "timestamp": 7,
            "status": "success",
            "external_post_id": "9",
            "external_url": "https://x.example/9",
        },
        "no event",
    ]
    listed = {item.id: item.fields["error"] for item in (await system.page(PAGE)).items}
    assert listed == {failed: "X_RATE: too many posts", public: ""}
    assert [item.id for item in (await system.page(PageQuery(parse("error:X*"), Sort("id")))).items] == []
    found = await system.page(PageQuery(parse('error:"X_RATE: too many posts"'), Sort("id")))
    assert [item.id for item in found.items] == [failed]

    async def attempts(item_id):
        return next(part.lines for part in (await system.preview(item_id)).sections if part.title == "Attempts")

    assert await attempts(failed) == (
        "2 so far",
        "X_RATE: too many posts, last tried at 2026-01-02 03:04:05Z",
        "1: failed at 2026-01-02 03:04:05Z, X_RATE",
    )
    assert (await attempts(public))[1] == "1: success at a moment that is not known, https://x.example/9"
    assert (await system.item(public)).fields["seen_at"] == "https://x.example/9"


async def read_within_the_allowance(posts, system):
    with_contents(posts, 100)
    items = (await system.page(PAGE)).items
    await system.page(PAGE)
    assert len(beside(posts)) == LISTED + 1
    assert [item.fields["content"] for item in items][LISTED - 1 : LISTED + 1] == [
        f"content {99 + LISTED}",
        f"(variant {100 + LISTED}: content not read: opening it reads it)",
    ]
    for item in items:
        await system.item(item.id)
    contents = [one for one in beside(posts) if "variants" in one]
    assert len(contents) == len(set(contents)) == ALLOWANCE
    unread = f"(variant 199: content not read: {ALLOWANCE} were, as many as may be in 15 minutes)"
    assert (await system.item(items[-1].id)).fields["content"] == unread
    assert [item.fields["content"] for item in (await system.page(PAGE)).items][-1] == unread


async def test_contents_are_worth_few_requests(posts, system):
    await read_within_the_allowance(posts, system)
    posts.clock.forward(WINDOW.total_seconds())
    last = (await system.page(PAGE)).items[-1].id
    assert (await system.item(last)).fields["content"] == "content 199"


async def test_a_content_that_a_list_left_unread_is_read_where_the_schedule_is_opened(posts, system):
    """By its detail and by its preview alike, and it then stands in the list, too."""
    with_contents(posts, LISTED + 2)
    *_, first, second = (await system.page(PAGE)).items
    assert first.fields["content"] == f"(variant {100 + LISTED}: content not read: opening it reads it)"
    assert (await system.item(first.id)).fields["content"] == f"content {100 + LISTED}"
    preview = await system.preview(second.id)
    assert [part.lines[0] for part in preview.sections if part.title == "Content"] == [f"content {101 + LISTED}"]
    listed = [item.fields["content"] for item in (await system.page(PAGE)).items]
    assert listed[LISTED:] == [f"content {100 + LISTED}", f"content {101 + LISTED}"]


async def test_names_without_an_allowance_are_found(posts, system, monkeypatch):
    monkeypatch.setattr("tui_app.systems.schedules.http_pages.LISTED", 1_000)
    with pytest.raises(AssertionError):
        await read_within_the_allowance(posts, system)


@pytest.mark.parametrize(
    "answer",
    [Answered(429, {}), Answered(404, {"errors": [{"error_code": "ROUTE_NOT_FOUND"}]}), Answered(500), Answered(200)],
)
async def test_what_is_not_read_stays_a_number_and_says_so(posts, system, monkeypatch, answer):
    monkeypatch.setattr(posts, "beside", lambda asked: answer)
    item_id = posts.add()
    for _ in range(3):
        [row] = (await system.page(PAGE)).items
        fields = (await system.item(item_id)).fields
        for one in (row.fields, fields):
            assert one["channel"] == "12 (name not read)"
            assert one["content"] in (
                "(variant 31: content not told)",
                "(variant 31: content not read: the service could not be asked, and is asked again later)",
            )
    with pytest.raises(MalformedFilter, match="names of channels could not be read"):
        await system.page(PageQuery(parse("!channel:X"), Sort("id")))
    assert len(beside(posts)) <= 8, "a service that does not tell names is left alone for a while"


async def test_a_name_of_somebody_else_is_not_told(posts, system):
    item_id = posts.add(channel="99", post_variant_id=32)
    fields = (await system.item(item_id)).fields
    assert (fields["channel"], fields["content"]) == ("99 (name not told)", "(variant 32: content not told)")


async def test_no_more_contents_are_kept_than_are_looked_at(posts, system, monkeypatch):
    monkeypatch.setattr(http_names, "MOST_KEPT", 5)
    with_contents(posts, 10)
    await system.page(PAGE)
    assert len(system._wire.names._contents) == 5
