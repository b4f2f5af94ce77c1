"""What a schedule service writes, read with suspicion: schedules, refusals, audits, and the token in a reason.

Pure. A reader raises ``ValueError`` for what it cannot understand: a schedule that is left out because it looks strange
would be one that goes out unseen.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui_app.domain import moments
from tui_app.domain.errors import MalformedId
from tui_app.domain.foreign_json import dump
from tui_app.domain.run import Errand
from tui_app.domain.visible import visible
from tui_app.outbound.recognition import Said, said
from tui_app.systems.schedules.rules import CANCEL_EVENT, check_schedule_id

REASON_ROOM = 40
"""Characters that the token takes of a reason: the run's id, a chunk's number, and what is around them."""

_TOKEN = re.compile(r"\s*\[quash ([A-Za-z0-9_-]+)/(-?[0-9]+)\]\s*\Z")


def signed(errand: Errand) -> str:
    """The reason with the token by which a cancellation of this run is known again."""
    return f"{errand.reason} [quash {errand.run_id}/{errand.chunk}]"


def parted(reason: str) -> tuple[str, str | None, str | None]:
    """The operator's words, and the run and the chunk of the token behind them; none where there is no token."""
    found = _TOKEN.search(reason)
    return (reason, None, None) if found is None else (reason[: found.start()], found[1], found[2])


def run_of(reason: str | None) -> str | None:
    """The run whose token stands in a reason. Its chunk is no part of the proof: an item is in a run once."""
    return None if reason is None else parted(reason)[1]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to publish: which, when, how it ended, what went wrong, and where it can be seen."""

    index: str
    at: str | None
    status: str
    error: str
    seen_at: str


@dataclass(frozen=True, slots=True)
class Row:
    """One schedule as a service tells it; moments are stamps, what was not told is empty or none.

    ``unread`` says what of it cannot be read, where that is so: it is shown in its place, and cannot be cancelled.
    """

    id: str
    status: str
    run_at: str
    timezone: str
    local: str
    channel: str
    channel_connection: str
    post_variant: str
    content: str
    attempts: int
    created: str | None
    updated: str | None
    cancelled: str | None
    reason: str | None
    unread: str = ""
    error: str = ""
    last_attempt: str | None = None
    tried: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an audit; ``reason`` stands in its details, where there is one."""

    event: str
    at: str
    principal: str | None
    details: Mapping[str, Any]

    @property
    def cancels(self) -> bool:
        """Whether it records a cancellation."""
        return self.event == CANCEL_EVENT

    @property
    def run(self) -> str | None:
        """The run whose token it holds."""
        reason = self.details.get("reason")
        return run_of(reason) if isinstance(reason, str) else None


