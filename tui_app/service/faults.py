"""Defects of ours, written where their owner can read them: the traceback, without values and without tokens."""

from __future__ import annotations

import logging
import os
import re
import secrets
import traceback
from datetime import datetime
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
    trace = without_secrets("".join(traceback.format_exception(error)))
    entry = f"{stamp(now)} {fault_id}\n{trace}\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(entry.encode("utf-8", "backslashreplace"))
    except OSError:
        _LOG.error("%s", entry)
        return _fault(fault_id, "the log of the service"), fault_id
    return _fault(fault_id, str(path)), fault_id


def _fault(fault_id: str, where: str) -> Fault:
    return Fault(
        f"something in quash broke ({fault_id})",
        hint=f"What it was stands in {where}, under {fault_id}.",
        id=fault_id,
    )
