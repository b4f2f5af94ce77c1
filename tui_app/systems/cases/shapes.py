"""What servers of the case API say, in every shape that occurs: a case, its holds, impact, audit, errors. Pure.

Nothing here raises: what cannot be read is none, and whoever asks says that it is not known. The functions named
``is_…`` tell the API's own answers from those of somebody in between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tui_app.domain import moments
from tui_app.domain.items import Scalar
from tui_app.domain.ports import TrailEntry
from tui_app.outbound.answers import Response
from tui_app.systems.cases.rules import CANCEL_EVENT, REINSTATE_EVENT, REQUESTED_EVENT, WITHDRAWN_EVENT, Standing
from tui_app.systems.cases.words import CANCELLED, CANCELLING, LONGEST_TITLE, NO_ORDER, ORDER_IN_PROGRESS, STATUSES

LONGEST = 500
"""Characters of a server's own words that are kept."""

_CANCELLING = frozenset({CANCELLING, "canceling", "processing", "cancellation_pending", "cancellation_in_progress"})
_WRAPPERS = ("data", "case", "result")
_IN_THE_WAY = (("hold", "active"), ("order", ORDER_IN_PROGRESS), ("alert", "open"))
STATUS_EVENT = "STATUS_CHANGED"
"""The event of an entry that tells of a status, and of no cancellation."""

_FLAT_TIME = "modifiedDateTime"
"""What only the entries of the flat audit have: caseId, status, modifiedBy, modifiedDateTime."""

_KEYS = ("idempotency_key", "idempotencyKey", "x_idempotency_key")
_IDS = ("case_id", "caseId", "id")
_HOLDS = ("active_hold", "related_orders_status", "critical_alerts")
_ENTRIES = ("audit_entries", "entries", "events")
_LISTS = ("cases", "data", "items", "results")
_KNOWN = frozenset({*STATUSES, *_CANCELLING})
_FLAGS = ("allowed", "permitted", "granted", "has_permission")


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of a case; what it leaves out is none."""

    status: str | None = None
    version: str | None = None
    updated: str | None = None
    assigned_to: str | None = None
    deadline: str | None = None
    fields: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holds:
    """The three facts that hold a case, by what name, and every dependency as a sentence."""

    active_hold: bool
    related_orders_status: str
    critical_alerts: int
    named: str = ""
    listed: tuple[str, ...] = ()

    def standing(self, status: str) -> Standing:
        """With a status, what a verdict is about."""
        return Standing(status, self.active_hold, self.related_orders_status, self.critical_alerts, self.named)


@dataclass(frozen=True, slots=True)
class Impact:
    """What cancelling would do, as far as the server says so; ``read`` is the server's moment of the answer."""

    billing: bool | None = None
    notifications: int | None = None
    downstream: tuple[str, ...] | None = None
    duration: str | None = None
    rollback: bool | None = None
    deadline: str | None = None
    warnings: tuple[str, ...] = ()
    read: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server said of a change that it took on."""

    status: str | None
    deadline: str | None


def text_of(value: Any, longest: int = LONGEST) -> str | None:
    """A text of the server, held to a length; numbers are texts as well."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)[:longest]


def moment_of(value: Any) -> str | None:
    """A moment in our form; one without a zone is taken to be in UTC. None where it is not known."""
    return moments.stamped(value)


def unwrapped(value: Any) -> Mapping[str, Any]:
    """The object that an answer is about, out of the envelope that some servers put around it."""
    if not isinstance(value, dict):
        return {}
    inner = [value[name] for name in _WRAPPERS if isinstance(value.get(name), dict)]
    return inner[0] if len(inner) == 1 and "status" not in value else value


