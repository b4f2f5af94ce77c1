"""A profile in use: what the command line, the environment and the configuration file say together."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tui_app.config import places, reading
from tui_app.config.places import Rooms
from tui_app.config.profiles import LOCAL, Config, Kinds, Profile, local
from tui_app.domain.errors import UsageProblem

LONGEST_OPERATOR = 256
"""Characters of an operator's name at most, as the trails of the systems keep it."""

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
    state: Path
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
        UsageProblem: the file makes no sense, it has no such profile, or the operator has no name that can be shown, or
            cannot be named here.
    """
    config = read_config(flags, environment, kinds)
    profile = config.pick(flags.profile or environment.get(places.PROFILE_VARIABLE))
    if profile.remote and flags.operator:
        raise UsageProblem(
            f"profile {profile.name} is served elsewhere: whom its token names acts there, and not {flags.operator!r}",
            hint="Leave --operator out, or give that operator's token.",
        )
    operator = flags.operator or environment.get(places.OPERATOR_VARIABLE) or profile.operator or login()
    if len(operator) > LONGEST_OPERATOR or not operator.isprintable():
        raise UsageProblem(
            "the operator's name is too long, or has characters that cannot be shown",
            hint=f"Give at most {LONGEST_OPERATOR} printable characters with --operator or QUASH_OPERATOR.",
        )
    state = places.state_folder(flags.data, environment)
    options = ["--profile", profile.name, "--data", str(state), "--operator", operator]
    named = places.named_config(flags.config, environment)
    if flags.no_config:
        options.append("--no-config")
    elif named is not None:
        options += ["--config", str(named.absolute())]
    acting = replace(profile, operator=operator)
    return Setup(config, acting, state, operator, tuple(options), profile.name == config.default)
