"""The console over demo data: in process and over TCP, at both sizes that it is designed for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.backend import Service
from support.operator import LARGE, SMALL, Desk, demo_service, desk_over


@pytest.fixture(params=["embedded", "tcp"])
async def demo(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    async with demo_service(request.param, tmp_path) as service:
        yield service


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Service]:
    """In process only, for what no transport can make different."""
    async with demo_service("embedded", tmp_path) as service:
        yield service


@pytest.fixture(params=[SMALL, LARGE], ids=["80x24", "120x40"])
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    return request.param


@pytest.fixture
async def desk(demo: Service, size: tuple[int, int]) -> AsyncIterator[Desk]:
    """On both transports, at both sizes."""
    async with desk_over(demo, size) as opened:
        yield opened


@pytest.fixture
async def small(local: Service) -> AsyncIterator[Desk]:
    """In process, at 80×24."""
    async with desk_over(local, SMALL) as opened:
        yield opened
