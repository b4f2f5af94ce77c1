"""What is true of commands wherever they are stored: words, ids, verdicts, effects, replies, answers.

Pure. Both adapters use it, so that a plan made against one reads like a plan made against the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from tui_app.domain.errors import MalformedId
from tui_app.domain.foreign_json import dump
from tui_app.domain.items import Seen, check_id
from tui_app.domain.ports import Preview, Section
from tui_app.domain.verdict import YES, Effect, Verdict, VerdictCode
from tui_app.systems.commands.words import (
    BATCH,
    CANCELED,
    COMPENSATION,
    COMPLETED,
    DESCRIPTION,
    FAILED,
    IN_PROGRESS,
    IN_TROUBLESHOOTING,
    IRREVERSIBLE,
    KINDS,
    LONGEST_ERROR,
    NO_REPLY,
    PENDING,
    REPLY,
    SEARCHED,
    SECOND_REPLY,
    STATUSES,
)

__all__ = [
    "CANCELED",
    "DESCRIPTION",
    "IN_TROUBLESHOOTING",
    "KINDS",
    "SEARCHED",
    "STATUSES",
    "Command",
    "Surroundings",
    "audit_details",
    "batch_numbers",
    "check_uuid_id",
    "effects",
    "effects_under",
    "join_id",
    "missing",
    "operator_in",
    "preview",
    "preview_sections",
    "reply",
    "reply_keys",
    "reply_template",
    "split_id",
    "verdict",
    "without_rights",
]

CANCEL_EVENT = "OPERATOR_CANCEL"
ERROR_CODE = "OPERATOR_CANCELED"
ERROR_CLASS = "PERMANENT"
RESPONSE_SUFFIX = "Response"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def split_id(text: str) -> tuple[str, str]:
    """Domain and command id of ``domain/command_id``, split at the first ``/``.

    Raises:
        MalformedId: there is no ``/``, one of both is empty, or it cannot be an id of any system.
    """
    domain, slash, command_id = check_id(text).partition("/")
    if not (slash and domain and command_id):
        raise MalformedId(f"{text!r} is not a command's id", hint="It looks like domain/command_id.")
    return domain, command_id


def join_id(domain: str, command_id: str) -> str:
    """The way back from :func:`split_id`."""
    return f"{domain}/{command_id}"


def check_uuid_id(text: str) -> str:
    """The id in its one spelling where command ids are UUIDs: lower case, with hyphens.

    Raises:
        MalformedId: what follows the first ``/`` is not a UUID.
    """
    domain, command_id = split_id(text)
    if not _UUID.fullmatch(command_id.lower()):
        hint = "It looks like domain/, then 8-4-4-4-12 hexadecimal digits."
        raise MalformedId(f"{command_id!r} is not a UUID", hint=hint)
    return join_id(domain, command_id.lower())


_NOT_WAITING: Mapping[str, tuple[VerdictCode, str]] = MappingProxyType(
    {
        CANCELED: (VerdictCode.ALREADY_CANCELLED, "it is already cancelled"),
        COMPLETED: (VerdictCode.TERMINAL, "it has completed (COMPLETED), and that is final"),
        FAILED: (VerdictCode.TERMINAL, "it has failed for good (FAILED), and its sender was told"),
        PENDING: (
            VerdictCode.NOT_IN_TROUBLESHOOTING,
            "it waits for a worker (PENDING); it is not in troubleshooting",
        ),
        IN_PROGRESS: (
            VerdictCode.NOT_IN_TROUBLESHOOTING,
            "a worker has it in hand (IN_PROGRESS); it is not in troubleshooting",
        ),
    }
)

NOT_FOUND = Verdict.no(VerdictCode.NOT_FOUND, "there is no such command")


def missing(item_id: str) -> Seen:
    """What is seen where there is no command of this id."""
    return Seen(item_id, "", "", NOT_FOUND)


QUEUE_MISSING = "MISSING"
QUEUE_TOO_LONG = "TOO_LONG"
ALREADY_TOLD = "TOLD"
"""What may be wrong with a reply. Any other word names the grants that are missing to send to its queue."""


@lru_cache(maxsize=4096)
def verdict(status: str, reply_queue: str, reply_fault: str | None) -> Verdict:
    """May a command be cancelled; ``reply_fault`` does not matter where ``reply_queue`` is empty."""
    if status == IN_TROUBLESHOOTING:
        return _no_reply_yet(reply_queue, reply_fault) if reply_queue and reply_fault else YES
    code, reason = _NOT_WAITING.get(
        status, (VerdictCode.NOT_IN_TROUBLESHOOTING, f"its status is {status}; it is not in troubleshooting")
    )
    return Verdict.no(code, reason)


def _no_reply_yet(reply_queue: str, fault: str) -> Verdict:
    if fault == ALREADY_TOLD:
        why = f"it was cancelled before and its sender was told; cancelling again sends {reply_queue} a second reply"
        return Verdict.no(VerdictCode.CANCELLED_BEFORE, why)
    if fault == QUEUE_MISSING:
        why = f"its reply queue {reply_queue} does not exist, so its sender could not be told"
        return Verdict.no(VerdictCode.REPLY_QUEUE_MISSING, why)
    if fault == QUEUE_TOO_LONG:
        why = f"the name of its reply queue {reply_queue} is too long: the database cuts it, and may find another queue"
        return Verdict.no(VerdictCode.REPLY_QUEUE_MISSING, why)
    why = f"our role may not send to its reply queue {reply_queue}; its owner allows it with: {fault}"
    return Verdict.no(VerdictCode.FORBIDDEN, why)


@lru_cache(maxsize=64)
def without_rights(grants: str) -> Verdict:
    """The verdict where the role that we act as may cancel nothing; ``grants`` are what it lacks."""
    why = f"our role may not cancel it; the owner of the command bus allows it with: {grants}"
    return Verdict.no(VerdictCode.FORBIDDEN, why)


def effects_under(now: Verdict, reply_queue: str, in_batch: bool, compensates: bool) -> tuple[Effect, ...]:
    """What cancelling does under a verdict; nothing where it is blocked, unless it is only to be meant."""
    if not (now.cancellable or now.needs_again):
        return ()
    return effects(reply_queue, in_batch, compensates, now.needs_again)


@lru_cache(maxsize=4096)
def effects(reply_queue: str, in_batch: bool, compensates: bool, again: bool = False) -> tuple[Effect, ...]:
    """What cancelling does. ``compensates``: a process manager knows the command's correlation id.

    A process manager acts on the reply, so that nothing is compensated where no reply is sent.
    ``again``: its sender was told of a cancellation before.
    """
    found = [Effect(REPLY, reply_queue) if reply_queue else Effect(NO_REPLY)]
    if again:
        found.append(Effect(SECOND_REPLY, reply_queue))
    if in_batch:
        found.append(Effect(BATCH))
    if compensates and reply_queue:
        found.append(Effect(COMPENSATION))
    found.append(Effect(IRREVERSIBLE))
    return tuple(found)


def reply_template(reason: str, completed_at: str) -> dict[str, Any]:
    """The keys of a reply that all commands of one cancellation share; a row adds :func:`reply_keys`.

    The union of what the library sends (``outcome``, ``reason``) and what the written specification wants;
    readers ignore what they do not know. The outcome is the bus' own word.
    """
    return {
        "outcome": CANCELED,
        "reason": reason,
        "completed_at": completed_at,
        "data": None,
        "error": {"code": ERROR_CODE, "message": reason, "class": ERROR_CLASS},
        "error_code": ERROR_CODE,
        "error_message": reason,
    }


def reply_keys(domain: str, command_id: str, command_type: str, correlation_id: str | None) -> dict[str, Any]:
    """The keys of a reply that differ from command to command."""
    return {
        "command_id": command_id,
        "correlation_id": correlation_id,
        "domain": domain,
        "type": f"{command_type}{RESPONSE_SUFFIX}",
    }


@dataclass(frozen=True, slots=True)
class Command:
    """The facts of one command that previews and replies need; an empty ``reply_queue`` wants no reply."""

    domain: str
    command_id: str
    command_type: str
    status: str
    attempts: int
    max_attempts: int
    reply_queue: str
    correlation_id: str | None = None
    batch_id: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Command:
        """From the fields of its item, two of which have shorter names there."""
        shorter = {"command_type": "type", "batch_id": "batch"}
        return cls(**{name: fields[shorter.get(name, name)] for name in cls.__slots__})


def reply(command: Command, reason: str, completed_at: str) -> dict[str, Any]:
    """The whole reply to the sender of one command."""
    keys = reply_keys(command.domain, command.command_id, command.command_type, command.correlation_id)
    return keys | reply_template(reason, completed_at)


def audit_details(
    *,
    operator: str | None,
    reason: str,
    reply_to: str | None,
    run_id: str | None,
    idempotency_key: str | None,
) -> dict[str, Any]:
    """What an ``OPERATOR_CANCEL`` event records: the library's keys, and ours to know our cancellations by.

    ``reply_to`` is null where no reply was wanted, as the library writes it.
    """
    return {
        "operator": operator or None,
        "reason": reason,
        "reply_to": reply_to or None,
        "run_id": run_id,
        "idempotency_key": idempotency_key,
    }


def operator_in(details: Mapping[str, Any]) -> str | None:
    """Who an entry of the audit says it was; none where it names nobody."""
    operator = details.get("operator")
    return operator if isinstance(operator, str) else None


def batch_numbers(by_status: Mapping[str, int]) -> dict[str, int]:
    """The numbers of a batch in our words, counted from its commands: stored counters can lie."""
    return {
        "commands": sum(by_status.values()),
        "completed": by_status.get(COMPLETED, 0),
        "cancelled": by_status.get(CANCELED, 0),
        "failed": by_status.get(FAILED, 0),
        "in troubleshooting": by_status.get(IN_TROUBLESHOOTING, 0),
    }


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around a command: its reply queue, payload, batch and process manager; ``None`` is not known.

    ``payload`` is JSON-compatible. ``batch`` are the batch's numbers by name, counted from its commands.
    ``process`` is the kind of process manager that knows the correlation id.
    """

    reply_fault: str | None
    payload: Any = None
    batch: Mapping[str, int] | None = None
    process: str | None = None


