"""The one place that names concrete classes: from a profile to its store, its systems, the service and a client.

Everything is imported where it is made, so that a verb loads only what it uses: a remote profile never loads the
service, and nothing here ever loads the screens.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from tui_app.config.places import expanded
from tui_app.config.setup import Setup
from tui_app.domain.errors import Busy, CannotConnect, Conflict, UsageProblem

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from starlette.types import ASGIApp

    from tui_app.client.backend import BackendClient
    from tui_app.config.profiles import Kinds
    from tui_app.domain.ports import System
    from tui_app.engine.heads import Heads
    from tui_app.engine.worker import Worker
    from tui_app.service.auth import Authenticator
    from tui_app.service.backend import Backend
    from tui_app.service.native.dispatch import NativeService
    from tui_app.systems.plug import Plug

SYSTEMS = ("tui_app.systems.commands", "tui_app.systems.cases", "tui_app.systems.schedules")
"""The package of each system, in the order of the console's places. A further system is one more of these."""

SERVICE_KEY = "service.key"
SERVICE_TOKEN = "service.token"  # noqa: S105 - a file's name
FAULT_LOG = "faults.log"
SERVED = "--served"  # the runner's option under which it works for a service
LOCAL_TOKEN_DAYS = 30
NATIVE_KEYS = "native.db"


def names() -> list[str]:
    """The names of the systems, in the order of the console's places: that of a package is its system's."""
    return [package.rpartition(".")[2] for package in SYSTEMS]


def plugs() -> Mapping[str, Plug]:
    """Every system by its name."""
    return MappingProxyType(
        {name: import_module(f"{one}.plug").PLUG for name, one in zip(names(), SYSTEMS, strict=True)}
    )


def kinds() -> Kinds:
    """What a profile may name."""
    return {name: plug.settings for name, plug in plugs().items()}


def systems(setup: Setup) -> dict[str, System]:
    """The systems that the profile names, each by its name; none is connected yet.

    Raises:
        UsageProblem: the profile names what this version cannot do.
    """
    setup.profile.check_served()
    from tui_app.domain.ports import MakesTables, NamesUser

    made = {name: plugs()[name].open(settings, setup.rooms) for name, settings in setup.profile.systems.items()}
    for one in made.values():
        if isinstance(one, NamesUser):
            one.act_for(setup.operator)
        if isinstance(one, MakesTables) and setup.profile.read_only:
            one.make_nothing()
    return made


def backend(setup: Setup, authenticator: Authenticator | None = None) -> Backend:
    """What the service stands on; with an authenticator it answers on a socket, without one in this process.

    Raises:
        UsageProblem: the profile names what this version cannot do, or others may enter its folder.
        CannotConnect: its folder cannot be used.
    """
    from tui_app.clock import SystemClock
    from tui_app.engine.faults import Reports
    from tui_app.engine.local import LocalLauncher, runner_command
    from tui_app.engine.planning import Planner
    from tui_app.engine.steering import Steering
    from tui_app.service.backend import Backend, Facts
    from tui_app.store.sqlite import open_store

    profile, named = setup.profile, systems(setup)
    rooms = setup.rooms.open()
    clock, store, heads = SystemClock(), open_store(rooms.journal), _heads(setup)
    command = runner_command(*setup.options)
    launcher = LocalLauncher(rooms.folder, command if authenticator is None else [*command, SERVED])
    steering = Steering(
        store,
        named,
        launcher,
        clock,
        environment=profile.environment,
        cap=profile.cap,
        read_only=profile.read_only,
        frozen=rooms.frozen,
        heads=heads,
    )
    facts = Facts(
        profile=profile.name,
        environment=profile.environment,
        host=socket.gethostname(),
        store="SQLite",
        read_only=profile.read_only or rooms.frozen,
        frozen=rooms.frozen,
        cap=profile.cap,
        rates=profile.rates,
        id_patterns=profile.id_patterns,
    )
    return Backend(
        facts=facts,
        store=store,
        systems=named,
        planner=Planner(store, named, clock, reports=Reports(rooms.folder / FAULT_LOG)),
        steering=steering,
        launcher=launcher,
        clock=clock,
        who=setup.who,
        fault_log=rooms.folder / FAULT_LOG,
        heads=heads,
        authenticator=authenticator,
        native=None if authenticator is None else _native(setup, named),
        in_use=rooms.use(),
    )


