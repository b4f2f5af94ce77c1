"""A long list holds only what is looked at, and every row stands where it belongs."""

import pytest

from tui_app.tui.pages import HELD, Pages


class Source:
    """Numbers in order, read after a number; counts what is asked of it."""

    def __init__(self, length):
        self.length = length
        self.asked = []

    async def fetch(self, after, limit):
        self.asked.append(after)
        first = 0 if after is None else after + 1
        rows = list(range(first, min(first + limit, self.length)))
        return rows, rows[-1] if rows and rows[-1] < self.length - 1 else None


def direct(source, size=10):
    return Pages(source.fetch, size=size, total=source.length, direct=lambda index: index - 1)


def walked(source, size=10, total=None):
    return Pages(source.fetch, size=size, total=total)


@pytest.mark.parametrize("make", [direct, walked])
async def test_rows_stand_where_they_belong_both_ways(make):
    pages = make(Source(305))
    for first in (0, 100, 304, 35, 0, 290):
        await pages.load(first, first + 15)
        seen = [pages.row(index) for index in range(first, min(first + 16, 305))]
        assert seen == list(range(first, min(first + 16, 305)))
        assert pages.covers(first, first + 15)
    assert pages.count == 305


async def test_a_far_row_costs_one_read_where_its_place_is_known():
    source = Source(1_000_000)
    pages = direct(source)
    await pages.load(999_995, 999_999)
    assert pages.row(999_999) == 999_999
    assert source.asked == [999_989]


async def test_only_a_few_pages_are_held():
    pages = direct(Source(1000))
    for first in range(0, 1000, 10):
        await pages.load(first, first)
    held = sum(pages.row(index) is not None for index in range(1000))
    assert held == HELD * 10


async def test_a_list_of_unknown_length_grows_as_it_is_read():
    pages = walked(Source(25))
    assert pages.count == 1
    await pages.load(0, 5)
    assert (pages.count, pages.row(10)) == (11, None)
    await pages.load(10, 24)
    assert (pages.count, pages.row(24)) == (25, 24)


async def test_what_may_have_changed_is_read_again_and_nothing_else():
    source = Source(100)
    pages = direct(source)
    await pages.load(0, 25)
    source.asked.clear()
    await pages.load(12, 18)
    assert source.asked == []
    pages.age()
    assert pages.row(12) == 12
    assert not pages.covers(12, 18)
    await pages.load(12, 18)
    assert source.asked == [9]


async def test_an_end_that_moves_is_read_again():
    source = Source(12)
    pages = walked(source, total=12)
    await pages.load(0, 11)
    source.length = 27
    pages.resize(27)
    await pages.load(0, 26)
    assert [pages.row(index) for index in range(27)] == list(range(27))


async def test_fewer_rows_than_promised_end_the_reading():
    source = Source(12)
    pages = Pages(source.fetch, size=10, total=50)
    await pages.load(0, 49)
    assert pages.row(11) == 11
    assert pages.row(12) is None
    assert pages.covers(0, 49)


async def test_an_empty_list_is_read_once():
    source = Source(0)
    pages = walked(source)
    await pages.load(0, 20)
    await pages.load(0, 20)
    assert (pages.count, source.asked) == (0, [None])


async def test_the_end_can_be_walked_to():
    source = Source(95)
    pages = walked(source)
    await pages.walk()
    assert (pages.count, pages.row(94)) == (95, 94)
    source.asked.clear()
    await pages.walk()
    assert source.asked == []
