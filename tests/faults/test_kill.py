"""kill -9 of the runner in the middle of a run, then the ordinary resume: nothing lost, nothing twice, in no system."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from support.command_bus import Databases, open_bus
from support.dying import ACCEPTING, BROKEN, POINTS, OneByOne, world_of
from support.killing import APART, Site
from support.mixed import fill_all
from support.postgres_records import PostgresRecords
from support.world import MovableClock
from tui_app.domain.describe import Verb
from tui_app.domain.items import Selection
from tui_app.domain.run import ItemState

ITEMS: Mapping[str, tuple[int, int]] = {
    "commands": (2000, 200),
    "cases": (600, 60),
    "schedules": (1200, 120),
    "undo": (600, 60),
    "mixed": (200, 40),
}
"""How many items are in each system of a site, and in a chunk: small enough for a middle to be killed in."""


def embedded(folder: Path, kind: str) -> Site:
    """A site in a folder: one system, an undo of cases, or all three systems at once."""
    number, chunk = ITEMS[kind]
    names = {"undo": ("cases",), "mixed": ("commands", "cases", "schedules")}.get(kind, (kind,))
    fill_all(folder, 0)
    fill_all(folder, number, *names)
    verb = Verb.REINSTATE if kind == "undo" else Verb.CANCEL
    return Site(folder, names, number * len(names), chunk, verb)


@pytest.fixture
async def postgres(tmp_path: Path, databases: Databases) -> AsyncIterator[Site]:
    number, chunk = ITEMS["commands"]
    with databases.bus() as url:
        async with open_bus(url) as bus:
            await bus.queues("payments__replies")
            await bus.waiting("payments", number, reply_to="payments__replies")
        fill_all(tmp_path, 0)
        own = {"commands": PostgresRecords(url)}
        yield Site(tmp_path, ("commands",), number, chunk, conninfo=url, own=own)


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "postgres":
        found: Site = request.getfixturevalue("postgres")
        return found
    return embedded(tmp_path, request.param)


EVERY_POINT = [
    *((kind, point) for kind in ("commands", "postgres", "schedules", "undo") for point in POINTS),
    *(("cases", point) for point in (*POINTS, *ACCEPTING)),
]


@pytest.mark.parametrize(("site", "point"), EVERY_POINT, indirect=["site"])
async def test_a_killed_runner_loses_nothing_and_repeats_nothing(site: Site, point: str) -> None:
    assert point in site.points
    run_id = await site.confirmed()
    before = site.taken()
    site.kill(run_id, point, nth=2)
    assert site.taken() > before
    # What is accepted has no effect yet; by then all of it may be accepted.
    if site.points == POINTS:
        assert 0 < site.effects(run_id) < site.items
    await site.check()
    done = await site.resume(run_id)
    assert done.states == {site.done: site.items}
    assert site.effects(run_id) == site.items


@pytest.mark.parametrize("site", ["commands", "cases", "schedules", "undo", "mixed"], indirect=True)
async def test_a_runner_that_is_killed_again_and_again(site: Site) -> None:
    run_id = await site.confirmed()
    for point in site.points:
        site.kill(run_id, point, nth=1)
        await site.check()
    assert (await site.resume(run_id)).states == {site.done: site.items}


@pytest.mark.parametrize("site", ["commands", "cases", "schedules"], indirect=True)
async def test_what_another_operator_did_meanwhile_is_not_ours(site: Site, tmp_path: Path) -> None:
    run_id = await site.confirmed()
    world = site.world()
    taken = [one.item.seen.id for one in await world.items(run_id)][-3:]
    await world.close()
    site.kill(run_id, "after_execute", nth=2)
    (tmp_path / "other").mkdir()
    for name in site.names:
        (tmp_path / "other" / f"{name}.db").symlink_to(tmp_path / f"{name}.db")
    other = world_of(tmp_path / "other", MovableClock(site.moment + APART), site.chunk)
    plan = await other.plan(Selection(site.names[0], ids=tuple(taken)))
    await other.worker("other").drive((await other.confirm(plan)).id)
    await other.close()
    done = await site.resume(run_id)
    assert done.states == {ItemState.CANCELLED: site.items - 3, ItemState.ALREADY_CANCELLED: 3}
    assert max(site.own[site.names[0]].taken().values()) == 1


@pytest.mark.parametrize(
    ("runner", "point"),
    [("records first", "after_record"), ("intends last", "after_execute"), ("forgets", "after_execute")],
)
@pytest.mark.parametrize("kind", ["commands", "schedules"])
async def test_a_broken_runner_is_found(tmp_path: Path, kind: str, runner: str, point: str) -> None:
    """The suite above can fail: each of these loses, repeats or misreports something when it is killed."""
    assert runner in BROKEN
    site = embedded(tmp_path, kind)
    run_id = await site.confirmed()
    site.kill(run_id, point, nth=2, runner=runner)

    async def hold_against_the_records() -> None:
        await site.check()
        await site.resume(run_id)

    with pytest.raises(AssertionError):
        await hold_against_the_records()


async def killed_one_by_one(folder: Path, kind: str, runner: str) -> tuple[int, int, int]:
    """Kill a runner that sends one by one: effects by then, and after the resume what is ours and what is nobody's."""
    fill_all(folder, 0)
    fill_all(folder, 30, kind)
    site = Site(folder, (kind,), 30, 30)
    run_id = await site.confirmed()
    site.kill(run_id, "after_note", nth=6, runner=runner)
    sent = site.effects(run_id)
    world = site.world()
    systems = {name: OneByOne(system) for name, system in world.systems.items()}
    done = await world.worker("next", systems=systems).drive(run_id)  # type: ignore[arg-type]
    assert max(site.own[kind].taken().values()) == 1
    assert (await world.store.ledger.check()).problem is None
    await world.close()
    assert sum(done.states.values()) == 30
    nobody = done.states.get(ItemState.ALREADY_CANCELLED, 0)
    return sent, done.states[ItemState.CANCELLED], nobody


@pytest.mark.parametrize("kind", ["commands", "schedules"])
async def test_answers_that_came_before_a_kill_are_on_disk(tmp_path: Path, kind: str) -> None:
    """In doubt is what was on its way, and what came since the last group of notes was written."""
    sent, _, nobody = await killed_one_by_one(tmp_path, kind, "one by one")
    assert sent >= 6
    assert nobody <= sent - 5


async def test_answers_that_nobody_notes_are_found_missing(tmp_path: Path) -> None:
    sent, _, nobody = await killed_one_by_one(tmp_path, "commands", "one by one, notes nothing")
    assert nobody == sent
