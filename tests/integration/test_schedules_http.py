"""Schedules of a service that others run: what is asked of it in each dialect, and what its answers are taken for."""

import asyncio
import os
import re
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from support.orders import REASON, errand, orders
from support.raw_server import Answered, raw_server
from support.schedule_servers import ALL, KINDS, SECRET, adapter, told, wrong
from support.schedules_bench import OWNER
from support.world import make_world
from tui_app.config.places import Rooms
from tui_app.config.values import Address
from tui_app.domain import moments
from tui_app.domain.errors import (
    InvalidReason,
    MalformedFilter,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RateLimited,
    Unavailable,
)
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import Cursor, PageQuery, Selection, Sort
from tui_app.domain.plan import PlanState
from tui_app.domain.run import ItemState, PauseCause, RunState, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.recognition import Unrecognised
from tui_app.systems.schedules.bodies import run_of, signed
from tui_app.systems.schedules.http_pages import KEPT, MOST
from tui_app.systems.schedules.http_walk import Unlistable, Walk
from tui_app.systems.schedules.plug import PLUG, SchedulesSettings

TOKEN = "[quash run-1/0]"
RUN_AT = Sort("run_at")
WAITING = parse("status:pending,queued")


class Service:
    """A small service that is asked over TCP, and what it was asked."""

    def __init__(self, server, posts):
        self.server, self.posts = server, posts
        self.opened = []

    def open(self, **options):
        system = adapter(self.server, self.posts, **options)
        self.opened.append(system)
        return system

    def asked(self, method="POST", end=""):
        return [one for one in self.posts.asked if one.method == method and one.path.endswith(end)]


@pytest.fixture
async def serve():
    async with AsyncExitStack() as stack:

        async def start(name="seed", *quirks):
            posts = KINDS[name](quirks=quirks)
            service = Service(await stack.enter_async_context(raw_server(posts.handle)), posts)

            async def close():
                for system in service.opened:
                    await system.close()

            stack.push_async_callback(close)
            return service

        yield start


@pytest.fixture(params=KINDS)
async def either(request, serve):
    return await serve(request.param)


async def sent(system, *ids, why=None):
    return list(await system.execute(await orders(system, ids), why or errand()))


# -- which dialect


async def test_the_dialect_is_found_out_once_and_by_a_read(either):
    system = either.open()
    ids = [either.posts.add() for _ in range(3)]
    await sent(system, *ids)
    await system.page(PageQuery(Filter(), RUN_AT))
    probes = [one for one in either.asked("GET", ALL) if set(one.query) == {"limit"}]
    assert len(probes) == 1
    assert either.posts.asked[0] is probes[0]
    assert len(either.posts.effects) == 3


@pytest.mark.parametrize("name", KINDS)
async def test_a_dialect_that_is_given_is_not_probed(serve, name):
    service = await serve(name)
    await service.open(dialect=name).page(PageQuery(Filter(), RUN_AT))
    assert all(len(one.query) > 1 for one in service.posts.asked)


@pytest.mark.parametrize("name", KINDS)
async def test_a_dialect_that_is_the_wrong_one_is_named(serve, name):
    [other] = set(KINDS) - {name}
    service = await serve(name)
    with pytest.raises(Unavailable) as caught:
        await service.open(dialect=other).page(PageQuery(Filter(), RUN_AT))
    assert "`dialect` of the profile says how it is to be read" in caught.value.hint


@pytest.mark.parametrize("body", [{"data": []}, {"schedules": []}, [], "hello", None])
async def test_what_lists_in_neither_way_is_no_schedule_service(serve, monkeypatch, body):
    service = await serve()
    monkeypatch.setattr(service.posts, "_handle", lambda asked: Answered(200, body))
    with pytest.raises(Unrecognised) as refused:
        await service.open().page(PageQuery(Filter(), RUN_AT))
    assert "url" in refused.value.hint


async def test_the_token_stands_in_the_header_that_the_service_reads(either):
    await either.open().count(Filter())
    header, value = either.posts.auth
    assert {one.headers.get(header) for one in either.posts.asked} == {value}
    other = {"authorization", "x-session-id"} - {header}
    assert not any(other & set(one.headers) for one in either.posts.asked)


