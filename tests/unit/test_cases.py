"""What is particular to cases: their rules, cancelling that takes a while, undoing it, holds, limits, the demo."""

import asyncio
import json
import re
import sqlite3
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.benches import Given, State
from support.cases_bench import STAKEHOLDER, cases_bench
from support.orders import REASON, errand, key_of, orders
from tui_app.domain import moments
from tui_app.domain.describe import Verb
from tui_app.domain.errors import MalformedId, RateLimited
from tui_app.domain.filters import Filter, parse
from tui_app.domain.items import PageQuery, Sort
from tui_app.domain.plan import Options
from tui_app.domain.rates import Rate
from tui_app.domain.run import Answer, Errand, ItemState, Order, SkipCode, Verified
from tui_app.domain.verdict import VerdictCode
from tui_app.systems.cases import answers, demo, embedded_read, embedded_write, rules
from tui_app.systems.cases.desk import Cancellation, User
from tui_app.systems.cases.embedded import EmbeddedCases
from tui_app.systems.cases.plug import PLUG
from tui_app.systems.cases.words import DESCRIPTION, EFFECT_WORDS, OPEN, TERMINAL

NOW = "2026-01-02T03:04:05.000000Z"
LATER = "2026-01-02T05:04:05.000000Z"


@pytest.fixture
async def bench(tmp_path):
    async with cases_bench(tmp_path) as opened:
        yield opened


@pytest.fixture
def cases(bench):
    return bench.open()


def back(run_id="undo-1", operator="jane@example.com"):
    return Errand(run_id, 0, Verb.REINSTATE, operator, REASON, Options())


async def back_orders(system, ids, run_id="undo-1"):
    return [Order(seen.id, key_of(run_id, seen.id), seen) for seen in await system.survey(list(ids), Verb.REINSTATE)]


async def cancelled(bench, system, ids, run_id="run-1", **more):
    """Cancel and wait for it, as a run does."""
    wanted = await orders(system, ids, run_id)
    await system.execute(wanted, errand(run_id, **more))
    bench.clock.forward(1)
    return wanted, await system.reconcile(wanted, errand(run_id, **more))


async def reinstated(system, ids, run_id="undo-1"):
    wanted = await back_orders(system, ids, run_id)
    return wanted, await system.execute(wanted, back(run_id))


def kept(bench, case_id):
    """A case with what is around it, without what changes by itself."""
    status = bench.rows("SELECT status FROM cases WHERE id = ?", case_id)
    workflows = bench.rows("SELECT name, status, ended_by FROM workflow WHERE case_id = ?", case_id)
    records = bench.rows("SELECT kind, status, marked_by FROM record WHERE case_id = ?", case_id)
    return status, workflows, records


# Rules


@pytest.mark.parametrize("text", ["", " ", "..", "a/b", "a#b", "-a", "_a", "ä", "a\n", "a" * 129, "a b", "a%2Fb"])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(MalformedId) as refused:
        rules.check_id(text)
    assert refused.value.hint


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", fullmatch=True))
def test_an_id_stays_as_it_is(text):
    assert rules.check_id(text) == text


@pytest.mark.parametrize(
    ("standing", "code", "named"),
    [
        (rules.Standing("pending"), None, ""),
        (rules.Standing("on_hold"), None, ""),
        (rules.Standing("something_new"), None, ""),
        (rules.Standing("microscopy", related_orders_status="completed"), None, ""),
        (rules.Standing("pending", True, hold="hold LEGAL-7"), VerdictCode.ACTIVE_HOLD, "LEGAL-7"),
        (rules.Standing("pending", False, "in_progress", hold="order ORD-1"), VerdictCode.RELATED_ORDER, "ORD-1"),
        (rules.Standing("pending", critical_alerts=1, hold="alert A-1"), VerdictCode.CRITICAL_ALERT, "A-1"),
        (rules.Standing("pending", critical_alerts=3), VerdictCode.CRITICAL_ALERT, "3 critical alerts"),
        (rules.Standing("pending", True, "in_progress", 2), VerdictCode.ACTIVE_HOLD, "hold"),
        (rules.Standing("cancelling"), VerdictCode.CLAIMED, "being cancelled"),
        (rules.Standing("cancelled", True), VerdictCode.ALREADY_CANCELLED, "already"),
        (rules.Standing("completed"), VerdictCode.TERMINAL, "completed"),
        (rules.Standing("archived"), VerdictCode.TERMINAL, "archived"),
        (rules.Standing("closed", True), VerdictCode.TERMINAL, "closed"),
    ],
)
def test_verdicts_name_what_is_in_the_way(standing, code, named):
    verdict = rules.verdict(standing)
    assert (verdict.cancellable, verdict.code) == (code is None, code)
    assert named in (verdict.reason or "")
    assert bool(verdict.reason) is (code is not None)