def _heads(setup: Setup) -> Heads:

    from tui_app.engine.heads import Heads

    named = setup.profile.anchor_file
    return Heads(setup.profile.name, None if named is None else expanded(named))


def read_anchors(path: Path) -> list[str]:
    """The heads in an anchor file, as they stand there.

    Raises:
        UsageProblem: the file cannot be read.
    """
    from tui_app.engine.heads import read_anchors

    return read_anchors(path)


def _native(setup: Setup, at_hand: Mapping[str, System]) -> NativeService:
    from tui_app.clock import SystemClock
    from tui_app.service.native.assembly import assemble

    profile, keys = setup.profile, setup.rooms.folder / NATIVE_KEYS
    return assemble(at_hand, profile.systems, keys, SystemClock(), read_only=profile.read_only)


def client(setup: Setup) -> BackendClient:
    """The way to the backend of a profile: in this process, or over the network.

    Raises:
        UsageProblem, CannotConnect: the profile cannot be opened.
    """
    from tui_app.client.backend import BackendClient

    if setup.profile.service is not None:
        from tui_app.config.credentials import SERVICE_TOKEN
        from tui_app.outbound.tokens import TokenSource
        from tui_app.outbound.transport import tcp_transport

        profile, address = setup.profile, setup.profile.service
        tokens = TokenSource(profile.token_command, profile.token_file, SERVICE_TOKEN, os.environ)
        url, called = address.reveal(), profile.environment
        transport = tcp_transport(url, ca_file=profile.ca_file)
        return BackendClient(url, transport, tokens=tokens, origin=str(address), environment=called)
    from tui_app.client.transport import BASE_URL, EmbeddedTransport
    from tui_app.contract.principal import Principal
    from tui_app.service.app import create_app

    principal = Principal(setup.operator, unlimited=True)
    here = EmbeddedTransport(create_app(backend(setup)), principal=principal)
    return BackendClient(BASE_URL, here, origin=f"profile {setup.profile.name}")


def service(setup: Setup) -> tuple[ASGIApp, Path]:
    """The service for a socket, and the file with a token for this host's own user.

    Raises:
        UsageProblem, CannotConnect: the profile cannot be opened.
    """
    from datetime import timedelta

    from tui_app.contract.principal import OPERATE
    from tui_app.service.app import create_app
    from tui_app.service.auth import Authenticator, keep_token
    from tui_app.service.jwks import JwksFile

    setup.profile.check_here()
    token = issue(setup, setup.operator, (OPERATE,), ttl=timedelta(days=LOCAL_TOKEN_DAYS))
    place = keep_token(setup.rooms.folder / SERVICE_TOKEN, token)
    jwks = None if setup.profile.jwks_file is None else JwksFile(setup.profile.jwks_file)
    checks = Authenticator({"": _key(setup)}, setup.profile.audience, setup.profile.issuer, jwks)
    return create_app(backend(setup, checks)), place


def _check_permission(given: str) -> None:
    """Refuse a permission that no route asks for: a token with it would promise what it does not give.

    Raises:
        UsageProblem: naming the nearest one, and all.
    """
    from tui_app.contract.principal import OPERATE
    from tui_app.domain.filters import nearest

    known = [OPERATE, *(one for plug in plugs().values() for one in plug.permissions)]
    front, colon, behind = given.partition(":")
    if (given in known and not given.endswith(":")) or (behind and f"{front}{colon}" in known):
        return
    near = nearest(given, known)
    did = f"Did you mean {near}? " if near else ""
    named = ", ".join(f"{one}ID" if one.endswith(":") else one for one in known)
    raise UsageProblem(f"there is no permission {given!r}", hint=f"{did}There are: {named}.")