async def test_a_list_that_is_not_for_us_or_not_there_says_so(serve, monkeypatch):
    service = await serve()
    system = service.open(dialect="seed")
    none = wrong(404, "ROUTE_NOT_FOUND")
    refusals = [(wrong(403, "FORBIDDEN", "not you"), NotAllowed), (none, Unrecognised), (Answered(404), Unrecognised)]
    for answer, error in refusals:
        monkeypatch.setattr(service.posts, "_handle", lambda asked, answer=answer: answer)
        with pytest.raises(error):
            await system.page(PageQuery(Filter(), RUN_AT))
    with pytest.raises(Unavailable):
        # Not about the schedule: a proxy in front of the service answers like that.
        await system.item("a1")


# -- what is sent


async def test_a_bulk_request_takes_the_chunk_with_one_reason(serve):
    service = await serve()
    ids = [service.posts.add() for _ in range(5)]
    answers = await sent(service.open(), *ids)
    [written] = service.asked("POST")
    assert written.path == f"{ALL}/bulk-cancel"
    assert sorted(written.json["schedule_ids"]) == sorted(ids)
    assert written.json["reason"] == f"{REASON} {TOKEN}"
    assert {(one.state, one.before, one.after) for one in answers} == {(ItemState.CANCELLED, "pending", "cancelled")}


@pytest.mark.parametrize(("name", "quirk"), [("seed", "no bulk"), ("luxaris", "")])
async def test_without_a_bulk_route_they_are_sent_one_by_one_soonest_first(serve, name, quirk):
    service = await serve(name, quirk)
    begin = service.posts.clock.moment
    ids = [service.posts.add(run_at=told(begin + timedelta(minutes=9 - n))) for n in range(8)]
    system = service.open()
    assert {one.state for one in await sent(system, *ids)} == {ItemState.CANCELLED}
    more = [service.posts.add() for _ in range(2)]
    await sent(system, *more)
    written = [one.path.removeprefix(f"{ALL}/") for one in service.asked("POST")]
    assert written.count("bulk-cancel") == (1 if name == "seed" else 0)
    assert [path.removesuffix("/cancel") for path in written if path != "bulk-cancel"][:8] == ids[::-1]
    assert all(one.json["reason"] == f"{REASON} {TOKEN}" for one in service.asked("POST", "/cancel"))
    assert system.chunk_size < service.open().chunk_size or name == "luxaris"


async def test_a_bulk_request_that_is_refused_as_a_whole_is_taken_apart(serve):
    service = await serve("seed", "bulk is refused")
    ids = [service.posts.add() for _ in range(3)]
    assert {one.state for one in await sent(service.open(), *ids)} == {ItemState.CANCELLED}
    assert len(service.asked("POST", "/cancel")) == 3


@pytest.mark.parametrize("quirk", ["sums that are wrong", "failures without names"])
async def test_where_the_sums_are_wrong_every_item_is_read_again(serve, quirk):
    service = await serve("seed", quirk)
    good, gone = service.posts.add(), service.posts.add(status="success")
    system = service.open()
    chunk = await orders(system, [good, gone])
    before = len(service.asked("GET"))
    first, second = await system.execute(chunk, errand())
    assert len(service.asked("GET")) > before
    assert (first.state, first.ours) == (ItemState.CANCELLED, True)
    assert (second.state, second.code) == (ItemState.REFUSED, VerdictCode.PUBLISHED)
    assert [item for item, _ in service.posts.effects] == [good]


async def test_a_reason_that_does_not_fit_with_the_token_is_refused_before_anything_is_sent(serve, tmp_path):
    service = await serve()
    item_id = service.posts.add()
    system = service.open()
    [answer] = await sent(system, item_id, why=errand(reason="x" * 490))
    assert (answer.state, answer.code) == (ItemState.SKIPPED, "INVALID_REASON")
    # and at the review already, where it can still be made shorter
    world = make_world(tmp_path, {"schedules": system}, service.posts.clock)
    plan = await world.plan(Selection("schedules", ids=(item_id,)))
    asked = {"plan_hash": plan.hash, "options": errand().options, "phrase": None, "expect_count": 1, "key": "k1"}
    with pytest.raises(InvalidReason) as refused:
        await world.steering.confirm(plan.id, reason="x" * 461, who=replace(world.worker().who), **asked)
    assert "460" in refused.value.message
    run = await world.steering.confirm(plan.id, reason="x" * 460, who=world.worker().who, **asked)
    await world.worker().drive(run.id)
    [(_, reason)] = service.posts.effects
    assert len(reason) <= 500
    assert run_of(reason) == run.id
    await world.close()