@pytest.mark.parametrize(
    ("status", "deadline", "acted", "code"),
    [
        ("cancelled", LATER, "", None),
        ("cancelled", NOW, "", VerdictCode.WINDOW_CLOSED),
        ("cancelled", None, "", VerdictCode.WINDOW_CLOSED),
        ("cancelled", LATER, "billing", VerdictCode.RELATED_ORDER),
        ("cancelling", None, "", VerdictCode.NOT_CANCELLED),
        ("pending", None, "", VerdictCode.NOT_CANCELLED),
        ("closed", None, "", VerdictCode.NOT_CANCELLED),
    ],
)
def test_verdicts_of_reinstating(status, deadline, acted, code):
    verdict = rules.reinstating(status, deadline, NOW, acted)
    assert (verdict.cancellable, verdict.code) == (code is None, code)
    assert bool(verdict.reason) is (code is not None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7200, "2 hours"), (3600, "1 hour"), (5400, "90 minutes"), (60, "1 minute"), (1, "1 second"), (0, "0 seconds")],
)
def test_a_stretch_of_time_is_said_in_words(seconds, words):
    assert rules.lasting(timedelta(seconds=seconds)) == words


def test_every_effect_has_words_and_only_notifications_depend_on_the_option():
    assert all(code.startswith("CASE_") for code in EFFECT_WORDS)
    assert [code for code, words in EFFECT_WORDS.items() if words.notifies] == ["CASE_NOTIFIED"]
    assert [code for code, words in EFFECT_WORDS.items() if words.irreversible] == []
    for words in EFFECT_WORDS.values():
        assert words.one.format(count=1, target="x")
        assert "2,000" in words.many.format(count="2,000", target="x")


def test_the_notice_is_what_stakeholders_read():
    assert DESCRIPTION.notice.replace("{reason}", "a {reason} of mine") == rules.notice("a {reason} of mine")
    assert "{reason}" in DESCRIPTION.notice


# Cancelling


async def test_a_cancellation_takes_a_while_and_then_everything_follows(bench, cases):
    [case_id] = await bench.add([Given()])
    [order] = await orders(cases, [case_id])
    [answer] = await cases.execute([order], errand())
    assert answer == Answer(ItemState.ACCEPTED, before="in_progress", after="cancelling")
    item = await cases.item(case_id)
    assert (item.status, item.verdict.code) == ("cancelling", VerdictCode.CLAIMED)
    assert await bench.effects(case_id) == await bench.notices(case_id) == []
    assert kept(bench, case_id)[1] == [{"name": "work", "status": "running", "ended_by": None}]

    bench.clock.forward(1)
    [answer] = await cases.reconcile([order], errand())
    assert (answer.state, answer.ours, answer.after) == (ItemState.CANCELLED, True, "cancelled")
    [row] = bench.rows("SELECT updated_at, rollback_deadline, cancellation_id FROM cases WHERE id = ?", case_id)
    assert answer.undo_until == row["rollback_deadline"]
    assert moments.read(row["rollback_deadline"]) - moments.read(row["updated_at"]) == timedelta(hours=2)
    [effect] = bench.events(case_id, "CASE_CANCELLED")
    assert effect["previous_status"] == "in_progress"
    assert effect["new_status"] == "cancelled"
    assert effect["notify_stakeholders"] is True
    assert (effect["run_id"], effect["idempotency_key"]) == ("run-1", order.key)
    assert effect["cancellation_id"] == row["cancellation_id"]
    [entry] = bench.rows("SELECT details FROM audit WHERE event = 'CASE_CANCELLED'")
    assert json.loads(entry["details"])["reason"] == "operational_request"
    assert await bench.notices(case_id) == [{"target": STAKEHOLDER, "reason": REASON}]
    _, workflows, records = kept(bench, case_id)
    assert workflows == [{"name": "work", "status": "ended", "ended_by": row["cancellation_id"]}]
    assert records == [{"kind": "specimen", "status": "case_cancelled", "marked_by": row["cancellation_id"]}]
    assert (await cases.verify([order], errand()))[0].verified is Verified.YES
    assert [entry.event for entry in await cases.trail(case_id)] == ["CASE_CANCELLATION_REQUESTED", "CASE_CANCELLED"]


@pytest.mark.parametrize("look", ["page", "count", "item", "survey", "preview", "trail", "verify"])
async def test_any_reader_completes_what_is_due(bench, cases, look):
    [case_id] = await bench.add([Given()])
    wanted = await orders(cases, [case_id])
    await cases.execute(wanted, errand())
    bench.clock.forward(1)
    other = bench.open()
    described = other.description
    looks = {
        "page": lambda: other.page(PageQuery(Filter(), described.default_sort)),
        "count": lambda: other.count(parse("status:cancelled")),
        "item": lambda: other.item(case_id),
        "survey": lambda: other.survey([case_id]),
        "preview": lambda: other.preview(case_id),
        "trail": lambda: other.trail(case_id),
        "verify": lambda: other.verify(wanted, errand()),
    }
    seen = await looks[look]()
    assert await bench.cancelled(case_id)
    if look == "count":
        assert seen.value == 1


async def test_nobody_is_told_where_that_was_the_wish(bench, cases):
    [case_id] = await bench.add([Given()])
    wanted = await orders(cases, [case_id])
    quiet = Errand("run-1", 0, Verb.CANCEL, "jane@example.com", REASON, Options(notify_stakeholders=False))
    await cases.execute(wanted, quiet)
    bench.clock.forward(1)
    assert (await cases.reconcile(wanted, quiet))[0].state is ItemState.CANCELLED
    assert await bench.notices(case_id) == []
    assert [effect["notify_stakeholders"] for effect in await bench.effects(case_id)] == [False]


