"""A client for the time of one command, and what is told at every start."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tui_app import bootstrap
from tui_app.domain.counting import counted
from tui_app.domain.errors import Fault, LedgerBroken, UsageProblem

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.client.backend import BackendClient
    from tui_app.config.setup import Setup
    from tui_app.contract.models import About, SystemModel


@asynccontextmanager
async def connected(call: Call, *, steered: str | None = None) -> AsyncIterator[BackendClient]:
    """The client of the profile in use, closed at the end.

    Runs that nobody works on are told first, except the one that is ``steered``, which does not stay so.

    Raises:
        QuashError: the profile cannot be opened, or its service does not answer.
    """
    client = bootstrap.client(call.setup)
    try:
        await _tell_interrupted(call, client, steered)
        yield client
    finally:
        await client.close()


async def _tell_interrupted(call: Call, client: BackendClient, steered: str | None) -> None:
    try:
        runs = await client.runs.list()
    except (Fault, LedgerBroken) as error:
        # A journal that is not as it was written must not keep anybody from verifying it.
        call.talk.tell(f"which runs nobody works on is not known: {error.message}")
        return
    for run in runs:
        if run.interrupted and run.id != steered:
            why = f"is paused ({run.pause.cause})" if run.pause else "was left without a runner"
            left = run.counts["pending"]
            call.talk.tell(
                f"run {run.id} {why}, {counted(left, 'item')} to go; {again(call, 'runs', 'resume', run.id)}"
            )


def invocation(arguments: Namespace, setup: Setup) -> list[str]:
    """The words under which quash works on the same profile and state, also where no variable names them."""
    said = vars(arguments)
    words = ["quash"]
    if said.get("profile") or not setup.by_default:
        words += ["--profile", setup.profile.name]
    for name in ("operator", "data", "config"):
        if said.get(name):
            words += [f"--{name}", str(said[name])]
    if said.get("no_config"):
        words.append("--no-config")
    return words


def again(call: Call, *words: str) -> str:
    """A command line that does something to the same profile and state, to be copied."""
    return shlex.join([*invocation(call.arguments, call.setup), *words])


async def describe(client: BackendClient, system: str) -> tuple[About, SystemModel]:
    """Who we are, and how a system describes itself.

    Raises:
        UsageProblem: the profile does not have it.
    """
    about = await client.about()
    for each in about.systems:
        if each.system == system:
            return about, each
    here = ", ".join(each.system for each in about.systems)
    raise UsageProblem(f"profile {about.profile} has no system {system!r}", hint=f"Systems here: {here}.")
