"""The benches: every implementation of a system goes through the same suite. A new one is one line more."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from support.benches import Bench, embedded_bench
from tui_app.domain.ports import System


def _embedded(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Bench]:
    return embedded_bench(request.getfixturevalue("tmp_path"))


@asynccontextmanager
async def _postgres(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    from support.postgres_bench import postgres_bench  # here, since it needs the driver and the reference library

    with request.getfixturevalue("databases").bus() as url:
        async with postgres_bench(url) as bench:
            yield bench


BENCHES: dict[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Bench]]] = {
    "commands-embedded": _embedded,
    "commands-postgres": _postgres,
}


@pytest.fixture(params=list(BENCHES))
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """One implementation, empty."""
    async with BENCHES[request.param](request) as opened:
        yield opened


@pytest.fixture
def system(bench: Bench) -> System:
    """The system on the bench, as an operator reaches it."""
    return bench.open()
