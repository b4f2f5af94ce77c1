"""The operations of the case API on behalf of a user: what its native routes call, with the API's own words for bodies.

Any user may read. Cancelling and reinstating go through the same guarded writes as a run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tui_app.domain.errors import Conflict, NotAllowed, NotFound, QuashError
from tui_app.domain.items import PageQuery
from tui_app.domain.verdict import Verdict, VerdictCode
from tui_app.systems.cases import bodies, rules
from tui_app.systems.cases import embedded_read as read
from tui_app.systems.cases.answers import WITHDRAWN
from tui_app.systems.cases.embedded_write import Behalf, Wish, accept, audit, reinstate

if TYPE_CHECKING:
    from tui_app.systems.cases.embedded import EmbeddedCases

T = TypeVar("T")

PERMISSION = "cancel_case"
OTHERS = "not known here: what a user may do stands in the token that the user brings"

_HOLDS = {
    VerdictCode.ACTIVE_HOLD.value,
    VerdictCode.RELATED_ORDER.value,
    VerdictCode.CRITICAL_ALERT.value,
    VerdictCode.CLAIMED.value,
}


class InvalidCaseState(Conflict):
    """The case is not in a state that allows this: it has ended, or its window has closed; nothing was changed."""


class CaseInTheWay(Conflict):
    """A hold, a dependency or another cancellation is in the way, and can be resolved; nothing was changed."""


class KeyTaken(Conflict):
    """The idempotency key stands for another request on this case."""


@dataclass(frozen=True, slots=True)
class User:
    """On whose behalf something is asked, and whether the permission ``cancel_case`` is held."""

    name: str
    permitted: bool


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What is asked for: the API's reason code, the words, whether stakeholders are told, and the caller's key."""

    reason: str
    notes: str
    notify: bool
    key: str


@dataclass(frozen=True, slots=True)
class Reinstatement:
    """What is asked for; ``restore`` brings back the status, the workflows and the records that the case had."""

    reason: str
    notes: str
    restore: bool
    key: str


