"""The service as an ASGI app: routing on the raw path, checks before each handler, errors as problem documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Router
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tui_app.contract.principal import Principal
from tui_app.domain.errors import NotFound, QuashError
from tui_app.engine.faults import note
from tui_app.service import about, items, ledger, plans, runs
from tui_app.service.admission import Admission
from tui_app.service.answers import answer, problem
from tui_app.service.auth import PROVEN, principal_of
from tui_app.service.backend import Backend
from tui_app.service.requests import Rejected, body_of, key_of, parts_of, query_of
from tui_app.service.table import Call, Route
from tui_app.service.words import vocabulary

ROUTES: tuple[Route, ...] = about.routes((*items.ROUTES, *plans.ROUTES, *runs.ROUTES, *ledger.ROUTES))
"""Every route of ``/v1``."""

_PRINCIPAL = "quash.asked_by"


class _Endpoint:
    """One route over a backend, as an ASGI app."""

    def __init__(self, route: Route, backend: Backend) -> None:
        self._route = route
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        route, principal = self._route, request.scope[_PRINCIPAL]
        await self._permit(principal)
        call = Call(
            backend=self._backend,
            principal=principal,
            parts=parts_of(request.path_params),
            query=query_of(route.query, request.scope["query_string"]),
            body=await body_of(route, request),
            key=key_of(request) if route.keyed else "",
        )
        return await answer(route, await route.handle(call))

    async def _permit(self, principal: Principal) -> None:
        """Refuse, and record, what a principal may not do.

        Raises:
            NotAllowed: naming the permission.
        """
        if self._route.needs is not None:
            await self._backend.permit(principal, self._route.needs, self._route.summary)


class _ExactRoute(StarletteRoute):
    """A route that is not the one where the method differs, so that what matches nothing is answered in one place."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found, child = super().matches(scope)
        return (found, child) if found is Match.FULL and scope["method"] in (self.methods or ()) else (Match.NONE, {})


async def _no_route(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what matches no route.

    Raises:
        Rejected: there is such a path, for other methods.
        NotFound: there is not.
    """
    path, method = scope["path"], scope["method"]
    known = [one for one in scope["router"].routes if one.path_regex.match(path)]
    if not known:
        raise NotFound(
            f"there is no route {method} {path[:200]}", hint="/v1/openapi.json lists them.", route=path[:200]
        )
    allowed = ", ".join(sorted({name for one in known for name in one.methods}))
    raise Rejected(f"{method} is not for {path[:200]}", 405, f"Allowed there: {allowed}.", headers={"Allow": allowed})


class Service:
    """The app. Every request is authenticated before it is routed; every error becomes a problem document."""

    def __init__(self, backend: Backend) -> None:
        vocabulary(system.description for system in backend.systems.values())
        if backend.native is not None and backend.authenticator is None:
            raise ValueError("native routes need an authenticator: their users are those that a token names")
        self._backend = backend
        self._admission = Admission()

        @asynccontextmanager
        async def lifespan(_: Any) -> AsyncIterator[None]:
            yield
            await backend.close()

        routes = [_ExactRoute(one.path, _Endpoint(one, backend), methods=[one.method], name=one.name) for one in ROUTES]
        for route in routes:
            # Starlette answers HEAD wherever it answers GET; nothing asks for it, and the document does not have it.
            (route.methods or set()).discard("HEAD")
        self._router = Router(routes, redirect_slashes=False, default=_no_route, lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._router(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        path, native = _raw_path(scope), self._backend.native
        exchange = None if native is None else native.exchange(path)
        try:
            asked_by = principal_of(scope, self._backend.authenticator)
            scope.get("extensions", {}).get(PROVEN, _unnoted)(asked_by.name)
            asked = {**scope, "path": path, _PRINCIPAL: asked_by}
            async with self._admission.turn(asked_by):
                if exchange is None:
                    await self._router(asked, receive, watched)
                else:
                    response = await exchange.respond(Request(asked, receive), asked_by, self._backend.record_refusal)
                    await response(asked, receive, watched)
            return
        except ClientDisconnect:
            return
        except QuashError as error:
            told, instance = error, None
        except Exception as error:
            told, instance = note(error, self._backend.fault_log, self._backend.clock.now())
        if begun:
            # Cutting the connection is all that is left to tell the client that its answer is not whole.
            raise told
        response = problem(told, instance) if exchange is None else exchange.failure(told, instance)
        await response(scope, receive, send)


def _unnoted(_: str) -> None:
    """Where no connection wants to know that a token held."""


def _raw_path(scope: Scope) -> str:
    """The path as it was sent, so that an encoded slash inside an id does not divide it."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.split(b"?")[0].decode("latin-1")


def create_app(backend: Backend) -> ASGIApp:
    """The service over a backend. It closes the backend when it is shut down.

    Raises:
        ValueError: two systems use one effect code for different things, or native routes are to be answered without
            tokens.
    """
    return Service(backend)