async def test_what_was_to_be_sent_is_withdrawn_and_comes_back(bench, cases):
    [case_id] = await bench.add([Given()])
    with bench.connected() as connection:
        connection.execute(
            "INSERT INTO notification (case_id, target, subject, text, status, at)"
            " VALUES (?, ?, 'soon', 'a result is expected', 'pending', ?)",
            (case_id, STAKEHOLDER, NOW),
        )
    [seen] = await cases.survey([case_id])
    assert "CASE_REMINDER" in {effect.code for effect in seen.effects}
    statuses = "SELECT status FROM notification WHERE case_id = ? ORDER BY notification_id"
    await cancelled(bench, cases, [case_id])
    assert [row["status"] for row in bench.rows(statuses, case_id)] == ["withdrawn", "sent"]
    await reinstated(cases, [case_id])
    assert [row["status"] for row in bench.rows(statuses, case_id)] == ["pending", "sent"]


async def test_an_effect_is_foretold_for_everything_that_happens(bench, cases):
    [case_id] = await bench.add([Given()])
    with bench.connected() as connection:
        connection.execute(
            "INSERT INTO record (case_id, kind, id, system, status) VALUES (?, 'charge', 'B1', 'billing', 'open')",
            (case_id,),
        )
    preview = await cases.preview(case_id)
    told = [(effect.code, effect.target) for effect in preview.effects]
    assert told == [
        ("CASE_NOTIFIED", STAKEHOLDER),
        ("CASE_WORKFLOW", "work"),
        ("CASE_RECORD", "charge"),
        ("CASE_RECORD", "specimen"),
        ("CASE_DOWNSTREAM", "billing"),
        ("CASE_DOWNSTREAM", "lims"),
        ("CASE_BILLING", ""),
        ("CASE_REVERSIBLE", "2 hours"),
    ]
    texts = {section.title: section.lines for section in preview.sections}
    assert texts["Impact"][:3] == ("billing affected: yes", "notifications: 1", "downstream systems: billing, lims")
    assert texts["Notified, with this text"][0] == STAKEHOLDER
    assert any("charges" in warning for warning in preview.warnings)
    for rows in ("FROM workflow", "FROM record", "FROM stakeholder"):
        with bench.connected() as connection:
            connection.execute(f"DELETE {rows} WHERE case_id = ?", (case_id,))
    assert any("nobody is notified" in warning for warning in (await cases.preview(case_id)).warnings)


async def test_an_unknown_status_is_judged_by_the_server(bench, cases):
    [case_id] = await bench.add([Given()])
    bench.change(case_id, "status = 'triage'")
    assert (await cases.item(case_id)).verdict.cancellable
    _, [answer] = await cancelled(bench, cases, [case_id])
    assert answer.state is ItemState.CANCELLED
    assert bench.events(case_id, "CASE_CANCELLED")[0]["previous_status"] == "triage"


# Holds


def depend(bench, case_id, kind="hold", name="LEGAL-9", status="active"):
    with bench.connected() as connection:
        row = (case_id, kind, name, status, bench.now())
        connection.execute("INSERT INTO dependency VALUES (?, ?, ?, ?, 1, ?)", row)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("hold", "active", VerdictCode.ACTIVE_HOLD),
        ("order", "in_progress", VerdictCode.RELATED_ORDER),
        ("alert", "open", VerdictCode.CRITICAL_ALERT),
    ],
)
async def test_what_comes_in_the_way_is_seen_and_goes_again(bench, cases, kind, status, code):
    [case_id] = await bench.add([Given()])
    [before] = await cases.survey([case_id])
    depend(bench, case_id, kind, "X-1", status)
    item = await cases.item(case_id)
    assert item.verdict.code is code
    assert f"{kind} X-1" in item.verdict.reason
    assert item.fields["hold"] == f"{kind} X-1"
    [answer] = await cases.execute([Order(case_id, "k", before)], errand())
    assert (answer.state, answer.code) == (ItemState.REFUSED, code)
    with bench.connected() as connection:
        connection.execute("UPDATE dependency SET status = 'resolved', changed_at = ?", (bench.now(),))
    after = await cases.item(case_id)
    assert after.verdict.cancellable
    assert after.fields["hold"] == ""
    # It was held and released: whoever saw it before has to look again.
    [answer] = await cases.execute([Order(case_id, "k", before)], errand())
    assert (answer.state, answer.code) == (ItemState.SKIPPED, SkipCode.DRIFTED)
    with bench.connected() as connection:
        connection.execute("DELETE FROM dependency")
    assert (await cases.item(case_id)).fields["related_orders_status"] == "none"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("hold", "active", "ACTIVE_HOLD"), ("order", "in_progress", "RELATED_ORDER"), ("alert", "open", "CRITICAL_ALERT")],
)
async def test_a_hold_before_completion_withdraws_the_cancellation(bench, cases, kind, status, code):
    [case_id] = await bench.add([Given()])
    before = kept(bench, case_id)
    wanted = await orders(cases, [case_id])
    assert (await cases.execute(wanted, errand()))[0].state is ItemState.ACCEPTED
    depend(bench, case_id, kind, "X-1", status)
    assert (await cases.reconcile(wanted, errand()))[0].state is ItemState.ACCEPTED
    bench.clock.forward(1)
    [answer] = await cases.reconcile(wanted, errand())
    assert (answer.state, answer.code, answer.after) == (ItemState.REFUSED, code, "in_progress")
    assert "withdrawn" in answer.message
    assert f"{kind} X-1" in answer.message
    assert kept(bench, case_id) == before
    assert await bench.effects(case_id) == await bench.notices(case_id) == []
    [entry] = bench.events(case_id, "CASE_CANCELLATION_WITHDRAWN")
    assert (entry["code"], entry["operator"]) == (code, "jane@example.com")
    # The answer to that key stays, whatever happens to the hold.
    with bench.connected() as connection:
        connection.execute("DELETE FROM dependency")
    assert (await cases.reconcile(wanted, errand()))[0].state is ItemState.REFUSED
    _, [again] = await cancelled(bench, cases, [case_id], "run-2")
    assert again.state is ItemState.CANCELLED


