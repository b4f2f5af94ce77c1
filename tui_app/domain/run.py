"""Runs: the state machines of a run and of each item in it, answers, outcomes and their arithmetic.

```
item   planned ─▶ sending ─▶ accepted ─▶ cancelled
          │          ├────▶ already_cancelled
          │          ├────▶ refused
          │          └────▶ unknown ─▶ one of these once it is settled, or it stays
          └─▶ skipped
run    queued ─▶ running ⇄ paused ─▶ finished │ stopped
```
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from tui_app.domain.describe import Verb
from tui_app.domain.errors import Conflict, Refused
from tui_app.domain.items import Seen
from tui_app.domain.plan import Options


class ItemState(StrEnum):
    """Where one item of a run is."""

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    REINSTATED = "reinstated"
    ALREADY_CANCELLED = "already_cancelled"
    REFUSED = "refused"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


_SETTLED = frozenset({ItemState.CANCELLED, ItemState.REINSTATED, ItemState.ALREADY_CANCELLED, ItemState.REFUSED})
OUTCOMES = _SETTLED | {ItemState.SKIPPED, ItemState.UNKNOWN}
"""The states that are an answer; ``accepted`` is not one."""

EFFECTIVE = frozenset({ItemState.CANCELLED, ItemState.REINSTATED})
"""The outcomes that changed something, and are verified."""

ITEM_MOVES: Mapping[ItemState, frozenset[ItemState]] = {
    ItemState.PLANNED: frozenset({ItemState.SENDING, ItemState.SKIPPED}),
    ItemState.SENDING: _SETTLED | {ItemState.ACCEPTED, ItemState.UNKNOWN, ItemState.SKIPPED, ItemState.PLANNED},
    ItemState.ACCEPTED: _SETTLED | {ItemState.UNKNOWN, ItemState.SKIPPED},
    ItemState.UNKNOWN: _SETTLED,
    **dict.fromkeys(_SETTLED | {ItemState.SKIPPED}, frozenset()),
}
"""Where an item may go. ``sending`` returns to ``planned`` only when it is certain that nothing was sent, and
to ``skipped`` only when the guard of our own statement held it back, or when a stopped run looks and the system is
certain to hold nothing of ours; ``accepted`` for the latter alone."""


class SkipCode(StrEnum):
    """Why we sent nothing, beside the verdict codes of what was blocked."""

    DRIFTED = "DRIFTED"
    STOPPED = "STOPPED"
    FAULT = "FAULT"


class RunState(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"


RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.PAUSED, RunState.STOPPED}),
    RunState.RUNNING: frozenset({RunState.PAUSED, RunState.FINISHED, RunState.STOPPED}),
    RunState.PAUSED: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.STOPPED}),
    RunState.FINISHED: frozenset(),
    RunState.STOPPED: frozenset(),
}

OVER = frozenset({RunState.FINISHED, RunState.STOPPED})


class PauseCause(StrEnum):
    """Who or what paused a run."""

    OPERATOR = "operator"
    GATE = "gate"
    BREAKER = "breaker"
    CREDENTIALS = "credentials"
    PRINCIPAL = "principal"
    TARGET = "target"
    FAULT = "fault"


def check_run_move(current: RunState, wanted: RunState) -> None:
    """Refuse a change of state that the machine above does not have.

    Raises:
        Conflict: naming both states.
    """
    if wanted not in RUN_MOVES[current]:
        raise Conflict(f"a run that is {current} cannot become {wanted}", state=current.value)


@dataclass(frozen=True, slots=True)
class RunCounts:
    """How the items of a plan stand in its run; the six numbers sum to the plan.

    For an undo ``done`` is shown as ``reinstated`` in place of ``cancelled``.
    """

    done: int = 0
    already_cancelled: int = 0
    refused: int = 0
    skipped: int = 0
    unknown: int = 0
    pending: int = 0

    @classmethod
    def of(cls, states: Mapping[ItemState, int], items: int) -> RunCounts:
        """From the number of items in each recorded state, and the size of the plan."""

        def number(*wanted: ItemState) -> int:
            return sum(states.get(state, 0) for state in wanted)

        answered = number(*OUTCOMES)
        return cls(
            done=number(*EFFECTIVE),
            already_cancelled=number(ItemState.ALREADY_CANCELLED),
            refused=number(ItemState.REFUSED),
            skipped=number(ItemState.SKIPPED),
            unknown=number(ItemState.UNKNOWN),
            pending=items - answered,
        )

    def named(self, verb: Verb) -> dict[str, int]:
        """The six numbers under their published names."""
        numbers = asdict(self)
        done = numbers.pop("done")
        return {"reinstated" if verb is Verb.REINSTATE else "cancelled": done, **numbers}


def item_key(secret: bytes, run_id: str, system: str, item_id: str) -> str:
    """The idempotency key of one intention on one item: unguessable without the secret, reproducible with it.

    16 bytes of HMAC-SHA256 with the version and variant bits of a version-4 UUID, the form the case API wants.
    """
    raw = bytearray(_keyed_hash(secret, f"{run_id}\0{system}\0{item_id}")[:16])
    raw[6] = (raw[6] & 0x0F) | 0x40
    raw[8] = (raw[8] & 0x3F) | 0x80
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def intent_hash(secret: bytes, position: int, key: str, at: str) -> bytes:
    """The keyed hash of the intent to send an item: what says of it that it stands as it was written.

    An intent has no entry in the ledger; its outcome has, and repeats what is hashed here.
    """
    return _keyed_hash(secret, f"intent\0{position}\0{key}\0{at}")


def note_hash(secret: bytes, position: int, answer: str, at: str) -> bytes:
    """The keyed hash of an answer that came, as it is noted: one that does not match is no answer."""
    return _keyed_hash(secret, f"note\0{position}\0{answer}\0{at}")


def _keyed_hash(secret: bytes, text: str) -> bytes:
    """HMAC-SHA256 of a text."""
    keyed = _keyed(secret).copy()
    keyed.update(text.encode("utf-8", "surrogatepass"))
    return keyed.digest()


@lru_cache(maxsize=8)
def _keyed(secret: bytes) -> hmac.HMAC:
    """The hash that has taken in its key: that costs as much as a message, and a run has one key for all its items."""
    return hmac.new(secret, digestmod=hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Order:
    """One intention on one item, as it is handed to a system: the key, and what was seen, for the guard.

    ``sent_at`` is when it was about to be sent before, where it may have been: a key lives from then on. ``accepted``:
    the system has answered to this very order before that it works on it, and that answer is on disk.
    """

    id: str
    key: str
    seen: Seen
    sent_at: str | None = None
    accepted: bool = False


def first_of_each(orders: Iterable[Order]) -> dict[str, Order]:
    """The first order of each id, by id: what is given twice has one effect, and the second order finds it done."""
    first: dict[str, Order] = {}
    for order in orders:
        first.setdefault(order.id, order)
    return first


async def never() -> bool:
    """That nothing halts an errand."""
    return False


def unheard(_: Order, __: Answer) -> None:
    """That nobody listens to the answers of an errand before all of them are there."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One intent of this journal that may have had its effect: when it was sent, and until when it was under way.

    ``settled_at`` is the time at which its outcome was recorded; none while it is not known what became of it.
    ``done``: it was recorded as ours, cancelled or reinstated.
    """

    run_id: str
    key: str
    verb: Verb
    sent_at: str
    settled_at: str | None = None
    done: bool = False


async def no_others(item_id: str) -> Sequence[Intent]:
    """Return no intents: the default where no journal can be asked."""
    return ()


@dataclass(frozen=True, slots=True)
class Errand:
    """What all orders of a chunk share: on whose behalf, why, and as part of what.

    ``again``: what was cancelled before is meant to be cancelled once more.
    ``only_look``: the run was stopped, and whatever became of the orders, nothing is sent for them any more.
    ``halted`` tells whether a pause or a stop was asked for meanwhile; it raises nothing. ``intents`` returns every
    intent of this journal for one item of the system, of any run, that may have had its effect; it may raise
    ``Unavailable``. ``arrived`` is told each answer that comes before those to the other orders; it takes no time and
    raises nothing.
    """

    run_id: str
    chunk: int
    verb: Verb
    operator: str
    reason: str
    options: Options
    only_look: bool = False
    again: bool = field(default=False, kw_only=True)
    halted: Callable[[], Awaitable[bool]] = field(default=never, compare=False, repr=False)
    intents: Callable[[str], Awaitable[Sequence[Intent]]] = field(default=no_others, compare=False, repr=False)
    arrived: Callable[[Order, Answer], None] = field(default=unheard, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system said of one order; also what we decided ourselves (``skipped``).

    ``ours`` says whether an ``already_cancelled`` item was cancelled by this run: true, false, or not known; of an
    ``accepted`` one true where the system has answered so to our own request, and it was not only found under way.
    ``before`` and ``after`` are statuses in the system's own words. ``undo_until`` is the moment until which this
    cancellation can be undone, by the system's clock, where it can be.
    """

    state: ItemState
    code: str | None = None
    message: str | None = None
    ours: bool | None = None
    by: str | None = None
    before: str | None = None
    after: str | None = None
    undo_until: str | None = None

    @classmethod
    def refused(cls, order: Order, error: Refused) -> Answer:
        """That the system does not do this, in its words; nothing was changed."""
        status = order.seen.status
        return cls(ItemState.REFUSED, error.code, error.message, before=status, after=status)


