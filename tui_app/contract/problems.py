"""Errors on the wire: one table between the error tree and ``application/problem+json`` (RFC 9457), both ways."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tui_app.contract.models import Wire
from tui_app.domain.errors import BY_CODE, Fault, QuashError, Refused, Unavailable
from tui_app.domain.moments import held

MEDIA_TYPE = "application/problem+json"

STATUS: dict[str, int] = {
    "REFUSED": 400,
    "USAGE": 400,
    "MALFORMED_ID": 400,
    "MALFORMED_FILTER": 400,
    "INVALID_REASON": 422,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "PLAN_EXPIRED": 409,
    "PLAN_CHANGED": 409,
    "DRIFTED": 409,
    "ABOVE_CAP": 422,
    "COUNT_DIFFERS": 409,
    "PHRASE_DIFFERS": 409,
    "NEEDS_TAKEOVER": 409,
    "TARGET_CHANGED": 409,
    "LEDGER_BROKEN": 409,
    "UNAVAILABLE": 503,
    "CANNOT_CONNECT": 503,
    "RATE_LIMITED": 429,
    "BUSY": 503,
    "STORAGE_FULL": 507,
    "OUTCOME_UNKNOWN": 504,
    "FAULT": 500,
}
"""The HTTP status of each code."""


class Problem(Wire):
    """A problem document. ``instance`` is the id under which the service logged it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    instance: str | None = None
    retry_after: float | None = None
    details: dict[str, Any] = Field(default_factory=dict)


def to_problem(error: QuashError, instance: str | None = None) -> Problem:
    """The document for an error."""
    return Problem(
        type=type_of(error.code),
        title=error.code.replace("_", " ").capitalize(),
        status=STATUS[error.code],
        detail=error.message,
        code=error.code,
        hint=error.hint,
        instance=instance,
        retry_after=error.retry_after if isinstance(error, Unavailable) else None,
        details=error.details,
    )


def type_of(code: object) -> str:
    """The type of a problem with this code."""
    return f"urn:quash:error:{code}"


def from_problem(problem: Problem) -> QuashError:
    """The error for a document; a code of a newer service becomes the family its status belongs to."""
    kind = BY_CODE.get(problem.code)
    if kind is None:
        kind = Fault if problem.status == 500 else Unavailable if problem.status >= 500 else Refused
    error = kind(problem.detail, hint=problem.hint)
    if isinstance(error, Unavailable):
        asked = problem.retry_after
        error.retry_after = None if asked is None else max(held(asked), 0.0)
    # Assigned, not passed: another service's details may bear the names of our parameters.
    error.details = dict(problem.details)
    return error
