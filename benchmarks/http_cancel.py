"""How fast cases and schedules are cancelled over HTTP, one POST an item, against bare loops over httpx.

    python benchmarks/http_cancel.py [--items 800] [--rounds 3]

Needs the test dependencies. The servers are those of the tests, each in a process of its own with no limit of requests,
and a fresh one for every measurement; the machine steals time, so the best of the rounds counts, and only ratios of one
run say something. A bare loop has as many tasks as we have, and no checks, no journal, no verification: it sends the
POST that cancels, and looks at the status of the answer.

Ours reads each item before it is sent and after it was. An item therefore costs more than one request, and both ratios
are printed: of items, and of requests as the server counts them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
from journal import WHO, NoLauncher

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.case_server import JANE, TOKEN, CaseServer, Kept  # noqa: E402
from support.raw_server import Answered, Asked, raw_server  # noqa: E402
from support.schedule_servers import SECRET, LuxarisPosts  # noqa: E402
from tui_app.clock import SystemClock  # noqa: E402
from tui_app.domain.describe import Verb  # noqa: E402
from tui_app.domain.items import Selection  # noqa: E402
from tui_app.domain.plan import Options  # noqa: E402
from tui_app.domain.ports import System  # noqa: E402
from tui_app.domain.run import Errand, ItemState, Order, item_key  # noqa: E402
from tui_app.engine.planning import Planner  # noqa: E402
from tui_app.engine.steering import Steering  # noqa: E402
from tui_app.engine.worker import Worker  # noqa: E402
from tui_app.outbound.http import CONCURRENCY, HttpService  # noqa: E402
from tui_app.outbound.tokens import TokenSource  # noqa: E402
from tui_app.store.sqlite import open_store  # noqa: E402
from tui_app.systems.cases import dialects  # noqa: E402
from tui_app.systems.cases.http import HttpCases  # noqa: E402
from tui_app.systems.cases.line import CaseLine  # noqa: E402
from tui_app.systems.schedules import bodies  # noqa: E402
from tui_app.systems.schedules.http import HttpSchedules  # noqa: E402

OF_BARE = 0.8
REASON = "campaign postponed"
COUNTED = "/requests-so-far"


@dataclass(frozen=True)
class Rate:
    """Of one measurement, a second."""

    items: float
    requests: float


@dataclass(frozen=True)
class Kind:
    """One system: its server's name, our adapter, and the request that a bare loop sends for an id."""

    name: str
    open: Callable[[str], System]
    post: Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


def _cases(url: str) -> HttpCases:
    tokens = TokenSource.given(TOKEN)
    service = HttpService(url, tokens=tokens, shape=dialects.error_of)
    return HttpCases(CaseLine(service, tokens, JANE, clock=SystemClock()), url)


def _schedules(url: str) -> HttpSchedules:
    service = HttpService(url, tokens=TokenSource.given(SECRET), auth="x-session-id", shape=bodies.error_of)
    return HttpSchedules(url, dialect="luxaris", http=service)


async def _cancel_case(client: httpx.AsyncClient, case_id: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "X-User-ID": JANE, "X-Idempotency-Key": str(uuid4())}
    wish = {"reason": "operational_request", "notes": REASON, "notify_stakeholders": True}
    return await client.post(f"/api/v2/cases/{case_id}/cancel", json=wish, headers=headers)


async def _cancel_schedule(client: httpx.AsyncClient, schedule_id: str) -> httpx.Response:
    headers = {"X-Session-ID": SECRET}
    return await client.post(f"/api/v1/schedules/{schedule_id}/cancel", json={"reason": REASON}, headers=headers)


KINDS = (Kind("cases", _cases, _cancel_case), Kind("schedules", _schedules, _cancel_schedule))


