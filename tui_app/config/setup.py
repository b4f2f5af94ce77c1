"""A profile in use: what the command line, the environment and the configuration file say together."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from tui_app.config import places, reading
from tui_app.config.places import Named, Rooms
from tui_app.config.profiles import LOCAL, Config, Kinds, Profile, local
from tui_app.domain.errors import UsageProblem
from tui_app.domain.names import NAME_HINT, flaw_of

if TYPE_CHECKING:
    from tui_app.domain.records import Who


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says about where to work; nothing where it is silent."""

    profile: str | None = None
    operator: str | None = None
    data: str | None = None
    config: str | None = None
    no_config: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """A profile in use: where its state is, and who acts.

    ``operator`` acts where the profile is served here; elsewhere the token says who does. ``options`` are those of the
    command line under which another process finds the same profile and the same state. ``by_default`` says that this
    is the profile that ``config`` gives to whoever names none.
    """

    config: Config
    profile: Profile
    state: Named
    operator: str
    options: tuple[str, ...]
    by_default: bool

    @property
    def rooms(self) -> Rooms:
        """The files of the profile; they may not exist yet."""
        return Rooms.of(self.state, self.profile.name)

    def who(self, principal: str) -> Who:
        """On whose behalf a principal acts, as the ledger tells it."""
        # Here, since it brings most of the domain with it, and the console is to be painted before that.
        from tui_app.domain.records import Who

        return Who(
            operator=principal,
            os_user=login(),
            host=socket.gethostname(),
            profile=self.profile.name,
            environment=self.profile.environment,
            ssh_client=os.environ.get("SSH_CLIENT", "").split(" ")[0] or None,
        )


def login() -> str:
    """The name of the user of the operating system, whatever the environment says; its number where it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def read_config(flags: Flags, environment: Mapping[str, str], kinds: Kinds) -> Config:
    """The configuration file; without it, the profile ``local``.

    Raises:
        UsageProblem: it makes no sense.
    """
    if flags.no_config:
        return Config(MappingProxyType({LOCAL: local(kinds)}))
    return reading.load(places.config_file(flags.config, environment), kinds)


def find(flags: Flags, environment: Mapping[str, str], kinds: Kinds) -> Setup:
    """Where to work, and as whom: flag before environment before file.

    Raises:
        UsageProblem: the file makes no sense, it has no such profile, something is said and blank, or the operator has
            no name that can be shown, or cannot be named here.
    """
    config = read_config(flags, environment, kinds)
    wanted = places.given(flags.profile, "--profile", environment, places.PROFILE_VARIABLE)
    profile = config.pick() if wanted is None else config.pick(wanted.value, wanted.by)
    who = places.given(flags.operator, "--operator", environment, places.OPERATOR_VARIABLE)
    if who is not None and (flaw := flaw_of(who.value)):
        raise UsageProblem(f"the operator's name that {who.by} gives {flaw}", hint=NAME_HINT)
    if profile.remote and flags.operator:
        raise UsageProblem(
            f"profile {profile.name} is served elsewhere: whom its token names acts there, and not {flags.operator!r}",
            hint="Leave --operator out, or give that operator's token.",
        )
    operator = who.value if who is not None else profile.operator or login()
    state = places.state_folder(flags.data, environment)
    options = ["--profile", profile.name, "--data", str(state.path), "--operator", operator]
    named = places.named_config(flags.config, environment)
    if flags.no_config:
        options.append("--no-config")
    elif named is not None:
        options += ["--config", str(named.path.absolute())]
    acting = replace(profile, operator=operator)
    return Setup(config, acting, state, operator, tuple(options), profile.name == config.default)
