"""What every system promises, whatever it is and wherever it runs: how it is read."""

import functools
import operator as compare

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.benches import Given, State
from support.scenes import everything
from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import Filter, Op, Term, parse
from tui_app.domain.items import Cursor, PageQuery, Sort

EVERYTHING = Filter()
# One scene serves all examples of a test: they only read.
reading = functools.partial(
    settings,
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def sort_key(sort):
    def key(item):
        value = item.fields[sort.field]
        return ("" if value is None else value, item.id)

    return key


def in_order(items, sort):
    return [item.id for item in sorted(items, key=sort_key(sort), reverse=sort.descending)]


async def walk(system, wanted, sort, limit, backward):
    """All ids, page by page, and how it looks at each side of every page."""
    ids, cursor, edges = [], None, []
    while True:
        page = await system.page(PageQuery(wanted, sort, limit=limit, cursor=cursor, backward=backward))
        assert len(page.items) <= limit
        found = [item.id for item in page.items]
        ids = found + ids if backward else ids + found
        ahead, behind = (page.more_before, page.more_after) if backward else (page.more_after, page.more_before)
        edges.append((behind, ahead))
        if not ahead:
            return ids, edges
        last = page.items[0 if backward else -1]
        cursor = Cursor(last.fields[sort.field], last.id)


@reading()
@given(data=st.data(), limit=st.integers(1, 40), descending=st.booleans(), backward=st.booleans())
async def test_pages_both_ways_are_the_sorted_list(scene, system, data, limit, descending, backward):
    sort = Sort(data.draw(st.sampled_from(sorted(system.description.sortable))), descending)
    ids, edges = await walk(system, EVERYTHING, sort, limit, backward)
    assert ids == in_order(await everything(system), sort)
    assert [behind for behind, _ in edges] == [False] + [True] * (len(edges) - 1)


@reading()
@given(data=st.data(), descending=st.booleans(), backward=st.booleans())
async def test_a_page_goes_on_from_any_row(scene, system, data, descending, backward):
    sort = Sort(data.draw(st.sampled_from(sorted(system.description.sortable))), descending)
    items = {item.id: item for item in await everything(system)}
    ordered = in_order(items.values(), sort)
    place = data.draw(st.integers(0, len(ordered) - 1))
    row = items[ordered[place]]
    query = PageQuery(EVERYTHING, sort, 500, Cursor(row.fields[sort.field], row.id), backward)
    page = await system.page(query)
    assert [item.id for item in page.items] == (ordered[:place] if backward else ordered[place + 1 :])
    before = await system.count(EVERYTHING, before=(sort, Cursor(row.fields[sort.field], row.id)))
    # A system that cannot be asked says that it is a lower bound.
    assert before.value == place if before.exact else before.value <= place


_SIGNS = {Op.GE: compare.ge, Op.LE: compare.le, Op.GT: compare.gt, Op.LT: compare.lt}


def fits(item, term, searched):
    """The filter language in plain Python."""
    if term.op is Op.TEXT:
        found = any(term.values[0].lower() in str(item.fields[name] or "").lower() for name in searched)
    else:
        value = item.fields[term.field]
        number = isinstance(value, int)
        value = "" if value is None else value
        wanted = [int(one) if number else one for one in term.values]
        found = value in wanted if term.op is Op.ANY else _SIGNS[term.op](value, wanted[0])
    return found is not term.negated


def terms(bench, items, untold):
    """Terms on fields that every bench fills, with values that are there and values that are not."""
    exact = [Op.ANY]
    ordered = [*_SIGNS]
    by_field = {
        "status": (sorted({item.status for item in items}), exact),
        bench.kind_field: (["TIMEOUT", "INVALID", "NONE_SUCH"], exact),
        bench.tries_field: (["0", "1", "2", "7"], [*exact, *ordered]),
        bench.time_field: (sorted({item.fields[bench.time_field] for item in items}), ordered),
    }
    # What a system does not tell is refused, which has its own tests; free text is the empty name.
    names = [name for name in ("", *by_field) if name not in untold]

    @st.composite
    def one(draw):
        name = draw(st.sampled_from(names))
        negated = draw(st.booleans())
        if not name:
            text = draw(st.sampled_from(["answer", "ANSWER", "100%", "a_b", "%", "_", "zzz", "timeout"]))
            return Term("", Op.TEXT, (text,), negated)
        values, ops = by_field[name]
        op = draw(st.sampled_from(ops))
        chosen = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3 if op is Op.ANY else 1))
        return Term(name, op, tuple(chosen), negated)

    return one()


