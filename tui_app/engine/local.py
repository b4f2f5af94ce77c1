"""The detached runner of a single host: one process, held by a file lock, that works until nothing is left.

Whoever confirms a run starts one; a second one finds the lock taken and leaves. Before a runner leaves it looks once
more after giving the lock back, so that work which was confirmed in between is not left lying.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tui_app.domain.errors import CannotConnect
from tui_app.domain.records import RunRecord
from tui_app.domain.stores import Store
from tui_app.engine.containment import Caught, contained
from tui_app.engine.worker import LOOK, Worker

LOCK = "runner.lock"
LOG = "runner.log"
TOGETHER = 8
"""Runs that one runner drives at a time."""

TRIES, PAUSE = 20, 0.05
"""A probe holds the lock for an instant: a runner tries this often, this many seconds apart."""

_log = logging.getLogger("quash.runner")


@contextmanager
def held(state: Path) -> Iterator[bool]:
    """Hold the runner's lock of a state folder for as long as the block runs; false where another has it.

    Raises:
        CannotConnect: what stands in the place of the lock cannot be opened, so that no runner can work.
    """
    try:
        descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotConnect(
            f"the runner's lock {state / LOCK} cannot be opened: {error.strerror}",
            hint="It is an empty file of yours. Mend that, then go on with `quash runs resume RUN`.",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


_started: list[tuple[Path, subprocess.Popen[bytes]]] = []
"""Runners that this process has started and that have not ended: kept, since one that is let go stays a zombie."""


def _reap() -> None:
    _started[:] = [(state, process) for state, process in _started if process.poll() is None]


@dataclass(frozen=True, slots=True)
class LocalLauncher:
    """Starts the detached runner: executed anew, in a session of its own, without our standard streams.

    ``command`` is what executes it; it inherits the environment, and with it credentials that came that way.
    """

    state: Path
    command: Sequence[str]

    def start(self) -> None:
        """Start a runner. One that finds another at work leaves by itself; its log says why one cannot start.

        Where the host does not let us, that is logged and no error: what there is to do stands in the journal by now,
        and whoever looks at the run is told that nobody works on it.
        """
        _reap()
        try:
            self._execute()
        except OSError as error:
            _log.error("no runner could be started in %s: %s", self.state, error.strerror)

    def _execute(self) -> None:
        log = self._opened_log()
        try:
            process = subprocess.Popen(  # noqa: S603
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                close_fds=True,
                cwd="/",
            )
        finally:
            os.close(log)
        _started.append((self.state, process))

    def _opened_log(self) -> int:
        """The descriptor of the log; where it cannot be opened, of nothing, since a run matters more than its log."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self.state / LOG, flags, 0o600)
        except OSError as error:
            _log.warning("%s cannot be opened: %s", self.state / LOG, error.strerror)
            return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def at_work(self) -> bool:
        """Whether a runner holds the lock, or one that was started here has not come to it yet."""
        _reap()
        if any(state == self.state for state, _ in _started):
            return True
        if not (self.state / LOCK).exists():
            return False
        if not os.access(self.state / LOCK, os.W_OK):
            # A folder that cannot be written, as on a read-only medium, has no runner.
            return False
        try:
            with held(self.state) as free:
                return not free
        except CannotConnect:
            # A runner has to open it, too; its log says why it cannot.
            return False


def runner_command(*options: str) -> list[str]:
    """The command line of a runner in this very installation."""
    return [sys.executable, "-m", "tui_app", *options, "runner"]


async def work(state: Path, store: Store, worker: Callable[[], Awaitable[Worker]]) -> int:
    """Work until nothing is left, under the lock; ``worker`` is made only once there is something to do.

    A run that could not even be paused is left as it is, and does not keep the runner.

    Returns:
        How many runs were brought to an end or a pause here; -1 where another runner was at work.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    driver = _Driver(store, worker, stopping)
    while not stopping.is_set():
        for _ in range(TRIES):
            with held(state) as ours:
                if ours:
                    await driver.drain()
                    break
            await asyncio.sleep(PAUSE)
        else:
            return -1
        if stopping.is_set() or not await driver.waiting():
            break
    return driver.driven


@dataclass(slots=True)
class _Driver:
    """Drives the runs of a journal, several at a time: one that waits for its system must not hold up another."""

    store: Store
    worker: Callable[[], Awaitable[Worker]]
    stopping: asyncio.Event
    driven: int = 0
    at_hand: Worker | None = None
    left: set[str] = field(default_factory=set)
    """Runs that could not go on and could not be paused: whoever starts next finds them."""

    async def waiting(self) -> list[str]:
        """Runs that want a runner."""
        return [run_id for run_id in await self.store.work.unfinished() if run_id not in self.left]

    async def drain(self) -> None:
        """Drive what there is, until nothing is left or the process is to stop."""
        driving: dict[str, asyncio.Task[RunRecord | Caught]] = {}
        leaving = asyncio.create_task(self.stopping.wait())
        try:
            while not self.stopping.is_set():
                for run_id in await self.waiting():
                    if run_id not in driving and len(driving) < TOGETHER:
                        self.at_hand = self.at_hand or await self.worker()
                        driving[run_id] = asyncio.create_task(contained(self.at_hand.drive(run_id)))
                if not driving:
                    break
                await asyncio.wait({*driving.values(), leaving}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                for run_id in [name for name, task in driving.items() if task.done()]:
                    self._ended(run_id, await driving.pop(run_id))
        finally:
            leaving.cancel()
            for run_id, task in driving.items():
                task.cancel()
                _log.info("run %s was interrupted; it can be resumed", run_id)
            await asyncio.gather(*driving.values(), return_exceptions=True)

    def _ended(self, run_id: str, run: RunRecord | Caught) -> None:
        if isinstance(run, Caught):
            self.left.add(run_id)
            return
        self.driven += 1
        if run.pause is not None:
            _log.warning("run %s is paused (%s): %s", run_id, run.pause.cause, run.pause.message or "")
        else:
            _log.info("run %s is %s", run_id, run.state)
