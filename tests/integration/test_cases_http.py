"""The runbook as our own conduct, against a case API that is not ours: its steps in order, and each of its errors."""

import ssl
from dataclasses import replace
from datetime import timedelta

import pytest
import trustme

from support.case_server import JANE, TOKEN, Quirks, carried_out, case_server
from support.orders import errand, orders
from support.raw_server import Answered, raw_server
from support.world import MovableClock
from tui_app.config.places import Rooms
from tui_app.config.values import Address
from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import (
    CannotConnect,
    MalformedFilter,
    MalformedId,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RateLimited,
    Unavailable,
    UsageProblem,
)
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import PageQuery, Sort
from tui_app.domain.plan import Options
from tui_app.domain.rates import Rate
from tui_app.domain.run import Answer, ItemState, SkipCode, Verification, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.http import HttpService
from tui_app.outbound.recognition import Unrecognised
from tui_app.systems.cases import line
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.line import CaseLine
from tui_app.systems.cases.plug import PLUG, CasesSettings
from tui_app.systems.cases.words import ASSUMED, DOWNSTREAM, NOT_READ, NOTIFIED_UNNAMED, REVERSIBLE

ONE = "CASE-1"
BACK = errand("undo-1", verb=Verb.REINSTATE, reason="cancelled by mistake")


def ids(number):
    return [f"CASE-{n}" for n in range(1, number + 1)]


async def cancelled(way, system, case_id=ONE):
    [order] = await orders(system, [case_id])
    [answer] = await carried_out(way, system, [order])
    assert answer.state is ItemState.CANCELLED
    return order, answer


async def test_the_steps_of_the_runbook_come_in_its_order():
    async with case_server(ONE) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        checks = ["case", "status", "dependencies", "permission", "cancel/preview"]
        assert way.server.steps == checks
        way.server.steps.clear()
        [answer] = await carried_out(way, system, [order])
        [verification] = await system.verify([order], errand())
        done = [step for step in way.server.steps if step not in ("case", "dependencies")]
        assert done == ["permission", "status", "POST cancel", "status", "audit-log", "status", "audit-log"]
        assert answer.state is ItemState.CANCELLED
        assert answer.undo_until == way.server.cases[ONE].deadline
        assert verification.verified is Verified.YES
        [wish] = way.server.wishes
        assert wish == {"reason": "operational_request", "notes": errand().reason, "notify_stakeholders": True}
        assert way.server.effects == [(ONE, order.key)]


async def test_the_permission_is_asked_once_a_run():
    async with case_server(*ids(4)) as way:
        system = way.open()
        sent = await orders(system, ids(4))
        assert way.server.steps.count("permission") == 1
        for order in sent:
            await system.execute([order], errand())
        assert way.server.steps.count("permission") == 2
        await system.execute(sent[:1], errand("run-2"))
        assert way.server.steps.count("permission") == 3


async def test_nobody_is_notified_where_the_operator_said_so():
    async with case_server(ONE) as way:
        system = way.open()
        await system.execute(await orders(system, [ONE]), errand(options=Options(notify_stakeholders=False)))
        assert [wish["notify_stakeholders"] for wish in way.server.wishes] == [False]


async def test_a_preview_tells_impact_and_dependencies():
    async with case_server(ONE, "CASE-2") as way:
        way.server.cases["CASE-2"].hold = True
        system = way.open()
        [seen, held] = await system.survey([ONE, "CASE-2"])
        assert seen.undo_seconds in (7199, 7200)
        assert held.undo_seconds is None
        found = await system.preview(ONE)
        assert found.verdict.cancellable
        codes = {effect.code: effect.target for effect in found.effects}
        assert codes == {NOTIFIED_UNNAMED: "2 people", DOWNSTREAM: "lims", REVERSIBLE: "2 hours"}
        assert seen.effects == found.effects
        assert found.warnings == ("slides are cut",)
        assert "estimated duration: 5 seconds" in {one.title: one.lines for one in found.sections}["Impact"]
        assert (held.verdict.code, held.verdict.reason) == (
            VerdictCode.ACTIVE_HOLD,
            "an active hold is on it: hold LEGAL-1",
        )
        assert (await system.preview("CASE-2")).verdict == held.verdict


