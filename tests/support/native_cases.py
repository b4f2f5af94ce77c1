"""The native routes of cases on a running service, over a bench of cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from support.backend import KEY, WHO, Way, listening, make_backend, token
from support.cases_bench import CasesBench, cases_bench
from support.native_api import _Open
from support.world import make_world
from tui_app.client.transport import BASE_URL
from tui_app.contract.principal import Principal
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.native.cases import api
from tui_app.service.native.dispatch import NativeService
from tui_app.service.native.idempotency import HEADER, Answers
from tui_app.systems.cases.plug import CasesSettings

STRANGER = "ops2@example.com"
"""Neither holds the permission nor is assigned to a case of the bench."""

WISH = {"reason": "operational_request", "notes": "Cancelled via OpsGuide", "notify_stakeholders": True}
BACK = {"reason": "rollback_cancellation", "restore_previous_state": True, "notes": "cancelled by mistake"}


@dataclass
class ServedCases:
    """The way to the routes, and the bench behind them. Jane is assigned to every case, and has no permission."""

    url: str
    transport: httpx.AsyncBaseTransport | None
    bench: CasesBench

    def http(self, user: str = WHO.operator, *permissions: str, **headers: str) -> httpx.AsyncClient:
        given = {"Authorization": f"Bearer {token(user, permissions)}", "X-User-ID": user, **headers}
        sent = {name: value for name, value in given.items() if value}
        return httpx.AsyncClient(base_url=self.url, transport=self.transport, headers=sent, trust_env=False)

    async def cancel(self, http: httpx.AsyncClient, case_id: str, key: str = "", **wish: Any) -> httpx.Response:
        headers = {HEADER: key or str(uuid4())}
        return await http.post(f"/api/v2/cases/{case_id}/cancel", json={**WISH, **wish}, headers=headers)

    async def reinstate(self, http: httpx.AsyncClient, case_id: str, key: str = "", **wish: Any) -> httpx.Response:
        headers = {HEADER: key or str(uuid4())}
        return await http.post(f"/api/v2/cases/{case_id}/reinstate", json={**BACK, **wish}, headers=headers)


@asynccontextmanager
async def served_cases(
    way: Way, folder: Path, settings: CasesSettings | None = None, **times: float
) -> AsyncIterator[ServedCases]:
    """A service with the case API, in this process or on a socket."""
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(cases_bench(folder, **times))
        native = NativeService(
            [api(bench.open().desk, settings or CasesSettings())], Answers(folder / "native.db"), bench.clock
        )
        backend = replace(make_backend(make_world(folder), Authenticator({"": KEY})), native=native)
        transport = None
        if way == "tcp":
            url = await stack.enter_async_context(listening(create_app(backend)))
        else:
            url, transport = BASE_URL, _Open(create_app(backend), principal=Principal("nobody"))
            stack.push_async_callback(transport.shut)
        yield ServedCases(url, transport, bench)
