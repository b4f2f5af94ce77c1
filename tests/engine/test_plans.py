"""Plans: frozen lists, their hash, their files."""

import asyncio
import gc
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.mixed import everything, fill_all, mixed_world
from support.world import TROUBLED, WHO, MovableClock, World, commands, copy_bus, fill, make_world
from tui_app.domain.describe import Verb
from tui_app.domain.errors import CannotConnect, PlanChanged
from tui_app.domain.filters import parse
from tui_app.domain.items import Seen, Selection
from tui_app.domain.moments import read, stamp
from tui_app.domain.plan import LONGEST_LIFE, TTL, PlanHead, PlanState, expiring_from
from tui_app.domain.records import LedgerQuery, Who
from tui_app.domain.run import ItemState
from tui_app.engine import planfile, planning
from tui_app.engine.faults import Reports
from tui_app.engine.walk import PAGE
from tui_app.systems.commands.embedded import EmbeddedCommands

OTHER = Who("joe@example.com", "joe", "ops2", "local", "local")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = make_world(tmp_path)
    yield made
    await made.close()


async def written(world: World, plan_id: str) -> bytes:
    return b"".join([line async for line in planfile.write(world.store, plan_id)])


async def loaded(world: World, document: bytes, expected: str | None = None, who: Who = WHO) -> str:
    plan = await planfile.load(world.store, document, expected, who, world.systems, world.clock.now())
    return (await world.made((await world.planner.bring(plan, who)).id)).id


async def test_a_filter_freezes_what_was_there_and_nothing_that_comes_later(world: World) -> None:
    ids = fill(world.records.path, 1300)
    as_of = "2026-01-02T00:01:00.000000Z"
    plan = await world.plan(
        Selection("commands", filter=parse(f"status:{TROUBLED}"), as_of=as_of, excluded=frozenset(ids[:3]))
    )
    items = await world.store.plans.items(plan.id, limit=10_000)
    assert sorted(item.seen.id for item in items) == ids[3:]
    assert [item.position for item in items] == list(range(1297))
    assert ["REPLY", "payments__replies", 1297] in plan.totals["impact"]
    fill(world.records.path, 4)
    assert await world.planner.arrived(plan) == 4
    assert len(await world.store.plans.items(plan.id, limit=10_000)) == 1297


async def test_an_interrupted_plan_is_made_to_the_end_by_whoever_looks(world: World, tmp_path: Path) -> None:
    ids = fill(world.records.path, 1700)
    record = await world.planner.start([commands(*ids)], Verb.CANCEL, None, None, WHO)
    await world.planner.close()
    half = await world.store.plans.get(record.id)
    assert half.state is PlanState.BUILDING
    other = make_world(tmp_path)
    other.clock.moment = world.clock.moment
    assert not other.planner.interrupted(half)
    other.clock.forward(60)
    assert other.planner.interrupted(half)
    await other.planner.resume(record.id, OTHER)
    assert not other.planner.interrupted(half)
    plan = await other.made(record.id)
    assert not other.planner.interrupted(plan)
    assert (plan.state, plan.read, plan.totals["counts"]["cancellable"]) == (PlanState.READY, 1700, 1700)
    items = await other.store.plans.items(plan.id, limit=10_000)
    assert [item.seen.id for item in items] == ids
    assert (await other.store.ledger.check()).problem is None
    await other.close()


class ReadsSlowly(EmbeddedCommands):
    """A command bus of which a page is read in ten minutes, as under a limit of reads."""

    clock: MovableClock

    async def survey(self, *given: Any, **named: Any) -> list[Seen]:
        self.clock.forward(600)
        return await super().survey(*given, **named)


async def test_a_plan_that_took_long_to_make_can_be_confirmed_for_as_long_as_any(tmp_path: Path) -> None:
    ids = fill(tmp_path / "commands.db", 5 * PAGE)
    clock = MovableClock()
    slow = ReadsSlowly(tmp_path / "commands.db", clock)
    slow.clock = clock
    made = make_world(tmp_path, {"commands": slow}, clock)
    plan = await made.plan(commands(*ids))
    took = made.clock.now() - read(plan.head.created_at)
    assert took > TTL, "it would have expired before it was there"
    left = read(plan.head.expires_at) - made.clock.now()
    assert TTL - timedelta(seconds=1) < left <= TTL
    done = await made.worker().drive((await made.confirm(plan)).id)
    assert done.states == {ItemState.CANCELLED: len(ids)}
    assert (await made.store.ledger.check()).problem is None
    await made.close()


