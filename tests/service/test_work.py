"""The natural path over the wire: plan, confirm, run, outcomes, ledger, and what stops it."""

import asyncio
import json
import sqlite3
from datetime import timedelta

import pytest
from pydantic import ValidationError

from support.backend import serving
from support.invariants import assert_invariants
from support.world import TROUBLED, copy_bus, fill
from tui_app.contract.plans import PlanRequest, SelectionModel
from tui_app.contract.principal import OPERATE
from tui_app.contract.runs import OptionsModel, RunRequest
from tui_app.domain.errors import (
    AboveCap,
    Conflict,
    CountDiffers,
    InvalidReason,
    MalformedFilter,
    MalformedId,
    NeedsTakeover,
    NotAllowed,
    NotFound,
    PhraseDiffers,
    PlanChanged,
    PlanExpired,
    UsageProblem,
)
from tui_app.engine.steering import Steering
from tui_app.service.app import ROUTES

EVERYTHING = SelectionModel(system="commands", filter="")
WAITING = SelectionModel(system="commands", filter=f"status:{TROUBLED}")
REASON = "caused by a faulty deploy"


async def planned(client, *selections, **request):
    return await client.plan(PlanRequest(selections=list(selections or [WAITING]), **request))


def confirmation(plan, **changed):
    return RunRequest(**{"hash": plan.hash, "reason": REASON, "expect_count": plan.counts.items, **changed})


async def confirmed(client, plan, key="k1", **changed):
    return await client.run(plan.id, confirmation(plan, **changed), key)


def change(backend, sql):
    connection = sqlite3.connect(backend.world.folder / "commands.db")
    with connection:
        connection.execute(sql)
    connection.close()


async def test_a_plan_says_what_would_happen(backend):
    fill(backend.world.folder / "commands.db", 5, domain="orders", status="COMPLETED")
    fill(backend.world.folder / "commands.db", 2, domain="parcels", reply_queue="gone__replies")
    fill(backend.world.folder / "commands.db", 1, domain="stock", reply_queue="")
    progress = []
    request = PlanRequest(selections=[EVERYTHING], reason=REASON)
    plan = await backend.client.plan(request, progress.append)
    assert plan.counts.model_dump() == {"items": 38, "cancellable": 31, "blocked": 7}
    assert (plan.state, plan.read, plan.expected, plan.phrase) == ("ready", 38, 38, "31")
    assert [(line.code, line.count) for line in plan.blocked] == [("TERMINAL", 5), ("REPLY_QUEUE_MISSING", 2)]
    said = {line.code: (line.count, line.text, line.irreversible) for line in plan.impact}
    assert said["REPLY"] == (30, "30 replies to payments__replies", False)
    assert said["NO_REPLY"] == (1, "one of them: nobody is told: its sender wanted no reply", False)
    assert said["IRREVERSIBLE"][0::2] == (31, True)
    assert (plan.irreversible, plan.by_system, plan.reason) == (True, {"commands": 31}, REASON)
    assert (plan.operator, plan.host, plan.selection) == ("jane@example.com", "ops1", "commands: everything")
    assert all(one.state == "building" for one in progress)
    assert [one.id for one in await backend.client.plans.list()] == [plan.id]
    assert await backend.client.plans.get(plan.id) == plan


async def test_a_plan_in_the_making_shows_no_hash_and_no_phrase(backend):
    begun = await backend.client.plans.start(PlanRequest(selections=[WAITING]))
    assert (begun.state, begun.hash, begun.phrase) == ("building", None, None)
    assert (await backend.client.plans.finished(begun)).hash


async def test_what_is_blocked_and_what_is_not_is_paged(backend):
    fill(backend.world.folder / "commands.db", 5, domain="orders", status="COMPLETED")
    plan = await planned(backend.client, EVERYTHING)
    plans, positions, after = backend.client.plans, [], None
    while True:
        page = await plans.items(plan.id, after=after, limit=8)
        positions += [one.position for one in page.items]
        after = page.next
        if after is None:
            break
    assert positions == list(range(35))
    blocked = (await plans.items(plan.id, code="TERMINAL")).items
    assert [(one.cancellable, one.code, one.status) for one in blocked] == [(False, "TERMINAL", "COMPLETED")] * 5
    assert "COMPLETED" in (blocked[0].reason or "")
    assert len((await plans.items(plan.id, code="OK")).items) == 30


