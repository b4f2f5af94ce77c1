"""Errors of ours as the status, code and words that a native API answers with."""

from __future__ import annotations

import math

from tui_app.domain.errors import Fault, NotSignedIn, QuashError, RateLimited, Unavailable
from tui_app.service.native.table import FINAL, Declined
from tui_app.service.requests import Rejected

STATUS = {
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "RATE_LIMITED": 429,
    "OUTCOME_UNKNOWN": 504,
    "FAULT": 500,
}
"""The status of our codes. Of the others, what is unavailable is 503, and a refusal is the request's own fault: 400."""

CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
    504: "OUTCOME_UNKNOWN",
}
"""The code of each status where the API has no word of its own."""

_NO_MEDIA = 415


def status_of(error: QuashError) -> int:
    """The HTTP status of an error on a native route."""
    if isinstance(error, Declined):
        return error.status
    if isinstance(error, Rejected):
        return 400 if error.status == _NO_MEDIA else error.status
    return STATUS.get(error.code, 503 if isinstance(error, Unavailable) else 400)


def code_of(error: QuashError) -> str:
    """The code of an error on a native route."""
    return error.error_code if isinstance(error, Declined) else CODES[status_of(error)]


def words_of(error: QuashError) -> str:
    """The sentence of an error. What is in our way is told without the names of files, which are nobody's business."""
    if isinstance(error, Unavailable) and not isinstance(error, RateLimited):
        return "this cannot be done now, and nothing was changed; send the same request again later"
    return error.message


def headers_of(error: QuashError) -> dict[str, str]:
    """The headers that go with an error."""
    found = dict(error.headers) if isinstance(error, Declined | Rejected) else {}
    if isinstance(error, NotSignedIn):
        found["WWW-Authenticate"] = 'Bearer realm="quash"'
    if isinstance(error, Unavailable):
        found["Retry-After"] = str(max(1, math.ceil(error.retry_after or 1)))
    return found


def is_final(error: QuashError) -> bool:
    """Whether the same request would get this again, so that it may be kept under its key."""
    if isinstance(error, Declined):
        return error.final
    return not isinstance(error, Unavailable | Fault) and status_of(error) in FINAL
