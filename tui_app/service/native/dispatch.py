"""Native requests from the path to the answer: route, checks, key, limit, handler."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from tui_app.contract.principal import Principal
from tui_app.domain.canonical import digest
from tui_app.domain.errors import NotAllowed, QuashError, RateLimited, Unavailable
from tui_app.domain.foreign_json import parse
from tui_app.domain.moments import stamp
from tui_app.domain.ports import Clock
from tui_app.service.answers import HEADERS, encode
from tui_app.service.native.failures import code_of, headers_of, is_final, status_of, words_of
from tui_app.service.native.idempotency import HEADER, REPLAYED, Answers, Claim, Kept, Scope, key_of
from tui_app.service.native.limits import Limiter
from tui_app.service.native.table import READ, Declined, Failure, Native, NativeApi, NativeCall, NativeRoute
from tui_app.service.requests import invalid, parts_of, read_body, values_of
from tui_app.service.table import JSON

Recorder = Callable[[str, str, str], Awaitable[None]]

FORBIDDEN = 403

ROOT = "/api/"
"""Where the paths of every native API begin."""

N = TypeVar("N", bound=Native)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is in order. ``body_hash`` tells one body from another under one key."""

    route: NativeRoute
    call: NativeCall[Any, Any]
    body_hash: str


class NativeService:
    """The native APIs of one service, with what they share: keys and answers, and the limits of each."""

    def __init__(self, apis: Sequence[NativeApi], answers: Answers, clock: Clock, *, read_only: bool = False) -> None:
        self.apis = tuple(apis)
        self.answers = answers
        self.clock = clock
        self.read_only = read_only
        self.limiters = {api.name: Limiter(api.limits) for api in apis}
        self._paths = {api.name: [(compile_path(one.path)[0], one) for one in api.routes] for api in apis}

    def exchange(self, path: str) -> Exchange | None:
        """The answering of one request; None where the path belongs to no native API."""
        if not path.startswith(ROOT):
            return None
        fitting = ((len(prefix), api) for api in self.apis for prefix in api.prefixes if path.startswith(prefix))
        found = max(fitting, key=lambda one: one[0], default=None)
        return None if found is None else Exchange(self, found[1], path)

    def route(self, api: NativeApi, method: str, path: str) -> tuple[NativeRoute, dict[str, str]]:
        """The route of a request, and the parts of its path as they were sent.

        Raises:
            Declined: there is none, or it is for other methods.
        """
        fitting = [(route, match) for regex, route in self._paths[api.name] if (match := regex.match(path))]
        if not fitting:
            raise Declined(404, "ROUTE_NOT_FOUND", f"there is no route {method} {path[:200]}")
        for route, match in fitting:
            if route.method == method:
                return route, match.groupdict()
        allowed = ", ".join(sorted({route.method for route, _ in fitting}))
        raise Declined(405, "METHOD_NOT_ALLOWED", f"{method} is not for {path[:200]}", headers={"Allow": allowed})

    async def close(self) -> None:
        """Close the file of keys."""
        await self.answers.close()


