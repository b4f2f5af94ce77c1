"""``serve``, ``token`` and ``runner``: what runs on the host that does the work."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from tui_app import bootstrap
from tui_app.cli.exits import Exit
from tui_app.config.values import LOOPBACK
from tui_app.domain.counting import counted

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

    with logging_to_stderr():
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
    """Work until nothing is left. Nobody watches a runner: whoever starts one keeps what it says."""
    with logging_to_stderr():
        driven = await bootstrap.run_runner(call.setup, served=call.arguments.served)
    call.talk.say(
        "another runner is at work"
        if driven < 0
        else f"{counted(driven, 'run was', 'runs were')} brought to an end or a pause"
    )
    return Exit.DONE


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """What those who work for a long time have to say meanwhile."""
    log = logging.getLogger("quash")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
