"""Cases as a system that a profile can name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
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
from tui_app.domain.ports import System
from tui_app.domain.rates import Rate
from tui_app.systems.cases import dialects
from tui_app.systems.plug import Plug

TOKEN_VARIABLE = "QUASH_CASES_TOKEN"  # noqa: S105 - the name of the variable, not what it holds

CANCELS, READS = Rate(5, timedelta(minutes=1)), Rate(100, timedelta(minutes=1))
"""What the case API allows each of its users."""


@dataclass(frozen=True, slots=True)
class CasesSettings:
    """Where the case management is, and at what pace it may be asked."""

    url: Annotated[
        Address,
        Setting(
            values.address("sqlite", "https", "http"),
            "`sqlite:` is embedded; else the base URL of the API (plain `http://` to this host only)",
            '"https://cases.example.com"',
        ),
    ] = EMBEDDED
    dialect: Annotated[
        str,
        Setting(
            values.one_of(*dialects.DIALECTS),
            "how the API is asked: `runbook`, or `lims` for its newer generation",
            '"lims"',
        ),
    ] = dialects.RUNBOOK.name
    paths: Annotated[
        Mapping[str, str] | None,
        Setting(
            dialects.read_paths,
            "paths of the API in place of the dialect's, below `url`: "
            f"{', '.join(f'`{key}`' for key in dialects.PATH_KEYS)}; `none` where it has no such path",
            '{ cases = "/v2/cases", audit = "{cases}/{id}/history" }',
        ),
    ] = None
    methods: Annotated[
        Mapping[str, str] | None,
        Setting(dialects.read_methods, "methods of `cancel` and `reinstate`", '{ cancel = "PATCH" }'),
    ] = None
    headers: Annotated[
        Mapping[str, str] | None,
        Setting(
            dialects.read_headers,
            "headers of every request, never a token; `lims` needs `Lab-Id` and `Discipline-Name`",
            '{ "Lab-Id" = "7", "Discipline-Name" = "histology" }',
        ),
    ] = None
    user_header: Annotated[
        str | None,
        Setting(dialects.read_header, "the header that names the user, in place of the dialect's", '"Api-User"'),
    ] = None
    key_header: Annotated[
        str | None,
        Setting(
            dialects.read_header,
            "the header of the idempotency key; `none` where the API knows no keys, and nothing is sent twice",
            '"Idempotency-Key"',
        ),
    ] = None
    token_command: Annotated[tuple[str, ...] | None, TOKEN_COMMAND] = None
    token_file: Annotated[str | None, TOKEN_FILE] = None
    contact: Annotated[str | None, CONTACT] = None
    id_pattern: Annotated[str | None, ID_PATTERN] = None
    rate: Annotated[Rate | None, RATE] = None
    server_rate: Annotated[Rate | None, SERVER_RATE] = None
    native_rate: Annotated[Rate | None, NATIVE_RATE] = CANCELS
    native_read_rate: Annotated[Rate | None, NATIVE_READ_RATE] = READS
    ca_file: Annotated[str | None, CA_FILE] = None


def _open(settings: CasesSettings, rooms: Rooms) -> System:
    if settings.url.scheme == "sqlite":
        from tui_app.systems.cases.embedded import EmbeddedCases

        return EmbeddedCases(rooms.system("cases"), server_rate=settings.server_rate)
    from tui_app.clock import SystemClock
    from tui_app.config.setup import login
    from tui_app.outbound.http import HttpService
    from tui_app.outbound.tokens import TokenSource
    from tui_app.systems.cases.http import HttpCases
    from tui_app.systems.cases.line import CaseLine

    dialect = dialects.DIALECTS[settings.dialect].changed(
        paths=settings.paths or {},
        methods=settings.methods or {},
        headers=settings.headers or {},
        user_header=settings.user_header,
        key_header=settings.key_header,
    )
    tokens = TokenSource(settings.token_command, settings.token_file, TOKEN_VARIABLE, os.environ)
    service = HttpService(settings.url.reveal(), tokens=tokens, shape=dialect.error_of, ca_file=settings.ca_file)
    line = CaseLine(service, tokens, login(), clock=SystemClock(), dialect=dialect, contact=settings.contact)
    return HttpCases(line, str(settings.url), limited=settings.rate is not None)


def _seed(path: Path, rows: int) -> None:
    from tui_app.clock import SystemClock
    from tui_app.systems.cases import demo

    demo.seed(path, rows, SystemClock().now())


PLUG = Plug(CasesSettings, _open, _seed, permissions=("cancel_case",))
