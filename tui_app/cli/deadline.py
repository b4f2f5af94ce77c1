"""Until when somebody waits, as ``--timeout`` says; and how far off a moment is."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tui_app.domain import moments

if TYPE_CHECKING:
    from tui_app.cli.dispatch import Call


def seconds_to(moment: str) -> float:
    """Seconds from now to a moment; below zero once it has passed, and zero where it is not known."""
    known = moments.known(moment)
    return 0.0 if known is None else (known - datetime.now(UTC)).total_seconds()


class TimeIsUp(TimeoutError):
    """``--timeout`` has passed before there was anything to send; its text says what was waited for."""


class Deadline:
    """The end of a wait that begins as this is made; there is none where no ``--timeout`` was given."""

    def __init__(self, call: Call) -> None:
        limit: int | None = getattr(call.arguments, "timeout", None)
        self._ends = math.inf if limit is None else time.monotonic() + limit

    @property
    def left(self) -> float:
        """Seconds that are left; infinitely many where there is no end."""
        return self._ends - time.monotonic()

    def before(self, moment: str) -> bool:
        """Whether the wait ends before a moment comes."""
        return seconds_to(moment) > self.left
