"""`quash serve` of the profile `local` as a process of its own, on a port that is free or that is named."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Served(NamedTuple):
    """A service: its address, the file with its token, and the process."""

    url: str
    token: Path
    process: subprocess.Popen[str]


@contextmanager
def serving(*words: str, port: int = 0) -> Iterator[Served]:
    """A service until the end of the block, if nobody kills it before."""
    command = [sys.executable, "-m", "tui_app", "serve", "--port", str(port), "--output", "json", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process.stderr as said:
        told = [json.loads(said.readline())["message"] for _ in range(2)]
        try:
            yield Served(told[0].rpartition(" ")[2].removesuffix("/v1"), Path(told[1].rpartition(" ")[2]), process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
