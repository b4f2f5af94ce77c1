"""The ledger: an append-only, hash-chained record of who did what.

Each run has a chain of its own, so that workers do not wait for each other; heads of runs are entered in one global
chain (``GLOBAL``). An entry's hash covers its place, the hash before it in its chain, and the exact bytes of its body.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tui_app.domain.canonical import canonical
from tui_app.domain.errors import LedgerBroken, UsageProblem
from tui_app.domain.filters import nearest_of
from tui_app.domain.run import OUTCOMES

GLOBAL = ""
"""The name of the chain that holds the plans and the heads of the runs."""

GENESIS = bytes(32)
"""What the first entry of a chain follows."""

_PREFIX = b"quash-ledger-v1\0"


class Event(StrEnum):
    """What an entry records."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    STARTED = "started"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMED = "resumed"
    TAKEN_OVER = "taken_over"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    CHUNK = "chunk"
    VERIFIED = "verified"
    UNDO = "undo"
    HEAD = "head"
    REFUSED = "refused"


EVENTS = frozenset(Event) | frozenset(OUTCOMES)
"""What a line can say: the event of an entry, or the outcome of an item."""


def check_event(name: str) -> str:
    """Refuse what no line of a ledger says.

    Raises:
        UsageProblem: naming the nearest events.
    """
    if name in EVENTS:
        return name
    near = nearest_of(name, EVENTS, 3) or sorted(EVENTS)
    raise UsageProblem(f"{name!r} is no event of the ledger", hint=f"Events: {', '.join(near)}.", fields=["event"])


def entry_hash(sequence: int, previous: bytes, body: bytes) -> bytes:
    r"""``SHA-256("quash-ledger-v1\0" ‖ sequence u64 ‖ previous ‖ body)``, the sequence big-endian."""
    return hashlib.sha256(_PREFIX + struct.pack(">Q", sequence) + previous + body).digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is stored: ``seq`` counts all entries of a ledger from 1, ``chain`` is a run or global."""

    seq: int
    chain: str
    previous: bytes
    hash: bytes
    body: bytes

    @classmethod
    def make(cls, seq: int, chain: str, number: int, previous: bytes, facts: dict[str, Any]) -> Entry:
        """The entry at ``seq``, the ``number``-th of its chain, counted from 0."""
        body = canonical({**facts, "chain": chain, "number": number})
        return cls(seq, chain, previous, entry_hash(seq, previous, body), body)

    @property
    def facts(self) -> dict[str, Any]:
        """The body, read."""
        read: dict[str, Any] = json.loads(self.body)
        return read


def rows_digest(hashes: Iterable[bytes]) -> str:
    """The digest of a chunk's rows, in order, that its entry holds."""
    sha = hashlib.sha256()
    for one in hashes:
        sha.update(one)
    return sha.hexdigest()


@dataclass(slots=True)
class _Chain:
    number: int = 0
    head: bytes = GENESIS


def check_chains(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Pass entries on, in the order of ``seq``, as long as they hold.

    Raises:
        LedgerBroken: naming the first entry whose sequence, link, number, hash or recorded head does not hold.
    """
    chains: dict[str, _Chain] = {}
    expected = 1
    for entry in entries:
        if entry.seq != expected:
            raise LedgerBroken(f"entry {expected} is missing", seq=expected)
        expected += 1
        chain = chains.setdefault(entry.chain, _Chain())
        problem = _problem(entry, chain, chains)
        if problem:
            raise LedgerBroken(f"entry {entry.seq}: {problem}", seq=entry.seq)
        chain.number += 1
        chain.head = entry.hash
        yield entry


def _problem(entry: Entry, chain: _Chain, chains: dict[str, _Chain]) -> str | None:
    if entry.hash != entry_hash(entry.seq, entry.previous, entry.body):
        return "its hash does not match its content"
    if entry.previous != chain.head:
        return "it does not follow the entry before it"
    facts = entry.facts
    if facts.get("chain") != entry.chain or facts.get("number") != chain.number:
        return "it stands in another place than it was written for"
    if facts.get("event") == Event.HEAD and chains.get(facts["run"], _Chain()).head.hex() != facts["head"]:
        return f"the head of run {facts['run']} is not the one recorded"
    return None
