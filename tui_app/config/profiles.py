"""What a configuration file may say, as plain dataclasses: every key with its reader and its documentation.

What it may say of a system stands with that system.

``docs/settings.md`` is generated from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, get_type_hints

from tui_app.config import values
from tui_app.config.values import Address
from tui_app.domain.errors import UsageProblem
from tui_app.domain.rates import Rate

DEFAULT_CAP = 10_000
EMBEDDED = Address("sqlite:")
LOCAL = "local"
"""The profile that is there without a file."""

PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A profile's name is also a folder's."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of the file: how it is read, what it means, and an example as it stands in the file."""

    read: Callable[[Any], Any]
    doc: str
    example: str = ""


def settings_of(kind: type[Any]) -> Mapping[str, Setting]:
    """The keys that a table of this kind may hold."""
    hints = get_type_hints(kind, include_extras=True)
    found = {name: getattr(hint, "__metadata__", (None,))[0] for name, hint in hints.items()}
    return MappingProxyType({name: said for name, said in found.items() if isinstance(said, Setting)})


TOKEN_COMMAND = Setting(
    values.words,
    "the command that prints the token within 15 s; asked first, and anew by each process",
    '["vault", "read", "-field=token", "secret/quash"]',
)
TOKEN_FILE = Setting(values.text, "the file that holds the token, closed to others; asked second", '"~/.secrets/token"')
CONTACT = Setting(values.text, "whom to ask when something is wrong", '"#case-ops"')
RATE = Setting(
    values.rate,
    "how fast runs send, in items: never more of them in any such stretch of time, all runs of the journal together",
    '"5/minute"',
)
ID_PATTERN = Setting(
    values.pattern,
    "what an id looks like here, as a regular expression for the whole of it: what is pasted and looks otherwise is "
    "asked about before it is marked. Default: that of the system",
    r"'CASE-\d+'",
)
SERVER_RATE = Setting(values.rate, "an embedded system's own limit", '"5/minute"')
NATIVE_RATE = Setting(
    values.rate,
    "how often a user may cancel through the native routes of `quash serve`; reinstating counts apart",
    '"5/minute"',
)
NATIVE_READ_RATE = Setting(
    values.rate, "how often a user may ask anything else of the native routes of `quash serve`", '"100/minute"'
)
CA_FILE = Setting(values.text, "certificates to trust beside the system's", '"/etc/ssl/ops.pem"')