@reading(max_examples=60)
@given(data=st.data())
async def test_a_filter_matches_what_it_says(scene, bench, system, data):
    items = await everything(system)
    wanted = Filter(tuple(data.draw(st.lists(terms(bench, items, system.description.untold), min_size=1, max_size=3))))
    expected = {item.id for item in items if all(fits(item, term, bench.searched) for term in wanted.terms)}
    page = await system.page(PageQuery(parse(str(wanted)), Sort("id"), limit=500))
    assert {item.id for item in page.items} == expected
    count = await system.count(wanted)
    assert count.value == len(expected) or not count.exact


@pytest.mark.parametrize(
    "text",
    [
        "colour:red",
        "{time}>yesterday",
        "{tries}>many",
        "{tries}>99999999999999999999",
        'id:"\x00"',
        "{time}>10000-01-01",
    ],
)
async def test_a_filter_that_cannot_be_is_refused(bench, system, text):
    text = text.format(time=bench.time_field, tries=bench.tries_field)
    with pytest.raises(MalformedFilter) as refused:
        await system.page(PageQuery(parse(text), Sort("id")))
    assert refused.value.message
    with pytest.raises(MalformedFilter):
        await system.count(parse(text))


async def test_half_a_character_is_refused_and_not_a_fault(bench, system):
    for term in (Term("", Op.TEXT, ("\ud800",)), Term("id", Op.ANY, ("\ud800",))):
        with pytest.raises(MalformedFilter):
            await system.page(PageQuery(Filter((term,)), Sort("id")))


async def test_an_unknown_order_is_refused(bench, system):
    with pytest.raises(MalformedFilter):
        await system.page(PageQuery(EVERYTHING, Sort("colour")))
    with pytest.raises(MalformedFilter):
        await system.count(EVERYTHING, before=(Sort("colour"), Cursor("red", "x")))


async def test_an_empty_system_has_one_empty_page(bench, system):
    for backward in (False, True):
        page = await system.page(PageQuery(EVERYTHING, system.description.default_sort, backward=backward))
        assert (page.items, page.more_before, page.more_after) == ((), False, False)
    assert (await system.count(EVERYTHING)).value == 0


async def test_behind_the_last_row_there_is_what_was_before(bench, system):
    [item_id] = await bench.add([Given()])
    item = await system.item(item_id)
    sort = Sort(bench.time_field)
    page = await system.page(PageQuery(EVERYTHING, sort, cursor=Cursor(item.fields[sort.field], item.id)))
    assert (page.items, page.more_before, page.more_after) == ((), True, False)


async def test_what_changes_after_the_time_of_reading_is_left_out(bench, system):
    ids = await bench.add([Given(minute=n) for n in range(4)])
    as_of = (await system.page(PageQuery(EVERYTHING, Sort("id")))).as_of
    await bench.touch(ids[1])
    page = await system.page(PageQuery(EVERYTHING, Sort("id"), as_of=as_of))
    assert {item.id for item in page.items} == {ids[0], ids[2], ids[3]}
    assert (await system.count(EVERYTHING, as_of=as_of)).value == 3
    assert (await system.count(EVERYTHING)).value == 4


async def test_the_default_filter_shows_what_waits(bench, system):
    ids = await bench.add([Given(state) for state in State])
    described = system.description
    page = await system.page(PageQuery(described.default_filter, described.default_sort))
    shown = {item_id for state, item_id in zip(State, ids, strict=True) if state in bench.shown}
    assert {item.id for item in page.items} == shown
    assert (await system.count(described.default_filter)).value == len(shown)


async def test_an_item_has_every_field_that_is_described(scene, system):
    for item in await everything(system):
        assert set(item.fields) >= system.description.filterable
        assert item.fields["id"] == item.id
        assert item.fields["status"] == item.status
        assert item == await system.item(item.id)
