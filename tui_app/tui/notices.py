"""What the operator is told when something goes wrong: one sentence for what is in the way, one for what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.content import Content

from tui_app.domain.errors import Fault, OutcomeUnknown, QuashError, RateLimited, Refused, Unavailable
from tui_app.tui.text import phrase, safe

Tone = Literal["info", "warning", "error"]

RETRY_SECONDS = 5.0
"""After how long a service that did not answer is asked again, where it names no time itself."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A banner. ``lasts`` until it is answered or the cause is gone; the others are said once and fade.

    ``retry`` is in seconds, None where retrying will not help.
    """

    tone: Tone
    text: Content
    lasts: bool = False
    retry: float | None = None


def told(error: QuashError) -> Notice:
    """What is said of an error, by its family."""
    hint = safe(error.hint)
    if isinstance(error, Refused):
        return Notice("warning", phrase("{}. {}", _sentence(error), hint))
    if isinstance(error, OutcomeUnknown):
        return Notice("warning", phrase("Not known: {}. {}", _sentence(error), hint), lasts=True)
    if isinstance(error, Unavailable):
        if isinstance(error, RateLimited) and error.retry_after is not None:
            # Waiting is what there is to do, and it is being done; whom to ask is for when that has not helped.
            return Notice("warning", phrase("{}.", _sentence(error)), lasts=True, retry=error.retry_after)
        retry = error.retry_after if error.retry_after is not None else RETRY_SECONDS
        return Notice("error", phrase("{}. {}", _sentence(error), hint), lasts=True, retry=retry)
    return Notice("error", phrase("A defect: {}. {}", _sentence(error), hint), lasts=True)


def _sentence(error: QuashError) -> Content:
    message = error.message.rstrip(". ")
    # A name of a host or an item keeps its letters.
    return safe(message[:1].upper() + message[1:] if message.partition(" ")[0].isalpha() else message)


def fault(error: Exception, report: str) -> QuashError:
    """What nobody foresaw, as an error that names the report."""
    return Fault(f"{type(error).__name__} in the console", hint=f"The report is at {report}; nothing else was changed.")