@pytest.mark.parametrize("late", [0.001, 600.0, 7_300.0], ids=["at once", "ten minutes late", "after the window"])
async def test_a_cancellation_takes_effect_when_it_is_due_whoever_looks_and_whenever(bench, cases, late):
    ids = await bench.add([Given(minute=n) for n in range(2)])
    promised = {}
    for n, case_id in enumerate(ids):
        wanted = Cancellation("operational_request", "by hand", notify=True, key=key_of(f"run-{n}", case_id))
        promised[case_id] = await cases.desk.cancel(User("jane@example.com", permitted=True), case_id, wanted)
        bench.clock.forward(0.25)
    bench.clock.forward(1 + late)
    back = {seen.id: seen.verdict for seen in await bench.open().survey(ids, Verb.REINSTATE)}
    for case_id, told in promised.items():
        due, deadline = told["estimated_completion"], told["rollback_deadline"]
        [case] = bench.rows("SELECT status, updated_at, rollback_deadline FROM cases WHERE id = ?", case_id)
        assert case == {"status": "cancelled", "updated_at": due, "rollback_deadline": deadline}
        [request] = bench.rows("SELECT completed_at, rollback_deadline FROM cancellation WHERE case_id = ?", case_id)
        assert request == {"completed_at": due, "rollback_deadline": deadline}
        events = "SELECT at FROM audit WHERE case_id = ? AND event = 'CASE_CANCELLED'"
        assert bench.rows(events, case_id) == [{"at": due}]
        assert bench.rows("SELECT at FROM notification WHERE case_id = ?", case_id) == [{"at": due}]
        assert moments.read(deadline) - moments.read(due) == timedelta(hours=2)
        assert back[case_id].code is (VerdictCode.WINDOW_CLOSED if late > 7_200 else None)


@pytest.mark.parametrize(("kind", "status"), [("hold", "active"), ("order", "in_progress"), ("alert", "open")])
async def test_what_comes_after_a_cancellation_was_due_is_too_late(bench, cases, kind, status):
    [case_id] = await bench.add([Given()])
    wanted = await orders(cases, [case_id])
    await cases.execute(wanted, errand())
    [accepted] = bench.rows("SELECT complete_at FROM cancellation")
    bench.clock.forward(60)
    depend(bench, case_id, kind, "X-1", status)
    [answer] = await cases.reconcile(wanted, errand())
    assert answer.state is ItemState.CANCELLED
    [audit] = bench.rows("SELECT at FROM audit WHERE event = 'CASE_CANCELLED'")
    assert audit["at"] == accepted["complete_at"]
    # The case was changed once more since then, and its own time says so.
    [case] = bench.rows("SELECT updated_at AS at FROM cases")
    assert [case] == bench.rows("SELECT changed_at AS at FROM dependency")


async def test_what_was_in_the_way_when_a_cancellation_was_due_counts_though_it_is_gone(bench, cases):
    lifted, deleted, again = ids = await bench.add([Given() for _ in range(3)])
    wanted = await orders(cases, ids)
    await cases.execute(wanted, errand())
    bench.clock.forward(0.5)
    for case_id in ids:
        depend(bench, case_id)
    bench.clock.forward(60)
    with bench.connected() as connection:
        moved = "UPDATE dependency SET status = ?, changed_at = ? WHERE case_id = ?"
        for case_id in ids:
            connection.execute(moved, ("resolved", bench.now(), case_id))
        connection.execute("DELETE FROM dependency WHERE case_id = ?", (deleted,))
        bench.clock.forward(60)
        connection.execute(moved, ("active", bench.now(), again))
    told = await cases.reconcile(wanted, errand())
    assert {(answer.state, answer.code) for answer in told} == {(ItemState.REFUSED, "ACTIVE_HOLD")}
    assert all("hold LEGAL-9" in answer.message for answer in told)
    [accepted] = {row["complete_at"] for row in bench.rows("SELECT complete_at FROM cancellation")}
    withdrawn = "SELECT DISTINCT at FROM audit WHERE event = 'CASE_CANCELLATION_WITHDRAWN'"
    assert bench.rows(withdrawn) == [{"at": accepted}]
    assert await bench.status(lifted) == "in_progress"


async def test_a_hold_that_was_lifted_in_time_does_not_count(bench, cases):
    [case_id] = await bench.add([Given()])
    wanted = await orders(cases, [case_id])
    await cases.execute(wanted, errand())
    bench.clock.forward(0.2)
    depend(bench, case_id)
    bench.clock.forward(0.2)
    with bench.connected() as connection:
        connection.execute("UPDATE dependency SET status = 'resolved', changed_at = ?", (bench.now(),))
    bench.clock.forward(60)
    depend(bench, case_id, name="LEGAL-10")
    assert (await cases.reconcile(wanted, errand()))[0].state is ItemState.CANCELLED