@dataclass(slots=True)
class Exchange:
    """One request to a native API, and its answer, whichever it is. ``headers`` go with both kinds."""

    service: NativeService
    api: NativeApi
    path: str
    request_id: str = field(default_factory=lambda: secrets.token_hex(8))
    headers: dict[str, str] = field(default_factory=dict)

    async def respond(self, request: Request, principal: Principal, record: Recorder) -> Response:
        """Answer it, unless an earlier answer is kept under its key.

        Everything counts against the limit, whatever is wrong with it, but what is given again. ``record`` is told of a
        change that is refused before the system hears of it, by user, summary of the route, and code.

        Raises:
            QuashError: see ``failure``.
        """
        route, claim = None, None
        asked: _Asked | QuashError
        try:
            route, parts = self.service.route(self.api, request.method, self.path)
            asked = await self._asked(route, parts, request, principal)
            claim = await self._claim(asked)
        except QuashError as error:
            asked = error
        if isinstance(claim, Kept):
            return self._response(claim, {REPLAYED: "true"})
        over = self._count(principal, READ if route is None else route.bucket)
        if over is not None:
            await self._settle(claim, None)
            raise over
        if isinstance(asked, QuashError):
            if route is not None and route.changes and status_of(asked) == FORBIDDEN:
                await record(principal.name, route.summary, NotAllowed.code)
            raise asked
        return await self._run(asked, claim)

    def _count(self, principal: Principal, bucket: str) -> RateLimited | None:
        standing, over = self.service.limiters[self.api.name].take(principal.name, bucket, self.service.clock.now())
        if standing is not None:
            self.headers |= standing.headers
        return over

    async def _asked(self, route: NativeRoute, parts: dict[str, str], request: Request, principal: Principal) -> _Asked:
        self._permit(route, request, principal)
        body, body_hash = await _body(route, request)
        call = NativeCall(
            actor=principal,
            parts=parts_of(parts),
            query=_fitted(route.query, values_of(request.scope["query_string"]), "query"),
            body=body,
            key=key_of(request.headers.getlist(HEADER)) if route.keyed else "",
            request_id=self.request_id,
            now=self.service.clock.now(),
        )
        return _Asked(route, call, body_hash)

    def _permit(self, route: NativeRoute, request: Request, principal: Principal) -> None:
        name = self.api.user_header
        if name is not None:
            given = [one.encode("latin-1") for one in request.headers.getlist(name)]
            if given != [principal.name.encode()]:
                raise Declined(FORBIDDEN, "FORBIDDEN", f"{name} has to name the user of the token", header=name)
        if route.changes and self.service.read_only:
            raise Declined(FORBIDDEN, "FORBIDDEN", "this service is read-only: nothing can be changed through it")

    async def _claim(self, asked: _Asked) -> Claim | Kept | None:
        if not asked.route.keyed:
            return None
        call = asked.call
        scope = Scope(call.actor.name, asked.route.name, digest(dict(call.parts)), call.key)
        return await self.service.answers.claim(scope, asked.body_hash, call.now)

    async def _run(self, asked: _Asked, claim: Claim | None) -> Response:
        kept, headers = None, {}
        try:
            made = await asked.route.handle(asked.call)
            kept = Kept(asked.route.status, encode(made))
        except QuashError as error:
            if not is_final(error):
                raise
            kept, headers = Kept(status_of(error), self._envelope(error)), headers_of(error)
        finally:
            await self._settle(claim, kept)
        return self._response(kept, headers)

    async def _settle(self, claim: Claim | None, kept: Kept | None) -> None:
        """Put the answer in the claim's place, or give the claim back.

        What was done stays done where this cannot be written: the answer is told all the same, and the same request,
        sent again, reaches a system that knows its key.
        """
        if claim is None:
            return
        try:
            await (self.service.answers.release(claim) if kept is None else self.service.answers.keep(claim, kept))
        except Unavailable as error:
            _LOG.warning("request %s: its idempotency key could not be settled: %s", self.request_id, error)

    def failure(self, error: QuashError, instance: str | None = None) -> Response:
        """An error in the API's envelope. ``instance`` is the id under which a defect was logged."""
        self.request_id = instance or self.request_id
        return self._response(Kept(status_of(error), self._envelope(error)), headers_of(error))

    def _envelope(self, error: QuashError) -> bytes:
        details = {} if isinstance(error, Unavailable) else error.details
        at = stamp(self.service.clock.now())
        failure = Failure(status_of(error), code_of(error), words_of(error), details, self.request_id, at)
        return encode(self.api.envelope(failure))

    def _response(self, told: Kept, more: Mapping[str, str] | None = None) -> Response:
        headers = {**HEADERS, "X-Request-ID": self.request_id, **self.headers, **(more or {})}
        return Response(told.body, told.status, headers, JSON)


async def _body(route: NativeRoute, request: Request) -> tuple[Native | None, str]:
    """The body as the route's model, and its hash. A route that wants none does not look.

    Raises:
        Declined: it is no JSON object, or has another media type.
        UsageProblem: it does not fit the model, is too large, or too slow.
    """
    if route.body is None:
        return None, digest(None)
    raw = await read_body(request, route.largest)
    if not raw and route.body_optional:
        return None, digest(None)
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != JSON:
        raise Declined(400, "VALIDATION_ERROR", f"Content-Type: this request wants {JSON}", header="Content-Type")
    try:
        found = parse(raw, strict=True)
        body_hash = digest(found)
    except ValueError as error:
        raise Declined(400, "VALIDATION_ERROR", "the body is no JSON that can be read") from error
    if not isinstance(found, dict):
        raise Declined(400, "VALIDATION_ERROR", "the body has to be a JSON object")
    return _fitted(route.body, found, "body"), body_hash


def _fitted(model: type[N], values: Mapping[str, Any], part: str) -> N:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, part) from error