# -- what the answers are taken for


@pytest.mark.parametrize("bulk", [True, False])
async def test_each_refusal_by_its_code(serve, bulk):
    service = await serve("seed", *([] if bulk else ["no bulk"]))
    posts = service.posts
    system = service.open()
    denied, published, publishing, failed, theirs, silent, gone = (posts.add() for _ in range(7))
    chunk = await orders(system, [denied, published, publishing, failed, theirs, silent, gone])
    posts.denied.add(denied)
    for item_id, status in ((published, "success"), (publishing, "publishing"), (failed, "failed")):
        posts.change(item_id, status=status)
    posts.cancel(theirs, "by hand")
    posts.cancel(silent, None)
    del posts.rows[gone]
    answers = dict(zip([order.id for order in chunk], await system.execute(chunk, errand()), strict=True))
    codes = {item_id: answers[item_id].code for item_id in (denied, published, publishing, failed, gone)}
    assert codes == {
        denied: VerdictCode.FORBIDDEN,
        published: VerdictCode.PUBLISHED,
        publishing: VerdictCode.PUBLISHING,
        failed: VerdictCode.FAILED,
        gone: VerdictCode.NOT_FOUND,
    }
    assert {answers[item_id].state for item_id in codes} == {ItemState.REFUSED}
    assert "the race is lost" in answers[publishing].message
    assert "the race is lost" in answers[published].message
    assert "#posts" in answers[denied].message
    for item_id in (theirs, silent):
        assert (answers[item_id].state, answers[item_id].ours) == (ItemState.ALREADY_CANCELLED, False)
        assert answers[item_id].by == OWNER
    assert len(posts.effects) == 2


async def test_one_code_for_every_status_is_told_apart_by_reading(serve):
    service = await serve("luxaris")
    posts, system = service.posts, service.open()
    states = ("success", "processing", "skipped", "cancelled")
    ids = [posts.add() for _ in states]
    denied = posts.add()
    chunk = await orders(system, [*ids, denied])
    for item_id, status in zip(ids, states, strict=True):
        posts.change(item_id, status=status)
    posts.denied.add(denied)
    answers = await system.execute(chunk, errand())
    assert [(one.state, one.code) for one in answers] == [
        (ItemState.REFUSED, VerdictCode.PUBLISHED),
        (ItemState.REFUSED, VerdictCode.PUBLISHING),
        (ItemState.REFUSED, VerdictCode.FAILED),
        (ItemState.ALREADY_CANCELLED, None),
        (ItemState.REFUSED, VerdictCode.FORBIDDEN),
    ]
    assert answers[3].ours is None
    assert "not known" in answers[3].message
    assert answers[1].after == "processing"


async def test_the_statuses_of_the_other_dialect_have_verdicts_and_strange_ones_are_the_service_s(serve):
    service = await serve("luxaris")
    system = service.open()
    ids = [service.posts.add(status=status) for status in ("processing", "skipped", "on_review")]
    processing, skipped, strange = await system.survey(ids)
    assert (processing.verdict.code, skipped.verdict.code) == (VerdictCode.PUBLISHING, VerdictCode.FAILED)
    assert strange.verdict.cancellable
    preview = await system.preview(ids[2])
    assert any("on_review" in warning for warning in preview.warnings)
    [answer] = await sent(system, ids[2])
    assert (answer.state, answer.code) == (ItemState.REFUSED, "SCHEDULE_CANNOT_BE_CANCELLED")
    for item_id, seen in zip(ids, (processing, skipped, strange), strict=True):
        assert (await system.item(item_id)).verdict == seen.verdict


async def test_an_answer_about_another_schedule_proves_nothing(serve, monkeypatch):
    service = await serve("seed", "no bulk")
    posts, system = service.posts, service.open()
    ours, other = posts.add(), posts.add()
    chunk = await orders(system, [ours])
    honest = posts.cancel
    monkeypatch.setattr(posts, "cancel", lambda item_id, reason: honest(other, reason))
    [answer] = await system.execute(chunk, errand())
    # It is read, is pending still, and is sent again: the service hits the other one each time.
    assert answer.state is not ItemState.CANCELLED
    assert posts.rows[ours]["status"] == "pending"


# -- recovery