async def test_ids_count_once_and_unknown_ones_are_blocked(backend):
    ids = ["payments/c000003", "payments/c000004", "payments/c000003", "payments/none"]
    plan = await planned(backend.client, SelectionModel(system="commands", ids=ids))
    assert plan.counts.model_dump() == {"items": 3, "cancellable": 2, "blocked": 1}
    assert plan.blocked[0].code == "NOT_FOUND"
    assert plan.phrase == "yes"


async def test_what_arrives_later_is_told_and_not_taken(backend):
    plan = await planned(backend.client)
    fill(backend.world.folder / "commands.db", 4, domain="orders")
    told = await backend.client.plans.get(plan.id, arrived=True)
    assert (told.arrived, told.counts.items) == (4, 30)


async def test_a_selection_is_a_filter_minus_ids_as_of_a_time(backend):
    tenth = (await backend.client.items.page("commands", sort="updated")).items[9]
    selection = SelectionModel(
        system="commands", filter=f"status:{TROUBLED}", as_of=str(tenth.fields["updated"]), excluded=[tenth.id]
    )
    assert (await planned(backend.client, selection)).counts.items == 9


@pytest.mark.parametrize(
    ("selection", "request_", "error"),
    [
        ({"ids": ["payments/c000001", "nonsense"]}, {}, MalformedId),
        ({"filter": "colour:red"}, {}, MalformedFilter),
        ({"filter": 'type:"x'}, {}, MalformedFilter),
        ({"filter": "", "as_of": "soon"}, {}, UsageProblem),
        ({"filter": "", "excluded": ["nonsense"]}, {}, MalformedId),
        ({"filter": "", "ids": ["a/b"]}, {}, UsageProblem),
        ({}, {}, UsageProblem),
        ({"ids": []}, {}, UsageProblem),
        ({"system": "parcels", "filter": ""}, {}, UsageProblem),
        ({"filter": ""}, {"verb": "reinstate"}, UsageProblem),
        ({"filter": ""}, {"reason": "\x1b[2J is no reason"}, InvalidReason),
    ],
)
async def test_what_cannot_be_planned_is_refused_and_nothing_is_kept(backend, selection, request_, error):
    with pytest.raises(error) as caught:
        await planned(backend.client, SelectionModel(**{"system": "commands", **selection}), **request_)
    assert type(caught.value) is error
    assert await backend.client.plans.list() == []
    assert (await backend.client.ledger.page()).lines == []


async def test_an_item_that_two_selections_hold_stands_in_a_plan_once(backend):
    twice = [SelectionModel(system="commands", ids=["payments/c000001"]), SelectionModel(system="commands", filter="")]
    plan = await backend.client.plan(PlanRequest(selections=twice))
    items = (await backend.client.plans.items(plan.id, limit=500)).items
    assert plan.counts.items == len(items) == len({item.id for item in items}) == 30
    assert items[0].id == "payments/c000001"
    assert (await backend.client.plans.get(plan.id, arrived=True)).arrived is None


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (PlanRequest, {"selections": [{"system": "commands", "filter": "", "exclude": ["payments/c000001"]}]}),
        (PlanRequest, {"selections": [{"system": "commands", "filter": ""}], "expires": 5}),
        (RunRequest, {"hash": "0" * 64, "reason": REASON, "options": {"rate": "1/minute"}}),
        (RunRequest, {"hash": "0" * 64, "reason": REASON, "dry_run": True}),
    ],
)
def test_a_request_with_a_name_that_is_not_known_is_refused(model, body):
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate(body)


