"""The benches: every implementation of a system goes through the same suite. A new one is one line more."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from support.benches import Bench, embedded_bench
from support.cases_bare_bench import cases_bare_bench
from support.cases_bench import cases_bench
from support.cases_http_bench import cases_http_bench
from support.scenes import set_scene
from support.schedule_servers import posts_bench
from support.schedules_bench import schedules_bench
from support.served_schedules import served_schedules_bench
from tui_app.domain.ports import System


@asynccontextmanager
async def _postgres(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    from support.postgres_bench import postgres_bench  # here, since it needs the driver and the reference library

    with request.getfixturevalue("databases").bus() as url:
        async with postgres_bench(url) as bench:
            yield bench


@asynccontextmanager
async def _postgres_schedules(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    from support.postgres_schedules_bench import postgres_schedules_bench  # here, since it needs the driver
    from support.schedule_service import schedule_database

    with schedule_database(request.getfixturevalue("postgres_url"), durable=False) as url:
        async with postgres_schedules_bench(url) as bench:
            yield bench


BENCHES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Bench]]] = {
    "commands-embedded": lambda request: embedded_bench(request.getfixturevalue("tmp_path")),
    "commands-postgres": _postgres,
    "cases-embedded": lambda request: cases_bench(request.getfixturevalue("tmp_path")),
    "cases-http": lambda request: cases_http_bench(request.getfixturevalue("tmp_path")),
    "cases-http-bare": lambda request: cases_bare_bench(),
    "schedules-postgres": _postgres_schedules,
    "schedules-embedded": lambda request: schedules_bench(request.getfixturevalue("tmp_path")),
    "schedules-http": lambda request: served_schedules_bench(request.getfixturevalue("tmp_path")),
    "schedules-http-seed": lambda _: posts_bench("seed"),
    "schedules-http-luxaris": lambda _: posts_bench("luxaris"),
}


WITHOUT_LIST = {"cases-http-bare"}
"""Benches of servers that cannot be asked for all their items."""

NEED_A_LIST = {
    "test_a_survey_keeps_the_order_and_knows_what_is_missing",
    "test_page_survey_and_preview_judge_alike",
    "test_what_is_due_is_no_part_of_what_drifts",
    "test_a_survey_judges_for_cancelling_unless_it_is_told_otherwise",
    "test_an_endless_text_does_not_fill_a_page",
    "test_hostile_texts_come_back_as_they_are",
}
"""Beside all of ``test_reading``, the tests that begin with everything there is."""


@pytest.fixture(params=list(BENCHES))
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """One implementation, empty."""
    named, module = request.node.originalname, request.module.__name__.rpartition(".")[2]
    if request.param in WITHOUT_LIST and (named in NEED_A_LIST or module == "test_reading"):
        pytest.skip(f"{request.param} has no list, and this is about lists")
    async with BENCHES[request.param](request) as opened:
        yield opened


@pytest.fixture
def system(bench: Bench) -> System:
    """The system on the bench, as an operator reaches it."""
    return bench.open()


@pytest.fixture
async def scene(bench: Bench) -> Bench:
    """A bench with items in every state."""
    await set_scene(bench)
    return bench
