"""``serve``, ``token`` and ``runner``: what runs on the host that does the work."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.config.values import LOOPBACK
from tui_app.domain.errors import QuashError

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call


async def serve(call: Call) -> Exit:
    """The service on a socket until it is interrupted; it says where once it answers there."""
    from tui_app.service.listen import listen

    asked = call.arguments
    app, token = bootstrap.service(call.setup)

    def ready(where: str) -> None:
        call.talk.tell(f"profile {call.setup.profile.name} is served at {where}/v1")
        call.talk.tell(f"every route wants a token; one for you is in {token}")
        if asked.host not in LOOPBACK:
            call.talk.tell("this address is reached from elsewhere in plain text: put TLS in front of it")

    await listen(app, asked.host, asked.port, ready)
    return Exit.DONE


def token(call: Call) -> Exit:
    """A token, alone on stdout so that a script can take it."""
    asked = call.arguments
    text = bootstrap.issue(
        call.setup,
        asked.user,
        tuple(asked.permission),
        service_account=asked.service_account,
        ttl=timedelta(seconds=asked.ttl),
    )
    call.output.text(text + "\n")
    return Exit.DONE


async def runner(call: Call) -> Exit:
    """Work until nothing is left. Nobody watches a runner, so that what it has to say goes to its log."""
    setup = call.setup
    with _logging(setup.rooms.open().runner_log) as log:
        try:
            driven = await bootstrap.run_runner(setup, served=call.arguments.served)
        except QuashError as error:
            log.error("%s (%s) %s", error.message, error.code, error.hint)
            raise
    call.talk.say("another runner is at work" if driven < 0 else f"{driven:,} runs were brought to an end or a pause")
    return Exit.DONE


@contextmanager
def _logging(path: Path) -> Iterator[logging.Logger]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    log = logging.getLogger("quash.runner")
    log.setLevel(logging.INFO)
    with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        try:
            yield log
        finally:
            log.removeHandler(handler)