async def test_the_whole_path(backend):
    client = backend.client
    plan = await planned(client)
    run = await confirmed(client, plan, expect_count=None, phrase=plan.phrase)
    assert (run.state, run.counts["pending"], run.items) == ("queued", 30, 30)
    assert (run.plan, run.plan_hash, run.operator, run.reason) == (plan.id, plan.hash, "jane@example.com", REASON)
    assert backend.world.launcher.starts == 1
    await backend.work(run.id)
    run = await client.runs.get(run.id)
    assert (run.state, run.counts) == (
        "finished",
        {"cancelled": 30, "already_cancelled": 0, "refused": 0, "skipped": 0, "unknown": 0, "pending": 0},
    )
    assert run.verified.model_dump() == {"yes": 30, "contradicted": 0, "undone": 0, "not_known": 0, "pending": 0}
    assert [(line.state, line.code, line.count) for line in run.outcomes] == [("cancelled", None, 30)]
    assert (run.attended, run.wanted, run.pause) == (True, None, None)
    assert [one.id for one in await client.runs.list()] == [run.id]
    check = await client.ledger.check([run.head])
    assert (check.holds, check.items, check.problem) == (True, 30, None)
    await assert_invariants(backend.world.store, backend.world.records)


async def test_items_of_a_run_tell_their_outcome(backend):
    plan = await planned(backend.client)
    run = await confirmed(backend.client, plan)
    before = (await backend.client.runs.items(run.id, limit=1)).items[0]
    assert (before.state, before.key, before.verified) == ("planned", None, None)
    await backend.work(run.id)
    seen, after = [], None
    while True:
        page = await backend.client.runs.items(run.id, after=after, limit=11, state="cancelled")
        seen += page.items
        after = page.next
        if after is None:
            break
    assert [one.position for one in seen] == list(range(30))
    assert {(one.state, one.before, one.after, one.verified) for one in seen} == {
        ("cancelled", TROUBLED, "CANCELED", "yes")
    }
    assert len({one.key for one in seen}) == 30
    assert (await backend.client.runs.items(run.id, state="refused")).items == []


async def test_an_unattended_run_says_so(backend):
    run = await confirmed(backend.client, await planned(backend.client))
    assert not run.attended
    backend.world.launcher.working = True
    assert (await backend.client.runs.get(run.id)).attended


async def test_the_same_key_is_one_run_and_another_confirmation_under_it_is_refused(backend):
    plan = await planned(backend.client)
    first, second = await asyncio.gather(confirmed(backend.client, plan), confirmed(backend.client, plan))
    assert first.id == second.id
    with pytest.raises(Conflict):
        await confirmed(backend.client, plan, reason="another reason")
    with pytest.raises(Conflict):
        await confirmed(backend.client, plan, key="k2")
    assert len(await backend.client.runs.list()) == 1


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"hash": "0" * 64}, PlanChanged),
        ({"reason": ""}, InvalidReason),
        ({"reason": " x "}, InvalidReason),
        ({"reason": "line\nbreak"}, InvalidReason),
        ({"reason": "x" * 501}, InvalidReason),
        ({"expect_count": 29}, CountDiffers),
        ({"expect_count": None}, PhraseDiffers),
        ({"phrase": "yes"}, PhraseDiffers),
        ({"phrase": "30 "}, PhraseDiffers),
    ],
)
async def test_a_confirmation_that_is_not_right_sends_nothing(backend, changed, error):
    plan = await planned(backend.client)
    with pytest.raises(error) as caught:
        await confirmed(backend.client, plan, **changed)
    assert type(caught.value) is error
    assert await backend.client.runs.list() == []
    assert backend.world.launcher.starts == 0


async def test_an_expired_plan_is_not_confirmed(backend):
    plan = await planned(backend.client, ttl=60)
    backend.world.clock.forward(timedelta(minutes=2).total_seconds())
    with pytest.raises(PlanExpired):
        await confirmed(backend.client, plan)
    assert (await backend.client.plans.get(plan.id)).state == "ready"


@pytest.mark.parametrize("way", ["embedded", "tcp"])
@pytest.mark.parametrize(("profile", "error"), [({"cap": 29}, AboveCap), ({"read_only": True}, NotAllowed)])
async def test_a_profile_may_forbid_it(tmp_path, way, profile, error):
    async with serving(way, tmp_path, rows=30) as service:
        world = service.world
        settings = {"environment": "local", "cap": None, "read_only": False, **profile}
        object.__setattr__(
            service.backend, "steering", Steering(world.store, world.systems, world.launcher, world.clock, **settings)
        )
        with pytest.raises(error):
            await confirmed(service.client, await planned(service.client))
        assert await service.client.runs.list() == []


