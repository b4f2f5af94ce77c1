"""Keeps the heads of the ledger outside of the journal: in the system's log, and in a file that an operator names."""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from tui_app.domain.anchors import anchor_line, anchors_in, read_anchor
from tui_app.domain.errors import UsageProblem
from tui_app.domain.records import RunRecord

SYSLOG = Path("/dev/log")
_PRIORITY = 1 * 8 + 5
"""Facility user, severity notice."""

_log = logging.getLogger("quash.heads")


@dataclass(frozen=True, slots=True)
class Heads:
    """Tells the head at the end of each run to whoever keeps it.

    ``syslog`` is the socket of the system's log, which need not be there; ``file`` is the anchor file of the profile.
    """

    profile: str
    file: Path | None = None
    syslog: Path | None = SYSLOG

    def keep(self, run: RunRecord) -> None:
        """Tell the head of a run that is over. What cannot be told is logged: the run is over all the same."""
        if run.head is None or run.ended_at is None:
            return
        if self.syslog is not None:
            self._log_head(self.syslog, run)
        if self.file is not None:
            try:
                self._append(self.file, anchor_line(run.ended_at, run.id, run.head))
            except OSError as error:
                _log.error("the head %s of run %s is not in %s: %s", run.head, run.id, self.file, error.strerror)

    def anchors(self) -> list[tuple[int, str]]:
        """The heads in the anchor file; none where no file is named, or nothing was written to it yet.

        Raises:
            UsageProblem: the file cannot be read, or holds something else.
        """
        if self.file is None or not self.file.exists():
            return []
        return [read_anchor(text) for text in read_anchors(self.file)]

    def _log_head(self, path: Path, run: RunRecord) -> None:
        told = f"<{_PRIORITY}>quash[{os.getpid()}]: ledger head {run.head}, run {run.id} {run.state}, {self.profile}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                # A log that is full must not hold up a run.
                sending.setblocking(False)
                sending.sendto(told.encode("utf-8", "replace"), str(path))
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("the head of run %s is not in the system's log: %s", run.id, error.strerror)

    def _append(self, path: Path, line: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


LARGEST = 64 * 1024 * 1024
"""Bytes of an anchor file at most."""


def read_anchors(path: Path) -> list[str]:
    """The anchors of a file, as they stand there.

    Raises:
        UsageProblem: the file cannot be read, or is larger than such a file can be.
    """
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
        if len(found) > LARGEST:
            raise UsageProblem(f"the anchor file {path} holds more than {LARGEST:,} bytes", hint="Check its path.")
        return anchors_in(found.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageProblem(
            f"the anchor file {path} cannot be read: {why}", hint="Check its path and rights."
        ) from error