async def test_a_plan_that_was_made_in_a_moment_expires_as_it_was_begun(world: World) -> None:
    plan = await world.plan(commands(*fill(world.records.path, 3)))
    assert read(plan.head.expires_at) - read(plan.head.created_at) == TTL


@pytest.mark.parametrize("took", [timedelta(0), timedelta(minutes=45), timedelta(days=400), timedelta(days=-1)])
@pytest.mark.parametrize("ttl", [timedelta(seconds=1), TTL, LONGEST_LIFE])
def test_no_plan_lives_longer_than_a_file_of_it_may(took: timedelta, ttl: timedelta) -> None:
    begun = datetime(2026, 1, 2, tzinfo=UTC)
    head = PlanHead("p1", Verb.CANCEL, stamp(begun), stamp(begun + ttl), "jane", "ops1", "", {})
    expires = read(expiring_from(head, begun + took).expires_at)
    assert begun + ttl <= expires <= begun + LONGEST_LIFE


async def test_selections_that_overlap_are_frozen_once_also_when_the_making_was_interrupted(
    world: World, tmp_path: Path
) -> None:
    ids = fill(world.records.path, 1200)
    chosen = [commands(*ids[:700]), Selection("commands", filter=parse(f"status:{TROUBLED}"))]
    record = await world.planner.start(chosen, Verb.CANCEL, None, None, WHO)
    await world.planner.close()
    other = make_world(tmp_path)
    other.clock.moment = world.clock.moment
    other.clock.forward(60)
    await other.planner.resume(record.id, OTHER)
    plan = await other.made(record.id)
    items = await other.store.plans.items(plan.id, limit=10_000)
    assert sorted(item.seen.id for item in items) == ids
    assert [item.seen.id for item in items[:700]] == ids[:700]
    await other.close()


async def test_a_system_that_cannot_be_used_gives_no_plan(world: World) -> None:
    fill(world.records.path, 3)
    await world.close()
    world.records.path.write_bytes(b"no database" * 1000)
    fresh = make_world(world.folder)
    with pytest.raises(CannotConnect, match="cannot be used"):
        await fresh.plan(commands("payments/c000001"))
    assert await fresh.store.plans.newest(10) == []
    await fresh.close()


async def test_a_file_comes_back_as_the_same_plan(world: World, tmp_path: Path) -> None:
    ids = fill(world.records.path, 20)
    plan = await world.plan(commands(*ids, "payments/none"))
    document = await written(world, plan.id)
    assert await loaded(world, document) == plan.id
    copy_bus(world.records.path, tmp_path / "elsewhere")
    elsewhere = make_world(tmp_path / "elsewhere")
    with pytest.raises(PlanChanged, match="elsewhere"):
        await loaded(elsewhere, document)
    assert await loaded(elsewhere, document, plan.hash) == plan.id
    copy = await elsewhere.store.plans.get(plan.id)
    assert (copy.hash, copy.totals) == (plan.hash, plan.totals)
    await elsewhere.close()


async def test_a_file_of_others_needs_its_hash(world: World) -> None:
    plan = await world.plan(commands(*fill(world.records.path, 2)))
    document = await written(world, plan.id)
    with pytest.raises(PlanChanged, match="somebody else"):
        await loaded(world, document, who=OTHER)
    with pytest.raises(PlanChanged, match="not 00000000"):
        await loaded(world, document, "00000000", who=OTHER)
    assert plan.hash
    assert await loaded(world, document, plan.hash, who=OTHER) == plan.id


def _edited(document: bytes, line: int, **changed: Any) -> bytes:
    lines = document.splitlines()
    read = json.loads(lines[line])
    lines[line] = json.dumps({**read, **changed}).encode()
    return b"\n".join(lines)


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: _edited(document, 1, id="payments/other"),
        lambda document: _edited(document, 1, version="7"),
        lambda document: _edited(document, -1, totals={"counts": {"items": 1, "cancellable": 1, "blocked": 0}}),
        lambda document: b"\n".join(document.splitlines()[:-1]),
        lambda document: b"\n".join([*document.splitlines()[:2], *document.splitlines()[3:]]),
        lambda document: document.replace(b"payments/c000001", b"payments/c000000"),
        lambda document: b"\xff\xfe" + document,
        lambda _: b"",
        lambda _: b"[]\n[]\n",
        lambda document: _edited(document, 1, code="NO_SUCH_CODE"),
    ],
)
async def test_a_file_that_was_changed_is_not_a_plan(world: World, edit: Any) -> None:
    plan = await world.plan(commands(*fill(world.records.path, 3)))
    document = edit(await written(world, plan.id))
    with pytest.raises(PlanChanged):
        await loaded(world, document, plan.hash)


