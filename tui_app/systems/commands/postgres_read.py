"""Reading a command bus in PostgreSQL: its rows as items, what was seen, previews and the facts behind an answer.

Every function takes a connection and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import errors
from psycopg.sql import Identifier

from tui_app.database.illegible import unreadable
from tui_app.database.postgres_rows import Connection, Row, possible, rows
from tui_app.domain.errors import NotFound
from tui_app.domain.foreign_json import details, shown
from tui_app.domain.items import Item, Scalar, Seen
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.domain.verdict import Verdict
from tui_app.systems.commands import rules
from tui_app.systems.commands.answers import Cancel, Found
from tui_app.systems.commands.postgres_rows import FIELDS, SQL, listed
from tui_app.systems.commands.words import IN_TROUBLESHOOTING

LONGEST_PAYLOAD = 65_536
"""Characters of a payload that are read; a longer one is shown as the text that it begins with."""


def _verdict(read: Row) -> Verdict:
    odd = unreadable(id=read["id"], status=read["status"], reply_queue=read["reply_queue"])
    return odd or rules.verdict(read["status"], read["reply_queue"], read["reply_fault"])


def item_of(read: Row) -> Item:
    """A row that holds a whole command, as an item."""
    fields: dict[str, Scalar] = {name: read[name] for name in FIELDS}
    fields["error_code"] = read["error_code"] or None
    verdict = _verdict(read)
    return Item(rules.DESCRIPTION.system, read["id"], read["status"], read["version"], verdict, fields)


def _archive(domain: str) -> str:
    """The table where the workers of a domain put what they are done with."""
    return f"a_{domain.lower()}__commands"


async def _command(connection: Connection, item_id: str) -> Row:
    domain, command_id = rules.split_id(item_id)
    values = {"domain": domain, "command_id": command_id, "archive": _archive(domain)}
    found = await rows(connection, SQL["one"], values)
    if not found:
        raise NotFound(f"there is no command {item_id!r}", hint="Copy the id from the table: domain/command_id.")
    return found[0]


async def item(connection: Connection, item_id: str) -> Item:
    """One item.

    Raises:
        NotFound: there is none.
    """
    return item_of(await _command(connection, item_id))


async def survey(connection: Connection, ids: Sequence[str]) -> list[Seen]:
    """What is to be seen of each id, in their order."""
    known = possible(connection, ids)
    read = await rows(connection, SQL["survey"], {"ids": listed(known)}) if known else []
    waiting = {
        one["correlation_id"]
        for one in read
        if one["has_process"] and one["correlation_id"] and one["status"] == IN_TROUBLESHOOTING
    }
    processes = await _processes(connection, waiting)
    seen = {one["id"]: _seen(one, one["correlation_id"] in processes) for one in read}
    return [seen.get(item_id) or rules.missing(item_id) for item_id in ids]


def _seen(read: Row, compensates: bool) -> Seen:
    verdict = _verdict(read)
    lacking = "; ".join(filter(None, (read["cancel_grants"], read["batch_grants"] if read["in_batch"] else None)))
    if lacking and (verdict.cancellable or verdict.needs_again):
        verdict = rules.without_rights(lacking)
    effects = rules.effects_under(verdict, read["reply_queue"], read["in_batch"], compensates)
    return Seen(read["id"], read["status"], read["version"], verdict, effects)


async def _processes(connection: Connection, correlation_ids: Iterable[str]) -> dict[str, str]:
    """The kinds of the process managers that know these correlation ids."""
    known = sorted(correlation_ids)
    if not known:
        return {}
    return {one["id"]: one["type"] for one in await rows(connection, SQL["processes"], (known,))}


async def preview(connection: Connection, item_id: str) -> Preview:
    """The verdict and impact of one command.

    Raises:
        NotFound: there is none.
    """
    one = await _command(connection, item_id)
    shown_item = item_of(one)
    command = rules.Command.of(shown_item.fields)
    payload = batch = None
    if one["has_archive"] and one["msg_id"] is not None:
        payload = await _payload(connection, command, one["msg_id"])
    if command.batch_id is not None:
        values = {"domain": command.domain, "batch_id": command.batch_id}
        counted = await rows(connection, SQL["batch"], values)
        batch = rules.batch_numbers({part["status"]: part["n"] for part in counted})
    processes = {}
    if one["has_process"] and command.correlation_id is not None:
        processes = await _processes(connection, [command.correlation_id])
    around = rules.Surroundings(one["reply_fault"], payload, batch, processes.get(command.correlation_id or ""))
    return rules.preview(command, around, shown_item.verdict)


async def _payload(connection: Connection, command: rules.Command, msg_id: int) -> Any:
    """What the command carries; None where the archive does not hold it."""
    archive = Identifier(_archive(command.domain)).as_string(None).replace("%", "%%")
    values = {"msg_id": msg_id, "command_id": command.command_id, "longest": LONGEST_PAYLOAD}
    try:
        # In a savepoint, so that the transaction goes on without it.
        async with connection.transaction():
            found = await rows(connection, SQL["payload"].format(archive=archive), values)
    except errors.UndefinedTable:  # dropped since we looked
        return None
    if not found:
        return None
    text: str = found[0]["text"]
    return shown(text) if found[0]["whole"] else f"{text}…"


async def trail(connection: Connection, item_id: str) -> list[TrailEntry]:
    """The bus' own audit of one command, oldest first."""
    domain, command_id = rules.split_id(item_id)
    return [_entry(read) for read in await rows(connection, SQL["trail"], {"domain": domain, "command_id": command_id})]


def _entry(read: Row) -> TrailEntry:
    """An entry of the audit, which anybody may have written: its details are any JSON."""
    told = details(read["details"])
    return TrailEntry(read["at"], read["event"], rules.operator_in(told), told)


async def found(connection: Connection, ids: Sequence[str]) -> dict[str, Found]:
    """How these commands stand, with their cancellations, keyed by id."""
    if not ids:
        return {}
    return {
        read["id"]: Found(
            read["status"],
            read["version"],
            read["reply_queue"],
            read["reply_fault"],
            tuple(Cancel(*cancel) for cancel in read["listed"]),
        )
        for read in await rows(connection, SQL["found"], {"ids": listed(ids)})
    }