async def test_a_case_that_ends_before_completion_is_not_cancelled(bench, cases):
    [done, taken] = await bench.add([Given(), Given()])
    wanted = await orders(cases, [done, taken])
    await cases.execute(wanted, errand())
    await bench.bring(done, State.DONE)
    await bench.bring(taken, State.CANCELLED)
    bench.clock.forward(1)
    told = await cases.reconcile(wanted, errand())
    assert (told[0].state, told[0].code) == (ItemState.REFUSED, "TERMINAL")
    assert told[1].state is ItemState.ALREADY_CANCELLED
    assert await bench.effects(done) == await bench.effects(taken) == []


# Two at once


async def test_a_second_operator_waits_for_the_first_and_learns_who_it_was(bench, cases):
    [case_id] = await bench.add([Given()])
    other = bench.open()
    late = await orders(other, [case_id], "run-2")
    await cases.execute(await orders(cases, [case_id]), errand())
    theirs = errand("run-2", operator="ops2@example.com")
    assert (await other.execute(late, theirs))[0].state is ItemState.ACCEPTED
    bench.clock.forward(1)
    [answer] = await other.reconcile(late, theirs)
    assert answer.state is ItemState.ALREADY_CANCELLED
    assert (answer.ours, answer.by) == (False, "jane@example.com")
    assert len(await bench.effects(case_id)) == len(await bench.notices(case_id)) == 1


async def test_a_second_operator_is_refused_where_the_first_is_held_back(bench, cases):
    [case_id] = await bench.add([Given()])
    late = await orders(cases, [case_id], "run-2")
    await cases.execute(await orders(cases, [case_id]), errand())
    theirs = errand("run-2", operator="ops2@example.com")
    assert (await cases.execute(late, theirs))[0].state is ItemState.ACCEPTED
    depend(bench, case_id)
    bench.clock.forward(1)
    assert (await cases.reconcile(late, theirs))[0].code == "ACTIVE_HOLD"
    with bench.connected() as connection:
        connection.execute("DELETE FROM dependency")
    # What was accepted once is never skipped: it changed since, and that is the system's answer.
    [answer] = await cases.reconcile(late, theirs)
    assert (answer.state, answer.code) == (ItemState.REFUSED, SkipCode.DRIFTED)


async def test_a_cancellation_that_takes_long_is_not_waited_for(bench, cases):
    [case_id] = await bench.add([Given(State.BUSY)])
    [answer] = await cases.execute(await orders(cases, [case_id]), errand())
    assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.CLAIMED)


COMPLETER = """
import asyncio, pathlib, sys
from tui_app.systems.cases.embedded import EmbeddedCases
from tui_app.domain.filters import parse
async def main():
    system = EmbeddedCases(pathlib.Path(sys.argv[1]))
    for _ in range(20_000):
        if (await system.count(parse("status:cancelled"))).value == int(sys.argv[2]):
            break
    await system.close()
asyncio.run(main())
"""


async def test_two_processes_complete_each_cancellation_once(tmp_path):
    async with cases_bench(tmp_path, completion_seconds=0.3) as bench:
        ids = await bench.add([Given(minute=n) for n in range(60)])
        # The clock of the host, which the other processes have too.
        system = EmbeddedCases(bench.path, completion_seconds=0.3)
        bench.opened.append(system)
        for start in range(0, 60, 12):
            wanted = await orders(system, ids[start : start + 12])
            await system.execute(wanted, errand())
        command = [sys.executable, "-c", COMPLETER, str(bench.path), "60"]
        both = [await asyncio.create_subprocess_exec(*command) for _ in range(2)]
        assert await asyncio.wait_for(asyncio.gather(*(one.wait() for one in both)), 60) == [0, 0]
        for case_id in ids:
            assert await bench.cancelled(case_id)
            assert len(await bench.effects(case_id)) == len(await bench.notices(case_id)) == 1


async def test_hold_against_completion_has_one_winner(bench, cases):
    """A hold is written by another connection while cancellations become due; whoever is first, all records agree."""
    ids = await bench.add([Given(minute=n) for n in range(80)])
    wanted = await orders(cases, ids)
    await cases.execute(wanted[:40], errand())
    bench.clock.forward(0.5)
    await cases.execute(wanted[40:], errand())

    def hold():
        for case_id in ids:
            depend(bench, case_id)

    holding = asyncio.get_running_loop().run_in_executor(None, hold)
    bench.clock.forward(0.5)
    await cases.reconcile(wanted[:40], errand())
    bench.clock.forward(1)
    await cases.reconcile(wanted[40:], errand())
    await holding
    told = await cases.reconcile(wanted, errand())
    states = {answer.state for answer in told}
    assert states <= {ItemState.CANCELLED, ItemState.REFUSED}
    for case_id, answer in zip(ids, told, strict=True):
        ours = answer.state is ItemState.CANCELLED
        assert await bench.cancelled(case_id) is ours
        assert len(await bench.effects(case_id)) == len(await bench.notices(case_id)) == int(ours)
        assert len(bench.events(case_id, "CASE_CANCELLATION_WITHDRAWN")) == int(not ours)
        assert kept(bench, case_id)[1][0]["status"] == ("ended" if ours else "running")


