"""Defects of ours, written where their owner can read them: the traceback, without values and without tokens."""

from __future__ import annotations

import logging
import os
import re
import secrets
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tui_app.domain.errors import Fault
from tui_app.domain.moments import stamp

_LOG = logging.getLogger(__name__)

_SECRETS = re.compile(
    r"(?P<scheme>\b(?:Bearer|Basic)\s+)[^\s'\"]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?P<url>\w+://[^\s:/@'\"]*:)[^\s@'\"]+(?=@)"
    r"|(?P<named>\b(?:password|passwd|token|secret)\s*[=:]\s*)[^\s,;'\"]+",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """The text with tokens, passwords in URLs and the like replaced."""
    return _SECRETS.sub(lambda found: f"{found['scheme'] or found['url'] or found['named'] or ''}***", text)


def note(error: BaseException, path: Path, now: datetime) -> tuple[Fault, str]:
    """Write a defect down, and say where: the error to answer with, and its id.

    Where the file cannot be written the process' log gets it.
    """
    fault_id = secrets.token_hex(6)
    where = str(path) if _written(error, fault_id, path, now) else "the log of the service"
    return _fault(fault_id, where), fault_id


def _written(error: BaseException, fault_id: str, path: Path | None, now: datetime) -> bool:
    trace = without_secrets("".join(traceback.format_exception(error)))
    entry = f"{stamp(now)} {fault_id}\n{trace}\n"
    try:
        if path is None:
            raise FileNotFoundError
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(entry.encode("utf-8", "backslashreplace"))
    except OSError:
        _LOG.error("%s", entry)
        return False
    return True


def _fault(fault_id: str, where: str) -> Fault:
    return Fault(
        f"something in quash broke ({fault_id})",
        hint=f"What it was stands in {where}, under {fault_id}.",
        id=fault_id,
    )


@dataclass(frozen=True, slots=True)
class Reports:
    """Where the engine writes down defects: the file ``path``, or the log of the process where there is none.

    Errors of one kind from one line have one report, however many items they ended.
    """

    path: Path | None = None
    _ids: dict[tuple[object, ...], str] = field(default_factory=dict)

    def note(self, error: Exception) -> str:
        """The id of the report of this error, written now if it is new."""
        lines = traceback.extract_tb(error.__traceback__)
        key = (type(error), *((frame.filename, frame.lineno) for frame in lines[-3:]))
        if key not in self._ids:
            self._ids[key] = secrets.token_hex(6)
            _written(error, self._ids[key], self.path, datetime.now(UTC))
        return self._ids[key]
