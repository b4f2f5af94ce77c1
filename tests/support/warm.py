"""Many runs of pytest for the price of one start: a process that has loaded pytest and forks for each run.

    python -m support.warm

Reads a line of JSON for each run: the words of pytest, the environment, and the file for what the run says. Prints
how each run ended, as the exit code of a process. It has loaded what quash and its tests import from others, and
nothing of quash itself, of which a module may be replaced in the run.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from importlib import import_module

import pytest
import sitecustomize

LOADED = (
    "_hypothesis_pytestplugin",
    "aio_pika",
    "anyio.pytest_plugin",
    "httpx",
    "hypothesis",
    "psycopg_pool",
    "pydantic",
    "pytest_asyncio.plugin",
    "pytest_textual_snapshot",
    "schemathesis.pytest.plugin",
    "starlette.applications",
    "syrupy",
    "textual.app",
    "textual.pilot",
    "textual.widgets._data_table",
    "textual.widgets._input",
    "textual.widgets._markdown",
    "uvicorn",
)
# A run that takes longer hangs; where it does is said in what it leaves behind.
SECONDS = 300


def run(words: list[str], environment: dict[str, str], said: str) -> int:
    """In a process of its own: run pytest with these words."""
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    if sitecustomize.VARIABLE in environment:
        sitecustomize.replace_module()
    code = int(pytest.main(words))
    sys.stdout.flush()
    return code


def main() -> None:
    """Fork for each line, until there is none."""
    for name in LOADED:
        import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(run(**json.loads(line)))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
