"""What one client asks for keeps nobody else waiting: requests are measured before anything is done with them."""

import asyncio
import json
import threading

import pytest

from support.backend import WAYS, serving
from support.world import WHO, commands, fill, make_world
from tui_app.contract.models import MOST_IDS
from tui_app.contract.plans import MOST_SELECTIONS
from tui_app.domain.describe import Verb
from tui_app.domain.errors import MalformedFilter
from tui_app.domain.filters import LONGEST_FILTER, MOST_TERMS, MOST_VALUES, parse
from tui_app.domain.items import Selection
from tui_app.service.plans import OPERATORS_PLANS, VIEWERS_PLANS
from tui_app.store.sqlite import plans as stored

HERE = {"system": "commands", "ids": ["payments/c000000"]}
LARGE = {
    "terms of a filter": {"selections": [{"system": "commands", "filter": "a " * 200_000}]},
    "terms of a filter, short enough": {"selections": [{"system": "commands", "filter": "a " * (MOST_TERMS + 1)}]},
    "values of a filter": {
        "selections": [{"system": "commands", "filter": "type:" + ",".join("a" * (MOST_VALUES + 1))}]
    },
    "filters together": {"selections": [{"system": "commands", "filter": "x" * (LONGEST_FILTER // 2 + 1)}] * 2},
    "selections": {"selections": [HERE] * 20_000},
    "selections, one too many": {"selections": [HERE] * (MOST_SELECTIONS + 1)},
    "ids": {"selections": [{"system": "commands", "ids": ["a/b"] * (MOST_IDS + 1)}]},
    "ids together": {"selections": [{"system": "commands", "ids": ["a/b"] * (MOST_IDS // 2 + 1)}] * 2},
    "excluded ids": {"selections": [{"system": "commands", "filter": "", "excluded": ["a/b"] * (MOST_IDS + 1)}]},
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_request_that_is_too_large_is_refused_with_a_sentence_and_stored_nowhere(way, tmp_path):
    async with serving(way, tmp_path, rows=1) as served, served.raw("eve", "view") as viewer:
        for what, body in LARGE.items():
            response = await viewer.post("/v1/plans", json=body)
            told = response.json()
            assert (what, response.status_code) == (what, 400)
            assert "at most" in told["detail"], what
            assert told["hint"], what
        assert (await viewer.get("/v1/plans")).json() == {"plans": [], "unreadable": []}


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"selections": ' + "[" * 100_000, '{"a":' * 50_000])
async def test_a_request_that_is_nested_deeply_is_refused(tmp_path, deep):
    async with serving("embedded", tmp_path) as served, served.raw("eve", "view") as viewer:
        for path in ("/v1/plans", "/v1/systems/commands/ids"):
            response = await viewer.post(path, content=deep, headers={"Content-Type": "application/json"})
            assert response.status_code == 400


async def test_a_body_beyond_the_limit_is_not_read_whole(tmp_path):
    async with serving("tcp", tmp_path) as served, served.raw("eve", "view") as viewer:
        content = json.dumps({"ids": ["x" * 500] * 40_000})
        headers = {"Content-Type": "application/json"}
        response = await viewer.post("/v1/systems/commands/ids", content=content, headers=headers)
        assert response.status_code == 413


@pytest.mark.parametrize(
    "text", ["a " * MOST_TERMS, "type:" + ",".join("a" * MOST_VALUES), '"' + "x" * (LONGEST_FILTER - 2) + '"']
)
def test_a_filter_at_its_limits_is_read(text):
    assert parse(text)
    with pytest.raises(MalformedFilter, match="at most"):
        parse(f"{text} b type:" + ",".join("ab" * MOST_VALUES))


async def at_the_limits(world):
    """A plan of as many selections and as long filters as there may be."""
    ids = fill(world.records.path, 3)
    wide = [commands(*(f"payments/{number}-{one}" for one in range(200))) for number in range(MOST_SELECTIONS - 1)]
    text = " ".join(f"!type:{number}" for number in range(MOST_TERMS))
    return ids, await world.planner.start(
        [*wide, Selection("commands", filter=parse(text))], Verb.CANCEL, None, None, WHO
    )


async def test_lists_and_looks_parse_no_selection(tmp_path, monkeypatch):
    world = make_world(tmp_path)
    _, plan = await at_the_limits(world)
    await world.planner.close()

    def parsed(*_given):
        raise AssertionError("a selection was parsed")

    monkeypatch.setattr(stored, "_selection", parsed)
    async with serving("embedded", tmp_path, world=world) as served:
        [listed] = await served.client.plans.list()
        assert (listed.id, len(listed.selection) <= 2_000, listed.impact) == (plan.id, True, [])
        assert (await served.client.plans.get(plan.id)).id == plan.id
        # The trap holds: whatever reads the selections falls into it.
        with pytest.raises(AssertionError, match="was parsed"):
            await world.store.plans.selections(plan.id)


@pytest.mark.parametrize("inline", [False, True])
async def test_many_ids_are_looked_at_beside_the_loop(tmp_path, monkeypatch, inline):
    if inline:
        # The deliberately broken variant: everything in the loop's own thread.
        async def here(work, *given):
            return work(*given)

        monkeypatch.setattr(asyncio, "to_thread", here)
    async with serving("embedded", tmp_path, rows=1) as served:
        system, threads = served.world.systems["commands"], set()
        check = system.check_id
        monkeypatch.setattr(system, "check_id", lambda text: threads.add(threading.current_thread()) or check(text))
        async with served.raw("eve", "view") as viewer:
            many = [f"payments/x{number}" for number in range(2_000)]
            assert (await viewer.post("/v1/systems/commands/ids", json={"ids": many})).status_code == 200
            body = {"selections": [{"system": "commands", "ids": many}]}
            assert (await viewer.post("/v1/plans", json=body)).status_code == 202
        assert (threading.main_thread() in threads) is inline
        await served.world.planner.idle()


async def test_one_principal_makes_so_many_plans_at_a_time(tmp_path, monkeypatch):
    async with serving("embedded", tmp_path, rows=1) as served:
        go_on, system = asyncio.Event(), served.world.systems["commands"]
        survey = system.survey

        async def slow(*given):
            await go_on.wait()
            return await survey(*given)

        monkeypatch.setattr(system, "survey", slow)
        body = {"selections": [HERE]}
        async with served.raw("eve", "view") as viewer, served.raw("joe") as operator:
            statuses = [(await viewer.post("/v1/plans", json=body)).status_code for _ in range(VIEWERS_PLANS)]
            refused = await viewer.post("/v1/plans", json=body)
            theirs = [(await operator.post("/v1/plans", json=body)).status_code for _ in range(OPERATORS_PLANS + 1)]
            assert (set(statuses), refused.status_code, refused.json()["code"]) == ({202}, 429, "RATE_LIMITED")
            assert (set(theirs[:-1]), theirs[-1]) == ({202}, 429)
            go_on.set()
            await served.world.planner.idle()
            assert (await viewer.post("/v1/plans", json=body)).status_code == 202
            await served.world.planner.idle()