@pytest.mark.parametrize("missing", ["dependencies", "cancel/preview"])
async def test_what_the_server_does_not_give_is_not_known(missing):
    async with case_server(ONE, quirks=Quirks(without=(missing,))) as way:
        system = way.open()
        [seen] = await system.survey([ONE])
        found = await system.preview(ONE)
        assert seen.verdict.cancellable
        assert found.verdict.cancellable
        text = "\n".join([*found.warnings, *(line for section in found.sections for line in section.lines)])
        assert "the server answered 404, no such route" in text
        if missing == "dependencies":
            assert seen.verdict.reason.startswith("dependencies not read")
            assert any(one.startswith("dependencies not read") for one in found.warnings)
        else:
            assert [effect.code for effect in seen.effects] == [NOT_READ]


@pytest.mark.parametrize("spelling", ["Canceled", "CANCELLED", " cancelled "])
async def test_answers_of_every_shape_are_read(spelling):
    quirks = Quirks(plain_status=True, spelling=spelling)
    async with case_server(ONE, "CASE-2", quirks=quirks) as way:
        system = way.open()
        await cancelled(way, system)
        [seen] = await system.survey([ONE])
        assert seen.verdict.code is VerdictCode.ALREADY_CANCELLED
        way.server.cases["CASE-2"].status = "archived"
        [sent] = await orders(system, ["CASE-2"])
        [answer] = await system.execute([sent], errand())
        assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.TERMINAL)
        with pytest.raises(NotFound):
            await system.item("CASE-3")


@pytest.mark.parametrize("errors", ["errors", "problem", "text"])
async def test_an_error_in_another_shape_is_not_the_api_s(errors):
    """Nothing is concluded from it, in none of the steps: that a case is not there, or may not be cancelled."""
    async with case_server(ONE, quirks=Quirks(errors=errors)) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        [_, missing] = await system.survey([ONE, "CASE-3"])
        assert missing.verdict.code is VerdictCode.NOT_KNOWN
        with pytest.raises(Unrecognised):
            await system.item("CASE-3")
        _meanwhile(way, ONE, lambda: setattr(way.server.cases[ONE], "hold", True))
        [answer] = await system.execute([order], errand())
        # The reads are the API's own, and say what is in the way.
        assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.ACTIVE_HOLD)


@pytest.mark.parametrize("shape", ["allowed", "empty", "refused"])
async def test_the_permission_is_read_in_every_shape(shape):
    async with case_server(ONE, quirks=Quirks(permission=shape)) as way:
        [seen] = await way.open().survey([ONE])
        assert seen.verdict.cancellable
        way.server.permitted = False
        [seen] = await way.open().survey([ONE])
        assert seen.verdict.code is VerdictCode.FORBIDDEN
        way.server.cases[ONE].owner = JANE
        [seen] = await way.open().survey([ONE])
        assert seen.verdict.cancellable


async def test_a_route_that_a_server_lacks_is_not_asked_for_with_every_case():
    async with case_server(*ids(60), quirks=Quirks(without=("case",))) as way:
        system = way.open()
        for start in range(0, 60, 10):
            assert all(one.verdict.cancellable for one in await system.survey(ids(60)[start : start + 10]))
        assert way.server.steps.count("case") == 10, "those that were on their way together, and no more"
        way.server.quirks.without = ()
        way.server.clock.forward(700)
        await system.survey(ids(60)[:10])
        assert way.server.steps.count("case") == 20, "a server may learn it"


async def test_a_case_that_is_not_there_says_nothing_of_the_route():
    async with case_server(ONE) as way:
        system = way.open()
        for name in ("CASE-7", "CASE-8", "CASE-9", "CASE-10"):
            [seen] = await system.survey([name])
            assert seen.verdict.code is VerdictCode.NOT_FOUND
        await system.survey([ONE])
        assert way.server.steps.count("case") == 5


async def test_an_unknown_status_is_left_to_the_server():
    async with case_server(ONE) as way:
        way.server.cases[ONE].status = "sealed_by_committee"
        _, answer = await cancelled(way, way.open())
        assert answer.before == "sealed_by_committee"


