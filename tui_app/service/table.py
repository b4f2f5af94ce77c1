"""What one route is: the table of these makes both the routes and the OpenAPI document."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from tui_app.contract.models import Wire
from tui_app.contract.principal import Principal
from tui_app.domain.records import Who
from tui_app.service.backend import Backend

JSON = "application/json"

SMALL = 1024 * 1024
IDS = 16 * 1024 * 1024
FILE = 64 * 1024 * 1024
"""The largest body of a request in bytes: an ordinary one, one with a list of ids, a plan file."""


class Query(BaseModel):
    """Base of every query string: a name that is not known is refused, since it was meant to narrow something."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NoQuery(Query):
    """A route that takes no query."""


Q = TypeVar("Q", bound=Query)
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """One request, checked: who asks, the parts of its path, its query, its body, and its idempotency key."""

    backend: Backend
    principal: Principal
    parts: Mapping[str, str]
    query: Q
    body: B
    key: str

    @property
    def who(self) -> Who:
        """On whose behalf, as the ledger tells it."""
        return self.backend.who(self.principal.name)


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is sent in pieces, as they come."""

    pieces: AsyncIterator[bytes]


Answer = Wire | Stream | Mapping[str, Any]
"""What a handler returns: a model, a stream, or a JSON document that has no model."""

Handler = Callable[[Call[Any, Any]], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    ``answer`` is the model that is returned, or the media type where there is none. ``body`` is the model of the
    request, or ``bytes``. ``needs`` is a permission beyond a valid token. ``keyed`` routes want an idempotency key.
    ``errors`` are the codes that this route can answer beside those that every route can.
    """

    method: str
    path: str
    name: str
    summary: str
    handle: Handler
    answer: type[Wire] | str
    status: int = 200
    query: type[Query] = NoQuery
    body: type[Wire] | type[bytes] | None = None
    media: str = JSON
    largest: int = SMALL
    needs: str | None = None
    keyed: bool = False
    errors: tuple[str, ...] = ()
