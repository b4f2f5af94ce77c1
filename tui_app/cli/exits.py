"""Exit codes: what a script learns without reading a word. ``docs/exit-codes.md`` is generated from here."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from tui_app.domain.errors import Fault, QuashError

if TYPE_CHECKING:
    from tui_app.contract.runs import RunModel


class Exit(IntEnum):
    """How a command ended; ``told`` is the sentence of the documentation."""

    told: str

    def __new__(cls, code: int, told: str) -> Exit:
        member = int.__new__(cls, code)
        member._value_ = code
        member.told = told
        return member

    DONE = 0, "Done, and verified: cancelled, or reinstated by an undo. What was cancelled already counts as done."
    PARTLY = 1, "Some items were not cancelled, or something was not found."
    USAGE = 2, "The command line, the configuration, a filter, an id or a reason is malformed; nothing was done."
    NO_ACCESS = (
        3,
        "Cannot connect, not authorised, or there is no room to write: nothing happened, or the run pauses.",
    )
    TIMEOUT = 4, "`--timeout` passed, and the run goes on; or it could not be watched any longer, and may go on."
    STALE = 5, "Drift, or a plan or run that is stale, changed, used, or not in a state that allows this."
    LIMIT = 7, "Above the profile's cap, or the expected count differs; nothing was sent."
    UNKNOWN = 8, "An outcome or its verification is not known, or the system contradicts what was recorded."
    LEDGER = 9, "The ledger does not verify."
    FAULT = 70, "A defect of quash; it says where the report is."
    RATE_LIMITED = (
        75,
        "Rate limited, and the wait would pass `--timeout`, for a plan or a run (it goes on); or it is not waited for.",
    )
    INTERRUPTED = 130, "Interrupted, paused by an operator, or left without a runner; the run can be resumed."
    NO_READER = 141, "Whoever read the output went away."


PRECEDENCE = (Exit.UNKNOWN, Exit.NO_ACCESS, Exit.STALE, Exit.LIMIT, Exit.RATE_LIMITED, Exit.PARTLY)
"""Which one a run exits with, where several apply: the first of these."""

BY_CODE: Mapping[str, Exit] = MappingProxyType(
    {
        "REFUSED": Exit.PARTLY,
        "USAGE": Exit.USAGE,
        "MALFORMED_ID": Exit.USAGE,
        "MALFORMED_FILTER": Exit.USAGE,
        "INVALID_REASON": Exit.USAGE,
        "PHRASE_DIFFERS": Exit.USAGE,
        "NOT_FOUND": Exit.PARTLY,
        "UNAUTHORIZED": Exit.NO_ACCESS,
        "FORBIDDEN": Exit.NO_ACCESS,
        "NEEDS_TAKEOVER": Exit.NO_ACCESS,
        "CONFLICT": Exit.STALE,
        "PLAN_EXPIRED": Exit.STALE,
        "PLAN_CHANGED": Exit.STALE,
        "DRIFTED": Exit.STALE,
        "TARGET_CHANGED": Exit.STALE,
        "ABOVE_CAP": Exit.LIMIT,
        "COUNT_DIFFERS": Exit.LIMIT,
        "LEDGER_BROKEN": Exit.LEDGER,
        "UNAVAILABLE": Exit.NO_ACCESS,
        "CANNOT_CONNECT": Exit.NO_ACCESS,
        "BUSY": Exit.NO_ACCESS,
        "STORAGE_FULL": Exit.NO_ACCESS,
        "RATE_LIMITED": Exit.RATE_LIMITED,
        "OUTCOME_UNKNOWN": Exit.UNKNOWN,
        "FAULT": Exit.FAULT,
    }
)
"""How a command ends that raised an error, by the error's code."""

_PAUSES: Mapping[str, Exit] = MappingProxyType(
    {
        "credentials": Exit.NO_ACCESS,
        "principal": Exit.NO_ACCESS,
        "breaker": Exit.NO_ACCESS,
        "target": Exit.STALE,
        "fault": Exit.FAULT,
        "gate": Exit.RATE_LIMITED,
        "operator": Exit.INTERRUPTED,
    }
)
_NOT_PERMITTED = frozenset({"FORBIDDEN", "UNAUTHORIZED"})


def of_error(error: QuashError) -> Exit:
    """The exit code of an error."""
    return BY_CODE.get(error.code, BY_CODE[Fault.code])


def of_run(run: RunModel) -> Exit:
    """The exit code of a run that is over or paused, by everything that became of its items."""
    found = {_of_outcome(line.state, line.code, accepted=run.options.accept_drift) for line in run.outcomes}
    if run.counts["unknown"] or run.verified.contradicted or run.verified.not_known:
        found.add(Exit.UNKNOWN)
    if run.pause is not None:
        found.add(_PAUSES.get(run.pause.cause, Exit.INTERRUPTED))
    for code in PRECEDENCE:
        if code in found:
            return Exit.INTERRUPTED if code is Exit.PARTLY and Exit.INTERRUPTED in found else code
    return Exit.INTERRUPTED if Exit.INTERRUPTED in found else Exit.DONE


def _of_outcome(state: str, code: str | None, *, accepted: bool) -> Exit:
    if state not in ("refused", "skipped") or code == "ALREADY_CANCELLED":
        return Exit.DONE
    if code in _NOT_PERMITTED:
        return Exit.NO_ACCESS
    if code == "DRIFTED" and not accepted:
        return Exit.STALE
    return Exit.RATE_LIMITED if code == "RATE_LIMITED" else Exit.PARTLY