async def test_a_400_is_read_before_it_is_reported():
    """Already cancelled is an outcome, and by whom is found out; closed is a refusal."""
    async with case_server(*ids(2)) as way:
        system = way.open()
        sent = await orders(system, ids(2))
        _meanwhile(way, ONE, lambda: way.server.cancelled_by(ONE, "ops2@example.com"))
        _meanwhile(way, "CASE-2", lambda: setattr(way.server.cases["CASE-2"], "status", "closed"))
        theirs, closed = await system.execute(sent, errand())
        assert (theirs.state, theirs.ours, theirs.by) == (ItemState.ALREADY_CANCELLED, False, "ops2@example.com")
        assert (closed.state, closed.code) == (ItemState.REFUSED, VerdictCode.TERMINAL)
        assert way.server.effects == []
        assert len(way.server.wishes) == 2


def _meanwhile(way, case_id, happens):
    """Let something happen at the server just before it judges the cancellation of a case."""
    cancel = way.server._cancel

    def later(asked_id, *more):
        if asked_id == case_id:
            happens()
        return cancel(asked_id, *more)

    way.server._cancel = later


async def test_a_409_names_the_hold_that_came_meanwhile():
    async with case_server(ONE) as way:
        system = way.open()
        sent = await orders(system, [ONE])
        _meanwhile(way, ONE, lambda: setattr(way.server.cases[ONE], "hold", True))
        [answer] = await system.execute(sent, errand())
        assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.ACTIVE_HOLD)
        assert "LEGAL-1" in answer.message


@pytest.mark.parametrize("lost", ["dependencies", "everything"])
async def test_a_409_that_nothing_explains_is_escalated(lost):
    async with case_server(ONE) as way:
        system = way.open()
        [order] = await orders(system, [ONE])

        def held():
            way.server.cases[ONE].hold = True
            way.server.quirks.without = ("dependencies",) if lost == "dependencies" else ("status",)

        way.server.quirks.without = ("dependencies",)
        [order] = [replace(order, seen=seen) for seen in await system.survey([ONE])]
        _meanwhile(way, ONE, held)
        if lost == "everything":
            await way.raw.arm("503", lambda asked: bool(way.server.wishes))
        [answer] = await system.execute([order], errand())
        assert (answer.state, answer.code) == (ItemState.REFUSED, "ACTIVE_HOLD_OR_DEPENDENCIES")
        assert "what is in the way could not be read" in answer.message
        assert "Level 3: contact #case-ops" in answer.message


async def test_a_key_that_is_processed_for_ever_is_not_known_and_escalated():
    async with case_server(ONE, quirks=Quirks(busy=10**6)) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        [answer] = await carried_out(way, system, [order], polls=1200)
        assert answer.state is ItemState.UNKNOWN
        assert "its key is still being processed after 15 minutes" in answer.message
        assert len(way.server.wishes) < 60
        assert f"tried {len(way.server.wishes)} times under one key" in answer.message
        assert f"look at it (`quash show cases {ONE}`), and plan it anew if it is still meant" in answer.message
        assert "Level 3: contact #case-ops" in answer.message


async def test_what_was_tried_is_counted():
    async with case_server(ONE) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        await way.raw.arm("500 before the effect", lambda asked: asked.method == "POST")
        [answer] = await system.execute([order], errand())
        posts = [done for done in way.raw.log if done.asked.method == "POST"]
        assert answer.state is ItemState.UNKNOWN
        assert f"tried {len(posts)} times under one key" in answer.message


async def test_a_key_that_is_still_processed_is_asked_for_again():
    async with case_server(ONE, quirks=Quirks(busy=2)) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        [answer] = await carried_out(way, system, [order])
        assert answer.state is ItemState.CANCELLED
        assert way.server.effects == [(ONE, order.key)]
        assert len(way.server.wishes) == 3


async def test_a_403_says_which_of_permission_and_ownership_is_missing():
    async with case_server(ONE) as way:
        system = way.open()
        sent = await orders(system, [ONE])
        _before_the_post(way, lambda: setattr(way.server, "permitted", False))
        [answer] = await system.execute(sent, errand())
        assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.FORBIDDEN)
        assert "the permission cancel_case is missing; the case is somebody@example.com's" in answer.message
        assert way.server.steps[-3:].count("permission") <= 1
        assert way.server.steps.count("permission") >= 2


def _before_the_post(way, happens):
    change = way.server._change

    def later(*given):
        happens()
        return change(*given)

    way.server._change = later