def status_word(value: Any) -> str | None:
    """A status in our spelling, from a text or from an object that holds one."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("status", "code", "name", "value") if name in value), None)
        return status_word(value)
    if not isinstance(value, str) or not value.strip():
        return None
    word = re.sub(r"[^a-z0-9]+", "_", value.strip().lower()).strip("_")
    if word == "canceled":
        return CANCELLED
    return CANCELLING if word in _CANCELLING else word[:LONGEST]


def told(value: Any, text: str = "") -> Told:
    """What the answer to a case or to its status says; it may be an object, a JSON text or plain text."""
    if not isinstance(value, dict):
        plain = value if isinstance(value, str) else text
        return Told(status=status_word(plain) if len(plain) <= LONGEST else None)
    case = unwrapped(value)
    metadata = case.get("metadata")
    more = metadata if isinstance(metadata, dict) else {}
    shown = {**more, **case}
    fields = {name: text_of(shown.get(name), LONGEST_TITLE) for name in ("type", "title", "priority", "environment")}
    reinstated = case.get("reinstated")
    return Told(
        status=status_word(case.get("status")),
        version=text_of(case.get("version")),
        updated=moment_of(case.get("updated_at")) or text_of(case.get("updated_at")),
        assigned_to=text_of(case.get("assigned_to")),
        deadline=moment_of(case.get("rollback_deadline")),
        fields=fields
        | {
            "created": moment_of(case.get("created_at")),
            "reinstated": reinstated if isinstance(reinstated, int) else None,
        },
    )


def holds(value: Any) -> Holds | None:
    """What holds a case; none where the answer has none of the three facts."""
    body = unwrapped(value)
    if not any(name in body for name in _HOLDS):
        return None
    given = body.get("dependencies")
    listed = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return Holds(
        active_hold=_flag(body.get("active_hold")),
        related_orders_status=status_word(body.get("related_orders_status")) or NO_ORDER,
        critical_alerts=_number(body.get("critical_alerts")),
        named=text_of(body.get("hold")) or ", ".join(_name(one) for one in listed if _in_the_way(one)),
        listed=tuple(_sentence(one) for one in listed),
    )


def _in_the_way(one: Mapping[str, Any]) -> bool:
    kind, status = str(one.get("type", "")).lower(), status_word(one.get("status"))
    return any(word in kind and status == state for word, state in _IN_THE_WAY)


def _name(one: Mapping[str, Any]) -> str:
    return f"{text_of(one.get('type')) or 'dependency'} {text_of(one.get('id')) or 'without a name'}"


def _sentence(one: Mapping[str, Any]) -> str:
    required = ", required" if one.get("required") is True else ""
    return f"{_name(one)}: {text_of(one.get('status')) or 'status not known'}{required}"


def _flag(value: Any) -> bool:
    """Whether something holds. Objects and names of holds mean that there is one."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "no", "none", "false", "0")
    return bool(value)


def _number(value: Any) -> int:
    if isinstance(value, list):
        return len(value)
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def impact(value: Any, read: str | None = None) -> Impact:
    """What an answer that was given at a moment says that cancelling would do."""
    body = unwrapped(value)
    inner = body.get("impact_assessment")
    found = inner if isinstance(inner, dict) else {}
    count, downstream, given = found.get("notifications_count"), found.get("downstream_systems"), body.get("warnings")
    billing, rollback = found.get("billing_affected"), found.get("rollback_available")
    return Impact(
        billing=billing if isinstance(billing, bool) else None,
        notifications=count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None,
        downstream=tuple(str(one)[:LONGEST] for one in downstream) if isinstance(downstream, list) else None,
        duration=text_of(found.get("estimated_duration")),
        rollback=rollback if isinstance(rollback, bool) else None,
        deadline=moment_of(found.get("rollback_deadline")),
        warnings=tuple(str(one)[:LONGEST] for one in given) if isinstance(given, list) else (),
        read=read,
    )


def receipt(value: Any) -> Receipt:
    """What an answer of success says of the change."""
    body = unwrapped(value)
    return Receipt(
        status_word(body.get("restored_status", body.get("status"))), moment_of(body.get("rollback_deadline"))
    )


def event_word(value: Any) -> str:
    """An event of the audit by our name where it is one that we know."""
    name = re.sub(r"[^A-Z0-9]+", "_", str(value)[:LONGEST].upper()).strip("_").replace("CANCELED", "CANCELLED")
    if name in (CANCEL_EVENT, "CANCELLED", "CANCEL", "CASE_CANCEL", "CASE_CANCELLATION_COMPLETED"):
        return CANCEL_EVENT
    if name in (REINSTATE_EVENT, "REINSTATED", "REINSTATE", "CASE_REINSTATE", "CANCELLATION_ROLLED_BACK"):
        return REINSTATE_EVENT
    known = {"CANCELLATION_REQUESTED": REQUESTED_EVENT, "CANCELLATION_WITHDRAWN": WITHDRAWN_EVENT}
    return known.get(name, name)


