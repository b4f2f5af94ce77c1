"""``scanner`` and ``publisher``: what sends scheduled posts on their way, where that is done on this host."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.cli.serving import logging_to_stderr
from tui_app.cli.telling import now
from tui_app.domain import moments
from tui_app.domain.errors import NotAllowed, UsageProblem
from tui_app.domain.report import Csv

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call
    from tui_app.cli.output import Output

SYSTEM = "schedules"
FIELDS = ("at", "event", "count", "schedule", "channel", "status", "error")

_Work = Callable[[Any, asyncio.Event, "_Events"], Coroutine[Any, Any, Mapping[str, int]]]


async def scanner(call: Call) -> Exit:
    """Queue what is due."""
    asked = call.arguments
    with_batch = {"once": asked.once, "interval": asked.interval, "batch": asked.batch}
    return await _at_work(call, lambda hands, stop, tell: hands.scan(stop, tell, **with_batch))


async def publisher(call: Call) -> Exit:
    """Publish what is queued."""
    options = {"once": call.arguments.once, "interval": call.arguments.interval}
    return await _at_work(call, lambda hands, stop, tell: hands.publish(stop, tell, **options))


async def _at_work(call: Call, work: _Work) -> Exit:
    """Work until told to end; what was begun is finished, and what was done is told."""
    hands, events = _hands(call), _Events(call.output)
    in_use = call.setup.rooms.use()
    try:
        with _interruptible() as stop, logging_to_stderr():
            done = await work(hands, stop, events)
    finally:
        await hands.close()
        in_use.close()
    if call.output.form == "json":
        call.output.one(f"quash.{call.arguments.verb}.v1", {"done": dict(done)}, lambda: ())
    call.talk.say(" · ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in done.items()))
    return Exit.DONE


class _Events:
    """What is done, printed as it is done; a document would have no end, and holds the numbers alone."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._csv = Csv(FIELDS)
        self._begun = False

    def __call__(self, event: Mapping[str, Any]) -> None:
        told = {"at": moments.stamp(now()), **event}
        if self._output.form == "jsonl":
            self._output.rows("", "", [told], ())
        elif self._output.form == "csv":
            self._output.text(("" if self._begun else self._csv.head()) + self._csv.row(told))
        elif self._output.form == "table":
            self._output.line("  ".join(str(told[name]) for name in FIELDS if name in told))
        self._begun = True
        sys.stdout.flush()


def _hands(call: Call) -> Any:
    """What does the work of the profile's schedules.

    Raises:
        UsageProblem: the profile has none, or somebody else does it.
        NotAllowed: the profile is read-only.
    """
    profile = call.setup.profile
    settings, plug = profile.systems.get(SYSTEM), bootstrap.plugs().get(SYSTEM)
    if settings is None or plug is None or plug.hands is None:
        where = f"is served elsewhere, at {profile.service}" if profile.remote else f"has no {SYSTEM}"
        raise UsageProblem(
            f"profile {profile.name} {where}: nothing of them is done on this host",
            hint="Choose another profile with --profile, or do this on the host that has them.",
        )
    if profile.read_only:
        raise NotAllowed("this profile is read-only", hint="Use a profile without read_only = true.")
    return plug.hands(settings, call.setup.rooms.open())


@contextmanager
def _interruptible() -> Iterator[asyncio.Event]:
    """Set at SIGINT or SIGTERM, however often they come: a service manager may send both, and one to everybody."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
