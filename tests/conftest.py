"""What holds for every test: no state of this machine gets in, and no state of a test gets out."""

import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_textual_snapshot import SVGImageExtension

# Before the first import of it, so that an assertion in a helper explains itself as one in a test does.
pytest.register_assert_rewrite("support")

from support import services  # noqa: E402

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from support.backend import Service
    from support.command_bus import Databases

# pytest-textual-snapshot 1.0 sets this under the name that syrupy 4 gave it. Without it the pictures end
# in .raw, and no viewer or review tool shows them.
SVGImageExtension.file_extension = "svg"

# Each of these changes what the console draws or where it looks.
_FOREIGN = {
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "TMUX",
    "STY",
}
# Said to the tests and to the snapshot plugin, not to quash.
_KEPT_PREFIXES = ("QUASH_TEST_", "QUASH_REQUIRE_", "TEXTUAL_SNAPSHOT_")
_FOREIGN_PREFIXES = ("QUASH_", "TEXTUAL", "PG", "LC_", "XDG_")
_HOMES = {
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "XDG_STATE_HOME": "state",
    "XDG_CACHE_HOME": "cache",
    "XDG_RUNTIME_DIR": "runtime",
}


@pytest.fixture(scope="session", autouse=True)
def same_everywhere() -> Iterator[None]:
    """The same time zone, locale, terminal and file rights on every machine."""
    previous_umask = os.umask(0o077)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            foreign = name in _FOREIGN or name.startswith(_FOREIGN_PREFIXES)
            if foreign and not name.startswith(_KEPT_PREFIXES):
                patch.delenv(name)
        patch.setenv("TZ", "UTC")
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("TERM", "xterm-256color")
        time.tzset()
        yield
    time.tzset()
    os.umask(previous_umask)


@pytest.fixture(autouse=True)
def own_home(same_everywhere: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of each test's own, beside its tmp_path, so that neither is cluttered by the other."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name, folder in _HOMES.items():
        (home / folder).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(home / folder))
    config = home / "config" / "config.toml"
    config.touch()
    monkeypatch.setenv("QUASH_CONFIG", str(config))
    monkeypatch.setenv("QUASH_DATA", str(home / "data" / "quash"))
    return home


def _usable(address: str, problem: str | None) -> str:
    if problem is None:
        return address
    if services.REQUIRED:
        pytest.fail(f"{problem} (QUASH_REQUIRE_SERVICES=1 forbids skipping)", pytrace=False)
    pytest.skip(problem)


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """Conninfo of a server where tests may create databases; each test makes its own and drops it."""
    return _usable(services.POSTGRES, services.why_no_postgres(services.POSTGRES))


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """The broker's URL; each test declares queues of its own name and deletes them."""
    return _usable(services.AMQP, services.why_no_amqp(services.AMQP))


@pytest.fixture(scope="session")
def pooled() -> Callable[..., "AbstractContextManager[str]"]:
    """Makes of a conninfo one that leads through a PgBouncer of the test's own, in transaction mode."""
    from support import pooler  # here, since most tests never need it

    _usable(pooler.PROGRAM, pooler.why_no_pooler())
    return pooler.pooler


@pytest.fixture(params=["embedded", "tcp"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator["Service"]:
    """A service with an embedded command bus of thirty commands, reached in process and over TCP."""
    from support.backend import serving  # here, since most tests need no service

    async with serving(request.param, tmp_path, rows=30) as running:
        yield running


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Iterator["Databases"]:
    """Databases to make on the test server; the templates are made once."""
    from support.command_bus import Databases  # here, since it imports the reference library

    made = Databases(postgres_url)
    yield made
    made.close()