async def test_what_was_sent_before_a_crash_is_known_by_its_token(serve):
    service = await serve()
    posts, system = service.posts, service.open()
    done, theirs, waiting, moved = (posts.add() for _ in range(4))
    chunk = await orders(system, [done, theirs, waiting, moved])
    posts.cancel(done, signed(errand()))
    posts.cancel(theirs, signed(errand("run-2")))
    posts.change(waiting, status="queued")
    posts.change(moved, run_at=told(posts.clock.moment + timedelta(days=1)))
    effects = len(posts.effects)
    answers = await service.open().reconcile(chunk, errand())
    assert [(one.state, one.ours) for one in answers] == [
        (ItemState.CANCELLED, True),
        (ItemState.ALREADY_CANCELLED, False),
        (ItemState.CANCELLED, None),
        (ItemState.UNKNOWN, None),
    ]
    assert "changed since" in answers[3].message
    assert [item for item, _ in posts.effects[effects:]] == [waiting]


async def test_what_our_cancellation_was_undone_of_is_not_cancelled_again(serve):
    """Somebody set it back by hand: its audit has our cancellation, and a second one would be one too many."""
    service = await serve()
    system = service.open()
    item_id = service.posts.add()
    chunk = await orders(system, [item_id])
    await system.execute(chunk, errand())
    service.posts.change(item_id, status="pending")
    [answer] = await system.reconcile(chunk, errand())
    assert (answer.state, answer.ours) == (ItemState.CANCELLED, True)
    assert len(service.posts.effects) == 1
    [found] = await system.verify(chunk, errand())
    assert found.verified is Verified.CONTRADICTED


async def test_a_token_proves_its_run_and_nothing_else():
    reason = signed(errand())
    assert reason.endswith(TOKEN)
    assert run_of(reason) == "run-1"
    for other in (f"{TOKEN} more", "[quash run-1]", "by hand", "", None, "[quash run-1/x]"):
        assert run_of(other) is None


async def test_a_step_of_the_scanner_is_no_drift_and_a_new_time_is(either):
    system = either.open()
    item_id = either.posts.add()
    [before] = await system.survey([item_id])
    either.posts.change(item_id, status="queued")
    [queued] = await system.survey([item_id])
    assert queued.status != before.status
    assert queued.fingerprint == before.fingerprint
    either.posts.change(item_id, attempt_count=1)
    [tried] = await system.survey([item_id])
    assert tried.fingerprint != before.fingerprint
    assert tried.due == moments.stamp(moments.read(either.posts.rows[item_id]["run_at"]))


# -- verification


@pytest.mark.parametrize(
    ("quirk", "said"),
    [("no audit", "this server has no audit endpoint"), ("odd audit", "in a form that is not known here")],
)
async def test_without_an_audit_that_can_be_read_the_reason_proves_it(serve, quirk, said):
    service = await serve("seed", quirk)
    posts, system = service.posts, service.open()
    ours, theirs, bare, alive = (posts.add() for _ in range(4))
    chunk = await orders(system, [ours, theirs, bare, alive])
    await system.execute(chunk[:1], errand())
    posts.cancel(theirs, "by hand")
    posts.cancel(bare, None)
    found = await system.verify(chunk, errand())
    assert [one.verified for one in found] == [Verified.YES, *[Verified.CONTRADICTED] * 3]
    assert all(one.note for one in found[1:])
    # A later look has no chunk at hand, and knows its run all the same.
    [later] = await system.verify(chunk[:1], replace(errand(), chunk=-1))
    assert later.verified is Verified.YES
    with pytest.raises(NotFound) as unknown:
        await system.trail(ours)
    assert said in unknown.value.message


async def test_the_trail_parts_the_operator_s_words_from_our_token(serve):
    service = await serve()
    system = service.open()
    item_id = service.posts.add()
    await sent(system, item_id)
    [entry] = await system.trail(item_id)
    assert (entry.details["reason"], entry.details["quash"]) == (REASON, "run-1/0")
    assert (await system.item(item_id)).fields["reason"] == f"{REASON} {TOKEN}"


# -- reading


