"""How long an operator waits for a service that others load, against the same service when it is idle.

Run alone: ``python benchmarks/service_load.py [--asks N] [--rows N] [--silent N]``. A served demo profile is asked
by an operator, first alone, then beside silent connections, heads that come a byte at a time, and one token without
permissions that sends filters and selections at their limits, from a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tui_app.contract.models import MOST_IDS
from tui_app.contract.plans import MOST_SELECTIONS
from tui_app.domain.filters import LONGEST_FILTER, MOST_TERMS, MOST_VALUES

FIGURE_S = 1.0
PATHS = ("/v1/plans", "/v1/runs", "/v1/systems/commands/items?limit=100&count=true", "/v1/ledger")
SLOW = 20
VIEWERS = 8
"""Requests that the viewer has on the way at a time."""


def quash(*words: str) -> list[str]:
    return [sys.executable, "-m", "tui_app", *words]


@contextlib.contextmanager
def served(folder: Path, rows: int) -> Iterator[tuple[str, str, str]]:
    """A served demo profile: its address, a token of an operator, and one without permissions."""
    where = ("--data", str(folder), "--no-config")
    subprocess.run(quash("demo", "--no-open", "--rows", str(rows), *where), check=True, capture_output=True)
    tokens = [
        subprocess.run(quash("token", "--user", user, *more, *where), check=True, capture_output=True, text=True)
        for user, more in (("operator", ("--permission", "operate")), ("viewer", ()))
    ]
    command = quash("serve", "--port", "0", "--output", "json", *where)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        url = json.loads(process.stderr.readline())["message"].rpartition(" ")[2].removesuffix("/v1")
        yield url, tokens[0].stdout.strip(), tokens[1].stdout.strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def asked(url: str, token: str, number: int) -> list[float]:
    """Seconds of each of an operator's requests, on connections of their own, as verbs make them."""
    taken = []
    for count in range(number):
        began = time.perf_counter()
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(url + PATHS[count % len(PATHS)], headers=headers, timeout=60, trust_env=False)
        answer.raise_for_status()
        taken.append(time.perf_counter() - began)
    return taken


async def load(url: str, token: str, silent: int) -> None:
    """Load a service until this process is ended; says so once all of it is under way."""
    host, _, port = url.removeprefix("http://").rpartition(":")

    async def stand(said: bytes, pause: float) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, int(port))
                for at in range(len(said) or 1):
                    writer.write(said[at : at + 1])
                    await writer.drain()
                    await asyncio.sleep(pause)
                writer.close()
            await asyncio.sleep(pause)

    wide = " ".join(f"!type:{number}" for number in range(MOST_TERMS - 1))
    values = ",".join(f"t{number}" for number in range(MOST_VALUES - MOST_TERMS))
    filters = f"{wide} type:{values}"[:LONGEST_FILTER]
    ids = [f"payments/c{number:06}" for number in range(MOST_IDS // MOST_SELECTIONS)]
    body = {"selections": [{"system": "commands", "ids": ids}] * MOST_SELECTIONS}
    content = json.dumps(body).encode()

    async def view(http: httpx.AsyncClient, number: int) -> None:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if number % 4 == 0:
                    await http.post("/v1/plans", content=content, headers={"Content-Type": "application/json"})
                elif number % 4 == 1:
                    await http.post("/v1/plans", json={"selections": [{"system": "commands", "filter": filters}]})
                elif number % 4 == 2:
                    await http.get("/v1/systems/commands/items", params={"filter": filters, "count": "true"})
                else:
                    await http.get("/v1/plans")

    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
        tasks = [asyncio.create_task(stand(b"", 5)) for _ in range(silent)]
        tasks += [
            asyncio.create_task(stand(b"GET /v1 HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 300, 0.1)) for _ in range(SLOW)
        ]
        tasks += [asyncio.create_task(view(http, number)) for number in range(VIEWERS)]
        await asyncio.sleep(1)
        print("loading", flush=True)
        await asyncio.gather(*tasks)


@contextlib.contextmanager
def loaded(url: str, token: str, silent: int) -> Iterator[None]:
    """The time for which another process loads a service."""
    command = [sys.executable, __file__, "--load", url, "--silent", str(silent)]
    environment = {**os.environ, "LOAD_TOKEN": token}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "loading":
            raise SystemExit("the load did not begin")
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asks", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--silent", type=int, default=200)
    parser.add_argument("--load", metavar="URL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        asyncio.run(load(given.load, os.environ["LOAD_TOKEN"], given.silent))
        return
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), given.rows) as (url, operator, viewer):
        asked(url, operator, len(PATHS))
        idle = asked(url, operator, given.asks)
        with loaded(url, viewer, given.silent):
            beside = asked(url, operator, given.asks)
        after = asked(url, operator, given.asks)
    rows = {"idle": idle, "loaded": beside, "idle again": after}
    for name, taken in rows.items():
        worst = max(taken) * 1000
        print(f"{name:>10}: median {statistics.median(taken) * 1000:7.1f} ms   longest {worst:8.1f} ms")
    median = statistics.median(beside)
    ratio = median / statistics.median(idle + after)
    print(f"\nratio loaded : idle {ratio:.1f}")
    met = "met" if median <= FIGURE_S else "MISSED"
    print(f"figure: an operator is answered within {FIGURE_S:g} s (median) while it is loaded: {met}")


if __name__ == "__main__":
    main()