def error_of(_: int, body: Any) -> Said | None:
    """The first reason of a refusal in the one envelope that both dialects use; none where it is another's."""
    errors = body.get("errors") if isinstance(body, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    return said(first.get("error_code"), first.get("error_description")) if isinstance(first, dict) else None


def bulk_failures(body: Any, ids: Sequence[str]) -> dict[str, Said]:
    """Which of these a bulk request did not cancel, and why; what is not named was cancelled, if the sums are right.

    Raises:
        ValueError: the numbers contradict each other or what was sent, so that nothing is known of any.
    """
    answer = an_object(body)
    failures: dict[str, Said] = {}
    for one in a_list(answer.get("errors")):
        error = an_object(one)
        failures[_id(error.get("schedule_id"))] = Said(
            _text(error.get("error_code")), _text(error.get("error_description"))
        )
    done, failed = a_number(answer.get("cancelled")), a_number(answer.get("failed"))
    named = len(a_list(answer.get("errors")))
    if failed != named or named != len(failures) or done + failed != len(ids) or not failures.keys() <= set(ids):
        raise ValueError(f"{done} cancelled and {failed} failed of {len(ids)}, with {named} of them named")
    return failures


def channel_names(body: Any) -> tuple[dict[str, str], bool]:
    """What connections to channels are called, by id, and whether there are more of them.

    Raises:
        ValueError: it is no list of them.
    """
    answer, found = an_object(body), {}
    for one in a_list(answer.get("data")):
        connection = _maybe(one)
        account = _text(connection.get("account_name")) or _text(connection.get("account_username"))
        name = f"{_text(connection.get('channel_name'))} {account}".strip()
        if name:
            found[_text(connection.get("id"))] = name
    return found, _maybe(answer.get("pagination")).get("has_next") is True


def content_of(body: Any) -> str:
    """The content of a variant; empty where it has none.

    Raises:
        ValueError: it is no variant.
    """
    return _text(an_object(an_object(body).get("data")).get("content"))


def attempts_of(body: Any) -> tuple[Attempt, ...]:
    """The attempts to publish that are told of a schedule, as far as they can be read."""
    return tuple(
        Attempt(
            _text(one.get("attempt_index")),
            _moment(one.get("timestamp")),
            _text(one.get("status")),
            _problem(one),
            _text(one.get("external_url")) or _text(one.get("external_post_id")),
        )
        for one in (body if isinstance(body, list) else [])
        if isinstance(one, dict)
    )


def _problem(body: Mapping[str, Any]) -> str:
    return ": ".join(part for part in (_text(body.get("error_code")), _text(body.get("error_message"))) if part)


def entries(body: Any) -> list[Entry]:
    """An audit log, oldest first."""
    found = []
    for one in a_list(an_object(body).get("audit_entries")):
        entry = an_object(one)
        details = entry.get("details")
        principal = entry.get("principal_id")
        found.append(
            Entry(
                _text(entry.get("event")),
                _moment(entry.get("timestamp")) or "",
                None if principal is None else str(principal),
                details if isinstance(details, dict) else {},
            )
        )
    return found


def may_be_entries(body: Any) -> bool:
    """Whether this may be an audit in a form of its own: an object with a list of objects."""
    lists = [one for one in body.values() if isinstance(one, list)] if isinstance(body, dict) else []
    return any(all(isinstance(one, dict) for one in given) for given in lists)


def read_row(body: Any) -> Row:
    """One schedule. Its id, status and moment it cannot do without.

    Raises:
        ValueError: naming what of it cannot be read.
    """
    schedule = an_object(body)
    status, run_at = schedule.get("status"), moments.place(schedule.get("run_at"))
    if not isinstance(status, str) or not status:
        raise ValueError(f"its status cannot be read: {_brief(status)}")
    if run_at is None:
        raise ValueError(f"its run_at cannot be read: {_brief(schedule.get('run_at'))}")
    variant, connection = _maybe(schedule.get("post_variant")), _maybe(schedule.get("channel_connection"))
    connected = _text(schedule.get("channel_connection_id"))
    name, reason = connection.get("display_name"), schedule.get("cancellation_reason")
    attempts = schedule.get("attempt_count")
    return Row(
        id=_id(schedule.get("id")),
        status=status,
        run_at=run_at,
        timezone=_text(schedule.get("timezone")),
        local=_text(schedule.get("run_at_local")),
        channel=name if isinstance(name, str) else connected,
        channel_connection=connected,
        post_variant=_text(schedule.get("post_variant_id")),
        content=_text(variant.get("content")),
        attempts=0 if attempts is None else _attempts(attempts),
        created=_moment(schedule.get("created_at")),
        updated=_moment(schedule.get("updated_at")),
        cancelled=_moment(schedule.get("cancelled_at")),
        reason=reason if isinstance(reason, str) else None,
        error=_problem(schedule),
        last_attempt=_moment(schedule.get("last_attempt_at")),
    )


def _attempts(value: Any) -> int:
    try:
        return a_number(value)
    except ValueError as error:
        raise ValueError(f"its attempt_count cannot be read: {_brief(value)}") from error


def _brief(value: Any) -> str:
    return visible(dump(value), 60)


UNREADABLE = "unreadable-"
"""How the name of a schedule begins that has no id: the service cannot be asked for it."""


def any_row(body: Any, place: str, status: str | None) -> Row:
    """One schedule of a list; where it cannot be read, as much of it as can, and what cannot.

    ``place`` is the moment at which it stands in the list, and ``status`` the one that was asked for.
    """
    try:
        return read_row(body)
    except ValueError as error:
        unread = str(error)
    schedule = _maybe(body)
    try:
        item_id = _id(schedule.get("id"))
    except ValueError:
        item_id = UNREADABLE + hashlib.sha256(dump(body).encode()).hexdigest()[:16]
        unread = f"it has no id that can be read: {_brief(schedule.get('id')) if schedule else _brief(body)}"
    told = schedule.get("status")
    known = told if isinstance(told, str) and told else status or ""
    return Row(item_id, known, place, "", "", "", "", "", "", 0, None, None, None, None, unread)


def any_rows(listed: Sequence[Any], status: str | None) -> tuple[Row, ...]:
    """The schedules of a list in their order. One that cannot be read stands where the one before it stands.

    Raises:
        ValueError: none of them has an id, so that it is no list of schedules.
    """
    rows: list[Row] = []
    first = next((place for one in listed if (place := moments.place(_maybe(one).get("run_at"))) is not None), None)
    place = first or moments.stamp(moments.EARLIEST)
    for one in listed:
        rows.append(any_row(one, place, status))
        place = rows[-1].run_at
    if rows and all(row.id.startswith(UNREADABLE) for row in rows):
        raise ValueError(f"none of its rows is a schedule; {rows[0].unread}")
    return tuple(rows)


def an_object(value: Any) -> dict[str, Any]:
    """The value, which has to be an object."""
    if not isinstance(value, dict):
        raise ValueError("no object where one should be")
    return value


def a_list(value: Any) -> list[Any]:
    """The value, which has to be a list."""
    if not isinstance(value, list):
        raise ValueError("no list where one should be")
    return value


def _maybe(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | dict | list) else str(value)


def a_number(value: Any) -> int:
    """The value, which has to be a whole number from 0 up."""
    # Databases tell big numbers as texts.
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("no number where one should be")
    return value


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("a schedule without an id")
    try:
        return check_schedule_id(str(value))
    except MalformedId as error:
        raise ValueError(error.message) from error


def _moment(value: Any) -> str | None:
    return moments.stamped(value)
