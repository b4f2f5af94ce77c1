"""What a token may do: which permission each route asks for, and that reading changes nothing, whoever reads."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.backend import WAYS, serving
from support.mixed import everything, fill_all, mixed_world
from support.world import WHO
from tui_app.contract.paths import IDEMPOTENCY, fill
from tui_app.contract.principal import OPERATE
from tui_app.domain.describe import Verb
from tui_app.domain.records import Who
from tui_app.service import app as service
from tui_app.service.app import ROUTES
from tui_app.service.backend import Backend
from tui_app.service.table import Route

VIEWER, TAKER = "viewer@example.com", Who("joe@example.com", "joe", "ops2", "local", "local")

NEEDS = {
    "about": None,
    "openapi": None,
    "items": None,
    "count": None,
    "check": None,
    "check_ids": None,
    "item": None,
    "preview": None,
    "trail": None,
    "plan": None,
    "plans": None,
    "plan_import": OPERATE,
    "plan_state": None,
    "plan_items": None,
    "plan_file": None,
    "plan_check": None,
    "plan_resume": OPERATE,
    "confirm": OPERATE,
    "runs": None,
    "run": None,
    "run_items": None,
    "pause": OPERATE,
    "resume": OPERATE,
    "stop": OPERATE,
    "retry": OPERATE,
    "undo": OPERATE,
    "verify": OPERATE,
    "ledger": None,
    "ledger_check": None,
}
"""Each route by its name. What begins, steers, brings or goes on with something of others needs the permission."""


def astray(routes: Sequence[Route]) -> list[str]:
    """The names of routes that ask for another permission than the table says."""
    return sorted(one.name for one in routes if NEEDS.get(one.name, "not in the table") != one.needs)


def test_every_route_asks_for_the_permission_of_the_table():
    assert astray(ROUTES) == []
    assert {one.name for one in ROUTES} == NEEDS.keys()


@pytest.mark.parametrize("name", [name for name, needed in NEEDS.items() if needed is not None])
def test_a_route_that_lost_its_permission_is_found(name):
    assert astray([replace(one, needs=None) if one.name == name else one for one in ROUTES]) == [name]


def path_of(route: Route, **parts: str) -> str:
    given = {"system": "commands", "item": "payments/c000001", "plan": "p1", "run": "r1"} | parts
    return fill(route.path, **{name: given[name] for name in given if f"{{{name}}}" in route.path})


@pytest.mark.parametrize("way", WAYS)
async def test_a_token_without_permissions_is_refused_where_the_table_says(way, tmp_path):
    async with serving(way, tmp_path, rows=2) as served, served.raw(VIEWER, "view") as viewer, served.raw() as operator:
        for route in ROUTES:
            body = {} if route.body is None else {"content": b"{}", "headers": {"Content-Type": route.media}}
            headers = {IDEMPOTENCY: "k1"} | body.pop("headers", {})
            asked = [
                await who.request(route.method, path_of(route), headers=headers, **body) for who in (viewer, operator)
            ]
            statuses = [one.status_code for one in asked]
            assert (statuses[0] == 403) is (route.needs is not None), (route.name, statuses)
            assert statuses[1] != 403, route.name


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every byte of the journal and the systems: their files, and the logs of what was written last."""
    files = sorted([*folder.glob("*.db"), *folder.glob("*.db-wal")])
    assert len([one for one in files if one.suffix == ".db"]) == 4
    return {one.name: one.read_bytes() for one in files}