# Undoing


async def test_a_cancelled_case_comes_back_as_it_was(bench, cases):
    [case_id] = await bench.add([Given()])
    before = kept(bench, case_id)
    await cancelled(bench, cases, [case_id])
    [seen] = await cases.survey([case_id], Verb.REINSTATE)
    assert seen.verdict.cancellable
    assert seen.due == bench.rows("SELECT rollback_deadline FROM cases")[0]["rollback_deadline"]
    assert [effect.code for effect in seen.effects] == [
        "CASE_BACK",
        "CASE_WORKFLOW_RESTARTED",
        "CASE_RECORD_RESTORED",
        "CASE_TOLD",
    ]
    wanted, [answer] = await reinstated(cases, [case_id])
    assert (answer.state, answer.after) == (ItemState.REINSTATED, "in_progress")
    assert kept(bench, case_id) == before
    assert len(await bench.notices(case_id)) == 1
    [entry] = bench.events(case_id, "CASE_REINSTATED")
    assert (entry["previous_status"], entry["new_status"], entry["reason"]) == ("cancelled", "in_progress", REASON)
    assert (entry["run_id"], entry["idempotency_key"]) == ("undo-1", wanted[0].key)
    assert (await cases.verify(wanted, back()))[0].verified is Verified.YES
    # Sent again, it is found to be ours, and nothing happens.
    for again in (cases.execute, cases.reconcile):
        [told] = await again(wanted, back())
        assert (told.state, told.ours) == (ItemState.REINSTATED, True)
    assert len(bench.events(case_id, "CASE_REINSTATED")) == 1
    assert (await cases.item(case_id)).fields["reinstated"] == Given().tries + 1


async def test_cancelled_reinstated_and_cancelled_again(bench, cases):
    [case_id] = await bench.add([Given()])
    first, _ = await cancelled(bench, cases, [case_id])
    undo, _ = await reinstated(cases, [case_id])
    [contradicted] = await cases.verify(first, errand())
    assert contradicted.verified is Verified.CONTRADICTED
    assert "reinstated again since, by jane@example.com" in contradicted.note
    second, [answer] = await cancelled(bench, cases, [case_id], "run-2")
    assert (answer.state, answer.ours) == (ItemState.CANCELLED, True)
    assert (await cases.verify(second, errand("run-2")))[0].verified is Verified.YES
    assert (await cases.verify(first, errand()))[0].verified is Verified.CONTRADICTED
    assert (await cases.verify(undo, back()))[0].verified is Verified.CONTRADICTED
    _, [answer] = await reinstated(cases, [case_id], "undo-2")
    assert answer.state is ItemState.REINSTATED
    assert len(await bench.notices(case_id)) == 2


async def test_after_the_window_a_case_stays_cancelled(bench, cases):
    [case_id] = await bench.add([Given()])
    await cancelled(bench, cases, [case_id])
    wanted = await back_orders(cases, [case_id])
    bench.clock.forward(7200)
    [seen] = await cases.survey([case_id], Verb.REINSTATE)
    assert (seen.verdict.code, seen.due) == (VerdictCode.WINDOW_CLOSED, None)
    [answer] = await cases.execute(wanted, back())
    assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.WINDOW_CLOSED)
    assert await bench.cancelled(case_id)


async def test_the_window_is_a_setting(tmp_path):
    async with cases_bench(tmp_path, window_seconds=60) as bench:
        system = bench.open()
        [case_id] = await bench.add([Given()])
        assert (await system.preview(case_id)).effects[-1].target == "1 minute"
        await cancelled(bench, system, [case_id])
        bench.clock.forward(61)
        _, [answer] = await reinstated(system, [case_id])
        assert answer.code == VerdictCode.WINDOW_CLOSED


async def test_downstream_that_has_acted_forbids_it(bench, cases):
    [case_id] = await bench.add([Given()])
    await cancelled(bench, cases, [case_id])
    wanted = await back_orders(cases, [case_id])
    with bench.connected() as connection:
        connection.execute("UPDATE record SET acted_at = ? WHERE case_id = ?", (bench.now(), case_id))
    [answer] = await cases.execute(wanted, back())
    assert (answer.state, answer.code) == (ItemState.REFUSED, VerdictCode.RELATED_ORDER)
    assert "lims" in answer.message
    assert await bench.cancelled(case_id)


async def test_what_is_not_cancelled_cannot_be_reinstated(bench, cases):
    ids = await bench.add([Given(), Given(State.DONE), Given(State.BUSY)])
    for seen in await cases.survey(ids, Verb.REINSTATE):
        assert seen.verdict.code is VerdictCode.NOT_CANCELLED
        assert seen.effects == ()
    _, told = await reinstated(cases, [*ids, "CASE-0"])
    assert [answer.state for answer in told] == [ItemState.REFUSED] * 4
    assert [answer.code for answer in told] == ["NOT_CANCELLED"] * 3 + ["NOT_FOUND"]


async def test_two_operators_reinstate_once(bench, cases):
    [case_id] = await bench.add([Given()])
    await cancelled(bench, cases, [case_id])
    other = bench.open()
    first, second = await back_orders(cases, [case_id], "undo-1"), await back_orders(other, [case_id], "undo-2")
    told = [
        one
        for part in await asyncio.gather(
            cases.execute(first, back("undo-1")), other.execute(second, back("undo-2", "ops2@example.com"))
        )
        for one in part
    ]
    assert sorted(answer.state for answer in told) == [ItemState.REFUSED, ItemState.REINSTATED]
    assert len(bench.events(case_id, "CASE_REINSTATED")) == 1