def entries(value: Any) -> list[TrailEntry]:
    """Return the entries of an audit log, oldest first; what is no entry is left out.

    An entry that tells only of a change of status has the event that this change is.
    """
    given = value
    if isinstance(value, dict):
        body = unwrapped(value)
        given = next((body[name] for name in _ENTRIES if name in body), value.get("data"))
        if given is None and _FLAT_TIME in body:
            given = [body]
    found = [_entry(one) for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return _status_changes(sorted(found, key=lambda entry: entry.at))


def _entry(one: Mapping[str, Any]) -> TrailEntry:
    flat = _FLAT_TIME in one
    when = one.get(_FLAT_TIME if flat else "timestamp")
    at = moment_of(when) or text_of(when) or ""
    if flat:
        return TrailEntry(at, STATUS_EVENT, text_of(one.get("modifiedBy")), {"new_status": one.get("status")})
    details = one.get("details")
    known = details if isinstance(details, dict) else {}
    return TrailEntry(at, event_word(one.get("event", "")), text_of(one.get("user_id")), known)


def _status_changes(trail: Sequence[TrailEntry]) -> list[TrailEntry]:
    """Name changes of status as the cancellation, or the reinstatement, that they are.

    An entry that repeats the status before it is not named: in a flat audit any other change of the case is one.
    """
    named, last = [], None
    for one in trail:
        if one.event == STATUS_EVENT:
            before = status_word(one.details.get("previous_status")) or last
            after = status_word(one.details.get("new_status"))
            last = after or last
            named.append(replace(one, event=_change(before, after), details=_with_before(one.details, before)))
            continue
        last = {CANCEL_EVENT: CANCELLED, REINSTATE_EVENT: None}.get(one.event, last)
        named.append(one)
    return named


def _change(before: str | None, after: str | None) -> str:
    if after is None or before == after:
        return STATUS_EVENT
    if after == CANCELLED:
        return CANCEL_EVENT
    if after == CANCELLING:
        return REQUESTED_EVENT
    return REINSTATE_EVENT if before == CANCELLED else STATUS_EVENT


def _with_before(details: Mapping[str, Any], before: str | None) -> dict[str, Any]:
    return {**details, "previous_status": before} if before is not None else dict(details)


def key_in(details: Mapping[str, Any]) -> str | None:
    """The idempotency key that an entry was made under, where it tells."""
    return next((text_of(details[name]) for name in _KEYS if details.get(name)), None)


def allowed(status: int, value: Any) -> bool | None:
    """What the API's answer about a permission means; none where it does not say."""
    if not 200 <= status < 300:
        return False if status == 403 else None
    if isinstance(value, dict):
        body = unwrapped(value)
        return next((_flag(body[name]) for name in _FLAGS if name in body), None)
    return value if isinstance(value, bool) else True


def is_about(value: Any, case_id: str) -> bool:
    """Whether an answer names this case; without an id, whether its status is one that cases have."""
    body = unwrapped(value)
    named = next((body[name] for name in _IDS if name in body), None)
    return str(named) == case_id if named is not None else status_word(body.get("status")) in _KNOWN


def is_status(response: Response, case_id: str) -> bool:
    """Whether an answer tells the status of this case, in an object or as one word that is a status of cases."""
    if isinstance(response.json, dict):
        return is_about(response.json, case_id)
    plain = response.text if response.json is None else response.json
    return isinstance(plain, str) and len(plain) <= LONGEST and status_word(plain) in _KNOWN


def is_change(response: Response, case_id: str) -> bool:
    """Whether an answer of success says that this case is cancelled, will be, or is brought back."""
    back = unwrapped(response.json).get("restored_status")
    return is_status(response, case_id) or (not _named(unwrapped(response.json)) and status_word(back) in _KNOWN)


def is_held(response: Response, case_id: str) -> bool:
    """Whether an answer tells what holds this case."""
    body = unwrapped(response.json)
    return any(name in body for name in _HOLDS) if not _named(body) else is_about(response.json, case_id)


def is_impact(response: Response, case_id: str) -> bool:
    """Whether an answer tells what cancelling this case would do."""
    body = unwrapped(response.json)
    return "impact_assessment" in body if not _named(body) else is_about(response.json, case_id)


def is_audit(response: Response, case_id: str) -> bool:
    """Whether an answer is the audit of this case; a bare list is where every entry of it is one, and there is one."""
    given = response.json
    if isinstance(given, dict) and isinstance(given.get("data"), list):
        given = given["data"]
    if isinstance(given, list):
        return bool(given) and all(isinstance(one, dict) and _is_entry(one, case_id) for one in given)
    body = unwrapped(given)
    return any(name in body for name in _ENTRIES) if not _named(body) else is_about(given, case_id)


def _is_entry(one: Mapping[str, Any], case_id: str) -> bool:
    named = next((one[name] for name in _IDS[:2] if name in one), case_id)
    return str(named) == case_id and ({"event", "timestamp"} <= one.keys() or _FLAT_TIME in one)


def is_list(response: Response) -> bool:
    """Whether an answer is a list of cases, of our kind or of another."""
    given = response.json
    rows = next((given[name] for name in _LISTS if name in given), None) if isinstance(given, dict) else given
    return isinstance(rows, list)


def is_permission(response: Response) -> bool:
    """Whether an answer of success says that a permission is held, or not: by a flag, or by having no body."""
    body = unwrapped(response.json)
    return not response.text.strip() or isinstance(response.json, bool) or any(name in body for name in _FLAGS)


def _named(body: Mapping[str, Any]) -> bool:
    return any(name in body for name in _IDS)