@dataclass(frozen=True, slots=True)
class Made:
    """A cancellation that a run of ours made, as far as bringing it back depends on what was recorded of it.

    ``undo_until`` and ``said`` are the moment and the message of its answer; ``sent_at`` is when it was to be sent.
    """

    key: str | None
    sent_at: str | None
    undo_until: str
    said: str | None = None


def stopped(status: str, message: str) -> Answer:
    """The answer for an item of a stopped run of which it is certain that we did nothing to it."""
    return Answer(ItemState.SKIPPED, SkipCode.STOPPED.value, message, before=status, after=status)


class Verified(StrEnum):
    """What reading the system afterwards said of a cancelled item."""

    YES = "yes"
    CONTRADICTED = "contradicted"
    NOT_KNOWN = "not_known"
    UNDONE = "undone"
    """It held until a later run of the same journal took it back."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The system's own status and trail, held against what was recorded; ``note`` says what was found."""

    verified: Verified
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item, as it is recorded: immutable, and under a hash of its own."""

    position: int
    system: str
    id: str
    key: str | None
    answer: Answer

    def record(self) -> dict[str, Any]:
        """The row as it is hashed."""
        answer = self.answer
        return {
            "position": self.position,
            "system": self.system,
            "item": self.id,
            "key": self.key,
            "state": answer.state,
            "code": answer.code,
            "message": answer.message,
            "ours": answer.ours,
            "by": answer.by,
            "before": answer.before,
            "after": answer.after,
            "undo_until": answer.undo_until,
        }
