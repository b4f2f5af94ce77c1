"""`quash serve` that is killed: ``python -m support.killed_service POINT [--forgets] -- serve …``.

It is the service as it is, and sends itself SIGKILL at a point: the name of a call on a system's desk or on the file of
idempotency keys, with ``before_`` or ``after_`` in front. ``--forgets`` makes it a broken one, which gives the case
management another key at each request, and which the tests have to find.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from support.dying import Behind, Watched
from support.records import CaseRecords, ScheduleRecords
from support.world import WHO

NEVER = "never"
PATIENCE = 60

# Not held back, since the status is asked for until what was accepted is complete.
CONFIG = """
[profiles.local.cases]
native_read_rate = "1000/second"
[profiles.local.schedules]
"""


class Forgets(Behind):
    """A broken service's desk: the key of the request does not reach the system."""

    async def cancel(self, user: Any, case_id: str, wanted: Any) -> Any:
        return await self.inner.cancel(user, case_id, replace(wanted, key=str(uuid4())))


@dataclass
class Host:
    """Where the service runs, is killed and is started again: a folder with what it keeps and what it serves."""

    folder: Path

    def __post_init__(self) -> None:
        self.profile.mkdir(parents=True, mode=0o700)
        self.config.write_text(CONFIG, encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def _where(self) -> list[str]:
        return ["--data", str(self.folder), "--config", str(self.config)]

    @property
    def profile(self) -> Path:
        return self.folder / "profiles" / "local"

    @property
    def cases(self) -> CaseRecords:
        return CaseRecords(self.profile / "cases.db")

    @property
    def schedules(self) -> ScheduleRecords:
        return ScheduleRecords(self.profile / "schedules.db")

    @contextmanager
    def serving(self, point: str = NEVER, *, forgets: bool = False) -> Iterator[httpx.Client]:
        """A client of the service until it is killed, or to the end of the block."""
        broken = ["--forgets"] if forgets else []
        words = ["serve", "--port", "0", "--output", "json", *self._where]
        command = [sys.executable, "-m", "support.killed_service", point, *broken, "--", *words]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        assert process.stderr is not None
        with process.stderr as said:
            try:
                told = [json.loads(said.readline())["message"] for _ in range(2)]
                url = told[0].rpartition(" ")[2].removesuffix("/v1")
                headers = {"Authorization": f"Bearer {self._token()}", "X-User-ID": WHO.operator}
                with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE) as http:
                    yield http
            finally:
                process.send_signal(signal.SIGINT)
                code = process.wait(PATIENCE)
        assert (code == -signal.SIGKILL) == (point != NEVER), f"{point}: it ended with {code}"

    def _token(self) -> str:
        command = [sys.executable, "-m", "tui_app", "token", "--user", WHO.operator, *self._where]
        made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return made.stdout.strip()

    @property
    def claimed(self) -> bool:
        """Whether a killed service has left a claim on a key."""
        return self._keys("SELECT * FROM answer WHERE status IS NULL") != []

    def lease(self, seconds: float) -> None:
        """Let the claim that was left hold for so long from now, or have ended so long ago."""
        self._keys("UPDATE answer SET leased_until = unixepoch() + ? WHERE status IS NULL", seconds)

    def _keys(self, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.profile / "native.db")) as keys, keys:
            return keys.execute(query, values).fetchall()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("point")
    parser.add_argument("--forgets", action="store_true")
    parser.add_argument("words", nargs="+")
    given = parser.parse_args()

    from tui_app.cli.main import main as quash
    from tui_app.service.native import assembly, cases, schedules
    from tui_app.service.native.idempotency import Answers

    def reached(name: str) -> None:
        if name == given.point:
            os.kill(os.getpid(), signal.SIGKILL)

    case_api, schedule_api = cases.api, schedules.api

    def watched_cases(desk: Any, settings: Any) -> Any:
        return case_api(Watched(Forgets(desk) if given.forgets else desk, reached), settings)  # type: ignore[arg-type]

    def watched_schedules(desk: Any, settings: Any) -> Any:
        return schedule_api(Watched(desk, reached), settings)  # type: ignore[arg-type]

    changed: list[tuple[Any, str, Any]] = [
        (cases, "api", watched_cases),
        (schedules, "api", watched_schedules),
        (assembly, "Answers", lambda path: Watched(Answers(path), reached)),
    ]
    for module, name, replacement in changed:
        setattr(module, name, replacement)
    return int(quash(given.words))


if __name__ == "__main__":
    sys.exit(main())
