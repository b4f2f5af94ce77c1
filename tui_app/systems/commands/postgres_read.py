"""Reading a command bus in PostgreSQL: its rows as items, what was seen, previews and the facts behind an answer.

Every function takes a connection and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import errors
from psycopg.sql import Identifier

from tui_app.database.where import Clause, both, ordering
from tui_app.domain.errors import NotFound
from tui_app.domain.items import PAGE_LIMIT, Count, Cursor, Item, Page, PageQuery, Scalar, Seen
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.systems.commands import rules
from tui_app.systems.commands.answers import Cancel, Found
from tui_app.systems.commands.postgres_rows import FIELDS, IDS, Connection, beyond_place, listed, row, rows
from tui_app.systems.commands.words import IN_TROUBLESHOOTING

LONGEST_PAYLOAD = 65_536
"""Characters of a payload that are read; a longer one is shown as the text that it begins with."""


async def identity(connection: Connection) -> str:
    """The cluster's own number and the database's name; some hosts let only their own staff ask for the number."""
    name, may_ask, oid = await row(connection, "whoami")
    cluster = (await row(connection, "cluster"))[0] if may_ask else f"database-{oid}"
    return f"postgresql:{cluster}/{name}"


async def count(connection: Connection, clause: Clause, milliseconds: int) -> Count:
    """The exact number where counting takes no longer than allowed, else what the planner believes."""
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {milliseconds}".encode())
            return Count((await row(connection, "count", clause.values, where=clause.sql))[0])
    except errors.QueryCanceled:
        plan = (await row(connection, "estimate", clause.values, where=clause.sql))[0]
        return Count(int(plan[0]["Plan"]["Plan Rows"]), exact=False)


async def page(connection: Connection, query: PageQuery, clause: Clause) -> Page:
    """One page by keyset; ``clause`` is the filter without the place."""
    limit = min(query.limit, PAGE_LIMIT)
    start = Clause("")
    if query.cursor is not None:
        start = beyond_place(query.sort, query.cursor, backward=query.backward)
    order = ordering(FIELDS[query.sort.field].sql, IDS, query.sort, backward=query.backward)
    part = both(clause, start)
    read = await rows(connection, "page", (*part.values, limit + 1), where=part.sql, order=order)
    as_of = read[0][-1] if read else (await row(connection, "now"))[0]
    items = [_item(one) for one in read[:limit]]
    ahead = len(read) > limit
    behind = query.cursor is not None and await _any_behind(connection, query, clause, items)
    if query.backward:
        return Page(tuple(reversed(items)), more_before=ahead, more_after=behind, as_of=as_of)
    return Page(tuple(items), more_before=behind, more_after=ahead, as_of=as_of)


async def _any_behind(connection: Connection, query: PageQuery, clause: Clause, items: Sequence[Item]) -> bool:
    """Whether rows stand against the reading direction. Where nothing was read, every row there is does."""
    if items:
        first = Cursor(items[0].fields[query.sort.field], items[0].id)
        clause = both(clause, beyond_place(query.sort, first, backward=not query.backward))
    return bool((await row(connection, "any", clause.values, where=clause.sql))[0])


def _item(read: Sequence[Any]) -> Item:
    fields: dict[str, Scalar] = dict(zip(FIELDS, read, strict=False))
    fields["error_code"] = fields["error_code"] or None
    version, queue_exists = read[len(FIELDS) : len(FIELDS) + 2]
    status = str(fields["status"])
    verdict = rules.verdict(status, str(fields["reply_queue"]), queue_exists)
    return Item(rules.DESCRIPTION.system, str(fields["id"]), status, version, verdict, fields)


def _archive(domain: str) -> str:
    """The table where the workers of a domain put what they are done with."""
    return f"a_{domain.lower()}__commands"


async def _command(connection: Connection, item_id: str) -> Sequence[Any]:
    domain, command_id = rules.split_id(item_id)
    values = {"domain": domain, "command_id": command_id, "archive": _archive(domain)}
    found = await rows(connection, "one", values)
    if not found:
        raise NotFound(f"there is no command {item_id!r}", hint="Copy the id from the table: domain/command_id.")
    one: Sequence[Any] = found[0]
    return one


async def item(connection: Connection, item_id: str) -> Item:
    """One item.

    Raises:
        NotFound: there is none.
    """
    return _item(await _command(connection, item_id))


async def survey(connection: Connection, ids: Sequence[str]) -> list[Seen]:
    """What is to be seen of each id, in their order."""
    read = await rows(connection, "survey", {"ids": listed(ids)}) if ids else []
    waiting = {one[6] for one in read if one[7] and one[6] and one[1] == IN_TROUBLESHOOTING}
    known = await _processes(connection, waiting)
    seen: dict[str, Seen] = {}
    for item_id, status, version, queue, queue_exists, in_batch, correlation_id, _ in read:
        now = rules.verdict(status, queue, queue_exists)
        effects = rules.effects(queue, in_batch, correlation_id in known) if now.cancellable else ()
        seen[item_id] = Seen(item_id, status, version, now, effects)
    return [seen.get(item_id) or rules.missing(item_id) for item_id in ids]


async def _processes(connection: Connection, correlation_ids: Iterable[str]) -> dict[str, str]:
    """The kinds of the process managers that know these correlation ids."""
    known = sorted(correlation_ids)
    return dict(await rows(connection, "processes", (known,))) if known else {}


async def preview(connection: Connection, item_id: str) -> Preview:
    """The verdict and impact of one command.

    Raises:
        NotFound: there is none.
    """
    one = await _command(connection, item_id)
    queue_exists, has_process, has_archive, msg_id = one[len(FIELDS) + 1 :]
    command = _facts(dict(zip(FIELDS, one, strict=False)))
    payload = batch = None
    if has_archive and msg_id is not None:
        payload = await _payload(connection, command, msg_id)
    if command.batch_id is not None:
        values = {"domain": command.domain, "batch_id": command.batch_id}
        batch = rules.batch_numbers(dict(await rows(connection, "batch", values)))
    processes = {}
    if has_process and command.correlation_id is not None:
        processes = await _processes(connection, [command.correlation_id])
    around = rules.Surroundings(queue_exists, payload, batch, processes.get(command.correlation_id or ""))
    return rules.preview(command, around)


def _facts(fields: Mapping[str, Any]) -> rules.Command:
    return rules.Command(
        domain=fields["domain"],
        command_id=fields["command_id"],
        command_type=fields["type"],
        status=fields["status"],
        attempts=fields["attempts"],
        max_attempts=fields["max_attempts"],
        reply_queue=fields["reply_queue"],
        correlation_id=fields["correlation_id"],
        batch_id=fields["batch"],
        error_type=fields["error_type"],
        error_code=fields["error_code"] or None,
        error=fields["error"],
    )


async def _payload(connection: Connection, command: rules.Command, msg_id: int) -> Any:
    """What the command carries; None where the archive does not hold it."""
    archive = Identifier(_archive(command.domain)).as_string(None).replace("%", "%%")
    values = {"msg_id": msg_id, "command_id": command.command_id, "longest": LONGEST_PAYLOAD}
    try:
        found = await rows(connection, "payload", values, archive=archive)
    except errors.UndefinedTable:  # dropped since we looked
        return None
    if not found:
        return None
    text, whole = found[0]
    return json.loads(text) if whole else f"{text}…"


async def trail(connection: Connection, item_id: str) -> list[TrailEntry]:
    """The bus' own audit of one command, oldest first."""
    domain, command_id = rules.split_id(item_id)
    read = await rows(connection, "trail", {"domain": domain, "command_id": command_id})
    return [_entry(at, event, details) for at, event, details in read]


def _entry(at: str, event: str, details: Any) -> TrailEntry:
    known: dict[str, Any] = details if isinstance(details, dict) else {}
    if details is not None and not isinstance(details, dict):
        known = {"details": details}
    operator = known.get("operator")
    return TrailEntry(at, event, operator if isinstance(operator, str) else None, known)


async def found(connection: Connection, ids: Sequence[str]) -> dict[str, Found]:
    """How these commands stand, with their cancellations, keyed by id."""
    if not ids:
        return {}
    return {
        item_id: Found(status, version, queue, queue_exists, tuple(Cancel(*cancel) for cancel in cancels))
        for item_id, status, version, queue, queue_exists, cancels in await rows(
            connection, "found", {"ids": listed(ids)}
        )
    }