def preview_sections(command: Command, around: Surroundings) -> tuple[Section, ...]:
    """What the panel shows beside the verdict: error, batch, payload, and last the reply that its sender will read."""
    sections = []
    if command.error is not None or command.error_code is not None:
        lines = [*(command.error or "no message").splitlines()]
        if len(command.error or "") >= LONGEST_ERROR:
            lines.append(f"(cut after {LONGEST_ERROR:,} characters)")
        # The panel begins with the error already, in its own line.
        sections.append(Section(f"Last error {command.error_code or ''}".rstrip(), tuple(lines), detail=True))
    if command.batch_id is not None:
        numbers = ("not known",) if around.batch is None else _counted(around.batch)
        sections.append(Section(f"Batch {command.batch_id}", numbers))
    known = around.payload is not None
    payload = _pretty(around.payload) if known else ("not known: the archive does not hold it",)
    sections.append(Section("Payload", payload, detail=True))
    if command.reply_queue:
        sample = reply(command, "(the reason that you give)", "(when it is cancelled)")
        sections.append(Section(f"Reply to {command.reply_queue}", _pretty(sample)))
    return tuple(sections)


def preview(command: Command, around: Surroundings, now: Verdict) -> Preview:
    """The impact of one command, which was judged; what cannot be cancelled has no impact."""
    if not now.cancellable:
        return Preview(now, sections=preview_sections(command, around))
    warnings = []
    if around.process is not None and command.reply_queue:
        warnings.append(f"the process manager {around.process} runs compensations when it reads the reply")
    if command.correlation_id is None and command.reply_queue:
        warnings.append("it has no correlation id: its sender knows the reply by the command id alone")
    happens = effects(command.reply_queue, command.batch_id is not None, around.process is not None)
    return Preview(now, happens, tuple(warnings), preview_sections(command, around))


def _counted(numbers: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{name}: {number:,}" for name, number in numbers.items())


def _pretty(value: Any) -> tuple[str, ...]:
    return tuple(dump(value, indent=2).splitlines())
