"""Crash reports: where in our code, and never with what. Local variables hold tokens, so they are left out."""

from __future__ import annotations

import os
import platform
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tui_app import __version__


def write_report(error: BaseException, folder: Path | None = None) -> Path:
    """Write a report that only its owner can read, and say where.

    The messages of exceptions are left out as well: they quote what they choked on.
    """
    place = folder if folder is not None and folder.is_dir() else Path(tempfile.gettempdir())
    now = datetime.now(UTC)
    path = place / f"quash-crash-{now:%Y%m%dT%H%M%S%f}-{os.getpid()}.txt"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"quash {__version__} on Python {platform.python_version()}, {now:%Y-%m-%d %H:%M:%S} UTC\n")
        for cause in _chain(error):
            file.write(f"\n{type(cause).__module__}.{type(cause).__qualname__}\n")
            for frame in traceback.extract_tb(cause.__traceback__):
                file.write(f"  {frame.filename}:{frame.lineno} {frame.name}\n    {frame.line}\n")
    return path


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found
