"""What this service is, who asks, and what it can do: the first thing a client reads, and the OpenAPI document."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from tui_app import __version__
from tui_app.contract import paths
from tui_app.contract.models import About, CredentialModel
from tui_app.domain.errors import NotSignedIn, Refused, Unavailable
from tui_app.domain.moments import stamp
from tui_app.domain.ports import SignedIn
from tui_app.engine.steering import FROZEN
from tui_app.service.table import JSON, Call, NoQuery, Query, Route
from tui_app.service.words import system_model


class AboutQuery(Query):
    """With ``sign_in`` each system that is reached with a token has one before it is told when that ends."""

    sign_in: bool = False


async def about(call: Call[AboutQuery, None]) -> About:
    """Who is asking, on which profile, and what is there."""
    facts = call.backend.facts
    signed_in = {name: system for name, system in call.backend.systems.items() if isinstance(system, SignedIn)}
    if call.query.sign_in:
        await asyncio.gather(*(_sign_in(system) for system in signed_in.values()))
    return About(
        version=__version__,
        profile=facts.profile,
        environment=facts.environment,
        operator=call.principal.name,
        host=facts.host,
        read_only=facts.read_only,
        cap=facts.cap,
        store=facts.store,
        notice=FROZEN if facts.frozen else None,
        systems=[
            system_model(system.description, facts.id_patterns.get(name))
            for name, system in call.backend.systems.items()
        ],
        credentials=[_credential(name, system) for name, system in signed_in.items()],
    )


async def _sign_in(system: SignedIn) -> None:
    # Whoever reads items is told that nobody gives a token, and what to do; here it is only asked when one ends.
    with contextlib.suppress(NotSignedIn, Unavailable, Refused):
        await system.sign_in()


def _credential(name: str, system: SignedIn) -> CredentialModel:
    until = system.credentials_expire
    return CredentialModel(system=name, expires_at=None if until is None else stamp(until), acts_as=system.signed_in_as)


def routes(others: tuple[Route, ...]) -> tuple[Route, ...]:
    """The routes of this module; the document describes them and all the others."""

    async def openapi(call: Call[NoQuery, None]) -> Mapping[str, Any]:
        from tui_app.service.openapi import document  # a console never asks for it

        native = call.backend.native
        return document(table, () if native is None else native.apis)

    own = (
        Route("GET", paths.ABOUT, "about", "Who is asking, and what is there", about, About, query=AboutQuery),
        Route("GET", paths.OPENAPI, "openapi", "This document", openapi, JSON),
    )
    table = (*own, *others)
    return table