async def test_drift_is_told_before_anything_is_sent(backend):
    plan = await planned(backend.client)
    change(backend, "UPDATE command SET status = 'COMPLETED', revision = revision + 1 WHERE id < 'payments/c000003'")
    change(backend, "UPDATE command SET revision = revision + 1 WHERE id = 'payments/c000007'")
    told = await backend.client.plans.check(plan.id)
    assert told.drift is not None
    assert (told.drift.state, told.drift.read, told.drift.unchanged, told.drift.changed, told.drift.gone) == (
        "done", 30, 26, 1, 3)  # fmt: skip
    kinds = sorted((one.kind, one.id) for one in told.drift.examples)
    assert kinds[0] == ("changed", "payments/c000007")
    assert {kind for kind, _ in kinds[1:]} == {"gone"}
    run = await confirmed(backend.client, plan, options=OptionsModel(accept_drift=True))
    await backend.work(run.id)
    run = await backend.client.runs.get(run.id)
    assert (run.counts["cancelled"], run.counts["skipped"], run.options.accept_drift) == (27, 3, True)


async def test_a_plan_travels_as_a_file(backend, tmp_path):
    plan = await planned(backend.client, ttl=7 * 86400, reason=REASON)
    document = b"".join([piece async for piece in backend.client.plans.file(plan.id)])
    lines = [json.loads(line) for line in document.splitlines()]
    assert (len(lines), lines[-1]["hash"]) == (32, plan.hash)
    copy_bus(backend.world.records.path, tmp_path / "elsewhere")
    async with serving(backend.way, tmp_path / "elsewhere") as other:
        stranger = other.client_of("eve", OPERATE)
        with pytest.raises(PlanChanged, match="somebody else"):
            await stranger.plans.load(document)
        loaded = await stranger.plans.load(document, expected_hash=(plan.hash or "")[:8])
        assert (loaded.hash, loaded.counts, loaded.reason) == (plan.hash, plan.counts, REASON)
        assert (await stranger.plans.load(document)).id == plan.id
        with pytest.raises(PlanChanged, match="somebody else"):
            await other.client.plans.load(document)
        with pytest.raises(PlanChanged):
            await stranger.plans.load(document.replace(b"c000007", b"c000008"), expected_hash=plan.hash)
        with pytest.raises(PlanChanged):
            await stranger.plans.load(document[:-20], expected_hash=plan.hash)
        await stranger.close()


async def test_a_plan_file_of_nothing_is_not_found_before_it_begins(backend):
    with pytest.raises(NotFound):
        await anext(backend.client.plans.file("p0"))
    begun = await backend.client.plans.start(PlanRequest(selections=[WAITING]))
    with pytest.raises(Conflict):
        await anext(backend.client.plans.file(begun.id))
    await backend.client.plans.finished(begun)


async def test_a_run_is_paused_resumed_and_stopped(backend):
    runs = backend.client.runs
    run = await confirmed(backend.client, await planned(backend.client))
    paused = await runs.pause(run.id)
    assert (paused.state, paused.pause and paused.pause.cause) == ("paused", "operator")
    assert (await runs.resume(run.id)).state == "queued"
    over = await runs.stop(run.id)
    assert (over.stopped_by, over.wanted) == (over.operator, None)
    assert (over.state, over.counts["skipped"]) == ("stopped", 30)
    assert [(line.state, line.code) for line in over.outcomes] == [("skipped", "STOPPED")]
    with pytest.raises(Conflict):
        await runs.pause(run.id)
    assert (await runs.resume(run.id)).state == "stopped"


async def test_another_operator_has_to_take_a_run_over(backend):
    run = await confirmed(backend.client, await planned(backend.client))
    await backend.client.runs.pause(run.id)
    bob = backend.client_of("bob", OPERATE)
    with pytest.raises(NeedsTakeover, match="jane"):
        await bob.runs.resume(run.id)
    assert (await bob.runs.resume(run.id, take_over=True)).operator == "bob"
    assert "taken_over" in [line.event for line in (await bob.ledger.page(run=run.id)).lines]
    await bob.close()


