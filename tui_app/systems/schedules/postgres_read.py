"""Reading schedules in PostgreSQL: rows as items, what was seen, previews and the facts behind an answer.

Every function takes a connection and changes nothing. What time it is says the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg import errors

from tui_app.database.where import Clause, both, ordering
from tui_app.domain import moments
from tui_app.domain.errors import NotFound
from tui_app.domain.items import PAGE_LIMIT, Count, Cursor, Item, Page, PageQuery, Scalar, Seen
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.answers import Cancel, Found
from tui_app.systems.schedules.postgres_rows import FIELDS, IDS, SQL, Connection, Row, beyond_place, listed, row, rows
from tui_app.systems.schedules.words import DESCRIPTION


async def identity(connection: Connection) -> str:
    """The cluster's own number and the database's name; some hosts let only their own staff ask for the number."""
    here = await row(connection, SQL["whoami"])
    cluster = (await row(connection, SQL["cluster"]))["number"] if here["may_ask"] else f"database-{here['oid']}"
    return f"postgresql:{cluster}/{here['name']}"


async def count(connection: Connection, clause: Clause, milliseconds: int) -> Count:
    """The exact number where counting takes no longer than allowed, else what the planner believes."""
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL statement_timeout = {milliseconds}".encode())
            return Count((await row(connection, SQL["count"].format(where=clause.sql), clause.values))["n"])
    except errors.QueryCanceled:
        plan = (await row(connection, SQL["estimate"].format(where=clause.sql), clause.values))["QUERY PLAN"]
        return Count(int(plan[0]["Plan"]["Plan Rows"]), exact=False)


async def page(connection: Connection, query: PageQuery, clause: Clause) -> Page:
    """One page by keyset; ``clause`` is the filter without the place."""
    limit = min(query.limit, PAGE_LIMIT)
    start = Clause("")
    if query.cursor is not None:
        start = beyond_place(query.sort, query.cursor, backward=query.backward)
    order = ordering(FIELDS[query.sort.field].sql, IDS, query.sort, backward=query.backward)
    part = both(clause, start)
    read = await rows(connection, SQL["page"].format(where=part.sql, order=order), (*part.values, limit + 1, 0))
    as_of = (read[0] if read else await row(connection, SQL["now"]))["as_of"]
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
    return bool((await row(connection, SQL["any"].format(where=clause.sql), clause.values))["found"])


def _item(read: Row) -> Item:
    fields: dict[str, Scalar] = {name: read[name] for name in FIELDS}
    verdict = rules.verdict(read["status"], read["stuck"])
    return Item(DESCRIPTION.system, read["id"], read["status"], str(read["revision"]), verdict, fields)


async def _one(connection: Connection, item_id: str) -> Row:
    sql = SQL["page"].format(where="s.id = %s", order="s.id")
    found = await rows(connection, sql, (item_id, 1, 0))
    if not found:
        raise NotFound(f"there is no schedule {item_id!r}", hint="Copy the id from the table.")
    return found[0]


async def item(connection: Connection, item_id: str) -> Item:
    """One item.

    Raises:
        NotFound: there is none.
    """
    return _item(await _one(connection, item_id))


async def survey(connection: Connection, ids: Sequence[str]) -> list[Seen]:
    """What is to be seen of each id, in their order."""
    seen = {read["id"]: _seen(read) for read in await rows(connection, SQL["survey"], {"ids": listed(list(ids))})}
    return [seen.get(item_id) or rules.missing(item_id) for item_id in ids]


def _seen(read: Row) -> Seen:
    verdict = rules.verdict(read["status"], read["stuck"])
    if not verdict.cancellable:
        return Seen(read["id"], read["status"], str(read["revision"]), verdict)
    effects = rules.effects(read["status"], read["channel"], read["post_status"], read["others"])
    return Seen(read["id"], read["status"], str(read["revision"]), verdict, effects, read["run_at"])


async def arrange(connection: Connection, ids: Sequence[str]) -> list[str]:
    """The ids by the moment at which they go out, soonest first; those that nobody knows last."""
    return [read["id"] for read in await rows(connection, SQL["arrange"], {"ids": listed(list(ids))})]


async def preview(connection: Connection, item_id: str) -> Preview:
    """What cancelling one schedule would do.

    Raises:
        NotFound: there is none.
    """
    one = await _one(connection, item_id)
    around = await rows(connection, SQL["survey"], {"ids": listed([item_id])})
    facts = rules.Schedule(
        status=one["status"],
        channel=one["channel"],
        content=one["content"],
        run_at=one["run_at"],
        local=one["run_at_local"],
        timezone=one["timezone"],
        attempts=one["attempts"],
        owner=one["owner"],
        post_title=one["title"],
        post_status=one["post_status"],
        others=any(read["others"] for read in around),
        stuck=one["stuck"],
        cut=one["cut"],
    )
    return rules.preview(facts, moments.read(one["as_of"]))


async def trail(connection: Connection, item_id: str) -> list[TrailEntry]:
    """The audit of one schedule, oldest first."""
    read = await rows(connection, SQL["trail"], {"id": item_id})
    return [TrailEntry(one["at"], one["event"], one["principal"], one["details"]) for one in read]


async def found(connection: Connection, ids: Iterable[str]) -> dict[str, Found]:
    """How these schedules stand, with their cancellations, keyed by id."""
    wanted = list(ids)
    if not wanted:
        return {}
    return {
        read["id"]: Found(read["status"], read["stuck"], tuple(Cancel(*cancel) for cancel in read["listed"]))
        for read in await rows(connection, SQL["found"], {"ids": listed(wanted)})
    }


async def whole(connection: Connection, ids: Iterable[str]) -> dict[str, Row]:
    """Schedules with their variant, connection and owner, keyed by id."""
    return {read["id"]: read for read in await rows(connection, SQL["whole"], {"ids": listed(list(ids))})}
