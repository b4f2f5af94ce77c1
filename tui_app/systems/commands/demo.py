"""Commands to try quash on: the same rows every time, with everything in them that is awkward in real life.

Row ``i`` depends on ``i`` alone, so that a larger demo begins with the rows of a smaller one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from tui_app.database import seeding
from tui_app.database.sqlite import transaction
from tui_app.database.statements import load
from tui_app.domain import moments
from tui_app.systems.commands import rules
from tui_app.systems.commands.schema import TALLY, prepare
from tui_app.systems.commands.words import (
    CANCELED,
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    IN_TROUBLESHOOTING,
    PENDING,
)

SQL = load("tui_app.systems.commands", "demo.sql")

NEWEST = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
APART = timedelta(seconds=7)
CHUNK = 24_000
IN_ONE_BATCH = 120
CERTAIN = 24
"""The newest rows, all of which can be cancelled; what comes after them follows ``_PATTERN``."""

MARKUP_ID = CERTAIN + 15
"""The row whose id looks like markup: ids are opaque here."""

MISSING_QUEUE = "billing__replies"

_PATTERN = (
    *[IN_TROUBLESHOOTING] * 13,
    PENDING,
    IN_PROGRESS,
    COMPLETED,
    COMPLETED,
    FAILED,
    CANCELED,
    IN_TROUBLESHOOTING,
)
_MISSING_AT, _HOSTILE_AT = 12, 19

_EVENTS = {
    IN_TROUBLESHOOTING: "MOVED_TO_TSQ",
    PENDING: "RETRY_SCHEDULED",
    IN_PROGRESS: "RECEIVED",
    COMPLETED: "COMPLETED",
    FAILED: "BUSINESS_RULE_FAILED",
    CANCELED: "OPERATOR_CANCEL",
}

_REASON = "superseded by a later request"

HOSTILE = (
    "[@click=app.quit]x[/]",
    "a[/]b",
    "\x1b[31mred\x1b[0m and \x1b[2Jcleared \x9b1m",
    "receipt-\u202egpj.exe",
    "\x1b]52;c;cXVhc2g=\x07clipboard",
    '=HYPERLINK("https://example.invalid","refund")',
    "zero\u200bwidth \ufeffand \u2066isolated\u2069",
    "支払いに失敗しました — naïve café 🚚",
    "first line\nsecond line\r\ttabbed",
    "Traceback: " + "payment gateway refused the request; " * 280,
)


@dataclass(frozen=True, slots=True)
class _Work:
    """One kind of command: its domain, its type, the process manager that sends it, and how it fails."""

    domain: str
    type: str
    process: str
    code: str
    error: str


_WORK = (
    _Work("payments", "DebitAccount", "OrderProcess", "INSUFFICIENT_FUNDS", "the account does not cover the amount"),
    _Work("payments", "RefundPayment", "ReturnProcess", "ALREADY_REFUNDED", "the payment was refunded before"),
    _Work("payments", "CapturePayment", "OrderProcess", "GATEWAY_TIMEOUT", "no answer from the gateway in 30 s"),
    _Work("orders", "ReserveStock", "OrderProcess", "OUT_OF_STOCK", "0 of 3 pieces left in the warehouse"),
    _Work("orders", "ConfirmOrder", "OrderProcess", "SCHEMA_MISMATCH", "field 'currency' is missing since 4.2.0"),
    _Work("shipping", "CreateLabel", "ShipmentProcess", "INVALID_ADDRESS", "the postal code does not match the city"),
    _Work("shipping", "BookCourier", "ShipmentProcess", "CARRIER_UNAVAILABLE", "the carrier answers 503"),
)


def seed(path: Path, rows: int) -> int:
    """Put the first ``rows`` demo commands into a file, made where there is none; how many were new.

    Rows that exist stay as they are. A seeding that was interrupted is completed by the next one.

    Raises:
        CannotConnect: the file cannot be opened, or is not a SQLite file.
        sqlite3.Error: it is locked, or the disk is full.
    """
    return seeding.seed(path, rows, CHUNK, prepare, _seed_chunk)


def _seed_chunk(connection: sqlite3.Connection, start: int, stop: int) -> int:
    ids = json.dumps([_id(number) for number in range(start, stop)])
    there = {row[0] for row in connection.execute(SQL["there"], (ids,))}
    rows = [_command(number) for number in range(start, stop) if _id(number) not in there]
    if not rows:
        return 0
    batches = {(row["domain"], row["batch_id"]): row["created_at"] for row in rows if row["batch_id"] is not None}
    with transaction(connection):
        connection.executemany(SQL["queue"], ({"name": name} for name in _queues()))
        with TALLY.added_at_once(connection, (row["status"] for row in rows)):
            connection.executemany(SQL["command"], rows)
        connection.executemany(SQL["audit"], (entry for row in rows for entry in _audit(row)))
        connection.executemany(SQL["payload"], ({"id": row["id"], "body": _payload(row)} for row in rows))
        connection.executemany(SQL["message"], _replies(rows))
        connection.executemany(SQL["process"], _processes(rows))
        connection.executemany(SQL["batch"], _batches(batches))
        connection.execute(SQL["recount"], {"batches": json.dumps(list(batches))})
    return len(rows)


def _id(number: int) -> str:
    """The id of one row, which is all that is needed to know whether it is there."""
    noise = _noise(number)
    command_id = "a[/]b" if number == MARKUP_ID else str(UUID(bytes=noise[:16], version=4))
    return rules.join_id(_WORK[noise[0] % len(_WORK)].domain, command_id)


def _noise(number: int, salt: str = "command") -> bytes:
    return hashlib.blake2b(f"{salt} {number}".encode(), digest_size=32).digest()


def _queues() -> Iterator[str]:
    yield from (f"{domain}__replies" for domain in sorted({work.domain for work in _WORK}))


def _command(number: int) -> dict[str, Any]:
    noise, item_id = _noise(number), _id(number)
    work = _WORK[noise[0] % len(_WORK)]
    certain = number < CERTAIN
    place = number % len(_PATTERN)
    status = IN_TROUBLESHOOTING if certain else _PATTERN[place]
    updated = NEWEST - number * APART
    hostile = number % 2 == 1 if certain else place == _HOSTILE_AT
    fields = {
        "domain": work.domain,
        "command_id": rules.split_id(item_id)[1],
        "type": work.type,
        "queue": f"{work.domain}__commands",
        "status": status,
        "attempts": 0 if status == PENDING else 1 + noise[1] % 3,
        "max_attempts": 3,
        **_failure(
            work,
            status,
            HOSTILE[(number // 2 if certain else number // len(_PATTERN)) % len(HOSTILE)] if hostile else None,
            noise[2],
        ),
        "created_at": moments.stamp(updated - timedelta(seconds=30 + noise[3])),
        "updated_at": moments.stamp(updated),
        "reply_queue": _reply_queue(work, noise[4], missing=not certain and place == _MISSING_AT),
        "correlation_id": None if noise[5] < 25 else str(UUID(bytes=noise[16:], version=4)),
        "batch_id": _batch_id(work.domain, number) if number % 4 == 2 else None,
    }
    if number == MARKUP_ID:
        fields |= {"type": HOSTILE[0], "error_code": "[bold]E1[/]"}
    return {"id": item_id, **fields}


def _failure(work: _Work, status: str, hostile: str | None, noise: int) -> dict[str, str | None]:
    if status in (PENDING, IN_PROGRESS, COMPLETED):
        return {"error_type": None, "error_code": "", "error": None}
    kind = "TRANSIENT" if work.code in ("GATEWAY_TIMEOUT", "CARRIER_UNAVAILABLE") else "PERMANENT"
    return {"error_type": kind, "error_code": work.code, "error": hostile or f"{work.error} (reference {noise:04d})"}


def _reply_queue(work: _Work, noise: int, *, missing: bool) -> str:
    if missing:
        return MISSING_QUEUE
    return "" if noise < 30 else f"{work.domain}__replies"


def _batch_id(domain: str, number: int) -> str:
    return str(UUID(bytes=_noise(number // IN_ONE_BATCH, f"batch {domain}")[:16], version=4))


def _batches(batches: dict[tuple[str, str], str]) -> Iterator[dict[str, Any]]:
    for (domain, batch_id), created in batches.items():
        name = f"{domain}, nightly import"
        yield {"domain": domain, "batch_id": batch_id, "name": name, "status": PENDING, "created_at": created}


def _details(row: dict[str, Any]) -> dict[str, Any]:
    if row["status"] != CANCELED:
        return {} if row["error"] is None else {"error_code": row["error_code"]}
    return rules.audit_details(
        operator=None, reason=_REASON, reply_to=row["reply_queue"], run_id=None, idempotency_key=None
    )


def _audit(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sent = {"reply_to": row["reply_queue"] or None}
    yield {"id": row["id"], "event": "SENT", "at": row["created_at"], "details": json.dumps(sent)}
    event = _EVENTS[row["status"]]
    yield {"id": row["id"], "event": event, "at": row["updated_at"], "details": json.dumps(_details(row))}


def _payload(row: dict[str, Any]) -> str:
    amount = int(row["created_at"][17:19]) * 100 + 99
    return json.dumps({"reference": row["command_id"][:8], "amount": amount, "currency": "EUR"})


def _replies(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row["status"] == CANCELED and row["reply_queue"]:
            keys = rules.reply_keys(row["domain"], row["command_id"], row["type"], row["correlation_id"])
            body = json.dumps(keys | rules.reply_template(_REASON, row["updated_at"]))
            yield {"queue": row["reply_queue"], "body": body, "enqueued_at": row["updated_at"]}


def _processes(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    kinds = {work.type: work.process for work in _WORK}
    for row in rows:
        known = row["correlation_id"] is not None and row["correlation_id"][0] in "0369"
        if known and row["type"] in kinds:
            yield {"correlation_id": row["correlation_id"], "type": kinds[row["type"]]}
