"""Worlds of all three systems, for tests of what a run does with them."""

from pathlib import Path
from typing import Any

import pytest

from support.invariants import assert_invariants
from support.mixed import mixed_world, records
from support.world import World


@pytest.fixture
async def opened(tmp_path: Path) -> Any:
    """Makes worlds in one folder; each is held against the invariants at the end."""
    worlds: list[World] = []

    def make(**options: Any) -> World:
        worlds.append(mixed_world(tmp_path, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        await assert_invariants(world.store, *records(tmp_path).values())
        await world.close()