Kinds = Mapping[str, type[Any]]
"""The systems that a profile may name, in the order of the console's places, each with the dataclass of its table."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One place to work: systems, who acts, and the limits that hold there.

    ``service`` is set where another host runs quash: such a profile names no systems, and its ``environment`` is empty
    where it leaves that to the service.
    """

    name: str
    environment: Annotated[
        str,
        Setting(
            values.name,
            "shown in the header; `production` is typed at each review. Default: the profile's name; with a `service`, "
            "what that one says. Where that one is `production`, nothing else counts",
            '"production"',
        ),
    ] = ""
    operator: Annotated[
        str | None,
        Setting(
            values.name,
            "who acts, in the ledger and in every trail. Default: the login",
            '"jane@example.com"',
        ),
    ] = None
    read_only: Annotated[
        bool,
        Setting(
            values.flag, "nothing can be cancelled, queued or published, and no tables are made in PostgreSQL", "true"
        ),
    ] = False
    cap: Annotated[
        int | None,
        Setting(
            values.number,
            f"a plan that would cancel more is refused. Default: {DEFAULT_CAP:,}; none for `local`",
            "5000",
        ),
    ] = None
    store: Annotated[
        Address,
        Setting(
            values.address("sqlite", "postgresql"),
            "journal and ledger; `sqlite:` is in the state folder. This version cannot use `postgresql://`",
            '"sqlite:"',
        ),
    ] = EMBEDDED
    service: Annotated[
        Address | None,
        Setting(
            values.service,
            "the address of another `quash serve`, in front of its `/v1`; with `environment`, a token and `ca_file`, "
            "and nothing else beside it",
            '"https://quash.example.com"',
        ),
    ] = None
    token_command: Annotated[tuple[str, ...] | None, TOKEN_COMMAND] = None
    token_file: Annotated[str | None, TOKEN_FILE] = None
    ca_file: Annotated[str | None, CA_FILE] = None
    jwks_file: Annotated[
        str | None,
        Setting(
            values.text,
            "public keys (JWKS) of an issuer whose tokens `quash serve` believes beside its own; needs `audience`",
            '"/etc/quash/jwks.json"',
        ),
    ] = None
    audience: Annotated[
        str | None, Setting(values.text, "the `aud` that every token for `quash serve` has to name", '"quash"')
    ] = None
    issuer: Annotated[
        str | None,
        Setting(values.text, "the `iss` that every token for `quash serve` has to name", '"https://login.example.com"'),
    ] = None
    anchor_file: Annotated[
        str | None,
        Setting(
            values.text,
            "the file to which the ledger's head is appended at the end of each run, and with which `quash ledger "
            "verify` compares; put it where whoever owns the journal can only append, one file for each profile",
            '"/var/log/quash/heads"',
        ),
    ] = None
    systems: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def rates(self) -> Mapping[str, Rate]:
        """How fast systems are sent to, for those whose table says so."""
        said = {name: getattr(settings, "rate", None) for name, settings in self.systems.items()}
        return {name: rate for name, rate in said.items() if rate is not None}

    @property
    def id_patterns(self) -> Mapping[str, str]:
        """What ids look like, for the systems whose table says so."""
        said = {name: getattr(settings, "id_pattern", None) for name, settings in self.systems.items()}
        return {name: pattern for name, pattern in said.items() if pattern is not None}

    @property
    def remote(self) -> bool:
        """Whether another host's service is asked."""
        return self.service is not None

    def check_served(self) -> None:
        """Refuse what this version cannot do; asked of the profile that is used alone.

        Raises:
            UsageProblem: naming what cannot be done yet.
        """
        if self.remote:
            return
        if not self.systems:
            raise UsageProblem(
                f"profile {self.name} names no system", hint=f"Add [profiles.{self.name}.commands] to it."
            )
        if self.store.scheme != "sqlite":
            raise UsageProblem(
                f"profile {self.name} keeps its journal in PostgreSQL, which this version cannot",
                hint="Leave `store` out: journal and ledger are then in the state folder.",
            )

    def check_here(self) -> None:
        """Refuse what is done where the service is.

        Raises:
            UsageProblem: that is another host.
        """
        if self.remote:
            raise UsageProblem(
                f"profile {self.name} is served elsewhere, at {self.service}",
                hint="Do this on that host, or choose another profile with --profile.",
            )


def local(kinds: Kinds) -> Profile:
    """The profile without a file: every system, embedded, and no cap."""
    systems = {name: kind() for name, kind in kinds.items()}
    return Profile(LOCAL, environment=LOCAL, systems=MappingProxyType(systems))


@dataclass(frozen=True, slots=True)
class Config:
    """The file as a whole. ``keys`` gives actions of the console other keys, by the action's id."""

    profiles: Mapping[str, Profile]
    default_profile: Annotated[
        str | None,
        Setting(values.text, "the profile without `--profile`. Default: the only one, else `local`", '"prod"'),
    ] = None
    theme: Annotated[str | None, Setting(values.text, "the console's colours", '"quash-light"')] = None
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def default(self) -> str:
        """The name of the profile without ``--profile``; there may be none of that name."""
        if self.default_profile is None and len(self.profiles) == 1:
            return next(iter(self.profiles))
        return self.default_profile or LOCAL

    def pick(self, name: str | None = None, by: str = "") -> Profile:
        """The profile of this name, or the default one; ``by`` is the flag or the variable that names it.

        Raises:
            UsageProblem: there is none of that name, or none that is the default.
        """
        wanted = name or self.default
        found = self.profiles.get(wanted)
        if found is None:
            known = ", ".join(self.profiles)
            named = f", which {by} names" if by else ""
            hint = f"Profiles: {known}. Name one with {by or '--profile'}."
            raise UsageProblem(f"there is no profile {wanted!r}{named}", hint=hint)
        return found
