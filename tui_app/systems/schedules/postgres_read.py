"""Reading schedules in PostgreSQL: rows as items, what was seen, previews and the facts behind an answer.

Every function takes a connection and changes nothing. What time it is says the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tui_app.database.illegible import unreadable
from tui_app.database.postgres_rows import Connection, Row, possible, rows
from tui_app.domain import moments
from tui_app.domain.errors import NotFound
from tui_app.domain.foreign_json import details
from tui_app.domain.items import Item, Scalar, Seen
from tui_app.domain.ports import Preview, TrailEntry
from tui_app.domain.verdict import Verdict
from tui_app.systems.schedules import rules
from tui_app.systems.schedules.answers import Cancel, Found
from tui_app.systems.schedules.postgres_rows import FIELDS, SQL, listed
from tui_app.systems.schedules.words import DESCRIPTION


def _verdict(read: Row) -> Verdict:
    odd = unreadable(id=read["id"], status=read["status"], channel=read["channel"])
    return odd or rules.verdict(read["status"], read["stuck"])


def item_of(read: Row) -> Item:
    """A row of a page, as an item."""
    fields: dict[str, Scalar] = {name: read[name] for name in FIELDS}
    verdict = _verdict(read)
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
    return item_of(await _one(connection, item_id))


async def survey(connection: Connection, ids: Sequence[str]) -> list[Seen]:
    """What is to be seen of each id, in their order."""
    known = {"ids": listed(possible(connection, ids))}
    seen = {read["id"]: _seen(read) for read in await rows(connection, SQL["survey"], known)}
    return [seen.get(item_id) or rules.missing(item_id) for item_id in ids]


def _seen(read: Row) -> Seen:
    verdict = _verdict(read)
    if not verdict.cancellable:
        return Seen(read["id"], read["status"], str(read["revision"]), verdict)
    effects = rules.effects(read["status"], read["channel"], read["post_status"], read["others"])
    return Seen(read["id"], read["status"], str(read["revision"]), verdict, effects, moments.stamped(read["run_at"]))


async def arrange(connection: Connection, ids: Sequence[str]) -> list[str]:
    """The ids by the moment at which they go out, soonest first; those that nobody knows last."""
    known = possible(connection, ids)
    arranged = [read["id"] for read in await rows(connection, SQL["arrange"], {"ids": listed(known)})]
    return [*arranged, *(item_id for item_id in ids if item_id not in set(known))]


async def preview(connection: Connection, item_id: str) -> Preview:
    """What cancelling one schedule would do.

    Raises:
        NotFound: there is none.
    """
    one = await _one(connection, item_id)
    around = await rows(connection, SQL["survey"], {"ids": listed([item_id])})
    facts = rules.Schedule.of(one, others=any(read["others"] for read in around), stuck=one["stuck"])
    return rules.preview(facts, moments.read(one["as_of"]), _verdict(one))


async def trail(connection: Connection, item_id: str) -> list[TrailEntry]:
    """The audit of one schedule, oldest first."""
    read = await rows(connection, SQL["trail"], {"id": item_id})
    return [TrailEntry(one["at"], one["event"], one["principal"], details(one["details"])) for one in read]


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
    known = {"ids": listed(possible(connection, ids))}
    return {read["id"]: read for read in await rows(connection, SQL["whole"], known)}
