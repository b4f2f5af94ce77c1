"""Answers kept under idempotency keys, in a file, so that a restart of the service forgets none.

A key belongs to one principal, route and item. It is claimed before the handler runs, under a lease, and the answer
takes the claim's place. A service that dies in between leaves a claim that ends by itself; the request that comes again
then reaches the system once more, which knows the key and does nothing twice.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tui_app.database.sqlite import SqliteFile
from tui_app.database.statements import load
from tui_app.service.native.table import Declined

HEADER = "X-Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
"""The header that says that an answer is an earlier one, given again."""

PATTERN = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$"
"""A UUID of version 4 with its hyphens, as the OpenAPI document says it too."""

KEPT = timedelta(hours=24)
LEASE = timedelta(seconds=30)
"""How long the claim of a service that is no more still holds: longer than any handler waits for a lock."""

_SQL = load("tui_app.service.native", "native.sql")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a key is unique in."""

    principal: str
    route: str
    item: str
    key: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a key."""

    scope: Scope
    owner: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given."""

    status: int
    body: bytes


def key_of(given: Sequence[str]) -> str:
    """The idempotency key of a request, in its one spelling, from all headers of its name.

    Raises:
        Declined: it is missing, given twice, or no UUID of version 4.
    """
    if len(given) > 1:
        raise Declined(400, "VALIDATION_ERROR", f"this request has two {HEADER} headers", header=HEADER)
    text = given[0] if given else ""
    if re.fullmatch(PATTERN, text) is None:
        raise Declined(400, "VALIDATION_ERROR", f"{HEADER}: this request needs one, a UUID of version 4", header=HEADER)
    return text.lower()


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(_SQL["schema"])
    connection.execute(_SQL["schema_expiry"])


class Answers:
    """The keys and answers of one service, in a file that others may share."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path, _prepare)
        self._at_work: set[str] = set()

    async def claim(self, scope: Scope, body_hash: str, now: datetime) -> Claim | Kept:
        """The right to work on a key, or the answer that it had.

        Raises:
            Declined: the key came with another body, or is being worked on.
            Unavailable: the file cannot be used; nothing was done.
        """
        claim = Claim(scope, secrets.token_hex(8))
        found = await self._file.write(lambda connection: self._claim(connection, claim, body_hash, now))
        if isinstance(found, Claim):
            self._at_work.add(found.owner)
        return found

    def _claim(self, connection: sqlite3.Connection, claim: Claim, body_hash: str, now: datetime) -> Claim | Kept:
        at = now.timestamp()
        latest = {"leased": at + LEASE.total_seconds(), "kept": at + KEPT.total_seconds()}
        connection.execute(_SQL["clamp"], latest)
        connection.execute(_SQL["expire"], {"now": at})
        row = connection.execute(_SQL["find"], asdict(claim.scope)).fetchone()
        if row is not None:
            if row["body_hash"] != body_hash:
                raise Declined(
                    422, "IDEMPOTENCY_KEY_REUSED", f"{HEADER}: this key came with another body before", header=HEADER
                )
            if row["status"] is not None:
                return Kept(row["status"], row["body"])
            if row["leased_until"] > at or row["owner"] in self._at_work:
                raise Declined(
                    409,
                    "IDEMPOTENCY_KEY_IN_PROGRESS",
                    "a request with this key is still being processed",
                    headers={"Retry-After": "1"},
                )
        until = {"leased_until": (now + LEASE).timestamp(), "expires_at": (now + KEPT).timestamp()}
        connection.execute(_SQL["claim"], {**_named(claim), **until, "body_hash": body_hash})
        return claim

    async def keep(self, claim: Claim, kept: Kept) -> None:
        """Keep the answer to a claim; one that another has taken over since is left to it.

        Raises:
            Unavailable: it cannot be written.
        """
        await self._end("keep", claim, asdict(kept))

    async def release(self, claim: Claim) -> None:
        """Give a claim back, so that the same request may come again at once.

        Raises:
            Unavailable: it cannot be written; the claim ends by itself.
        """
        await self._end("release", claim, {})

    async def _end(self, statement: str, claim: Claim, more: dict[str, object]) -> None:
        try:
            await self._file.write(lambda connection: connection.execute(_SQL[statement], {**_named(claim), **more}))
        finally:
            self._at_work.discard(claim.owner)

    async def close(self) -> None:
        """Close the file."""
        await self._file.close()


def _named(claim: Claim) -> dict[str, object]:
    return {**asdict(claim.scope), "owner": claim.owner}