async def test_a_permission_that_is_lost_in_the_middle_stops_the_run():
    async with case_server(*ids(3)) as way:
        system = way.open()
        first, second, _ = await orders(system, ids(3))
        await carried_out(way, system, [first])
        way.server.permitted = False
        [refused] = await system.execute([second], errand())
        assert refused.code == VerdictCode.FORBIDDEN
        with pytest.raises(NotAllowed) as stopped:
            await system.survey(["CASE-3"])
        assert "#case-ops" in stopped.value.hint
        with pytest.raises(NotAllowed):
            await system.execute(await orders(way.open(), ["CASE-3"]), errand())
        assert [one for one, _ in way.server.effects] == [ONE]


async def test_a_404_is_not_found():
    async with case_server(ONE) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        [missing] = await system.survey(["CASE-9"])
        assert missing.verdict.code is VerdictCode.NOT_FOUND
        [answer] = await system.execute([replace(order, id="CASE-9")], errand())
        assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.NOT_FOUND)


async def test_a_long_run_goes_over_the_limit_with_the_same_keys():
    """Five a minute: each of twelve is cancelled once, the 429 were asked again under the key that they had."""
    async with case_server(*ids(12), quirks=Quirks(limit=Rate(5, timedelta(minutes=1)))) as way:
        system = way.open()
        sent = await orders(system, ids(12))
        first = await system.execute(sent[:6], errand())
        limited = [one for one in first if isinstance(one, RateLimited)]
        assert limited
        assert all(one.retry_after == 60 for one in limited)
        answers = await carried_out(way, system, sent)
        assert {answer.state for answer in answers} == {ItemState.CANCELLED}
        assert sorted(way.server.effects) == sorted((order.id, order.key) for order in sent)


async def test_after_a_429_nothing_else_of_the_chunk_is_sent():
    async with case_server(*ids(20), quirks=Quirks(limit=Rate(0, timedelta(minutes=1)))) as way:
        system = way.open()
        told = await system.execute(await orders(system, ids(20)), errand())
        assert all(isinstance(one, RateLimited) for one in told)
        assert way.server.steps.count("POST cancel") == 1


@pytest.mark.parametrize("reads", [100, 7])
async def test_a_survey_says_when_to_come_back_and_goes_on_where_it_was(reads):
    """Also where a whole window of the limit is not enough for one read of each case."""
    async with case_server(*ids(40), quirks=Quirks(reads=Rate(reads, timedelta(minutes=1)))) as way:
        system, seen, waits = way.open(), None, []
        while seen is None:
            try:
                seen = await system.survey(ids(40))
            except RateLimited as limited:
                waits.append(limited.retry_after)
                way.server.clock.forward(limited.retry_after)
        assert [one.id for one in seen] == ids(40)
        assert all(one.verdict.cancellable for one in seen)
        assert way.waits == []
        assert [way.server.steps.count(step) for step in ("case", "status", "dependencies", "cancel/preview")] == [
            40
        ] * 4
        assert len(waits) >= 160 // reads
        assert all(0 < one <= 60 for one in waits)


async def test_windows_of_a_plan_that_waits_for_its_reads_are_counted_from_their_own_reading():
    """Each case could be brought back for two hours, however long the plan took to come to its preview."""
    async with case_server(*ids(5), quirks=Quirks(reads=Rate(7, timedelta(minutes=1)))) as way:
        system, seen = way.open(), None
        began = way.server.clock.now()
        while seen is None:
            try:
                seen = await system.survey(ids(5))
            except RateLimited as limited:
                way.server.clock.forward(limited.retry_after)
        assert way.server.clock.now() - began >= timedelta(minutes=2)
        windows = [effect.target for one in seen for effect in one.effects if effect.code == REVERSIBLE]
        assert windows == ["2 hours"] * 5


async def test_what_was_read_before_a_limit_is_not_believed_for_long():
    async with case_server(ONE, quirks=Quirks(reads=Rate(2, timedelta(minutes=1)))) as way:
        system = way.open()
        with pytest.raises(RateLimited) as limited:
            await system.survey([ONE])
        way.server.clock.forward(limited.value.retry_after + 61)
        way.server.quirks.reads = None
        way.server.cases[ONE].status = "closed"
        [seen] = await system.survey([ONE])
        assert seen.verdict.code is VerdictCode.TERMINAL


async def test_the_screen_is_told_to_wait_and_does_not():
    async with case_server(ONE, quirks=Quirks(reads=Rate(0, timedelta(minutes=1)))) as way:
        with pytest.raises(RateLimited) as limited:
            await way.open().preview(ONE)
        assert limited.value.retry_after == 60
        assert "Ask again in 60 s" in limited.value.hint
        assert "#case-ops" in limited.value.hint
        assert way.waits == []


