"""What every system promises, whatever it is and wherever it runs: reading, judging, cancelling, proving."""

import asyncio
import functools
import operator as compare
from collections import Counter

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from support.benches import Given, State
from support.orders import REASON, errand, key_of, orders
from tui_app.domain.errors import MalformedFilter, MalformedId, NotFound
from tui_app.domain.filters import Filter, Op, Term, parse
from tui_app.domain.items import Cursor, PageQuery, Sort
from tui_app.domain.ports import System
from tui_app.domain.run import ItemState, SkipCode, Verified
from tui_app.domain.verdict import VerdictCode

EVERYTHING = Filter()
# One scene serves all examples of a test: they only read.
reading = functools.partial(
    settings,
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KINDS = ("TIMEOUT", "OUT_OF_STOCK", "INVALID", "")


@pytest.fixture
async def scene(bench):
    """Thirty items with ties in every column; some fields are empty."""
    states = list(State)
    await bench.add(
        [
            Given(states[n % 5], n * 7 % 6, KINDS[n % 4], ("no answer", "refused 100%", "a_b")[n % 3], n % 3)
            for n in range(30)
        ]
    )
    return bench


async def everything(system):
    return (await system.page(PageQuery(EVERYTHING, Sort("id"), limit=500))).items


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
    assert (before.value, before.exact) == (place, True)


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


def terms(bench, items):
    """Terms on fields that every bench fills, with values that are there and values that are not."""
    exact = [Op.ANY]
    ordered = [*_SIGNS]
    by_field = {
        "status": (sorted({item.status for item in items}), exact),
        bench.kind_field: (["TIMEOUT", "INVALID", "NONE_SUCH"], exact),
        bench.tries_field: (["0", "1", "2", "7"], [*exact, *ordered]),
        bench.time_field: (sorted({item.fields[bench.time_field] for item in items}), ordered),
    }

    @st.composite
    def one(draw):
        name = draw(st.sampled_from(["", *by_field]))
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
    wanted = Filter(tuple(data.draw(st.lists(terms(bench, items), min_size=1, max_size=3))))
    searched = ("id", "type", bench.kind_field, bench.text_field)
    expected = {item.id for item in items if all(fits(item, term, searched) for term in wanted.terms)}
    page = await system.page(PageQuery(parse(str(wanted)), Sort("id"), limit=500))
    assert {item.id for item in page.items} == expected
    count = await system.count(wanted)
    assert count.value == len(expected) or not count.exact


@pytest.mark.parametrize(
    "text",
    [
        "colour:red",
        "updated>yesterday",
        "attempts>many",
        "attempts>99999999999999999999",
        'id:"\x00"',
        "updated>10000-01-01",
    ],
)
async def test_a_filter_that_cannot_be_is_refused(bench, system, text):
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
    assert {item.id for item in page.items} == set(ids[:2])
    assert (await system.count(described.default_filter)).value == 2


async def test_an_item_has_every_field_that_is_described(scene, system):
    for item in await everything(system):
        assert set(item.fields) >= system.description.filterable
        assert item.fields["id"] == item.id
        assert item.fields["status"] == item.status
        assert item == await system.item(item.id)


async def test_a_survey_keeps_the_order_and_knows_what_is_missing(scene, system):
    items = list(await everything(system))
    gone = items[0].id[:-1] + ("0" if items[0].id[-1] != "0" else "1")
    asked = [items[3].id, gone, items[1].id, items[3].id]
    seen = await system.survey(asked)
    assert [one.id for one in seen] == asked
    assert seen[1].verdict.code is VerdictCode.NOT_FOUND
    assert seen[0] == seen[3]
    assert await system.survey([]) == []


async def test_page_survey_and_preview_judge_alike(scene, system):
    items = await everything(system)
    for item, seen in zip(items, await system.survey([item.id for item in items]), strict=True):
        preview = await system.preview(item.id)
        assert (seen.status, seen.version, seen.verdict) == (item.status, item.version, item.verdict)
        assert (preview.verdict, preview.effects) == (item.verdict, seen.effects)
        assert bool(seen.effects) is seen.verdict.cancellable
        assert {effect.code for effect in seen.effects} <= set(system.description.effects)


async def test_each_state_has_its_verdict(bench, system):
    ids = dict(zip(State, await bench.add([Given(state) for state in State]), strict=True))
    seen = {state: (await system.survey([item_id]))[0].verdict for state, item_id in ids.items()}
    assert seen[State.WAITING].cancellable
    assert seen[State.CANCELLED].code is VerdictCode.ALREADY_CANCELLED
    assert seen[State.DONE].code is VerdictCode.TERMINAL
    for state in (State.BLOCKED, State.BUSY, State.DONE, State.CANCELLED):
        assert not seen[state].cancellable
        assert seen[state].reason


async def test_what_is_not_there_is_said_to_be_missing(bench, system):
    [item_id] = await bench.add([Given()])
    gone = item_id[:-1] + ("0" if item_id[-1] != "0" else "1")
    for look in (system.item, system.preview):
        with pytest.raises(NotFound):
            await look(gone)
    assert await system.trail(gone) == []


async def test_ids_have_one_spelling(bench, system):
    [item_id] = await bench.add([Given()])
    assert system.check_id(item_id) == item_id
    for text in bench.malformed:
        with pytest.raises(MalformedId):
            system.check_id(text)


async def test_identity_is_of_the_system_and_not_of_the_connection(bench, system):
    assert await system.identity() == await bench.open().identity()
    assert await system.identity()


async def test_a_chunk_is_cancelled_each_once(bench, system):
    ids = await bench.add([Given(minute=n) for n in range(12)])
    chunk = await orders(system, ids)
    answers = await system.execute(chunk, errand())
    assert [answer.state for answer in answers] == [ItemState.CANCELLED] * 12
    for item_id in ids:
        assert await bench.cancelled(item_id)
        [effect] = await bench.effects(item_id)
        assert effect["operator"] == "jane@example.com"
        assert effect["reason"] == REASON
        assert (effect["run_id"], effect["idempotency_key"]) == ("run-1", key_of("run-1", item_id))
        [notice] = await bench.notices(item_id)
        assert notice["reason"] == REASON
    assert await system.execute([], errand()) == []


async def test_executing_again_changes_nothing_and_finds_it_ours(bench, system):
    ids = await bench.add([Given(), Given()])
    chunk = await orders(system, ids)
    await system.execute(chunk, errand())
    for again in (system.execute, system.reconcile):
        answers = await again(chunk, errand())
        assert [(answer.state, answer.ours) for answer in answers] == [(ItemState.CANCELLED, True)] * 2
    for item_id in ids:
        assert len(await bench.effects(item_id)) == 1
        assert len(await bench.notices(item_id)) == 1


async def test_reconciling_what_was_never_sent_sends_it(bench, system):
    [item_id] = await bench.add([Given()])
    [answer] = await system.reconcile(await orders(system, [item_id]), errand())
    assert answer.state is ItemState.CANCELLED
    assert len(await bench.effects(item_id)) == 1


async def test_an_id_given_twice_has_one_effect(bench, system):
    [item_id] = await bench.add([Given()])
    [order] = await orders(system, [item_id])
    answers = await system.execute([order, order], errand())
    assert [answer.state for answer in answers] == [ItemState.CANCELLED] * 2
    assert len(await bench.effects(item_id)) == 1
    assert len(await bench.notices(item_id)) == 1


async def test_the_guard_holds_against_whatever_happened_meanwhile(bench, system):
    still, drifted, busy, done, blocked, cancelled, missing = await bench.add([Given() for _ in range(7)])
    chunk = await orders(system, [still, drifted, busy, done, blocked, cancelled, missing])
    gone = missing[:-1] + ("0" if missing[-1] != "0" else "1")
    chunk[-1] = type(chunk[-1])(gone, chunk[-1].key, chunk[-1].seen)
    await bench.touch(drifted)
    await bench.bring(busy, State.BUSY)
    await bench.bring(done, State.DONE)
    await bench.bring(blocked, State.BLOCKED)
    await bench.bring(cancelled, State.CANCELLED)
    answers = dict(zip([order.id for order in chunk], await system.execute(chunk, errand()), strict=True))

    assert answers[still].state is ItemState.CANCELLED
    assert (answers[drifted].state, answers[drifted].code) == (ItemState.SKIPPED, SkipCode.DRIFTED)
    assert answers[busy].state is answers[done].state is answers[blocked].state is ItemState.REFUSED
    assert answers[done].code == VerdictCode.TERMINAL
    assert answers[cancelled].state is ItemState.ALREADY_CANCELLED
    assert answers[cancelled].ours is not True
    assert (answers[gone].state, answers[gone].code) == (ItemState.REFUSED, VerdictCode.NOT_FOUND)
    # what was refused says why, and nothing but the first was touched
    assert all(answers[item_id].message for item_id in (drifted, busy, done, blocked, gone))
    assert len(await bench.effects(still)) == 1
    for item_id in (drifted, busy, done, blocked, cancelled, missing):
        assert await bench.effects(item_id) == []
        assert await bench.notices(item_id) == []


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_only_what_is_as_it_was_seen_is_cancelled(bench, system, data):
    """Whatever happens to each item between plan and run, the statuses tell who was cancelled, and each once."""
    happened = data.draw(st.lists(st.sampled_from([None, "touch", *State]), min_size=1, max_size=12))
    assume(any(one is not None for one in happened))
    ids = await bench.add([Given() for _ in happened])
    chunk = await orders(system, ids)
    for item_id, one in zip(ids, happened, strict=True):
        if one == "touch":
            await bench.touch(item_id)
        elif isinstance(one, State):
            await bench.bring(item_id, one)
    answers = await system.execute(chunk, errand())
    for item_id, one, answer in zip(ids, happened, answers, strict=True):
        ours = answer.state is ItemState.CANCELLED
        assert ours is (one is None)
        assert len(await bench.effects(item_id)) == len(await bench.notices(item_id)) == int(ours)
        assert await bench.cancelled(item_id) is (ours or one is State.CANCELLED)


async def test_two_operators_over_the_same_ids(bench):
    ids = await bench.add([Given(minute=n) for n in range(40)])
    first, second = bench.open(), bench.open()
    names = ("jane@example.com", "ops2@example.com")
    chunks = [await orders(first, ids, "run-1"), await orders(second, list(reversed(ids)), "run-2")]
    told = await asyncio.gather(
        *(
            system.execute(part, errand(f"run-{n}", operator=names[n - 1]))
            for n, (system, chunk) in enumerate(((first, chunks[0]), (second, chunks[1])), start=1)
            for part in (chunk[:13], chunk[13:26], chunk[26:])
        )
    )
    answers = [answer for part in told for answer in part]
    assert Counter(answer.state for answer in answers) == {
        ItemState.CANCELLED: 40,
        ItemState.ALREADY_CANCELLED: 40,
    }
    late = [answer for answer in answers if answer.state is ItemState.ALREADY_CANCELLED]
    assert {answer.ours for answer in late} == {False}
    assert {answer.by for answer in late} <= set(names)
    for item_id in ids:
        assert len(await bench.effects(item_id)) == 1
        assert len(await bench.notices(item_id)) == 1


async def test_verification_reads_what_the_system_says(bench, system):
    good, revived, doubled, never = await bench.add([Given() for _ in range(4)])
    chunk = await orders(system, [good, revived, doubled, never])
    await system.execute(chunk[:3], errand())
    await bench.bring(revived, State.DONE)
    await bench.cancel_foreign(doubled, "somebody else")
    found = dict(zip([order.id for order in chunk], await system.verify(chunk, errand()), strict=True))
    assert found[good].verified is Verified.YES
    for item_id in (revived, doubled, never):
        assert found[item_id].verified is Verified.CONTRADICTED
        assert found[item_id].note
    assert "somebody else" in (found[doubled].note or "")
    assert await system.verify([], errand()) == []


async def test_the_trail_tells_who_and_why(bench, system):
    [item_id] = await bench.add([Given()])
    await system.execute(await orders(system, [item_id]), errand())
    trail = await system.trail(item_id)
    assert trail[-1].actor == "jane@example.com"
    assert trail[-1].details["reason"] == REASON
    assert trail[-1].at.endswith("Z")
    assert [entry.at for entry in trail] == sorted(entry.at for entry in trail)


HOSTILE = (
    "[@click=app.quit]x[/]",
    "a[/]b",
    "\x1b[31mred\x1b[0m\x1b[2J\x9b1m",
    "receipt-\u202egpj.exe",
    "\x1b]52;c;cXVhc2g=\x07",
    "'; DROP TABLE command; --",
    "支払い — naïve 🚚",
    "line\r\nline\ttab",
    "\\ \" ' % _ {0} {where} $1 %s ?",
    "x" * 4_000,
)


async def test_an_endless_text_does_not_fill_a_page(bench, system):
    text = "payment gateway refused the request; " * 3_000
    [item_id] = await bench.add([Given(text=text)])
    [item] = (await system.page(PageQuery(EVERYTHING, Sort("id")))).items
    shown = item.fields[bench.text_field]
    assert text.startswith(shown)
    assert 500 <= len(shown) <= 10_000
    preview = await system.preview(item_id)
    assert any("cut" in line for section in preview.sections for line in section.lines)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_texts_come_back_as_they_are(bench, system: System, text):
    [item_id] = await bench.add([Given(text=text, kind=text[:100])])
    item = await system.item(item_id)
    assert (item.fields[bench.text_field], item.fields[bench.kind_field]) == (text, text[:100])
    wanted = Filter((Term(bench.kind_field, Op.ANY, (text[:100],)), Term("", Op.TEXT, (text[:1000],))))
    page = await system.page(PageQuery(wanted, Sort("id")))
    assert [one.id for one in page.items] == [item_id]
    preview = await system.preview(item_id)
    shown = "\n".join(line for section in preview.sections for line in section.lines)
    assert all(line in shown for line in text.splitlines())
    reason = text[:400]
    [answer] = await system.execute(await orders(system, [item_id]), errand(operator=text[:200], reason=reason))
    assert answer.state is ItemState.CANCELLED
    [effect] = await bench.effects(item_id)
    assert (effect["reason"], effect["operator"]) == (reason, text[:200])
    [notice] = await bench.notices(item_id)
    assert notice["error"]["message"] == reason
    assert (await system.trail(item_id))[-1].details["reason"] == reason