class CasesDesk:
    """The case API over the embedded file. Every body is a JSON-compatible mapping."""

    def __init__(self, cases: EmbeddedCases) -> None:
        self._cases = cases

    async def permission(self, user: User, asked: str) -> dict[str, Any]:
        """Whether a user may cancel cases; asking about somebody else needs the permission itself.

        A token says what its own bearer may do. Of others nothing is known here, and the answer says so.

        Raises:
            NotAllowed: it is about somebody else, and the permission is not held.
        """
        if asked == user.name:
            return bodies.permission(asked, PERMISSION, allowed=user.permitted)
        if user.permitted:
            return bodies.permission(asked, PERMISSION, allowed=False, note=OTHERS)
        raise NotAllowed(
            f"{user.name} may not ask what others may do: the permission {PERMISSION} is missing",
            missing=[PERMISSION],
        )

    async def list(self, query: PageQuery) -> dict[str, Any]:
        """A page of cases, each with the three facts that hold it.

        Raises:
            MalformedFilter: a field or a value that cases cannot be filtered or sorted by.
        """
        page = await self._cases.page(query)
        return bodies.page(page, query, await self._cases.count(query.filter, as_of=query.as_of))

    async def case(self, case_id: str) -> dict[str, Any]:
        """One case.

        Raises:
            NotFound: there is none.
        """
        return bodies.case(await self._cases.item(case_id))

    async def status(self, case_id: str) -> dict[str, Any]:
        """The status of a case.

        Raises:
            NotFound: there is none.
        """
        return bodies.status(await self._cases.item(case_id), self._cases.clock.now())

    async def preview(self, case_id: str) -> dict[str, Any]:
        """What cancelling it would do.

        Raises:
            NotFound: there is none.
        """
        times = self._cases.times

        def work(connection: sqlite3.Connection, now: str) -> dict[str, Any]:
            return bodies.preview(case_id, read.case_of(connection, case_id), now, times)

        return await self._cases.read(work)

    async def dependencies(self, case_id: str) -> dict[str, Any]:
        """What holds a case, and on what it depends.

        Raises:
            NotFound: there is none.
        """

        def work(connection: sqlite3.Connection, _: str) -> dict[str, Any]:
            row = read.row_of(connection, case_id)
            standing = rules.Standing(*read.standing_of(row))
            return bodies.dependencies(standing, read.dependencies(connection, case_id))

        return await self._cases.read(work)

    async def audit_log(self, case_id: str) -> dict[str, Any]:
        """The audit of a case, oldest first.

        Raises:
            NotFound: there is none.
        """

        def work(connection: sqlite3.Connection, _: str) -> dict[str, Any]:
            read.row_of(connection, case_id)
            return bodies.audit_log(case_id, read.trail(connection, case_id))

        return await self._cases.read(work)

    async def cancel(self, user: User, case_id: str, wanted: Cancellation) -> dict[str, Any]:
        """Accept a cancellation. Asked again with the same key, it says what became of the one that was accepted.

        Raises:
            NotFound: there is no such case.
            NotAllowed: the user neither holds the permission nor is assigned to the case; it is recorded.
            InvalidCaseState: the case has ended, or is cancelled already.
            CaseInTheWay: a hold, a dependency or another cancellation.
            KeyTaken: the key was used for another cancellation of this case.
        """

        def work(connection: sqlite3.Connection, now: str) -> dict[str, Any] | QuashError:
            refusal = self._refusal(connection, user, case_id, "cancel", now, wanted.key)
            if refusal is not None:
                return refusal
            earlier = _earlier(connection, user, case_id, wanted)
            if earlier is not None:
                return earlier
            behalf = Behalf(user.name, wanted.reason, wanted.notes, wanted.notify)
            if not accept(connection, [Wish(case_id, wanted.key)], behalf, now, self._cases.times):
                stand = read.found(connection, [case_id], now)[case_id]
                return _in_the_way(case_id, stand.cancel, stand.status, read.dependencies(connection, case_id))
            row = connection.execute(read.SQL["cancellation"], (case_id, wanted.key)).fetchone()
            return bodies.cancellation(case_id, row)

        return await self._settle(work)

    async def reinstate(self, user: User, case_id: str, wanted: Reinstatement) -> dict[str, Any]:
        """Bring a cancelled case back. Asked again with the same key, it says what was done.

        Raises:
            NotFound: there is no such case.
            NotAllowed: the user neither holds the permission nor is assigned to the case; it is recorded.
            InvalidCaseState: it is not cancelled, or its window has closed.
            CaseInTheWay: downstream has acted on the cancellation.
        """

        def work(connection: sqlite3.Connection, now: str) -> dict[str, Any] | QuashError:
            refusal = self._refusal(connection, user, case_id, "reinstate", now, wanted.key)
            if refusal is not None:
                return refusal
            done = _reinstated(connection, user, case_id, wanted.key)
            if done is None:
                behalf = Behalf(user.name, wanted.reason, wanted.notes)
                wish = Wish(case_id, wanted.key)
                if not reinstate(connection, [wish], behalf, now, restore=wanted.restore):
                    stand = read.found(connection, [case_id], now)[case_id]
                    return _in_the_way(case_id, stand.back, stand.status, [])
                done = _reinstated(connection, user, case_id, wanted.key)
            assert done is not None
            return done

        return await self._settle(work)

    async def _settle(self, work: Callable[[sqlite3.Connection, str], dict[str, Any] | QuashError]) -> dict[str, Any]:
        """Write; a refusal is raised once what it recorded is on disk."""
        told = await self._cases.write(work)
        if isinstance(told, QuashError):
            raise told
        return told

    def _refusal(
        self, connection: sqlite3.Connection, user: User, case_id: str, verb: str, now: str, key: str
    ) -> QuashError | None:
        try:
            row = read.row_of(connection, case_id)
        except NotFound as error:
            return error
        if user.permitted or row["assigned_to"] == user.name:
            return None
        missing = {"permission": PERMISSION, "ownership": f"assigned_to is {row['assigned_to'] or 'nobody'}"}
        details = {"operation": verb, "missing": missing, "idempotency_key": key, "status": row["status"]}
        audit(connection, case_id, rules.REFUSED_EVENT, now, user.name, details)
        return NotAllowed(
            f"{user.name} may not {verb} case {case_id}: the permission {PERMISSION} is missing, and so is ownership "
            f"(the case is assigned to {row['assigned_to'] or 'nobody'})",
            missing=[PERMISSION, "assigned_to"],
            case_id=case_id,
        )


def _earlier(
    connection: sqlite3.Connection, user: User, case_id: str, wanted: Cancellation
) -> dict[str, Any] | QuashError | None:
    """What became of the cancellation that was accepted under this key; None where there is none."""
    row = connection.execute(read.SQL["cancellation"], (case_id, wanted.key)).fetchone()
    if row is None or row["operator"] != user.name:
        return None
    if (row["reason"], row["notes"], bool(row["notify"])) != (wanted.reason, wanted.notes, wanted.notify):
        return KeyTaken(f"this key stands for another cancellation of case {case_id}", hint="Use a new key.")
    if row["state"] == WITHDRAWN:
        return _raised(row["code"], f"case {case_id}: {row['message']}", case_id=case_id)
    return bodies.cancellation(case_id, row)


def _reinstated(connection: sqlite3.Connection, user: User, case_id: str, key: str) -> dict[str, Any] | None:
    for entry in read.trail(connection, case_id):
        ours = entry.event == rules.REINSTATE_EVENT and entry.actor == user.name
        if ours and entry.details.get("idempotency_key") == key:
            return bodies.reinstatement(case_id, entry)
    return None


def _in_the_way(case_id: str, verdict: Verdict, status: str, dependencies: list[dict[str, Any]]) -> QuashError:
    code = VerdictCode.NOT_KNOWN if verdict.code is None else verdict.code
    facts: dict[str, Any] = {"case_id": case_id, "case_status": status}
    if code in (VerdictCode.ACTIVE_HOLD, VerdictCode.RELATED_ORDER, VerdictCode.CRITICAL_ALERT) and dependencies:
        facts["dependencies"] = dependencies
    return _raised(code.value, f"case {case_id}: {verdict.reason}", **facts)


def _raised(code: str, message: str, **facts: Any) -> QuashError:
    kind = CaseInTheWay if code in _HOLDS else InvalidCaseState
    return kind(message, reason=code, **facts)
