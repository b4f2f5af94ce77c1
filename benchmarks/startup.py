"""How soon quash answers: ``--version`` against a bare interpreter, the console against an empty Textual app.

Run alone: ``python benchmarks/startup.py [ROUNDS]``. Each round starts the sides in turn; the least of all rounds is
compared, since what a busy machine adds is never negative. The console is opened in a pseudo-terminal on demo data.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Mapping, Sequence

SIZE = (40, 120)
PATIENCE = 30.0
EMPTY = """
from textual.app import App
from textual.widgets import Static

class Empty(App):
    def compose(self):
        yield Static("ready")

Empty().run()
"""


def finished(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds until a command has ended."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def painted(command: Sequence[str], environment: Mapping[str, str], *texts: bytes) -> list[float]:
    """Seconds until each text has come to the terminal, in their order; the command is then ended."""
    began = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], list(command), dict(environment))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    seen, times = b"", []
    for text in texts:
        while text not in seen:
            if not select.select([terminal], [], [], PATIENCE)[0]:
                raise SystemExit(f"{command}: {text!r} did not come")
            seen += os.read(terminal, 65536)
        times.append(time.perf_counter() - began)
    os.kill(child, 9)
    os.waitpid(child, 0)
    os.close(terminal)
    return times


def least(rounds: int, *measures: Callable[[], Sequence[float]]) -> list[float]:
    """The least of each figure over the rounds."""
    found = [[figure for measure in measures for figure in measure()] for _ in range(rounds)]
    return [min(column) for column in zip(*found, strict=True)]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as data:
        environment = {**os.environ, "QUASH_DATA": data, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        quash = [sys.executable, "-m", "tui_app"]
        subprocess.run(
            [*quash, "demo", "--no-open", "--data", data], env=environment, stdout=subprocess.DEVNULL, check=True
        )
        bare, version, empty, first, rows = least(
            rounds,
            lambda: [finished([sys.executable, "-c", "pass"], environment)],
            lambda: [finished([*quash, "--version"], environment)],
            lambda: painted([sys.executable, "-c", EMPTY], environment, b"ready"),
            lambda: painted(quash, environment, b"Commands", b"RefundPayment"),
        )
    print(f"--version    {version * 1000:6.0f} ms, {version / bare:5.2f} x python -c pass (figure: 2.5)")
    print(f"first paint  {first * 1000:6.0f} ms, {first / empty:5.2f} x an empty Textual app (figure: 1.15)")
    print(f"first rows   {rows * 1000:6.0f} ms, {rows / empty:5.2f} x an empty Textual app (figure: 2.0)")


if __name__ == "__main__":
    main()