async def test_a_server_that_stays_away_is_escalated():
    async with case_server(ONE) as way:
        system = way.open()
        await way.raw.arm("503")
        with pytest.raises(Unavailable) as away:
            await system.survey([ONE])
        assert len(way.raw.log) == 4
        assert len(way.waits) == 3
        assert [f"Level {n}" in away.value.hint for n in (1, 2, 3)] == [True] * 3
        assert "tried 4 times with exponential backoff" in away.value.hint
        assert "#case-ops" in away.value.hint
        assert away.value.message.startswith(f"cases: {way.raw.url}")


async def test_a_server_that_hangs_is_not_waited_for_four_times(monkeypatch):
    """Once so much time has gone into a read, the trouble is taken for lasting."""
    monkeypatch.setattr(line, "LASTING", timedelta(0))
    async with case_server(ONE, patience=0.15) as way:
        system = way.open()
        await way.raw.arm("silent before the effect")
        with pytest.raises(Unavailable) as away:
            await system.item(ONE)
        assert len(way.raw.log) == 1
        assert "tried once." in away.value.hint


async def test_ids_are_not_read_one_after_another_from_a_server_that_is_away():
    async with case_server(*ids(100)) as way:
        system = way.open()
        await way.raw.arm("503")
        with pytest.raises(Unavailable) as away:
            await system.page(PageQuery(parse(f"id:{','.join(ids(100))}"), Sort("id"), limit=100))
        assert "#case-ops" in away.value.hint
        assert len(way.raw.log) <= 4 + 16 * 4


async def test_another_process_settles_what_was_sent():
    async with case_server(ONE, quirks=Quirks(polls=3)) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        [told] = await system.execute([order], errand())
        assert told.state is ItemState.ACCEPTED
        resumed = way.open()
        sent = replace(order, sent_at=moments.stamp(way.server.clock.now()))
        for _ in range(10):
            way.server.clock.forward(1)
            [told] = await resumed.reconcile([sent], errand())
            if told.state is not ItemState.ACCEPTED:
                break
        assert (told.state, told.ours) == (ItemState.CANCELLED, True)
        # The process that had the answer is gone: the deadline is the window from the entry of the audit on.
        assert abs(moments.read(told.undo_until) - moments.read(way.server.cases[ONE].deadline)) < timedelta(seconds=1)
        assert len(way.server.effects) == 1


async def test_what_was_never_sent_is_sent_while_its_key_lives():
    async with case_server(ONE, "CASE-2") as way:
        system = way.open()
        early, late = await orders(system, [ONE, "CASE-2"])
        now = way.server.clock.now()
        early = replace(early, sent_at=moments.stamp(now - timedelta(hours=23, minutes=59)))
        late = replace(late, sent_at=moments.stamp(now - timedelta(hours=24, minutes=1)))
        first, second = await system.reconcile([early, late], errand())
        assert first.state is ItemState.ACCEPTED
        assert second.state is ItemState.UNKNOWN
        assert "not sent again" in second.message
        assert way.server.effects == [(ONE, early.key)]


async def test_a_cancellation_that_never_ends_is_not_known_and_escalated():
    async with case_server(ONE, quirks=Quirks(polls=10**6)) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        [answer] = await carried_out(way, system, [order], polls=1200)
        assert answer.state is ItemState.UNKNOWN
        assert "#case-ops" in answer.message
        assert way.server.steps.count("status") < 60


async def test_an_audit_without_keys_knows_us_by_our_words():
    async with case_server(ONE, "CASE-2", quirks=Quirks(keys_in_audit=False)) as way:
        system = way.open()
        order, answer = await cancelled(way, system)
        assert answer.ours is True
        [verification] = await system.verify([order], errand())
        assert verification.verified is Verified.YES
        [other] = await system.verify([order], errand(reason="for another reason"))
        assert other.verified is Verified.NOT_KNOWN


