"""The paths of ``/v1``. An id stands in one segment, percent-encoded whole, so that its slash stays its own."""

from __future__ import annotations

from urllib.parse import quote

from tui_app.domain.errors import MalformedId

ABOUT = "/v1"
OPENAPI = "/v1/openapi.json"
ITEMS = "/v1/systems/{system}/items"
COUNT = "/v1/systems/{system}/count"
PROBE = "/v1/systems/{system}/check"
IDS = "/v1/systems/{system}/ids"
ITEM = "/v1/systems/{system}/items/{item}"
PREVIEW = "/v1/systems/{system}/items/{item}/preview"
TRAIL = "/v1/systems/{system}/items/{item}/trail"
PLANS = "/v1/plans"
PLAN_IMPORT = "/v1/plans/import"
PLAN = "/v1/plans/{plan}"
PLAN_ITEMS = "/v1/plans/{plan}/items"
PLAN_FILE = "/v1/plans/{plan}/file"
PLAN_CHECK = "/v1/plans/{plan}/check"
PLAN_RESUME = "/v1/plans/{plan}/resume"
PLAN_RUNS = "/v1/plans/{plan}/runs"
RUNS = "/v1/runs"
RUN = "/v1/runs/{run}"
RUN_ITEMS = "/v1/runs/{run}/items"
RUN_PAUSE = "/v1/runs/{run}/pause"
RUN_RESUME = "/v1/runs/{run}/resume"
RUN_STOP = "/v1/runs/{run}/stop"
RUN_RETRY = "/v1/runs/{run}/retry"
RUN_UNDO = "/v1/runs/{run}/undo"
RUN_VERIFY = "/v1/runs/{run}/verify"
LEDGER = "/v1/ledger"
LEDGER_CHECK = "/v1/ledger/check"

IDEMPOTENCY = "Idempotency-Key"

JSON_LINES = "application/jsonl"
"""The media type of plan files."""


def fill(template: str, **parts: str) -> str:
    """A path with its parts encoded, each into one segment.

    Raises:
        MalformedId: a part is empty or ``.`` or ``..``, which no path keeps as a segment, or holds half characters.
    """
    for name, part in parts.items():
        if part in ("", ".", ".."):
            raise MalformedId(f"{part!r} is not an id ({name})", hint="Copy it from the table.")
    try:
        return template.format(**{name: quote(part, safe="") for name, part in parts.items()})
    except UnicodeEncodeError as error:
        raise MalformedId("an id holds half characters", hint="Copy it from the table.") from error