async def changed_by_reading(folder: Path) -> list[str]:
    """The names of the routes whose GET or HEAD, by a token without permissions, changes a byte anywhere.

    Read are three systems with a run of each, a plan that was applied, and one that was left half made.
    """
    world = mixed_world(folder)
    ids = {system: some[0] for system, some in fill_all(folder, 3).items()}
    done = await world.confirm(await world.plan(*everything()))
    await world.worker().drive(done.id)
    left = await world.planner.start(everything("commands"), Verb.CANCEL, None, None, WHO)
    await world.planner.close()
    world.clock.forward(3600)
    found = []
    async with serving("embedded", folder, world=world) as served, served.raw(VIEWER, "view") as http:
        for route in ROUTES:
            for plan in (left.id, done.plan.id):
                for system, item in ids.items():
                    before = bytes_of(folder)
                    path = path_of(route, plan=plan, run=done.id, system=system, item=item)
                    if route.method == "GET":
                        assert (await http.get(path)).status_code in (200, 400, 404, 409)
                    await http.head(path)
                    await world.planner.idle()
                    if bytes_of(folder) != before:
                        found.append(route.name)
    return sorted(set(found))


async def changed_by_asking(folder: Path) -> list[str]:
    """The names of the routes that are no GET, are answered to a viewer, and change what others have in the journal."""
    world = mixed_world(folder)
    ids = {system: some[0] for system, some in fill_all(folder, 3).items()}
    done = await world.confirm(await world.plan(*everything()))
    await world.worker().drive(done.id)
    plan = await world.plan(*everything("commands"))
    bodies = {
        "check": {"ids": [ids["commands"]]},
        "check_ids": {"ids": [ids["commands"]]},
        "preview": {"ids": [ids["commands"]]},
        "plan": {"selections": [{"system": "commands", "ids": [ids["commands"]]}]},
    }
    found = []
    async with serving("embedded", folder, world=world) as served, served.raw(VIEWER, "view") as http:
        for route in [one for one in ROUTES if one.method != "GET"]:
            before = rows_of(folder)
            path = path_of(route, plan=plan.id, run=done.id, item=ids["commands"])
            headers = {IDEMPOTENCY: "k1", "Content-Type": route.media}
            content = json.dumps(bodies.get(route.name, {})).encode() if route.body is not None else None
            answer = await http.request(route.method, path, headers=headers, content=content)
            await world.planner.idle()
            # A refusal is recorded, and what a viewer plans is the viewer's own: what was there stays as it was.
            if answer.status_code != 403 and not before <= rows_of(folder):
                found.append(route.name)
            elif answer.status_code not in (200, 202, 403):
                found.append(f"{route.name} was not asked as it is meant to be")
    return found


def rows_of(folder: Path) -> set[tuple[str, str]]:
    """Every row of the journal, with the table that it is in."""
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {(table, repr(row)) for table in tables for row in connection.execute(f"SELECT * FROM {table}")}


async def test_whatever_a_viewer_asks_leaves_the_rows_of_others_as_they_were(tmp_path):
    assert await changed_by_asking(tmp_path) == []


async def test_reading_the_plan_of_somebody_else_again_without_asking_for_the_permission_is_found(
    tmp_path, monkeypatch
):
    async def permit(*_given):
        pass

    monkeypatch.setattr(Backend, "permit", permit)
    assert "plan_check" in await changed_by_asking(tmp_path)


async def test_who_made_a_plan_reads_it_again_without_a_permission(tmp_path):
    async with serving("embedded", tmp_path, rows=2) as served, served.raw(VIEWER, "view") as viewer:
        body = {"selections": [{"system": "commands", "ids": ["payments/c000001"]}]}
        plan = (await viewer.post("/v1/plans", json=body)).json()["id"]
        await served.world.planner.idle()
        assert (await viewer.post(f"/v1/plans/{plan}/check")).status_code == 202
        await served.world.planner.idle()


async def test_no_get_or_head_changes_a_byte_of_the_journal_or_the_systems(tmp_path):
    assert await changed_by_reading(tmp_path) == []


async def test_a_get_that_goes_on_with_a_plan_is_found(tmp_path, monkeypatch):
    async def reading_goes_on(call):
        await call.backend.planner.resume(call.parts["plan"], call.who)
        return await service.plans.get(call)

    broken = [replace(one, handle=reading_goes_on) if one.name == "plan_state" else one for one in ROUTES]
    monkeypatch.setattr(service, "ROUTES", tuple(broken))
    assert await changed_by_reading(tmp_path) == ["plan_state"]