# Its own limit


async def test_the_limit_of_the_system_holds_for_each_operator_and_for_all_processes(tmp_path):
    async with cases_bench(tmp_path) as bench:
        rate = Rate(5, timedelta(minutes=1))
        first, second = bench.open(server_rate=rate), bench.open(server_rate=rate)
        assert first.chunk_size == 1
        ids = await bench.add([Given(minute=n) for n in range(9)])
        wanted = await orders(first, ids)
        told = await first.execute(wanted[:3], errand())
        told += await second.execute(wanted[3:], errand())
        assert [isinstance(one, RateLimited) for one in told] == [False] * 5 + [True] * 4
        assert all(one.state is ItemState.ACCEPTED for one in told[:5])
        assert 59 < told[-1].retry_after <= 60
        # Nothing was done for the others.
        assert [row["n"] for row in bench.rows("SELECT count(*) AS n FROM cancellation")] == [5]
        # What was sent before is asked again for nothing, and another operator has a limit of their own.
        assert [one.state for one in await second.reconcile(wanted[:5], errand())] == [ItemState.ACCEPTED] * 5
        theirs = errand("run-2", operator="ops2@example.com")
        [answer] = await second.execute(await orders(second, ids[8:], "run-2"), theirs)
        assert answer.state is ItemState.ACCEPTED
        # Reinstating counts apart.
        bench.clock.forward(1)
        _, [answer] = await reinstated(first, ids[:1])
        assert answer.state is ItemState.REINSTATED
        bench.clock.forward(60)
        told = await first.execute(wanted[5:8], errand())
        assert [one.state for one in told] == [ItemState.ACCEPTED] * 3


async def test_no_stretch_of_time_holds_more_than_the_limit(tmp_path):
    async with cases_bench(tmp_path) as bench:
        system = bench.open(server_rate=Rate(3, timedelta(minutes=1)))
        ids = await bench.add([Given(minute=n) for n in range(12)])
        at = []
        for order in await orders(system, ids):
            for _ in range(3):
                [answer] = await system.execute([order], errand())
                if not isinstance(answer, RateLimited):
                    break
                bench.clock.forward(answer.retry_after)
            assert answer.state is ItemState.ACCEPTED
            at.append(bench.clock.moment)
            bench.clock.forward(7)
        assert all(later - earlier >= timedelta(seconds=59.9) for earlier, later in zip(at, at[3:], strict=False))


def test_in_process_there_is_no_limit_unless_the_profile_sets_one():
    assert PLUG.settings().server_rate is None


# Answers


def test_a_withdrawn_cancellation_without_a_case_is_told():
    [seen] = [rules.missing("CASE-1")]
    told = answers.passed_over(Order("CASE-1", "k", seen), None, settling=True)
    assert (told.state, told.code) == (ItemState.REFUSED, "NOT_FOUND")


async def test_a_case_that_disappears_is_told(bench, cases):
    [case_id] = await bench.add([Given()])
    wanted = await orders(cases, [case_id])
    await cases.execute(wanted, errand())
    with bench.connected() as connection:
        connection.execute("DELETE FROM cases")
    bench.clock.forward(1)
    assert (await cases.reconcile(wanted, errand()))[0].code == "NOT_FOUND"
    assert (await cases.verify(wanted, errand()))[0].verified is Verified.CONTRADICTED


# Reading


async def test_what_is_in_the_way_can_be_looked_for(bench, cases):
    ids = await bench.add([Given(State.BLOCKED), Given(), Given(State.DONE)])
    depend(bench, ids[1], "alert", "A-1", "open")
    for text, found in (
        ("active_hold:yes", {ids[0]}),
        ("critical_alerts>0", {ids[1]}),
        ('hold:"hold LEGAL-1"', {ids[0]}),
        ('!hold:""', {ids[0], ids[1]}),
        ("environment:production status:completed", {ids[2]}),
    ):
        page = await cases.page(PageQuery(parse(text), Sort("id")))
        assert {item.id for item in page.items} == found, text


async def test_every_order_of_what_is_open_comes_from_an_index(bench, cases):
    await bench.add([Given()])
    for name in ("updated", "type", "priority", "assigned_to", "hold", "id"):
        for descending in (False, True):
            page = await cases.page(PageQuery(DESCRIPTION.default_filter, Sort(name, descending)))
            assert len(page.items) == 1


# Demo data

SEEDED = moments.read("2026-03-04T12:00:00Z")


class Then:
    """A clock that stands at the moment of seeding."""

    def now(self):
        return SEEDED


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "cases.db"
    assert demo.seed(path, 500, SEEDED) == 500
    return path


@pytest.fixture
async def shown(demo_file):
    system = EmbeddedCases(demo_file, Then())
    yield system
    await system.close()