@pytest.mark.parametrize("lacking", [404, 405])
async def test_where_a_server_keeps_no_audit_its_status_is_what_verifies(lacking):
    async with case_server(ONE, quirks=Quirks(without=("audit-log",), lacking=lacking)) as way:
        system = way.open()
        order, answer = await cancelled(way, system)
        assert answer.undo_until == way.server.cases[ONE].deadline
        [verification] = await system.verify([order], errand())
        assert verification == Verification(Verified.YES, "by its status; this server keeps no audit")
        way.server.cases[ONE].status = "in_progress"
        [verification] = await system.verify([order], errand())
        assert (verification.verified, "in_progress" in verification.note) == (Verified.CONTRADICTED, True)


@pytest.mark.parametrize("lacking", [400, 403])
async def test_an_audit_that_cannot_be_read_verifies_nothing(lacking):
    async with case_server(ONE, quirks=Quirks(without=("audit-log",), lacking=lacking)) as way:
        system = way.open()
        order, _ = await cancelled(way, system)
        [verification] = await system.verify([order], errand())
        assert (verification.verified, str(lacking) in verification.note) == (Verified.NOT_KNOWN, True)


async def test_a_case_is_reinstated_within_its_window():
    async with case_server(ONE) as way:
        system = way.open()
        await cancelled(way, system)
        [order] = await orders(system, [ONE], "undo-1", verb=Verb.REINSTATE)
        assert order.seen.verdict.cancellable
        assert order.seen.due is not None
        [answer] = await system.execute([order], BACK)
        assert (answer.state, answer.after) == (ItemState.REINSTATED, "in_progress")
        [again] = await system.reconcile([order], BACK)
        assert again.state is ItemState.REINSTATED
        [verification] = await system.verify([order], BACK)
        assert verification.verified is Verified.YES
        assert way.server.returned == [(ONE, order.key)]


async def test_a_window_that_has_closed_is_said_so():
    async with case_server(ONE, quirks=Quirks(deadlines=("cancel", "status"))) as way:
        system = way.open()
        await cancelled(way, system)
        [order] = await orders(system, [ONE], "undo-1", verb=Verb.REINSTATE)
        way.server.clock.forward(7_201)
        [late] = await system.survey([ONE], Verb.REINSTATE)
        assert late.verdict.code is VerdictCode.WINDOW_CLOSED
        [answer] = await system.execute([order], BACK)
        assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.WINDOW_CLOSED)
        assert way.server.returned == []


async def test_a_window_that_the_server_never_told_is_said_to_be_assumed_and_closes_nothing():
    """It is the server that says no; what is assumed is told beside the item and in the plan of its undo."""
    async with case_server(ONE, quirks=Quirks(deadlines=())) as way:
        system = way.open()
        _, answer = await cancelled(way, system)
        assert answer.undo_until is not None
        assert "assumed: the server gave none" in answer.message
        [order] = await orders(system, [ONE], "undo-1", verb=Verb.REINSTATE)
        assert ASSUMED in {effect.code for effect in order.seen.effects}
        way.server.clock.forward(7_201)
        [late] = await system.survey([ONE], Verb.REINSTATE)
        assert late.verdict.cancellable
        [refused] = await system.execute([order], BACK)
        assert refused.state is ItemState.REFUSED
        assert "outside the rollback window" in refused.message
        assert way.server.returned == []


async def test_a_window_that_the_server_told_is_not_called_assumed():
    async with case_server(ONE) as way:
        _, answer = await cancelled(way, way.open())
        assert answer.undo_until == way.server.cases[ONE].deadline
        assert answer.message is None


async def test_what_downstream_has_done_is_not_undone():
    async with case_server(ONE) as way:
        system = way.open()
        await cancelled(way, system)
        way.server.cases[ONE].acted = True
        [answer] = await system.execute(await orders(system, [ONE], "undo-1", verb=Verb.REINSTATE), BACK)
        assert (answer.state, answer.code) == (ItemState.REFUSED, "DOWNSTREAM_ACTED")
        assert "lims has acted" in answer.message


async def test_without_a_list_the_tab_shows_the_ids_that_were_brought():
    async with case_server(*ids(5)) as way:
        system = way.open()
        assert system.description.lists
        with pytest.raises(MalformedFilter) as refused:
            await system.page(PageQuery(parse("status:in_progress"), Sort("id")))
        assert "has no list" in refused.value.message
        assert "--ids" in refused.value.hint
        assert not system.description.lists
        way.server.cases["CASE-4"].status = "closed"
        wanted = parse("id:CASE-5,CASE-1,CASE-4,CASE-9")
        page = await system.page(PageQuery(wanted, Sort("id")))
        assert [(item.id, item.status) for item in page.items] == [
            (ONE, "in_progress"),
            ("CASE-4", "closed"),
            ("CASE-5", "in_progress"),
            ("CASE-9", ""),
        ]
        assert page.items[-1].verdict.code is VerdictCode.NOT_FOUND
        assert (await system.count(wanted)).value == 4
        first = await system.page(PageQuery(wanted, Sort("status", descending=True), limit=2))
        assert [item.status for item in first.items] == ["in_progress", "in_progress"]
        assert first.more_after


