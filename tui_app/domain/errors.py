"""What can go wrong, in four families named by what the operator does next.

```
QuashError
├── Refused            understood, and the answer is no: never retry
│   ├── UsageProblem       USAGE                 the command line, a profile or a request is malformed
│   ├── MalformedId        MALFORMED_ID
│   ├── MalformedFilter    MALFORMED_FILTER
│   ├── InvalidReason      INVALID_REASON
│   ├── NotFound           NOT_FOUND             item, plan, run or route
│   ├── Conflict           CONFLICT              the plan or run is not in a state that allows this
│   ├── NotSignedIn        UNAUTHORIZED
│   ├── NotAllowed         FORBIDDEN
│   ├── PlanExpired        PLAN_EXPIRED
│   ├── PlanChanged        PLAN_CHANGED          the hash does not match, or the file was edited
│   ├── Drifted            DRIFTED               items moved between plan and run
│   ├── AboveCap           ABOVE_CAP
│   ├── CountDiffers       COUNT_DIFFERS
│   ├── PhraseDiffers      PHRASE_DIFFERS
│   ├── NeedsTakeover      NEEDS_TAKEOVER        the run belongs to another principal
│   ├── TargetChanged      TARGET_CHANGED        the system is not the one that was planned against
│   └── LedgerBroken       LEDGER_BROKEN
├── Unavailable        nothing happened: later, with the same key
│   ├── CannotConnect      CANNOT_CONNECT
│   ├── RateLimited        RATE_LIMITED
│   ├── Busy               BUSY                  a lock or a connection was not to be had in time
│   └── StorageFull        STORAGE_FULL
├── OutcomeUnknown     OUTCOME_UNKNOWN           sent, and no answer: reconcile by reading
└── Fault              FAULT                     ours: an id, and where the log is
```

Every leaf carries a stable code, a sentence and a hint. Adapters translate at their edge; only connect and
pool errors may become ``Unavailable``, since a reset or a timeout looks the same before and after a commit.
"""

from __future__ import annotations

from typing import Any, ClassVar


class QuashError(Exception):
    """Base of everything quash raises on purpose.

    Attributes:
        code: stable, upper case; the key of the wire mapping and of the exit codes.
        message: one sentence that says what is in the way.
        hint: one sentence that says what to do next; may be empty.
        details: JSON-compatible facts for scripts.
    """

    code: ClassVar[str] = "FAULT"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint
        self.details: dict[str, Any] = details


class Refused(QuashError):
    """Understood, and the answer is no; retrying will not help."""

    code = "REFUSED"


class UsageProblem(Refused):
    """The command line, a profile or a request does not make sense."""

    code = "USAGE"
    default_hint = "See `quash --help`."


class MalformedId(Refused):
    """An id that cannot be an id of this system; nothing was looked up."""

    code = "MALFORMED_ID"


class MalformedFilter(Refused):
    """A filter that does not parse, or names a field the system does not have.

    ``names_only`` in its details: the system has no list, and shows only what a filter names by id.
    """

    code = "MALFORMED_FILTER"
    default_hint = "Terms look like field:value, field>value or free text; ! negates, quotes keep spaces."


class InvalidReason(Refused):
    """A reason outside 3 to 500 characters after trimming, or with control characters."""

    code = "INVALID_REASON"
    default_hint = "Write 3 to 500 characters that the receiver of the cancellation will understand."


class NotFound(Refused):
    """No such item, plan, run or route."""

    code = "NOT_FOUND"


class Conflict(Refused):
    """The plan or the run is not in a state that allows this."""

    code = "CONFLICT"


class NotSignedIn(Refused):
    """No credentials, or credentials that do not hold."""

    code = "UNAUTHORIZED"
    default_hint = "Check the token of this profile; `quash token` makes one for a local service."


class NotAllowed(Refused):
    """Signed in, and not permitted; also a profile that is read-only."""

    code = "FORBIDDEN"


class PlanExpired(Refused):
    """The plan's time has passed; tested when it is confirmed and at no other time."""

    code = "PLAN_EXPIRED"
    default_hint = "Make a new plan: what was previewed may have moved since."


class PlanChanged(Refused):
    """The plan is not the one that was reviewed: its hash differs."""

    code = "PLAN_CHANGED"
    default_hint = "Make a new plan, or give the hash of the plan that was reviewed with --hash."


class Drifted(Refused):
    """Items moved between plan and run, and the operator has not accepted that."""

    code = "DRIFTED"
    default_hint = "Make a new plan, or apply with --accept-drift: what cannot be cancelled any more is skipped."


class AboveCap(Refused):
    """More items in one plan than the profile allows."""

    code = "ABOVE_CAP"
    default_hint = "Split the work, or raise `cap` in the profile."


class CountDiffers(Refused):
    """The plan does not hold the number of items that was expected."""

    code = "COUNT_DIFFERS"
    default_hint = "Look at what the selection matches now; --expect-count is the number of items in the plan."


class PhraseDiffers(Refused):
    """The typed confirmation is not the one this plan asks for."""

    code = "PHRASE_DIFFERS"


class NeedsTakeover(Refused):
    """The run belongs to another principal; nothing is sent until an operator takes it over."""

    code = "NEEDS_TAKEOVER"
    default_hint = "Take it over with `quash runs resume RUN --take-over`; the ledger records it."


class TargetChanged(Refused):
    """The system behind the profile is not the one the plan was made against."""

    code = "TARGET_CHANGED"
    default_hint = "Check the profile. If the change is meant: `quash runs resume RUN --accept-target`."


class LedgerBroken(Refused):
    """The ledger does not verify; the first bad entry is named."""

    code = "LEDGER_BROKEN"
    default_hint = "Keep the file as it is, and compare the heads with those printed at the end of each run."


class Unavailable(QuashError):
    """Nothing happened; the same request with the same key may succeed later.

    ``retry_after`` is in seconds, from the server where it said so.
    """

    code = "UNAVAILABLE"

    def __init__(
        self, message: str, *, hint: str | None = None, retry_after: float | None = None, **details: Any
    ) -> None:
        super().__init__(message, hint=hint, **details)
        self.retry_after = retry_after


class CannotConnect(Unavailable):
    """The system or the service does not answer, and nothing was sent."""

    code = "CANNOT_CONNECT"
    default_hint = "Check that it runs and that the profile names it; nothing was sent."


class RateLimited(Unavailable):
    """The server asked us to wait.

    ``read`` is how much of what was asked for has been read and is kept for whoever asks again: it tells progress.
    """

    code = "RATE_LIMITED"
    read = 0


class Busy(Unavailable):
    """A lock, a connection or a file was not to be had in time."""

    code = "BUSY"
    default_hint = "Another process holds it; try again in a moment."


class StorageFull(Unavailable):
    """A disk or a quota is full; what was not written was not sent."""

    code = "STORAGE_FULL"
    default_hint = "Free some space, then resume; nothing is sent that cannot be written down first."


class OutcomeUnknown(QuashError):
    """Sent, and no answer came: only reading can tell what happened."""

    code = "OUTCOME_UNKNOWN"
    default_hint = "It is settled by reading the system; it is not a failure."


class Fault(QuashError):
    """A defect of ours."""

    code = "FAULT"


def _leaves(root: type[QuashError]) -> dict[str, type[QuashError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_leaves(child))
    return found


BY_CODE: dict[str, type[QuashError]] = (
    _leaves(Refused) | _leaves(Unavailable) | _leaves(OutcomeUnknown) | {Fault.code: Fault}
)
"""Every error class by its code, for the way back from the wire."""
