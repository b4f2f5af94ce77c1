"""Requests that nobody thought of, made from the service's own description: none breaks it or its description."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.backend import KEY, listening, make_backend, token
from support.native_api import MINUTE, Shelf
from support.world import WHO, fill, make_world
from tui_app.config.values import Rate
from tui_app.service.app import ROUTES, create_app
from tui_app.service.auth import Authenticator
from tui_app.service.native.cases import api as case_api
from tui_app.service.native.dispatch import NativeService
from tui_app.service.native.idempotency import Answers
from tui_app.service.openapi import document
from tui_app.systems.cases import demo
from tui_app.systems.cases.embedded import EmbeddedCases
from tui_app.systems.cases.plug import CasesSettings

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
PATIENCE = 60

SHELF = Shelf()
BOXES = SHELF.api({"read": Rate(1000, MINUTE), "open": Rate(20, MINUTE)})
# Without limits, so that it is the handlers that are met.
FREELY = CasesSettings(native_rate=None, native_read_rate=None)

DESCRIBED = case_api(EmbeddedCases(Path("never-opened.db")).desk, FREELY)
schema = schemathesis.openapi.from_dict(document(ROUTES, [BOXES, DESCRIBED]))


@schemathesis.serializer("application/jsonl")
def as_lines(_: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service in a thread of its own, since schemathesis asks from outside any event loop."""
    folder = tmp_path_factory.mktemp("fuzz")
    fill(folder / "commands.db", 20)
    world = make_world(folder)
    demo.seed(folder / "cases.db", 20, world.clock.now())
    cases = EmbeddedCases(folder / "cases.db")
    native = NativeService([BOXES, case_api(cases.desk, FREELY)], Answers(folder / "native.db"), world.clock)
    backend = replace(make_backend(world, Authenticator({"": KEY})), native=native)
    ready, over = threading.Event(), asyncio.Event()
    told: list[str] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with listening(create_app(backend)) as address:
            told.append(address)
            ready.set()
            await over.wait()
        await cases.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(PATIENCE)
    yield told[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(PATIENCE)
    loop.close()
    assert not (folder / "faults.log").exists(), (folder / "faults.log").read_text()


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_no_request_breaks_the_service(case: schemathesis.Case, url: str) -> None:
    headers = {"Authorization": f"Bearer {token()}", "X-User-ID": WHO.operator}
    case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)
