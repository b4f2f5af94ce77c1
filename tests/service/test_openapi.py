"""The OpenAPI document says what the service does: no route more, no route less, no answer otherwise."""

import json
import re

import jsonschema_rs
import pytest

from support.backend import WAYS, serving
from support.mixed import fill_cases, fill_schedules, mixed_world
from support.native_api import native_service
from support.world import fill
from tui_app.contract import paths
from tui_app.contract.problems import STATUS
from tui_app.domain.run import Answer, ItemState
from tui_app.service.app import ROUTES, Service
from tui_app.service.openapi import document

DOCUMENT = document(ROUTES)
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


async def test_the_service_tells_its_document(backend):
    async with backend.raw() as http:
        told = await http.get("/v1/openapi.json")
    assert told.json() == json.loads(json.dumps(DOCUMENT))
    assert told.json()["openapi"].startswith("3.1")


async def test_native_routes_stand_in_the_document_of_a_service_that_has_them(tmp_path):
    async with native_service("tcp", tmp_path) as served, served.http() as http:
        told = (await http.get("/v1/openapi.json")).json()
    native = {path: one for path, one in told["paths"].items() if path.startswith("/api/")}
    routes = {(route.path, route.method.lower()): route for route in served.api.routes}
    assert {(path, method) for path, methods in native.items() for method in methods} == routes.keys()
    assert told["paths"].keys() - native.keys() == DOCUMENT["paths"].keys()
    for (path, method), route in routes.items():
        operation = native[path][method]
        headers = [one["name"] for one in operation["parameters"] if one["in"] == "header"]
        assert headers == ["X-User-ID", *(["X-Idempotency-Key"] if route.keyed else [])]
        assert {"400", "401", "403", "404", "429", "500", "503"} <= operation["responses"].keys()
        assert ({"408", "409", "413", "422"} <= operation["responses"].keys()) == route.keyed
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(told)))
    assert wanted == told["components"]["schemas"].keys() & wanted


async def test_the_document_and_the_routes_agree(backend):
    service = Service(backend.backend)
    served = {(method, route.path) for route in service._router.routes for method in route.methods}
    described = {(method, path) for method, path, _ in OPERATIONS.values()}
    assert served == described
    assert len(OPERATIONS) == len(ROUTES)


def test_every_path_of_the_contract_is_described():
    known = {value for name, value in vars(paths).items() if name.isupper() and str(value).startswith("/v1")}
    assert set(DOCUMENT["paths"]) == known


def test_every_reference_leads_somewhere():
    wanted = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert wanted == DOCUMENT["components"]["schemas"].keys() & wanted
    assert wanted


@pytest.mark.parametrize("schema", DOCUMENT["components"]["schemas"])
def test_every_schema_is_one(schema):
    validator(f"#/components/schemas/{schema}")


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_names_its_parameters_and_its_errors(name):
    _, path, operation = OPERATIONS[name]
    in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
    assert in_path == re.findall(r"{(\w+)}", path)
    assert {"400", "401", "500"} <= operation["responses"].keys()
    assert operation["summary"]


def test_what_changes_something_needs_a_permission_and_says_so():
    needing = {route.name for route in ROUTES if route.needs}
    assert needing == {
        "confirm", "plan_import", "plan_resume", "pause", "resume", "stop", "retry", "undo", "verify",
    }  # fmt: skip
    for name in needing:
        assert "403" in OPERATIONS[name][2]["responses"]
    assert {route.method for route in ROUTES if route.needs} == {"POST"}


def test_every_error_that_is_named_exists():
    assert {code for route in ROUTES for code in route.errors} <= STATUS.keys()


def validator(reference):
    return jsonschema_rs.validator_for(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": reference,
            "components": DOCUMENT["components"],
        }
    )


class Tour:
    """Asks, and holds every answer against the document."""

    def __init__(self, http):
        self.http = http
        self.seen = set()

    async def ask(self, name, expected, *, query=None, headers=None, content=None, body=None, **parts):
        method, path, operation = OPERATIONS[name]
        made = {"Content-Type": "application/json"} if content is None and body is not None else {}
        response = await self.http.request(
            method,
            paths.fill(path, **parts),
            params=query,
            headers={**made, **(headers or {})},
            content=json.dumps(body) if content is None and body is not None else content,
        )
        assert response.status_code == expected, (name, response.text)
        described = operation["responses"][str(expected)]["content"]
        media = response.headers["content-type"].split(";")[0]
        schema = described[media]["schema"]
        if media == "application/jsonl":
            assert all(isinstance(json.loads(line), dict) for line in response.text.splitlines())
        elif "$ref" in schema:
            validator(schema["$ref"]).validate(response.json())
        else:
            jsonschema_rs.validator_for(schema).validate(response.json())
        if media == "application/problem+json":
            assert response.json()["code"] in operation["responses"][str(expected)]["description"].split(", ")
        else:
            self.seen.add(name)
        return response


