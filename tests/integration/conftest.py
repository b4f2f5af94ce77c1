"""Real services: a command bus that the library made, and a database of schedules, each fresh for each test."""

from collections.abc import AsyncIterator

import pytest

from support.command_bus import Bus, Databases, Generation, open_bus
from support.schedule_service import ScheduleRows, schedule_database
from tui_app.systems.commands.postgres import PostgresCommands


@pytest.fixture
def generation() -> Generation:
    """The shape of the bus' schema; tests that hold for several parametrize it."""
    return Generation.LATEST


@pytest.fixture
async def bus(databases: Databases, generation: Generation) -> AsyncIterator[Bus]:
    """An empty command bus of its own."""
    with databases.bus(generation) as url:
        async with open_bus(url) as opened:
            yield opened


@pytest.fixture
async def commands(bus: Bus) -> AsyncIterator[PostgresCommands]:
    """Our adapter on that bus."""
    system = PostgresCommands(bus.url)
    yield system
    await system.close()


@pytest.fixture
async def there(postgres_url: str) -> AsyncIterator[ScheduleRows]:
    """An empty database of schedules, with its tables."""
    with schedule_database(postgres_url, durable=False) as url:
        opened = ScheduleRows(url)
        await opened.prepare()
        yield opened