def issue(
    setup: Setup,
    user: str,
    permissions: tuple[str, ...],
    *,
    service_account: bool = False,
    ttl: timedelta | None = None,
) -> str:
    """A token for the service of this profile on this host.

    Raises:
        UsageProblem: the profile is a remote one, the user has no name, or nothing asks for such a permission.
        CannotConnect: the key cannot be read or made.
    """
    from tui_app.clock import SystemClock
    from tui_app.service.auth import TTL, issue_token

    setup.profile.check_here()
    for one in permissions:
        _check_permission(one)
    setup.rooms.open()
    return issue_token(
        _key(setup),
        user,
        now=SystemClock().now(),
        permissions=permissions,
        service_account=service_account,
        ttl=ttl or TTL,
        audience=setup.profile.audience,
        issuer=setup.profile.issuer,
    )


def _key(setup: Setup) -> bytes:
    from tui_app.service.auth import signing_key

    return signing_key(setup.rooms.folder / SERVICE_KEY)


async def run_runner(setup: Setup, *, served: bool) -> int:
    """Work on the runs of this profile until nothing is left.

    Where it is ``served``, for whoever confirmed each run at the service; else for the operator alone.

    Returns:
        How many runs were driven; -1 where another runner was at work.

    Raises:
        QuashError: what ended it; the run stays, and is found by the next start.
    """
    from tui_app.clock import SystemClock
    from tui_app.engine import local
    from tui_app.engine.faults import Reports
    from tui_app.engine.worker import Worker
    from tui_app.store.sqlite import open_store

    setup.profile.check_here()
    rooms = setup.rooms.open()
    store = open_store(rooms.journal, waits=True)
    at_hand: Mapping[str, System] = systems(setup)

    async def worker() -> Worker:
        return Worker(
            name=f"{socket.gethostname()}:{os.getpid()}",
            store=store,
            systems=at_hand,
            clock=SystemClock(),
            who=setup.who(setup.operator),
            serves=served,
            rates=setup.profile.rates,
            heads=_heads(setup),
            reports=Reports(rooms.folder / FAULT_LOG),
        )

    try:
        return await local.work(rooms.folder, store, worker)
    finally:
        for system in at_hand.values():
            await system.close()
        await store.close()


def seed(setup: Setup, rows: int, told: Callable[[str], None]) -> None:
    """Make ``rows`` items in every embedded system of a profile, told before each; those that exist stay as they are.

    Raises:
        UsageProblem, CannotConnect: the folder cannot be used.
        StorageFull, Busy: as they say, another one that seeds included; seeding again completes it.
    """
    import sqlite3

    from tui_app.database.sqlite import translate
    from tui_app.engine.local import held

    rooms = setup.rooms.open()
    with held(rooms.folder) as free:
        if not free:
            raise Busy(f"another quash is at work in {rooms.folder}")
        for name in setup.profile.systems:
            told(name)
            path = rooms.system(name)
            try:
                plugs()[name].seed(path, rows)
            except sqlite3.Error as error:
                raise translate(error, path) from error


def throw_away(setup: Setup) -> None:
    """Remove the state of a profile: journal, ledger and embedded systems.

    Raises:
        Conflict: a runner works in it, or another quash has it open, which would go on with files that are gone.
        CannotConnect: it cannot be removed.
    """
    from tui_app.config.places import unused
    from tui_app.engine.local import held

    folder = setup.rooms.open().folder
    with held(folder) as free, unused(folder) as alone:
        if not free:
            raise Conflict(f"a runner works in {folder}", hint="Wait until its run is over, or stop it.")
        if not alone:
            raise Conflict(
                f"another quash has {folder} open, and would go on with files that are gone",
                hint="Close that console or service first, or give this demo another folder with --data DIR.",
            )
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise CannotConnect(f"{folder} cannot be removed: {error.strerror}", hint="Check its owner.") from error