class RefusingOne:
    """A system that refuses the first order it gets, and passes on the others."""

    def __init__(self, inner):
        self._inner = inner
        self.refused = None

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def execute(self, orders, errand):
        if self.refused is not None:
            return await self._inner.execute(orders, errand)
        self.refused, *others = orders
        return [Answer(ItemState.REFUSED, "NOT_IN_TROUBLESHOOTING", "no"), *await self._inner.execute(others, errand)]


SELECTION = {"system": "commands", "filter": "status:IN_TROUBLESHOOTING_QUEUE", "excluded": ["payments/c000029"]}
JSON = {"Content-Type": "application/json"}


async def read_everything(tour):
    await tour.ask("about", 200, query={"sign_in": "true"})
    await tour.ask("openapi", 200)
    first = await tour.ask("items", 200, system="commands", query={"limit": 3, "count": "true"})
    assert (first.json()["total"], len(first.json()["items"])) == (33, 3)
    item = first.json()["items"][0]["id"]
    await tour.ask("items", 400, system="commands", query={"limit": 0})
    await tour.ask("items", 404, system="parcels")
    await tour.ask("count", 200, system="commands", query={"filter": "type:DebitAccount"})
    await tour.ask("count", 400, system="commands", query={"filter": "colour:red"})
    await tour.ask("check", 200, system="commands")
    await tour.ask("check_ids", 200, system="commands", body={"ids": [item, "no-slash"]})
    await tour.ask("check_ids", 404, system="parcels", body={"ids": []})
    for system, one in (("commands", item), ("cases", "CASE-000000")):
        for name in ("item", "preview", "trail"):
            await tour.ask(name, 200, system=system, item=one)
    for name in ("item", "preview", "trail"):
        await tour.ask(name, 400, system="commands", item="malformed")
    for name in ("item", "preview"):
        await tour.ask(name, 404, system="commands", item="payments/none")


async def plan(tour, world):
    begun = (await tour.ask("plan", 202, body={"selections": [SELECTION]})).json()
    await tour.ask("plan", 400, body={"selections": []})
    await tour.ask("plan", 422, body={"selections": [SELECTION], "reason": "x"})
    await tour.ask("plan", 415, body={"selections": [SELECTION]}, headers={"Content-Type": "text/plain"})
    await world.planner.idle()
    made = (await tour.ask("plan_state", 200, plan=begun["id"], query={"arrived": "true"})).json()
    assert (made["counts"], made["phrase"]) == ({"items": 29, "cancellable": 29, "blocked": 0}, "29")
    await tour.ask("plan_state", 404, plan="p0")
    await tour.ask("plans", 200)
    await tour.ask("plan_items", 200, plan=made["id"], query={"limit": 5})
    await tour.ask("plan_items", 400, plan=made["id"], query={"code": "NONSENSE"})
    await tour.ask("plan_items", 404, plan="p0")
    await tour.ask("plan_check", 202, plan=made["id"])
    await tour.ask("plan_check", 404, plan="p0")
    await world.planner.idle()
    file = await tour.ask("plan_file", 200, plan=made["id"])
    await tour.ask("plan_file", 404, plan="p0")
    lines = {"Content-Type": "application/jsonl"}
    await tour.ask("plan_import", 201, content=file.content, headers=lines, query={"hash": made["hash"]})
    await tour.ask("plan_import", 409, content=file.content.replace(b"c000001", b"c000009"), headers=lines)
    await tour.ask("plan_import", 400, content=b"", headers=lines, query={"hash": "short"})
    await tour.ask("plan_import", 415, content=b"{}", headers=JSON)
    return made


async def run(tour, made, service):
    body = {"hash": made["hash"], "reason": "duplicate request", "phrase": "29"}
    key = {"Idempotency-Key": "k1"}
    await tour.ask("confirm", 400, plan=made["id"], body=body)
    await tour.ask("confirm", 409, plan=made["id"], body={**body, "phrase": "yes"}, headers=key)
    await tour.ask("confirm", 422, plan=made["id"], body={**body, "reason": "x"}, headers=key)
    await tour.ask("confirm", 404, plan="p0", body=body, headers=key)
    begun = (await tour.ask("confirm", 201, plan=made["id"], body=body, headers=key)).json()
    again = (await tour.ask("confirm", 201, plan=made["id"], body=body, headers=key)).json()
    assert begun == again
    await tour.ask("plan_resume", 202, plan=made["id"])
    await tour.ask("plan_resume", 404, plan="p0")
    named = {"run": begun["id"]}
    await tour.ask("retry", 409, **named)
    await tour.ask("pause", 200, **named)
    await tour.ask("resume", 200, **named, body={})
    await tour.ask("resume", 415, **named, content=b"{}")
    await service.work(begun["id"])
    over = (await tour.ask("run", 200, **named)).json()
    assert over["counts"] == {
        "cancelled": 28, "already_cancelled": 0, "refused": 1, "skipped": 0, "unknown": 0, "pending": 0}  # fmt: skip
    await tour.ask("stop", 409, **named)
    await tour.ask("undo", 409, **named)
    await tour.ask("verify", 200, **named)
    anew = (await tour.ask("retry", 202, **named)).json()
    await service.world.planner.idle()
    anew = (await tour.ask("plan_state", 200, plan=anew["id"])).json()
    assert anew["counts"]["cancellable"] == 1
    body = {**body, "hash": anew["hash"], "phrase": anew["phrase"]}
    second = await tour.ask("confirm", 201, plan=anew["id"], body=body, headers={"Idempotency-Key": "k2"})
    await tour.ask("stop", 200, run=second.json()["id"])
    await tour.ask("runs", 200)
    await tour.ask("run_items", 200, **named, query={"limit": 3, "state": "cancelled"})
    await tour.ask("run_items", 400, **named, query={"state": "lost"})
    for name in ("run", "run_items", "pause", "stop", "retry", "undo", "verify"):
        await tour.ask(name, 404, run="r0")
    await tour.ask("resume", 404, run="r0", body={})
    return over