async def test_a_page_that_takes_long_to_read_keeps_its_lease(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world.records.path, 1)
    monkeypatch.setattr(planning, "LEASE", timedelta(seconds=0.03))
    system, lease, asked = world.systems["commands"], world.store.plans.lease, asyncio.Event()
    survey, leases = system.survey, []

    async def counted(*given: Any) -> bool:
        leases.append(given)
        if len(leases) == 4:
            asked.set()
        return await lease(*given)

    async def slow(*given: Any) -> Any:
        await asyncio.wait_for(asked.wait(), 30)
        return await survey(*given)

    monkeypatch.setattr(world.store.plans, "lease", counted)
    monkeypatch.setattr(system, "survey", slow)
    plan = await world.plan(Selection("commands", filter=parse("")))
    assert plan.totals["counts"]["items"] == 1


async def test_a_plan_that_another_goes_on_with_stays_its_makers(world: World, tmp_path: Path) -> None:
    record = await world.planner.start([commands(*fill(world.records.path, 3))], Verb.CANCEL, None, None, WHO)
    await world.planner.close()
    other = make_world(tmp_path)
    other.clock.moment = world.clock.moment
    await other.planner.resume(record.id, OTHER)
    await other.planner.idle()
    assert (await other.store.plans.get(record.id)).state is PlanState.BUILDING, "its maker may still be alive"
    other.clock.forward(60)
    await other.planner.resume(record.id, OTHER)
    await other.made(record.id)
    [planned] = await other.store.ledger.lines(LedgerQuery(event="planned"))
    told = {name: planned.facts.get(name) for name in ("operator", "os_user", "host", "resumed_by")}
    assert told == {"operator": WHO.operator, "os_user": WHO.os_user, "host": WHO.host, "resumed_by": OTHER.operator}
    await other.close()


async def test_a_plan_whose_system_left_the_profile_fails_with_a_sentence(tmp_path: Path) -> None:
    """Made, read again and counted: none of it is begun again for ever, and nothing is raised past the plan."""
    raised: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    world = mixed_world(tmp_path)
    fill_all(tmp_path, 3, "commands", "cases")
    made = await world.plan(*everything("commands", "cases"))
    half = await world.planner.start(everything("commands", "cases"), Verb.CANCEL, None, None, WHO)
    await world.close()
    less = make_world(tmp_path, {"commands": EmbeddedCommands(tmp_path / "commands.db", world.clock)}, world.clock)
    less.clock.forward(60)
    await less.planner.resume(half.id, WHO)
    failed = await less.made(half.id)
    assert failed.state is PlanState.FAILED
    assert failed.error is not None
    assert failed.error.startswith("this profile does not have the system cases any more. Put it back")
    await less.planner.check(made.id)
    await less.planner.idle()
    drift = (await less.store.plans.get(made.id)).drift
    assert drift is not None
    assert drift["state"] == "failed"
    assert "does not have the system cases any more" in drift["error"]
    assert await less.planner.arrived(made) is None
    await less.close()
    gc.collect()
    assert raised == []


async def test_an_error_while_a_plan_is_made_leaves_a_report(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    fill(world.records.path, 3)
    world.planner._reports = Reports(tmp_path / "faults.log")

    async def broken(*given: Any) -> Any:
        raise KeyError("odd")

    world.systems["commands"].page = broken  # type: ignore[method-assign]
    plan = await world.plan(Selection("commands", filter=parse("")))
    assert plan.state is PlanState.FAILED
    assert plan.error is not None
    (told,) = re.findall(r"report (\w+) in faults\.log", plan.error)
    report = (tmp_path / "faults.log").read_text(encoding="utf-8")
    assert told in report
    assert "KeyError" in report
    assert (tmp_path / "faults.log").stat().st_mode & 0o077 == 0
    await world.close()


async def test_an_item_that_cannot_be_read_is_blocked_and_hides_no_other(world: World) -> None:
    ids = fill(world.records.path, 9)
    survey = world.systems["commands"].survey

    async def odd(asked: Any, *given: Any) -> Any:
        if ids[4] in asked:
            raise OverflowError("date value out of range")
        return await survey(asked, *given)

    world.systems["commands"].survey = odd  # type: ignore[method-assign]
    plan = await world.plan(commands(*ids))
    assert plan.totals["counts"] == {"items": 9, "cancellable": 8, "blocked": 1}
    (blocked,) = await world.store.plans.items(plan.id, code="NOT_KNOWN")
    assert blocked.seen.id == ids[4]
    assert "report" in (blocked.seen.verdict.reason or "")