async def test_ids_that_could_leave_the_path_are_never_sent():
    async with case_server(ONE) as way:
        system = way.open()
        for text in ("..", "a/b", "a#b", "a?b", "%2e%2e", "-a"):
            with pytest.raises(MalformedId):
                system.check_id(text)
        with pytest.raises(MalformedId):
            await system.page(PageQuery(parse('id:"../x"'), Sort("id")))


async def test_what_changed_since_it_was_seen_is_skipped():
    async with case_server(ONE) as way:
        system = way.open()
        [order] = await orders(system, [ONE])
        way.server.cases[ONE].updated = "2026-01-02T00:00:01Z"
        [answer] = await system.execute([order], errand())
        assert isinstance(answer, Answer)
        assert (answer.state, answer.code) == (ItemState.SKIPPED, SkipCode.DRIFTED)
        assert way.server.effects == []


async def test_a_profile_opens_it_with_the_token_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("QUASH_CASES_TOKEN", TOKEN)
    async with case_server(ONE) as way:
        settings = CasesSettings(url=Address(way.raw.url), rate=Rate(5, timedelta(minutes=1)), contact="#case-ops")
        system = PLUG.open(settings, Rooms(tmp_path))
        system.act_for(JANE)
        assert system.chunk_size == 1
        assert await system.identity() == way.raw.url
        [seen] = await system.survey([ONE])
        assert seen.verdict.cancellable
        await system.close()


async def test_a_token_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("QUASH_CASES_TOKEN", raising=False)
    async with case_server(ONE) as way:
        system = PLUG.open(CasesSettings(url=Address(way.raw.url)), Rooms(tmp_path))
        with pytest.raises(NotSignedIn) as missing:
            await system.survey([ONE])
        assert "QUASH_CASES_TOKEN" in missing.value.message
        assert missing.value.hint == "Name one of the two in the profile, or set QUASH_CASES_TOKEN."
        assert way.raw.log == []


async def test_a_file_without_certificates_is_no_mistake_of_the_filter(tmp_path):
    (tmp_path / "none.pem").write_text("nothing", encoding="utf-8")
    service = HttpService("https://127.0.0.1:1", ca_file=tmp_path / "none.pem")
    system = HttpCases(CaseLine(service, None, JANE, clock=MovableClock()), "https://127.0.0.1:1")
    with pytest.raises(UsageProblem, match=r"none\.pem holds no certificates") as caught:
        await system.count(Filter())
    assert caught.value.hint == "ca_file names a file in PEM form."


async def test_a_certificate_that_does_not_hold_is_met_once():
    waits = []

    async def at_once(seconds):
        waits.append(seconds)

    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(shown)
    async with raw_server(lambda _: Answered(200, {}), tls=shown) as raw:
        service = HttpService(raw.url)
        way = CaseLine(service, None, JANE, clock=MovableClock(), contact="#case-ops", wait=at_once)
        with pytest.raises(CannotConnect, match="certificate") as caught:
            await HttpCases(way, raw.url).count(Filter())
        await service.close()
    assert waits == []
    assert caught.value.hint.startswith("Level 1: tried once. Level 2: Its certificate is not for this host")


async def test_a_way_that_leads_elsewhere_is_no_matter_of_a_case():
    async def at_once(_):
        return None

    async with raw_server(lambda _: Answered(302, b"", {"Location": "https://login.example.com/"})) as raw:
        service = HttpService(raw.url)
        way = CaseLine(service, None, JANE, clock=MovableClock(), contact="#case-ops", wait=at_once)
        with pytest.raises(CannotConnect, match=r"points to https://login\.example\.com") as caught:
            await HttpCases(way, raw.url).item(ONE)
        await service.close()
    assert "name it as `url` in the profile" in caught.value.hint
    assert "dependencies" not in caught.value.hint
    assert "contact #case-ops" in caught.value.hint
