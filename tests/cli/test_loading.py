"""What a verb loads: nothing that it does not need. Each look is at a process of its own."""

import json
import subprocess
import sys

import pytest

from tui_app import bootstrap

LOOK = """
import json, sys
from tui_app.cli.main import main
code = main(json.loads(sys.argv[1]))
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def loaded(*words: str) -> set[str]:
    """The modules of a process that has executed a command line."""
    command = [sys.executable, "-c", LOOK, json.dumps(words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1])[1])


def heavy(modules: set[str], *names: str) -> set[str]:
    return {one for one in modules if one.split(".")[0] in names or one in names}


def test_the_version_loads_next_to_nothing():
    modules = loaded("--version")
    named = ("textual", "httpx", "pydantic", "argparse", "asyncio", "sqlite3", "starlette", "platformdirs", "json5")
    assert heavy(modules, *named) == set()
    assert {one for one in modules if one.startswith("tui_app.")} == {"tui_app.cli", "tui_app.cli.main"}


@pytest.mark.parametrize("verb", ["console", "demo"])
def test_the_console_loads_nothing_of_the_wire_before_it_is_painted(verb):
    look = (
        f"import sys, tui_app.cli.{verb}, tui_app.cli.dispatch, tui_app.cli.grammar; print(*sys.modules, sep=chr(10))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert heavy(set(done.stdout.split()), "httpx", "pydantic", "starlette", "sqlite3", "tui_app.engine") == set()


def test_help_loads_no_client():
    assert heavy(loaded("--help"), "textual", "httpx", "pydantic", "starlette", "sqlite3") == set()


@pytest.mark.parametrize(
    "words",
    [
        ("list", "commands"),
        ("show", "commands", "payments/none"),
        ("plan", "commands", "payments/none"),
        ("cancel", "commands", "payments/none", "--reason", "duplicate", "--yes", "--expect-count", "9"),
        ("runs",),
        ("ledger", "verify"),
        ("runner",),
        ("token", "--user", "jane"),
        ("profile", "check"),
        ("demo", "--no-open", "--rows", "10"),
    ],
    ids=lambda words: words[0],
)
def test_a_headless_verb_never_loads_the_screens(bus, words):
    modules = loaded(*words)
    assert heavy(modules, "textual", "rich", "tui_app.tui", "psycopg") == set()
    assert "tui_app.config.setup" in modules


def test_a_remote_profile_never_loads_the_service(config, monkeypatch):
    config("[profiles.far]\nservice = 'http://127.0.0.1:1'\n")
    monkeypatch.setenv("QUASH_SERVICE_TOKEN", "some.token.here")
    modules = loaded("list", "commands")
    here = ("tui_app.service", "tui_app.engine", "tui_app.systems", "tui_app.store", "tui_app.database")
    plugs = {"tui_app.systems.plug", *bootstrap.SYSTEMS, *(f"{one}.plug" for one in bootstrap.SYSTEMS)}
    # The dialects are what a setting of cases may hold.
    known = {"tui_app.systems", "tui_app.systems.cases.dialects", *plugs}
    assert {one for one in modules if one.startswith(here)} <= known
    assert heavy(modules, "starlette", "uvicorn", "sqlite3", "sqlite_utils") == set()
    assert "tui_app.outbound.transport" in modules
