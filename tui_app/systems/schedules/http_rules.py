"""What is to be said of a schedule that a service tells of: verdict, effects, version, preview, and what became of it.

Pure, beside ``rules`` and ``answers``: less is known here. Whose a post is and what becomes of it does not go over the
wire, a version is made of what was told, and an unknown status is the service's to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from tui_app.domain import moments
from tui_app.domain.describe import Column, Description
from tui_app.domain.items import Item, Scalar, Seen
from tui_app.domain.ports import Preview, Section
from tui_app.domain.run import Answer, ItemState, Order, Verification, Verified
from tui_app.domain.verdict import YES, Verdict, VerdictCode
from tui_app.domain.versions import version_of
from tui_app.outbound.recognition import Said
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.answers import Cancel, Found, passed_over, verification
from tui_app.systems.schedules.bodies import REASON_ROOM, Entry, Row, run_of
from tui_app.systems.schedules.dialects import CANONICAL, PROCESSING, SKIPPED, Dialect
from tui_app.systems.schedules.words import (
    CANCELLED,
    DESCRIPTION,
    LONGEST_CONTENT,
    OPEN,
    POST_KEPT,
    POST_PUT_BACK,
    PUBLISHING,
    QUEUED,
    STATUSES,
)

_NOT_TOLD = frozenset({"owner", "post", "post_status", "published"})

HTTP_DESCRIPTION = replace(
    DESCRIPTION,
    columns=tuple(column for column in DESCRIPTION.columns if column.field not in _NOT_TOLD),
    filter_fields=tuple(name for name in DESCRIPTION.filter_fields if name not in _NOT_TOLD),
    statuses=(*STATUSES, PROCESSING, SKIPPED),
    status_tones=MappingProxyType({**DESCRIPTION.status_tones, PROCESSING: "busy", SKIPPED: "bad"}),
    effects=MappingProxyType(
        {code: words for code, words in DESCRIPTION.effects.items() if code not in (POST_PUT_BACK, POST_KEPT)}
    ),
    reason_goes_to="the schedule's cancellation, with the run's id behind it; nobody is told",
    reason_room=REASON_ROOM,
)
"""The documented words, without what no service tells."""

_ERROR = Column("error", "Error", width=16, flexible=True, priority=4, sortable=False)

_NUMBERS = replace(
    HTTP_DESCRIPTION,
    columns=(*HTTP_DESCRIPTION.columns[:3], _ERROR, *HTTP_DESCRIPTION.columns[3:]),
    untold=MappingProxyType(
        {
            "": "this service lists no content to look into",
            "content": "this service lists its number alone, as post_variant",
            "cancelled": "this service does not tell it; updated is near it",
            "reason": "this service keeps no reasons",
        }
    ),
    reason_goes_to="quash's ledger alone: this service keeps no reason, and nobody is told",
)


def description_of(dialect: Dialect | None) -> Description:
    """How the schedules of a service describe themselves, in its dialect, as far as that is known."""
    return HTTP_DESCRIPTION if dialect is None or dialect.lists_names else _NUMBERS


_IN_THE_WAY = MappingProxyType(
    {
        PROCESSING: Verdict.no(VerdictCode.PUBLISHING, "a publisher has it in hand (processing)"),
        SKIPPED: Verdict.no(VerdictCode.FAILED, "it was passed over (skipped): it does not go out any more"),
    }
)

SHOWN_ATTEMPTS = 10
"""Attempts to publish that a preview shows: the last ones."""

FORBIDDEN = Verdict.no(VerdictCode.FORBIDDEN, "the service does not let us see it")
WHOSE = "whose cancellation it was is not known: this service keeps no reasons"
STANDS = "its status is cancelled, as our request was answered; no reason is kept there that would say whose it was"


def is_open(status: str) -> bool:
    """Whether a schedule may still be cancelled, as far as we know: the service judges what we do not know."""
    return CANONICAL.get(status) in (None, *OPEN)


def stuck(row: Row, now: datetime) -> bool:
    """Whether it has been publishing for longer than publishing takes; its last change is when it was claimed."""
    return CANONICAL.get(row.status) == PUBLISHING and row.updated is not None and row.updated < rules.stuck_before(now)


def verdict(row: Row, now: datetime) -> Verdict:
    """May it be cancelled."""
    if row.unread:
        return Verdict.no(VerdictCode.NOT_KNOWN, row.unread)
    if is_open(row.status):
        return YES
    if stuck(row, now):
        return rules.STUCK
    return _IN_THE_WAY.get(row.status) or rules.verdict(row.status)


def version(row: Row) -> str:
    """What a schedule is: its time, its channel, its variant, its attempts, its end.

    That a scanner takes it from pending to queued changes nothing of it.
    """
    end = {} if is_open(row.status) else {"status": row.status}
    return version_of(
        {
            "run_at": row.run_at,
            "timezone": row.timezone,
            "channel_connection": row.channel_connection,
            "post_variant": row.post_variant,
            "attempts": row.attempts,
            **end,
        }
    )


def seen_of(row: Row, now: datetime) -> Seen:
    """What is seen of one."""
    found = verdict(row, now)
    if not found.cancellable:
        return Seen(row.id, row.status, version(row), found)
    effects = rules.effects(row.status, row.channel, "", False)
    return Seen(row.id, row.status, version(row), found, effects, moments.stamped(row.run_at))


def fields_of(row: Row) -> dict[str, Scalar]:
    """What its columns and its detail show."""
    return {
        "id": row.id,
        "run_at": row.run_at,
        "status": row.status,
        "channel": row.channel,
        "content": row.content[:LONGEST_CONTENT],
        "attempts": row.attempts,
        "updated": row.updated,
        "post_variant": row.post_variant,
        "channel_connection": row.channel_connection,
        "timezone": row.timezone,
        "created": row.created,
        "cancelled": row.cancelled,
        "reason": row.reason,
        "error": row.error,
        **({"last_attempt": row.last_attempt} if row.last_attempt else {}),
        **({"seen_at": row.tried[-1].seen_at} if row.tried and row.tried[-1].seen_at else {}),
    }


def item_of(row: Row, now: datetime) -> Item:
    """One as a row of a table."""
    return Item(DESCRIPTION.system, row.id, row.status, version(row), verdict(row, now), fields_of(row))


def preview_of(row: Row, dialect: Dialect, now: datetime) -> Preview:
    """The verdict and impact of one; what cannot be cancelled has no impact."""
    seen = seen_of(row, now)
    sections = () if row.unread else _sections(row, now)
    if not seen.verdict.cancellable:
        return Preview(seen.verdict, sections=sections)
    warnings = ["what becomes of its post is the service's matter, and is not told"]
    if row.status not in CANONICAL:
        warnings.append(f"its status is {row.status}, which quash does not know: the service decides")
    warnings += rules.due(row.run_at, now)
    if not dialect.keeps_reasons:
        warnings.append("this service keeps no reasons: who cancelled it, and why, stands in our ledger alone")
    return Preview(seen.verdict, seen.effects, tuple(warnings), sections)


def _sections(row: Row, now: datetime) -> tuple[Section, ...]:
    going = [f"{row.run_at[:19]}Z, {rules.left(row.run_at, now)}"]
    if row.timezone:
        going.append(f"{row.local.replace('T', ' ')} in {row.timezone}" if row.local else f"planned in {row.timezone}")
    if row.status == QUEUED:
        going.append("queued: the publisher may win")
    content = [*row.content[:LONGEST_CONTENT].splitlines()] or ["the service tells no content"]
    if len(row.content) > LONGEST_CONTENT:
        content.append(f"(cut after {LONGEST_CONTENT:,} characters)")
    return (
        Section(f"Goes out on {row.channel}", tuple(going)),
        Section("Content", tuple(content)),
        Section("Attempts", tuple(_attempts(row))),
    )


def _attempts(row: Row) -> list[str]:
    found = [f"{row.attempts:,} so far"]
    if row.error:
        at = "" if row.last_attempt is None else f", last tried at {moments.to_the_second(row.last_attempt)}"
        found.append(f"{row.error}{at}")
    for one in row.tried[-SHOWN_ATTEMPTS:]:
        when = "at a moment that is not known" if one.at is None else f"at {moments.to_the_second(one.at)}"
        more = "".join(f", {part}" for part in (one.error, one.seen_at) if part)
        found.append(f"{one.index}: {one.status or 'no status'} {when}{more}")
    return found


def cancels_of(order: Order, run_id: str, row: Row, audit: Sequence[Entry] | None, dialect: Dialect) -> list[Cancel]:
    """The cancellations of one that are known: from its audit, else from the one reason that it holds."""
    if audit is not None:
        return [Cancel(order.key if one.run == run_id else None, one.principal) for one in audit if one.cancels]
    if row.status == CANCELLED and (row.reason is not None or dialect.keeps_reasons):
        return [Cancel(order.key if run_of(row.reason) == run_id else None, None)]
    return []


def stands(order: Order, row: Row | None, cancels: Sequence[Cancel], now: datetime) -> Answer:
    """What became of an order, by how its schedule stands now; for one that cannot be cancelled any more."""
    if row is None:
        return passed_over(order, None)
    found = Found(CANONICAL.get(row.status, row.status), stuck(row, now), tuple(cancels))
    answer = passed_over(order, found)
    if answer.state is ItemState.ALREADY_CANCELLED and answer.ours is None:
        return replace(answer, message=WHOSE)
    if answer.state is ItemState.REFUSED:
        return replace(answer, before=row.status, after=row.status)
    return answer


def refused(order: Order, told: Said, contact: str | None) -> Answer:
    """The answer for an order that the service refused, in its own words."""
    words = told.message or f"the service answered {told.code}"
    ask = "" if contact is None else f"; ask {contact}"
    return Answer(ItemState.REFUSED, told.code, f"{words}{ask}", before=order.seen.status)


def verified(
    order: Order, run_id: str, row: Row | None, audit: Sequence[Entry] | None, dialect: Dialect
) -> Verification:
    """Hold a recorded cancellation against the status, and against the audit or the reason where there is one.

    Without either the status is all that the service says. What is recorded as cancelled was its answer to our own
    request, so that a status which bears that out leaves nothing open.
    """
    if row is None or audit is not None or row.status != CANCELLED:
        found = (
            None if row is None else Found(row.status, cancels=tuple(cancels_of(order, run_id, row, audit, dialect)))
        )
        if found is not None and audit is None:
            return Verification(Verified.CONTRADICTED, f"its status is {found.status}")
        return verification(order, found)
    if run_of(row.reason) == run_id:
        return Verification(Verified.YES)
    if row.reason is None and not dialect.keeps_reasons:
        return Verification(Verified.YES, STANDS)
    return Verification(Verified.CONTRADICTED, "its cancellation has another reason than ours")
