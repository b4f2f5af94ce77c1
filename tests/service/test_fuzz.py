"""Requests that nobody thought of, made from the service's own description: none breaks it or its description.

Every route that ``quash serve`` answers is met twice: with any names in its path, most of them of nothing, and with the
names of what there is, so that it is not only the search that is met.
"""

import asyncio
import copy
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.backend import KEY, listening, make_backend, token
from support.mixed import everything, open_systems
from support.native_api import MINUTE, Shelf
from support.world import WHO, MovableClock, World, make_world
from tui_app.contract.principal import OPERATE
from tui_app.domain.errors import Busy
from tui_app.domain.filters import Filter
from tui_app.domain.items import PageQuery
from tui_app.domain.rates import Rate
from tui_app.service.app import ROUTES, create_app
from tui_app.service.auth import Authenticator
from tui_app.service.native import cases, schedules
from tui_app.service.native.dispatch import NativeService
from tui_app.service.native.idempotency import Answers
from tui_app.service.native.table import NativeApi
from tui_app.service.openapi import document
from tui_app.systems.cases import demo as demo_cases
from tui_app.systems.cases.plug import CasesSettings
from tui_app.systems.commands import demo as demo_commands
from tui_app.systems.schedules import demo as demo_schedules
from tui_app.systems.schedules.plug import SchedulesSettings

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
PATIENCE = 60
ROWS = 60

SHELF = Shelf()
BOXES = SHELF.api({"read": Rate(1000, MINUTE), "open": Rate(20, MINUTE)})


def native_apis(systems: Mapping[str, Any]) -> list[NativeApi]:
    """The fake API with its limits, and the real ones without, so that it is the handlers that are met."""
    freely = CasesSettings(native_rate=None, native_read_rate=None)
    return [
        BOXES,
        cases.api(systems["cases"].desk, freely),
        schedules.api(systems["schedules"].desk, SchedulesSettings()),
    ]


# No file is opened before something is read from it.
SAID = document(ROUTES, native_apis(open_systems(Path("never-opened"), MovableClock())))
schema = schemathesis.openapi.from_dict(SAID)


@schemathesis.serializer("application/jsonl")
def as_lines(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@dataclass
class Served:
    """A running service, and the names of what there is, by those that the paths have for them."""

    url: str
    items: dict[str, list[str]] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)

    def named(self, names: Sequence[str], number: int) -> dict[str, str]:
        """Something that there is for each part of a path, encoded, and the same for the same number."""
        system = sorted(self.items)[number % len(self.items)]
        known = {
            "system": [system],
            "item": self.items[system],
            "case_id": self.items["cases"],
            "id": self.items["schedules"],
            "plan": self.plans,
            "run": self.runs,
            "user_id": [WHO.operator],
            "box": ["b1"],
        }
        return {name: quote(known[name][number % len(known[name])], safe="") for name in names}


async def _found(world: World, url: str) -> Served:
    """Something of everything: items of each system, a plan that nobody has confirmed, and a run that is over."""
    served = Served(url)
    for name, system in world.systems.items():
        page = await system.page(PageQuery(Filter(), system.description.default_sort, limit=ROWS))
        served.items[name] = [item.id for item in page.items]
    plan = await world.plan(*everything())
    run = await world.confirm(await world.plan(*everything("commands")))
    await world.worker().drive(run.id)
    served.plans, served.runs = [plan.id], [run.id]
    return served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service in a thread of its own, since schemathesis asks from outside any event loop."""
    folder, clock = tmp_path_factory.mktemp("fuzz"), MovableClock()
    demo_commands.seed(folder / "commands.db", ROWS)
    demo_cases.seed(folder / "cases.db", ROWS, clock.now())
    demo_schedules.seed(folder / "schedules.db", ROWS, clock.now())
    world = make_world(folder, open_systems(folder, clock), clock)
    native = NativeService(native_apis(world.systems), Answers(folder / "native.db"), clock)
    backend = replace(make_backend(world, Authenticator({"": KEY})), native=native)
    ready, over = threading.Event(), asyncio.Event()
    told: list[Served] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with listening(create_app(backend)) as address:
            told.append(await _found(world, address))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(PATIENCE)
    yield told[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(PATIENCE)
    loop.close()
    assert not (folder / "faults.log").exists(), (folder / "faults.log").read_text()


def ask(case: schemathesis.Case, served: Served, *permissions: str) -> int:
    """Send it as somebody with these permissions, and hold the answer against the description; its status."""
    headers = {"Authorization": f"Bearer {token(permissions=permissions)}", "X-User-ID": WHO.operator}
    return int(case.call_and_validate(base_url=served.url, headers=headers, checks=CHECKS).status_code)


bounded = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@schema.parametrize()
@bounded
def test_no_request_breaks_the_service(case: schemathesis.Case, served: Served) -> None:
    ask(case, served, OPERATE)


def about(body: Any, served: Served, number: int) -> Any:
    """A body as it is, about what there is."""
    if not isinstance(body, dict):
        return body
    found = dict(body)
    if isinstance(body.get("schedule_ids"), list):
        found["schedule_ids"] = [served.items["schedules"][(number + one) % ROWS] for one in range(3)]
    if isinstance(body.get("selections"), list):
        named = served.named(["system"], number)
        found["selections"] = [one | named if isinstance(one, dict) else one for one in body["selections"]]
    return found


@schema.include(path_regex="[{]|/plans$|/bulk-cancel$").parametrize()
@bounded
def test_no_request_about_what_there_is_breaks_the_service(case: schemathesis.Case, served: Served) -> None:
    number = crc32(repr((case.query, case.body, sorted(case.headers.items()))).encode("utf-8", "replace"))
    case.path_parameters = served.named(re.findall(r"{(\w+)}", case.operation.path), number)
    case.body = about(case.body, served, number)
    status = ask(case, served, OPERATE, "cancel_case", "cancel_schedule")
    assert status != 404


ONE_CASE = "/api/v2/cases/{case_id}"


def no_case(said: dict[str, Any]) -> schemathesis.Case:
    """A request for a case that there is not, by this description."""
    return schemathesis.openapi.from_dict(said)[ONE_CASE]["GET"].Case(path_parameters={"case_id": "CASE-0"})


def forget_a_status(said: dict[str, Any]) -> None:
    del said["paths"][ONE_CASE]["get"]["responses"]["404"]


def forget_a_type(said: dict[str, Any]) -> None:
    content = said["paths"][ONE_CASE]["get"]["responses"]["404"]["content"]
    content["application/problem+json"] = content.pop("application/json")


def want_another_field(said: dict[str, Any]) -> None:
    said["components"]["schemas"]["CaseErrorBody"]["required"].append("hint")


@pytest.mark.parametrize("change", [forget_a_status, forget_a_type, want_another_field])
def test_a_description_that_is_not_of_this_service_is_found(served: Served, change: Callable[..., None]) -> None:
    """The tests above can fail."""
    assert ask(no_case(SAID), served) == 404
    said = copy.deepcopy(SAID)
    change(said)
    with pytest.raises(FailureGroup):
        ask(no_case(said), served)


def test_a_service_that_breaks_is_found(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SHELF, "mood", Busy("the shelf is locked"))
    case = schema["/api/v2/boxes/{box}"]["GET"].Case(path_parameters={"box": "b1"})
    with pytest.raises(FailureGroup, match="Server error"):
        ask(case, served)