def fill(posts, number, same=1, **more):
    """So many schedules, of which ``same`` go out at the same moment each time."""
    begin = posts.clock.moment
    return [
        posts.add(run_at=told(begin + timedelta(minutes=n // same)), status=("pending", "queued")[n % 2], **more)
        for n in range(number)
    ]


async def walked(system, wanted, sort, limit, backward=False, between=None):
    ids, cursor = [], None
    while True:
        page = await system.page(PageQuery(wanted, sort, limit, cursor, backward))
        ids += [item.id for item in (reversed(page.items) if backward else page.items)]
        if not (page.more_before if backward else page.more_after):
            return ids
        last = page.items[0 if backward else -1]
        cursor = Cursor(last.fields[sort.field], last.id)
        if between is not None:
            between()


def by_moment(posts):
    return [row["id"] for row in sorted(posts.rows.values(), key=lambda row: (row["run_at"], row["id"]))]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("same", [1, 7, 130, 400])
async def test_every_row_once_in_its_order_whatever_the_service_s_pages(either, same, descending, backward):
    fill(either.posts, 400, same)
    ids = await walked(either.open(), WAITING, Sort("run_at", descending), 90, backward)
    expected = by_moment(either.posts)
    assert ids == (expected[::-1] if descending != backward else expected)


async def test_rows_that_leave_the_list_in_front_shift_nothing(either):
    ids = fill(either.posts, 300)
    left = iter(ids)

    def cancel_some():
        for _ in range(20):
            either.posts.change(next(left), status="cancelled")

    seen = await walked(either.open(), WAITING, RUN_AT, 60, between=cancel_some)
    assert len(seen) == len(set(seen))
    assert set(ids[100:]) <= set(seen)


@pytest.mark.parametrize("same", [60, 150, 250, 500])
@pytest.mark.parametrize("name", KINDS)
async def test_equals_in_no_order_are_read_until_all_were_met(serve, name, same):
    service = await serve(name, "no order among equals")
    fill(service.posts, 500, same)
    seen = await walked(service.open(), WAITING, RUN_AT, 100)
    assert seen == by_moment(service.posts)


async def test_a_campaign_of_one_moment_is_listed_and_planned_with_few_requests(serve, tmp_path):
    """Its order is another one each time: one answer has to hold all of it."""
    service = await serve("luxaris", "no order among equals")
    posts, system = service.posts, service.open()
    for _ in range(700):
        posts.add(run_at=told(posts.clock.moment + timedelta(hours=9)))
    later = posts.add(run_at=told(posts.clock.moment + timedelta(hours=10)))
    assert await walked(system, WAITING, RUN_AT, 100) == by_moment(posts)
    before = len(posts.asked)
    world = make_world(tmp_path, {"schedules": system}, posts.clock)
    plan = await world.plan(Selection("schedules", filter=WAITING))
    assert (plan.state, plan.read) == (PlanState.READY, 701)
    assert len(posts.asked) - before < 40
    assert (await system.page(PageQuery(WAITING, RUN_AT, 10, backward=True))).items[-1].id == later
    await world.close()


@pytest.mark.parametrize("name", KINDS)
async def test_what_cannot_be_listed_is_said_with_how_much_of_it_could_be_read(serve, monkeypatch, name):
    """Each answer is a part of the moment that has nothing to do with the part before."""
    service = await serve(name, "no order among equals")
    posts, system = service.posts, service.open()
    posts.most = 100
    first = posts.add(run_at=told(posts.clock.moment + timedelta(minutes=1)))
    for _ in range(2_000):
        posts.add()
    for limit in (1, 100):
        page = await system.page(PageQuery(WAITING, RUN_AT, limit))
        assert [item.id for item in page.items] == [first]
        assert page.more_after
    place = Cursor(page.items[0].fields["run_at"], first)
    for query in (PageQuery(WAITING, RUN_AT, 100, place), PageQuery(WAITING, Sort("channel"), 100)):
        before = len(posts.asked)
        with pytest.raises(Unlistable) as refused:
            await system.page(query)
        assert re.search(r"another order each time.* [1-9][0-9,]* could be read", refused.value.message)
        assert "Narrow it" in refused.value.hint
        assert len(posts.asked) - before < 130
    monkeypatch.setattr(Walk, "_lacks", lambda *given, **more: False)
    seen = await walked(system, WAITING, RUN_AT, 100)
    assert len(seen) < 2_001, "a walk that trusts the order is found"


async def test_a_list_that_does_not_come_to_an_end_is_given_up(serve, monkeypatch):
    service = await serve("luxaris")
    service.posts.most = 100
    fill(service.posts, 250, 250)
    honest = service.posts.list
    monkeypatch.setattr(service.posts, "list", lambda query: honest({**query, "offset": "0"}))
    with pytest.raises(Unlistable):
        await asyncio.wait_for(service.open().page(PageQuery(WAITING, RUN_AT, 100)), 20)


async def test_a_list_in_another_order_is_not_walked(serve, monkeypatch):
    service = await serve("luxaris")
    fill(service.posts, 20)
    honest = service.posts.due
    monkeypatch.setattr(service.posts, "due", lambda *asked: honest(*asked)[::-1])
    with pytest.raises(Unlistable) as refused:
        await service.open().page(PageQuery(WAITING, RUN_AT, 100))
    assert "by the moment" in refused.value.message


async def test_what_came_into_the_queue_since_the_page_is_still_in_the_selection(either):
    ids = fill(either.posts, 4)
    system = either.open()
    as_of = (await system.page(PageQuery(WAITING, RUN_AT))).as_of
    either.posts.change(ids[0], status="queued")
    either.posts.change(ids[2], run_at=told(either.posts.clock.moment + timedelta(days=1)))
    new = either.posts.add(status="queued", created_at=told(either.posts.clock.now()))
    either.posts.change(new)
    for sort in (RUN_AT, Sort("id")):
        page = await system.page(PageQuery(WAITING, sort, as_of=as_of))
        assert {item.id for item in page.items} == {ids[0], ids[1], ids[3]}
    assert (await system.count(WAITING, as_of=as_of)).value == 3


async def test_a_place_whose_row_is_gone_still_has_two_sides(either):
    ids = fill(either.posts, 3)
    system = either.open()
    places = [moments.stamp(moments.read(either.posts.rows[item_id]["run_at"])) for item_id in ids]
    either.posts.change(ids[1], status="success")
    for backward in (False, True):
        middle = await system.page(PageQuery(WAITING, RUN_AT, 9, Cursor(places[1], ids[1]), backward))
        assert (middle.more_before, middle.more_after) == ((False, True) if backward else (True, False))
    either.posts.change(ids[0], status="success")
    page = await system.page(PageQuery(WAITING, RUN_AT, 9, Cursor(places[1], ids[1])))
    assert ([item.id for item in page.items], page.more_before) == ([ids[2]], False)
    either.posts.change(ids[2], status="success")
    either.posts.clock.forward(KEPT.total_seconds())
    page = await system.page(PageQuery(WAITING, RUN_AT, 9, Cursor(places[1], ids[1]), backward=True))
    assert (page.items, page.more_before, page.more_after) == ((), False, False)


async def test_a_cursor_of_another_order_is_refused(either):
    with pytest.raises(MalformedFilter):
        await either.open().page(PageQuery(WAITING, RUN_AT, 9, Cursor("no moment", "x")))


async def test_a_page_costs_a_few_requests_however_many_rows_there_are(serve):
    service = await serve()
    fill(service.posts, MOST + 1_000)
    system = service.open(dialect="seed")
    for query in (
        PageQuery(WAITING, RUN_AT, 50),
        PageQuery(WAITING, RUN_AT, 50, backward=True),
        PageQuery(parse("status:pending,queued run_at>=2026-01-03"), RUN_AT, 50),
    ):
        before = len(service.posts.asked)
        page = await system.page(query)
        assert len(page.items) == 50
        assert len(service.posts.asked) - before <= 6
    assert (await system.count(WAITING)).value == MOST + 1_000
    assert (await system.count(WAITING)).exact


async def test_what_would_need_too_many_rows_is_refused_with_a_sentence(serve):
    service = await serve()
    fill(service.posts, MOST + 1)
    system = service.open()
    for query in (PageQuery(WAITING, Sort("channel")), PageQuery(parse("content:sale"), RUN_AT)):
        with pytest.raises(MalformedFilter) as refused:
            await system.page(query)
        assert f"{MOST + 1:,}" in refused.value.message
        assert "run_at" in refused.value.hint
    estimate = await system.count(parse("channel:@example"))
    assert not estimate.exact
    # The service narrows what it can, and the rest is done here.
    some = parse("status:pending run_at<2026-01-02T04:00 channel:@example")
    page = await system.page(PageQuery(some, Sort("channel"), 10))
    assert len(page.items) == 10
    assert (await system.count(some)).exact


@pytest.mark.parametrize(
    "text",
    ["status:pending", "status:pending,cancelled", "!status:pending", "status:nonsense", "run_at>2026-01-02T04:00"],
)
async def test_the_service_narrows_to_what_the_filter_says(either, text):
    posts = either.posts
    fill(posts, 120)
    for status in ("cancelled", "success"):
        posts.add(status=status, run_at=told(posts.clock.moment + timedelta(hours=9)))
    system = either.open()
    everything = await walked(system, Filter(), Sort("id"), 500)
    rows = {item_id: (await system.item(item_id)) for item_id in everything}
    ids = await walked(system, parse(text), RUN_AT, 50)
    assert len(ids) == len(set(ids))

    def fits(item):
        if text.startswith("run_at"):
            return item.fields["run_at"] > "2026-01-02T04:00:00.000000Z"
        wanted = item.status in text.partition(":")[2].split(",")
        return not wanted if text.startswith("!") else wanted

    assert set(ids) == {item_id for item_id, item in rows.items() if fits(item)}
    found = await system.count(parse(text))
    assert (found.value, found.exact) == (len(ids), True)


async def test_the_soonest_are_arranged_first(either):
    ids = fill(either.posts, 230)
    system = either.open()
    assert await system.arrange(ids[::-1]) == ids
    # No more is read than is needed.
    before = len(either.posts.asked)
    assert await system.arrange([ids[3], ids[0]]) == [ids[0], ids[3]]
    assert len(either.posts.asked) - before <= 2


@pytest.mark.parametrize("broken", [{"id": "../x"}, {"id": None}, {"id": True}])
async def test_a_list_of_rows_that_have_no_id_is_no_list(either, broken):
    item_id = either.posts.add()
    system = either.open()
    await system.page(PageQuery(Filter(), RUN_AT))
    either.posts._shown = lambda row: {**row, **broken}
    either.posts.rows[item_id] |= broken
    with pytest.raises(Unavailable):
        await system.page(PageQuery(Filter(), RUN_AT))


async def test_one_that_is_not_for_us_is_blocked_and_the_others_are_not(serve, monkeypatch):
    service = await serve("luxaris")
    hidden, shown = service.posts.add(), service.posts.add()
    honest = service.posts.show
    denied = wrong(403, "SCHEDULE_ACCESS_DENIED", "Access denied to this schedule")
    monkeypatch.setattr(service.posts, "show", lambda one: denied if one == hidden else honest(one))
    system = service.open()
    first, second = await system.survey([hidden, shown])
    assert first.verdict.code is VerdictCode.FORBIDDEN
    assert second.verdict.cancellable
    with pytest.raises(NotFound):
        await system.item(hidden)


# -- the profile


async def test_a_profile_opens_it_with_the_token_of_the_environment(serve, tmp_path, monkeypatch):
    service = await serve()
    item_id = service.posts.add()
    settings = SchedulesSettings(url=Address(f"{service.server.url}/"), contact="#posts")
    system = PLUG.open(settings, Rooms(tmp_path))
    service.opened.append(system)
    with pytest.raises(NotSignedIn) as refused:
        await system.item(item_id)
    assert "QUASH_SCHEDULES_TOKEN" in refused.value.message
    monkeypatch.setitem(os.environ, "QUASH_SCHEDULES_TOKEN", SECRET)
    assert (await system.item(item_id)).id == item_id
    assert await system.identity() == service.server.url
    assert system.credentials_expire is None
    monkeypatch.setitem(os.environ, "QUASH_SCHEDULES_TOKEN", "another")
    other = PLUG.open(settings, Rooms(tmp_path))
    service.opened.append(other)
    with pytest.raises(NotSignedIn):
        await sent(other, item_id)
    assert service.posts.effects == []


async def test_a_session_header_and_a_prefix_come_from_the_profile(serve, tmp_path, monkeypatch):
    service = await serve("luxaris")
    item_id = service.posts.add()
    honest = service.posts._handle
    monkeypatch.setattr(
        service.posts, "_handle", lambda asked: honest(replace(asked, path=asked.path.removeprefix("/posts")))
    )
    secret = tmp_path / "token"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    settings = SchedulesSettings(
        url=Address(f"{service.server.url}/posts"), auth="x-session-id", dialect="luxaris", token_file=str(secret)
    )
    system = PLUG.open(settings, Rooms(tmp_path))
    service.opened.append(system)
    assert [one.state for one in await sent(system, item_id)] == [ItemState.CANCELLED]
    assert all(one.path.startswith("/posts/api/v1/") for one in service.posts.asked)
    assert await system.identity() == f"{service.server.url}/posts"


async def test_a_run_of_two_chunks_is_cancelled_verified_and_of_one_mind(either, tmp_path):
    ids = fill(either.posts, 130)
    system = either.open()
    world = make_world(tmp_path, {"schedules": system}, either.posts.clock)
    plan = await world.plan(Selection("schedules", filter=WAITING))
    assert plan.totals["counts"] == {"items": 130, "cancellable": 130, "blocked": 0}
    # Between plan and run the scanner goes on, and one goes out: it is sent all the same, and the race is lost.
    for item_id in ids[:5]:
        either.posts.change(item_id, status="queued")
    either.posts.change(ids[5], status="success")
    run = await world.confirm(plan)
    await world.worker().drive(run.id)
    items = await world.items(run.id)
    states = {one.item.seen.id: one.state for one in items}
    assert states.pop(ids[5]) is ItemState.REFUSED
    assert set(states.values()) == {ItemState.CANCELLED}
    assert [one.outcome.answer.code for one in items if one.item.seen.id == ids[5]] == [VerdictCode.PUBLISHED]
    assert sorted(item for item, _ in either.posts.effects) == sorted(states)
    verified = {one.verification.verified for one in items if one.verification is not None}
    assert verified == {Verified.YES}
    await world.close()


# -- limits of reads


async def test_a_survey_goes_on_where_a_limit_of_reads_cut_it_off(either):
    """Also where one window of the limit is not enough for the whole of it, and the list does not tell of them."""
    ids = [either.posts.add(status="failed") for _ in range(30)]
    system, handle, window = either.open(), either.posts.handle, [5]

    def limited(asked):
        window[0] -= 1
        return Answered(429, {}, {"Retry-After": "30"}) if window[0] < 0 else handle(asked)

    either.server._handle = limited
    seen, waits = None, 0
    while seen is None:
        try:
            seen = await system.survey(ids)
        except RateLimited as limit:
            waits += 1
            window[0] = 5
            either.posts.clock.forward(limit.retry_after)
    assert [one.id for one in seen] == ids
    # One read finds out about the dialect, two look at the lists of what waits, and one at names that are told apart.
    assert waits == 6
    assert len(either.posts.asked) == 33 + (either.posts.name == "luxaris")


async def test_a_survey_does_not_ask_a_service_that_is_away_for_each(either):
    ids = [either.posts.add() for _ in range(100)]
    system = either.open()
    await system.survey(ids[:1])
    before = len(either.server.log)
    await either.server.arm("503")
    with pytest.raises(Unavailable) as away:
        await system.survey(ids)
    assert "#posts" in away.value.hint
    assert len(either.server.log) - before <= 16


async def test_whose_session_it_is_is_asked_once_and_told(serve):
    service = await serve("luxaris")
    system = service.open()
    assert system.signed_in_as is None
    await system.sign_in()
    await system.sign_in()
    assert system.signed_in_as == "bob@example.com"
    assert len(service.asked("GET", "/auth/me")) == 1


async def test_a_service_that_does_not_tell_whose_a_token_is_is_not_asked(serve):
    service = await serve("seed")
    system = service.open()
    await system.sign_in()
    assert system.signed_in_as is None
    assert service.asked("GET", "/auth/me") == []


async def test_a_run_is_bound_to_the_session_it_was_confirmed_with(serve, tmp_path):
    service = await serve("luxaris")
    ids = [service.posts.add() for _ in range(3)]
    world = make_world(tmp_path, {"schedules": service.open()}, service.posts.clock)
    run = await world.confirm(await world.plan(Selection("schedules", ids=tuple(ids))))
    assert run.bearers == {"schedules": "bob@example.com"}
    service.posts.session = "carol@example.com"
    kept = await world.worker(systems={"schedules": service.open()}).drive(run.id)
    assert (kept.state, kept.pause.cause) == (RunState.PAUSED, PauseCause.PRINCIPAL)
    assert "carol@example.com" in kept.pause.message
    assert service.posts.effects == [], "nothing is sent in another's name"
    await world.close()