async def serve(name: str, number: int) -> None:
    """Be a server with so many items: its address and their ids are printed, and it ends with its standard input."""
    if name == "cases":
        cases = CaseServer(cases={f"CASE-{n}": Kept() for n in range(number)})
        ids, handle = list(cases.cases), cases.handle
    else:
        posts = LuxarisPosts()
        ids, handle = [posts.add() for _ in range(number)], posts.handle
    count = 0

    def counted(asked: Asked) -> Answered:
        nonlocal count
        if asked.path == COUNTED:
            return Answered(200, count)
        count += 1
        return handle(asked)

    async with raw_server(counted) as raw:
        print(raw.url, *ids, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def server(kind: Kind, number: int) -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a fresh server, and its ids."""
    command = [sys.executable, __file__, "--serve", kind.name, "--items", str(number)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=2**24)
    assert process.stdin is not None
    assert process.stdout is not None
    url, *ids = (await process.stdout.readline()).decode().split()
    try:
        yield url, ids
    finally:
        process.stdin.close()
        await process.wait()


async def requests_of(url: str) -> int:
    """How many requests a server has had."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return int((await client.get(url + COUNTED)).json())


async def bare(kind: Kind, number: int, *, shared: bool) -> float:
    """Items a second by as many tasks as we have, over one client or one for each."""
    async with server(kind, number) as (url, ids):
        left = iter(ids)
        clients = [httpx.AsyncClient(base_url=url, trust_env=False) for _ in range(1 if shared else CONCURRENCY)]

        async def work(client: httpx.AsyncClient) -> None:
            for one in left:
                assert (await kind.post(client, one)).is_success

        begun = time.perf_counter()
        await asyncio.gather(*(work(clients[task % len(clients)]) for task in range(CONCURRENCY)))
        took = time.perf_counter() - begun
        for client in clients:
            await client.aclose()
    return number / took


async def sending(kind: Kind, number: int) -> Rate:
    """Our adapter alone: chunks are sent, each once it was seen; what follows is left out."""
    errand = Errand("bench", 0, Verb.CANCEL, WHO.operator, REASON, Options())
    async with server(kind, number) as (url, ids):
        system = kind.open(url)
        chunks = []
        for start in range(0, number, system.chunk_size):
            seen = await system.survey(ids[start : start + system.chunk_size])
            chunks.append([Order(one.id, item_key(b"bench", "bench", kind.name, one.id), one) for one in seen])
        before, begun = await requests_of(url), time.perf_counter()
        for chunk in chunks:
            answers = await system.execute(chunk, errand)
            sent = {answer.state for answer in answers}  # type: ignore[union-attr]
            assert sent <= {ItemState.ACCEPTED, ItemState.CANCELLED}, sent
        took = time.perf_counter() - begun
        requests = await requests_of(url) - before
        await system.close()
    return Rate(number / took, requests / took)


async def running(kind: Kind, number: int, folder: Path) -> Rate:
    """A whole run, from confirming it to finished and verified."""
    async with server(kind, number) as (url, ids):
        store, clock, systems = open_store(folder / "journal.db"), SystemClock(), {kind.name: kind.open(url)}
        planner = Planner(store, systems, clock)
        steering = Steering(store, systems, NoLauncher(), clock, environment="local", cap=None, read_only=False)
        chosen = Selection(kind.name, ids=tuple(ids))
        made = await planner.start([chosen], Verb.CANCEL, None, None, WHO)
        await planner.idle()
        plan = await store.plans.get(made.id)
        before, begun = await requests_of(url), time.perf_counter()
        run = await steering.confirm(
            plan.id,
            plan_hash=plan.hash or "",
            reason=REASON,
            options=Options(),
            phrase=None,
            expect_count=number,
            key="bench",
            who=WHO,
        )
        done = await Worker("bench", store, systems, clock, WHO).drive(run.id)
        took = time.perf_counter() - begun
        requests = await requests_of(url) - before
        assert done.states == {ItemState.CANCELLED: number}, done.states
        await planner.close()
        await store.close()
        await systems[kind.name].close()
    return Rate(number / took, requests / took)


async def measured(kind: Kind, number: int, rounds: int) -> None:
    """Measure one system, and print it; whether the figure is met."""
    plain, shared, sent, ran = [], [], [], []
    for _ in range(rounds):
        plain.append(await bare(kind, number, shared=False))
        shared.append(await bare(kind, number, shared=True))
        sent.append(await sending(kind, number))
        with tempfile.TemporaryDirectory() as name:
            ran.append(await running(kind, number, Path(name)))
    least, one = max(plain), max(shared)
    adapter, run = max(sent, key=lambda rate: rate.items), max(ran, key=lambda rate: rate.items)
    print(f"{number:,} {kind.name}, concurrency {CONCURRENCY}, best of {rounds} rounds, a second")
    print(f"  bare, a client for each task      {least:>8,.0f}")
    print(f"  bare, one client for all          {one:>8,.0f}")
    for title, rate in (("our adapter, sending", adapter), ("a run, confirmed to verified", run)):
        each = rate.requests / rate.items
        print(f"  {title:<30}    {rate.items:>8,.0f}   of {each:4.1f} requests each")
        print(f"    of bare, an item  {rate.items / least:5.2f}   a request  {rate.requests / least:5.2f}")
    met = adapter.requests / least >= OF_BARE
    print(f"  a request of the adapter / bare   target >= {OF_BARE:g}   {'met' if met else 'MISSED'}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=[kind.name for kind in KINDS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        await serve(options.serve, options.items)
        return
    for kind in KINDS:
        await measured(kind, options.items, options.rounds)


if __name__ == "__main__":
    asyncio.run(main())
