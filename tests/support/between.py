"""Somebody between a client and a server, in process: a proxy, a gateway, a firewall or a login page.

``STRANGERS`` are the answers that such parties give: every status, in several forms, and every form. ``Between``
carries requests to a server, and lets a stranger answer those that a test picks: in the server's place, or after the
server has acted. The record is the server's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

import httpx

from support.raw_server import Answered, Asked
from tui_app.outbound.http import HttpService

HTML = b"<!doctype html><html><title>Sign in</title></html>"
FORMS: dict[str, tuple[str, Any]] = {
    "a page": ("text/html; charset=utf-8", HTML),
    "a text": ("text/plain", b"default backend - 404"),
    "no body": ("", b""),
    "JSON of a gateway": ("application/json", {"message": "no Route matched with those values"}),
    "JSON of a framework": ("application/json", {"detail": "Not Found"}),
    "a numbered error": ("application/json", {"error": {"code": 404, "message": "Not found", "status": "NOT_FOUND"}}),
    "a problem of others": ("application/problem+json", {"type": "about:blank", "title": "No", "status": 404}),
    "a scalar": ("application/json", "Forbidden"),
    "a list": ("application/json", []),
    "half of JSON": ("application/json", b'{"error": {"code": "NOT_FOUND", '),
    "the right words on a page": ("text/html", b'{"error": {"code": "NOT_FOUND", "message": "no"}}'),
}
REFUSALS = (401, 403, 404, 405, 407, 410, 413, 421, 451, 500, 502, 503, 504, 511)
REDIRECTS = (301, 302, 303, 307, 308)
SUCCESSES: dict[str, tuple[str, Any]] = {
    **{name: FORMS[name] for name in ("a page", "a text", "JSON of a gateway", "a scalar", "a list", "half of JSON")},
    "a state of health": ("application/json", {"status": "ok"}),
    "a number": ("application/json", 17),
    "nothing": ("application/json", {}),
    "a login": ("application/json", {"id": "session-1", "status": "pending", "token": "x"}),
}


def _answer(status: int, form: tuple[str, Any], **headers: str) -> Answered:
    kind, body = form
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answered(status, content, {**({"Content-Type": kind} if kind else {}), **headers})


def _forms_of(place: int, each: int = 3) -> dict[str, tuple[str, Any]]:
    """Some of the forms, others for each status, so that every form comes with several of them."""
    names = list(FORMS)
    return {(name := names[(each * place + step) % len(names)]): FORMS[name] for step in range(each)}


STRANGERS: dict[str, Answered] = {
    **{
        f"{status}, {name}": _answer(status, form)
        for place, status in enumerate(REFUSALS)
        for name, form in _forms_of(place).items()
    },
    **{f"{status}": _answer(status, FORMS["a page"], Location="https://login.example.com/") for status in REDIRECTS},
    **{f"200, {name}": _answer(200, form) for name, form in SUCCESSES.items()},
}
"""Answers of strangers by their names. No body at all with 200 is a permission that is held, and stands apart."""

FEW = {
    name: STRANGERS[name]
    for name in (
        *(next(one for one in STRANGERS if one.startswith(str(status))) for status in (302, 401, 403, 404, 405, 503)),
        *(f"200, {name}" for name in ("a page", "a scalar", "a list", "a state of health", "nothing", "a login")),
    )
}
"""Those that differ most, for what is asked of every path."""

EMPTY = "200, no body"
STRANGERS_OF_CHANGES = {**STRANGERS, EMPTY: _answer(200, FORMS["no body"])}
"""The same for requests that have an answer with a body in any case."""

Picks = Callable[[Asked], bool]


@dataclass
class Handled(httpx.AsyncBaseTransport):
    """A server in process: what answers a request is its ``handle``."""

    handle: Callable[[Asked], Answered]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return _response(self.handle(_asked(request)))


@dataclass
class Between(httpx.AsyncBaseTransport):
    """The way to a server. The requests that ``picks`` chooses meet ``stranger``, ``times`` of them at most.

    ``acts`` says whether the server has them before the stranger answers. ``met`` are those that met one.
    """

    server: httpx.AsyncBaseTransport
    stranger: Answered | None = None
    picks: Picks = lambda asked: True
    acts: bool = False
    times: int = 1_000_000
    met: list[Asked] = field(default_factory=list)

    def arm(self, stranger: Answered, picks: Picks, *, acts: bool = False, times: int = 1_000_000) -> None:
        self.stranger, self.picks, self.acts, self.times = stranger, picks, acts, times
        self.met.clear()

    def mend(self) -> None:
        self.stranger = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = _asked(request)
        if self.stranger is None or len(self.met) >= self.times or not self.picks(asked):
            return await self.server.handle_async_request(request)
        self.met.append(asked)
        if self.acts:
            await (await self.server.handle_async_request(request)).aread()
        return _response(self.stranger)

    async def aclose(self) -> None:
        await self.server.aclose()


def _asked(request: httpx.Request) -> Asked:
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Asked(request.method, path, parse_qs(query), headers, request.content)


def _response(answered: Answered) -> httpx.Response:
    headers = dict(answered.headers)
    if not isinstance(answered.body, bytes):
        answered = replace(answered, body=json.dumps(answered.body).encode())
        headers.setdefault("Content-Type", "application/json")
    return httpx.Response(answered.status, headers=headers, content=answered.body)


def carried(service: HttpService, between: Between) -> HttpService:
    """The same service, which reaches its server through ``between``."""
    service._door.transport = lambda connections: between  # type: ignore[method-assign]
    return service


def changes(asked: Asked) -> bool:
    return asked.method != "GET"


def reads(asked: Asked) -> bool:
    return asked.method == "GET"
