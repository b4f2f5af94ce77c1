"""What a native API is: its routes, who may ask, how often, and how its errors look.

One module per system fills this in with a function ``api(desk, settings) -> NativeApi``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from tui_app.contract.principal import Principal
from tui_app.domain.errors import Refused
from tui_app.domain.rates import Rate

READ = "read"
"""The bucket of everything that has none of its own, unknown paths included."""

SMALL = 64 * 1024
"""The largest body of an ordinary native request in bytes."""


class Native(BaseModel):
    """Base of the bodies, queries and answers of native routes: what is not known is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


@dataclass(frozen=True, slots=True)
class Spelled:
    """The spelling of a text field, for its annotation. ``words`` end the sentence that begins "it has to be".

    The document has the pattern; whoever missed it is told in words, which say more than a regular expression.
    """

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}

    def _check(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise PydanticCustomError("spelling", "it has to be {words}", {"words": self.words})
        return text


class NoQuery(Native):
    """A route that looks at no query."""


Q = TypeVar("Q", bound=Native)
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class NativeCall(Generic[Q, B]):
    """One request, checked: who asks, the parts of its path decoded, its query and body as the route's models.

    ``key`` is the idempotency key of a keyed route, in lower case, else empty: the system writes it into its own audit,
    so that a request whose answer was lost is known when it comes again. ``now`` is the service's clock.
    """

    actor: Principal
    parts: Mapping[str, str]
    query: Q
    body: B
    key: str
    request_id: str
    now: datetime


Handler = Callable[[NativeCall[Any, Any]], Awaitable[BaseModel | Mapping[str, Any]]]
"""Returns the body of the answer; what it raises becomes the API's envelope."""


class Declined(Refused):
    """An answer other than the one wished for, in the API's own words.

    ``final`` says whether the same request would get it again whatever anybody does meanwhile: only then is it kept
    under an idempotency key. Unless told, 400, 404, 410 and 422 are final. A 403 or 409 is not: permissions are given
    and holds resolved, and the same request is sent again.
    """

    def __init__(
        self,
        status: int,
        error_code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        final: bool | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.status = status
        self.error_code = error_code
        self.headers = dict(headers or {})
        self.final = status in FINAL if final is None else final


FINAL = frozenset({400, 404, 410, 422})


@dataclass(frozen=True, slots=True)
class Failure:
    """What an envelope is made of. ``at`` is the moment in text form."""

    status: int
    code: str
    message: str
    details: Mapping[str, Any]
    request_id: str
    at: str


@dataclass(frozen=True, slots=True)
class NativeRoute:
    """One operation.

    ``answer`` is the model of a success, and of the document. ``body`` is the model of the request; where it is
    ``body_optional``, a request without one is answered too, and its handler gets None. A ``keyed`` route wants an
    idempotency key. ``bucket`` is what the request counts against. ``errors`` are the sentences for the statuses that
    this route answers beside those that every native route can.
    """

    method: str
    path: str
    name: str
    summary: str
    handle: Handler
    answer: type[BaseModel]
    status: int = 200
    query: type[Native] = NoQuery
    body: type[Native] | None = None
    body_optional: bool = False
    largest: int = SMALL
    keyed: bool = False
    bucket: str = READ
    errors: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class NativeApi:
    """The routes of one system, and what holds for all of them.

    ``prefixes`` are the beginnings of paths that are this API's, routes or not. ``envelope`` makes the body of an
    error, and ``error`` is its model for the document. ``user_header`` names the header that has to repeat the
    principal, where the API wants that. ``limits`` are rates a user for each bucket; one that is missing has none.
    """

    name: str
    prefixes: tuple[str, ...]
    routes: tuple[NativeRoute, ...]
    envelope: Callable[[Failure], Mapping[str, Any]]
    error: type[BaseModel]
    user_header: str | None = None
    limits: Mapping[str, Rate] = field(default_factory=lambda: MappingProxyType({}))
