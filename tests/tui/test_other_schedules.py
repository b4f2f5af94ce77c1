"""Schedules of a service that others run, in the console: what cannot be listed is said, and stays said."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.backend import serving
from support.operator import LARGE, Desk, desk_over
from support.raw_server import raw_server
from support.schedule_servers import LuxarisPosts, adapter, told
from support.world import MovableClock, make_world


@pytest.fixture
async def posts() -> LuxarisPosts:
    return LuxarisPosts(MovableClock(), ["no order among equals"])


@pytest.fixture
async def desk(tmp_path: Path, posts: LuxarisPosts) -> AsyncIterator[Desk]:
    async with raw_server(posts.handle) as server:
        system = adapter(server, posts)
        world = make_world(tmp_path, {"schedules": system}, posts.clock)
        async with (
            serving("embedded", tmp_path, world=world) as service,
            desk_over(service, LARGE, clock=lambda: posts.clock.moment) as opened,
        ):
            yield opened
        await system.close()


def scheduled(posts: LuxarisPosts, number: int, hours: int) -> None:
    for _ in range(number):
        posts.add(run_at=told(posts.clock.moment + timedelta(hours=hours)))


async def test_the_end_of_a_campaign_of_one_moment_is_reached(desk: Desk, posts: LuxarisPosts) -> None:
    scheduled(posts, 250, 9)
    scheduled(posts, 1, 10)
    await desk.on("schedules").does("refresh", "last")
    assert desk.table.item is not None
    assert desk.table.item.id == max(posts.rows, key=lambda one: posts.rows[one]["run_at"])
    assert "of 251" in desk.numbers


async def test_rows_that_cannot_be_listed_are_said_where_one_meets_them(desk: Desk, posts: LuxarisPosts) -> None:
    posts.most = 100
    scheduled(posts, 100, 1)
    scheduled(posts, 2_000, 9)
    # What is read every few seconds would be counted among what the keys ask for.
    await desk.on("schedules").does("auto", "refresh")
    await desk.until(lambda: len(desk.table.rows) == 100, "the rows up to there")
    await desk.does("page_down")
    await desk.until(lambda: "cannot be listed" in desk.numbers, "that the others cannot be listed")
    await desk.until(lambda: any("another order each time" in one for one in desk.said), "why")
    # It is not asked for again with every key, and the numbers go on saying it.
    before = len(posts.asked)
    await desk.does("page_down", "page_down", "page_down", "down")
    assert len(posts.asked) - before < 10
    assert "cannot be listed" in desk.numbers
    told = sum("another order each time" in one for one in desk.said)
    await desk.does("last")
    await desk.until(lambda: sum("another order each time" in one for one in desk.said) > told, "why once more")


async def test_the_review_says_that_no_reason_is_kept_there(desk: Desk, posts: LuxarisPosts) -> None:
    """Whether a service keeps reasons is known only once it was asked."""
    scheduled(posts, 2, 1)
    await desk.on("schedules").does("refresh").mark(1)
    desk.app.tokens.look()
    await desk.settled()
    await desk.press("x")
    await desk.settled_review()
    await desk.type("campaign postponed")
    await desk.sees("it goes to quash's ledger alone: this service keeps no reason")
    assert "the schedule's cancellation" not in desk.text


async def test_a_filter_by_what_the_service_does_not_tell_is_refused_as_it_is_typed(
    desk: Desk, posts: LuxarisPosts
) -> None:
    scheduled(posts, 2, 1)
    await desk.on("schedules").does("refresh")
    desk.app.tokens.look()
    await desk.settled()
    await desk.press("slash")
    await desk.type(" !content:sale")
    await desk.press("enter")
    await desk.sees("there is no filter by 'content' here: this service lists its number alone, as post_variant")
    assert len(desk.table.rows) == 2