async def test_demo_shows_every_status_and_every_verdict(shown):
    items = (await shown.page(PageQuery(Filter(), Sort("id"), limit=500))).items
    assert len(items) == 500
    assert {item.status for item in items} == {*OPEN, *TERMINAL}
    assert {item.verdict.code for item in items} == {
        None,
        VerdictCode.ACTIVE_HOLD,
        VerdictCode.RELATED_ORDER,
        VerdictCode.CRITICAL_ALERT,
        VerdictCode.ALREADY_CANCELLED,
        VerdictCode.TERMINAL,
    }
    ids = [item.id for item in items]
    seen = [*await shown.survey(ids), *await shown.survey(ids, Verb.REINSTATE)]
    assert {effect.code for one in seen for effect in one.effects} == set(DESCRIPTION.effects)
    codes = {one.verdict.code for one in seen[500:]}
    assert {None, VerdictCode.WINDOW_CLOSED, VerdictCode.RELATED_ORDER, VerdictCode.NOT_CANCELLED} == codes


async def test_the_first_twenty_of_the_demo_can_be_cancelled(tmp_path):
    demo.seed(tmp_path / "cases.db", 60, SEEDED)
    system = EmbeddedCases(tmp_path / "cases.db", Then())
    page = await system.page(PageQuery(DESCRIPTION.default_filter, DESCRIPTION.default_sort, limit=20))
    assert all(item.verdict.cancellable for item in page.items)
    told = await system.execute(await orders(system, [item.id for item in page.items]), errand())
    assert {answer.state for answer in told} == {ItemState.ACCEPTED}
    await system.close()


async def test_the_demo_is_as_awkward_as_life(shown):
    items = (await shown.page(PageQuery(Filter(), Sort("id"), limit=500))).items
    titles = "\n".join(str(item.fields["title"]) for item in items)
    for text in ("[@click=app.quit]x[/]", "a[/]b", "\x1b[31m", "\u202e", "皮膚生検", "\u200b"):
        assert text in titles
    assert any(len(str(item.fields["title"])) >= 4_096 for item in items)
    for item in items:
        assert shown.check_id(item.id) == item.id
        await shown.preview(item.id)
        assert (await shown.trail(item.id))[0].event == "CASE_OPENED"


def read_rows(path, query="SELECT * FROM cases ORDER BY id"):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_demo_rows_are_the_same_every_time_and_stay(tmp_path):
    first, second = tmp_path / "1.db", tmp_path / "2.db"
    assert demo.seed(first, 150, SEEDED) == 150
    assert demo.seed(second, 100, SEEDED) == 100
    connection = sqlite3.connect(second)
    connection.execute("UPDATE cases SET status = 'closed' WHERE id = (SELECT max(id) FROM cases)")
    connection.commit()
    connection.close()
    changed = read_rows(second)
    assert demo.seed(second, 100, SEEDED) == 0
    assert read_rows(second) == changed
    assert demo.seed(second, 150, SEEDED) == 50
    assert len(set(read_rows(second)) ^ set(read_rows(first))) == 2
    assert read_rows(second, "SELECT count(*) FROM audit") == read_rows(first, "SELECT count(*) FROM audit")
    counted = "SELECT status, count(*) FROM cases GROUP BY status ORDER BY status"
    assert read_rows(second, counted) == read_rows(second, "SELECT status, n FROM tally WHERE n > 0 ORDER BY status")


def test_the_facts_of_demo_cases_are_those_of_their_dependencies(demo_file, tmp_path):
    """Touching every dependency lets the triggers work the facts out anew: nothing differs."""
    facts = "SELECT id, active_hold, related_orders_status, critical_alerts, hold FROM cases ORDER BY id"
    before = read_rows(demo_file, facts)
    copy = tmp_path / "copy.db"
    with sqlite3.connect(demo_file) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        target.execute("UPDATE dependency SET status = status")
    source.close()
    target.close()
    assert read_rows(copy, facts) == before
    assert any(row[4] for row in before)


async def test_an_open_window_of_the_demo_can_be_used(tmp_path):
    demo.seed(tmp_path / "cases.db", 200, SEEDED)
    system = EmbeddedCases(tmp_path / "cases.db", Then())
    items = (await system.page(PageQuery(parse("status:cancelled"), Sort("id"), limit=200))).items
    seen = await system.survey([item.id for item in items], Verb.REINSTATE)
    opened = [one.id for one in seen if one.verdict.cancellable]
    assert opened
    _, told = await reinstated(system, opened)
    assert {answer.state for answer in told} == {ItemState.REINSTATED}
    assert all(item.status in OPEN for item in [await system.item(case_id) for case_id in opened])
    await system.close()


async def test_no_statement_walks_a_whole_table(bench, cases):
    """What is due, and what belongs to it, is found by an index: a file may hold a million cases."""
    await bench.add([Given()])
    tables = (
        "cases",
        "workflow",
        "record",
        "notification",
        "stakeholder",
        "dependency",
        "audit",
        "cancellation",
        "spent",
    )
    walked = {}
    with bench.connected() as connection:
        for name, sql in {**embedded_write.SQL, **embedded_read.SQL}.items():
            if "{" in sql.replace("'{reason}'", ""):
                continue
            values = dict.fromkeys(re.findall(r":(\w+)", sql), "[]") or ["[]"] * sql.count("?")
            plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            names = {*tables, *re.findall(rf"(?:FROM|JOIN) (?:{'|'.join(tables)}) AS (\w+)", sql)}
            scans = [step for step in plan if step.startswith("SCAN") and step.split()[1] in names]
            if scans:
                walked[name] = plan
    assert walked == {}
