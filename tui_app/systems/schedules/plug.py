"""Schedules as a system that a profile can name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from tui_app.config import values
from tui_app.config.places import Rooms
from tui_app.config.profiles import (
    CA_FILE,
    CONTACT,
    EMBEDDED,
    ID_PATTERN,
    NATIVE_RATE,
    NATIVE_READ_RATE,
    RATE,
    SERVER_RATE,
    TOKEN_COMMAND,
    TOKEN_FILE,
    Setting,
)
from tui_app.config.values import Address
from tui_app.domain.errors import UsageProblem
from tui_app.domain.ports import Probed, System
from tui_app.domain.rates import Rate
from tui_app.systems.plug import Hands, Plug

QUEUE = "post_publish"
"""What the queue of due posts is called, unless a profile says otherwise."""


@dataclass(frozen=True, slots=True)
class SchedulesSettings:
    """Where the schedules are, and which of the two known dialects is spoken."""

    url: Annotated[
        Address,
        Setting(
            values.address("sqlite", "postgresql", "https", "http"),
            "`sqlite:` is embedded, `postgresql://` the service's own database; else the URL of the API",
            '"https://posts.example.com"',
        ),
    ] = EMBEDDED
    amqp: Annotated[
        Address | None,
        Setting(
            values.address("amqp", "amqps"),
            "the broker of `quash scanner` and `quash publisher`, with a `postgresql://` url "
            "(plain `amqp://` to this host only)",
            '"amqps://quash@mq.example.com/"',
        ),
    ] = None
    queue: Annotated[
        str,
        Setting(values.text, "the queue in that broker", '"post_publish"'),
    ] = QUEUE
    dialect: Annotated[
        str,
        Setting(values.one_of("auto", "seed", "luxaris"), "`seed` or `luxaris`; `auto` finds out", '"seed"'),
    ] = "auto"
    auth: Annotated[
        str,
        Setting(values.one_of("bearer", "x-session-id"), "the header of the token", '"x-session-id"'),
    ] = "bearer"
    token_command: Annotated[tuple[str, ...] | None, TOKEN_COMMAND] = None
    token_file: Annotated[str | None, TOKEN_FILE] = None
    contact: Annotated[str | None, CONTACT] = None
    id_pattern: Annotated[str | None, ID_PATTERN] = None
    rate: Annotated[Rate | None, RATE] = None
    server_rate: Annotated[Rate | None, SERVER_RATE] = None
    native_rate: Annotated[Rate | None, NATIVE_RATE] = None
    native_read_rate: Annotated[Rate | None, NATIVE_READ_RATE] = None
    ca_file: Annotated[str | None, CA_FILE] = None


TOKEN_VARIABLE = "QUASH_SCHEDULES_TOKEN"  # noqa: S105 - the name of the variable, not what it holds


def _open(settings: SchedulesSettings, rooms: Rooms) -> System:
    if settings.url.scheme in ("http", "https"):
        return _over_http(settings)
    if settings.url.scheme == "postgresql":
        try:
            from tui_app.systems.schedules.postgres import PostgresSchedules
        except ImportError as error:
            raise _without("schedules in PostgreSQL", "postgres", error) from error
        broker = None if settings.amqp is None else partial(_look_at, settings.amqp, settings)
        return PostgresSchedules(settings.url.reveal(), server_rate=settings.server_rate, broker=broker)
    from tui_app.systems.schedules.embedded import EmbeddedSchedules

    return EmbeddedSchedules(rooms.system("schedules"), server_rate=settings.server_rate)


async def _look_at(amqp: Address, settings: SchedulesSettings) -> Probed:
    """Ask the broker beside a database for its queue.

    Raises:
        CannotConnect: it is away.
        UsageProblem: the package for brokers is not installed.
    """
    try:
        from tui_app.systems.schedules.rabbitmq import RabbitQueue
    except ImportError as error:
        raise _without("a broker", "amqp", error) from error
    queue = RabbitQueue(amqp, queue=settings.queue, ca_file=settings.ca_file)
    return Probed(f"the queue {settings.queue} at {amqp}", await queue.look(), recognised=True)


def _over_http(settings: SchedulesSettings) -> System:
    from tui_app.outbound.tokens import TokenSource
    from tui_app.systems.schedules.http import HttpSchedules

    return HttpSchedules(
        settings.url.reveal(),
        tokens=TokenSource(settings.token_command, settings.token_file, TOKEN_VARIABLE, os.environ),
        dialect=settings.dialect,
        auth="x-session-id" if settings.auth == "x-session-id" else "bearer",
        ca_file=settings.ca_file,
        contact=settings.contact,
    )


def _without(what: str, extra: str, error: ImportError) -> UsageProblem:
    return UsageProblem(f"{what} need the package {error.name}", hint=f"Install quash with its extra: quash[{extra}].")


def _seed(path: Path, rows: int) -> None:
    from tui_app.systems.schedules import demo

    demo.seed(path, rows)


def _hands(settings: SchedulesSettings, rooms: Rooms) -> Hands:
    if settings.url.scheme == "postgresql":
        return _hands_of_service(settings)
    if settings.url.scheme != "sqlite":
        raise UsageProblem(
            f"the schedules at {settings.url} are queued and published where they are",
            hint="Nothing is to be done here.",
        )
    from tui_app.systems.schedules.at_work import EmbeddedHands

    return EmbeddedHands(rooms.system("schedules"))


def _hands_of_service(settings: SchedulesSettings) -> Hands:
    if settings.amqp is None:
        raise UsageProblem(
            "the profile names no `amqp` for its schedules: without a broker nothing is queued and published",
            hint='Add amqp = "amqps://…" beside their url; looking and cancelling need none.',
        )
    try:
        from tui_app.systems.schedules.postgres_at_work import ServiceHands
    except ImportError as error:
        extra = "amqp" if error.name in ("aio_pika", "aiormq", "pamqp") else "postgres"
        raise _without("a scanner and a publisher on a broker", extra, error) from error
    return ServiceHands(settings.url.reveal(), settings.amqp, queue=settings.queue, ca_file=settings.ca_file)


PLUG = Plug(SchedulesSettings, _open, _seed, _hands, ("cancel_schedule", "cancel_schedule:"))