async def undo(tour, service):
    """A plan over two systems, of which one can be brought back."""
    selections = [{"system": "cases", "filter": "status:in_progress"}, {"system": "schedules", "filter": ""}]
    made = (await tour.ask("plan", 202, body={"selections": selections})).json()
    await service.world.planner.idle()
    made = (await tour.ask("plan_state", 200, plan=made["id"])).json()
    assert made["counts"] == {"items": 7, "cancellable": 7, "blocked": 0}
    body = {"hash": made["hash"], "reason": "duplicate request", "phrase": made["phrase"]}
    begun = await tour.ask("confirm", 201, plan=made["id"], body=body, headers={"Idempotency-Key": "k3"})
    named = {"run": begun.json()["id"]}
    await tour.ask("undo", 409, **named)
    await tour.ask("resume", 200, **named, body={})
    await service.work(named["run"])
    over = (await tour.ask("run", 200, **named)).json()
    assert (over["counts"]["cancelled"], over["undo"]["items"]) == (7, 4)
    cancelled = (await tour.ask("run_items", 200, **named, query={"state": "cancelled"})).json()["items"]
    assert sum(one["undo_until"] is not None for one in cancelled) == 4
    back = (await tour.ask("undo", 202, **named)).json()
    await service.world.planner.idle()
    back = (await tour.ask("plan_state", 200, plan=back["id"])).json()
    assert (back["verb"], back["counts"]["cancellable"]) == ("reinstate", 4)
    body = {**body, "hash": back["hash"], "phrase": back["phrase"]}
    begun = await tour.ask("confirm", 201, plan=back["id"], body=body, headers={"Idempotency-Key": "k4"})
    await service.work(begun.json()["id"])
    undone = (await tour.ask("run", 200, run=begun.json()["id"])).json()
    assert (undone["state"], undone["counts"]["reinstated"]) == ("finished", 4)
    await tour.ask("run_items", 200, run=undone["id"], query={"state": "reinstated"})
    await tour.ask("undo", 409, run=undone["id"])


@pytest.fixture(params=WAYS)
async def mixed(request, tmp_path):
    """A service with all three systems, over both transports."""
    world = mixed_world(tmp_path)
    fill_cases(tmp_path / "cases.db", 4)
    fill_schedules(tmp_path / "schedules.db", 3)
    async with serving(request.param, tmp_path, rows=30, world=world) as running:
        yield running


async def test_every_answer_of_a_tour_is_as_described(mixed):
    backend = mixed
    fill(backend.world.folder / "commands.db", 3, domain="orders", status="COMPLETED")
    backend.world.systems["commands"] = refusing = RefusingOne(backend.world.systems["commands"])
    async with backend.raw() as http:
        tour = Tour(http)
        await read_everything(tour)
        made = await plan(tour, backend.world)
        over = await run(tour, made, backend)
        await undo(tour, backend)
        page = (await tour.ask("ledger", 200, query={"limit": 2})).json()
        await tour.ask("ledger", 200, query={"after": page["next"], "limit": 500, "newest": "true"})
        await tour.ask("ledger", 400, query={"after": "nowhere"})
        check = (await tour.ask("ledger_check", 200, body={"anchors": [over["head"]]})).json()
        assert check["holds"]
        await tour.ask("ledger_check", 400, body={"anchors": ["1:xyz"]})
    async with backend.raw("eve", "cancel_case") as http:
        guest = Tour(http)
        await guest.ask(
            "confirm", 403, plan=made["id"], body={"hash": "x", "reason": "y"}, headers={"Idempotency-Key": "k"}
        )
        for name in ("pause", "stop", "retry", "undo", "verify"):
            await guest.ask(name, 403, run=over["id"])
    assert refusing.refused
    assert tour.seen == OPERATIONS.keys()
