"""A way to the service that can be cut, and that can lie about what it carries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from support.backend import Service
from tui_app.client.backend import BackendClient
from tui_app.contract.principal import Principal


class Wire(httpx.AsyncBaseTransport):
    """Between the console and a service. ``cut`` makes it answer nothing; ``change`` alters what comes back.

    ``lost`` is how the paths begin that alone are not answered; ``answered`` are the paths of all answers so far.
    """

    def __init__(self, service: Service, change: Callable[[str, Any], Any] | None = None) -> None:
        self._inner = service.transport(Principal("jane@example.com", unlimited=True))
        self._url = service.url
        self._change = change
        self.cut = False
        self.lost: str | None = None
        self.answered: list[str] = []

    def client(self) -> BackendClient:
        return BackendClient(self._url, self, origin="the service")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut or (self.lost and request.url.path.startswith(self.lost)):
            raise httpx.ConnectError("connection refused", request=request)
        answer = await self._inner.handle_async_request(request)
        self.answered.append(request.url.path)
        if self._change is None or not answer.is_success:
            return answer
        body = self._change(request.url.path, json.loads(await answer.aread()))
        return httpx.Response(answer.status_code, json=body, request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def about(**facts: object) -> Callable[[str, Any], Any]:
    """Other facts about who is asking and on which profile."""
    return lambda path, body: {**body, **facts} if path == "/v1" else body


WRITTEN_BY_OTHERS = {
    "actor", "after", "before", "by", "detail", "error", "event", "hint", "host", "lines", "many", "message", "note",
    "one", "operator", "problem", "profile", "reason", "selection", "store", "text", "title", "warnings", "id_example",
    "reason_goes_to", "reason_templates",
}  # fmt: skip


def poison(text: str) -> Callable[[str, Any], Any]:
    """Every text that somebody outside wrote becomes this one; ids, states and numbers stay what they are."""

    def changed(value: Any, name: str = "", *, free: bool = False) -> Any:
        if isinstance(value, dict):
            return {key: changed(each, key, free=free or name in ("fields", "details")) for key, each in value.items()}
        if isinstance(value, list):
            return [changed(each, name, free=free) for each in value]
        wanted = free or name in WRITTEN_BY_OTHERS
        return text if wanted and isinstance(value, str) and name not in ("id", "status") else value

    return lambda path, body: changed(body)