async def test_a_contradiction_is_found_by_verifying_again(backend):
    run = await confirmed(backend.client, await planned(backend.client))
    await backend.work(run.id)
    change(backend, "UPDATE command SET status = 'COMPLETED' WHERE id = 'payments/c000007'")
    verified = (await backend.client.runs.verify(run.id)).verified
    assert (verified.yes, verified.contradicted, verified.pending) == (29, 1, 0)


async def test_the_ledger_tells_who_did_what_in_pages(backend):
    plan = await planned(backend.client)
    run = await confirmed(backend.client, plan)
    await backend.work(run.id)
    for newest in (False, True):
        lines, after = [], None
        while True:
            page = await backend.client.ledger.page(after=after, limit=7, newest=newest)
            lines += page.lines
            after = page.next
            if after is None:
                break
        whole = (await backend.client.ledger.page(limit=500, newest=newest)).lines
        assert lines == whole
        assert [line.seq for line in lines] == sorted((line.seq for line in lines), reverse=newest)
    events = [line.event for line in whole if line.item is None]
    assert events[::-1] == ["planned", "confirmed", "started", "chunk", "verified", "finished", "head"]
    items = [line for line in whole if line.item is not None]
    assert len(items) == 30
    assert {(line.event, line.operator, line.run, line.system, line.reason) for line in items} == {
        ("cancelled", "jane@example.com", run.id, "commands", REASON)
    }
    chunk = next(line for line in whole if line.event == "chunk")
    assert {line.seq for line in items} == {chunk.seq}
    assert all(line.at and line.hash for line in whole)


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"item": "payments/c000007"}, 1),
        ({"event": "cancelled"}, 30),
        ({"event": "confirmed"}, 1),
        ({"operator": "nobody"}, 0),
        ({"event": "undo"}, 0),
    ],
)
async def test_the_ledger_is_filtered(backend, query, number):
    run = await confirmed(backend.client, await planned(backend.client))
    await backend.work(run.id)
    assert len((await backend.client.ledger.page(**query)).lines) == number


async def test_a_ledger_that_was_changed_says_where(backend):
    run = await confirmed(backend.client, await planned(backend.client))
    await backend.work(run.id)
    connection = sqlite3.connect(backend.world.folder / "journal.db")
    with connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE ledger SET body = replace(body, 'jane', 'john') WHERE seq = 2")
    connection.close()
    check = await backend.client.ledger.check()
    assert (check.holds, check.seq) == (False, 2)
    assert "2" in (check.problem or "")


@pytest.mark.parametrize("anchor", ["", "7", "7:xyz", f"x:{'0' * 64}"])
async def test_an_anchor_that_is_none_is_refused(backend, anchor):
    with pytest.raises(UsageProblem, match="anchor"):
        await backend.client.ledger.check([anchor])


async def test_an_anchor_that_is_not_here_is_told(backend):
    check = await backend.client.ledger.check([f"7:{'0' * 64}"])
    assert (check.holds, check.seq) == (False, 7)


BODIES = {"confirm": {"hash": "0" * 64, "reason": "duplicate request", "expect_count": 1}, "resume": {}}


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if {"{run}", "{plan}"} & set(one.path.split("/"))], ids=lambda one: one.name
)
async def test_a_route_that_names_what_is_not_there_answers_not_found(backend, route):
    body = BODIES.get(route.name)
    async with backend.raw() as http:
        found = await http.request(
            route.method,
            route.path.format(run="nosuch", plan="nosuch"),
            json=body,
            headers={"Idempotency-Key": "k"} if route.keyed else {},
        )
    assert (found.status_code, found.json()["code"]) == (404, "NOT_FOUND")
    assert "nosuch" in found.json()["detail"]


@pytest.mark.parametrize("named", ["run", "item"])
async def test_lines_of_what_is_not_in_the_ledger_are_not_found(backend, named):
    with pytest.raises(NotFound, match="nosuch"):
        await backend.client.ledger.page(**{named: "nosuch"})
    with pytest.raises(NotFound, match="nosuch"):
        await backend.client.ledger.page(**{named: "nosuch"}, event="cancelled")


async def test_an_event_that_there_is_not_is_refused_with_the_nearest(backend):
    with pytest.raises(UsageProblem, match="'canceled' is no event") as refused:
        await backend.client.ledger.page(event="canceled")
    assert "cancelled" in refused.value.hint
