"""Letters in a SQLite file, as a system: listed, previewed, withdrawn with a guard, put back within an hour."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from support.letters.records import prepare
from support.letters.words import COLUMNS, DESCRIPTION, MISSING, POSTED, WAITING, WITHDRAWN, verdict
from tui_app.clock import SystemClock
from tui_app.database.sqlite import SqliteFile
from tui_app.database.where import SQLITE, Clause, Field, Place, beyond, both, ordering, where
from tui_app.domain import moments
from tui_app.domain.describe import Description, Verb
from tui_app.domain.errors import MalformedId, NotFound
from tui_app.domain.filters import Filter
from tui_app.domain.items import Count, Cursor, Item, Page, PageQuery, Seen, Sort, check_sort
from tui_app.domain.ports import Clock, Preview, TrailEntry
from tui_app.domain.run import Answer, Errand, ItemState, Order, SkipCode, Verification, Verified, stopped
from tui_app.domain.verdict import Effect, VerdictCode

FIELDS = {column.field: Field(column.field, column.kind, nullable=False) for column in COLUMNS}
WINDOW = timedelta(hours=1)


class Letters:
    """The letters of one file."""

    description: Description = DESCRIPTION
    chunk_size = 50

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._file = SqliteFile(path, prepare)
        self._clock = clock or SystemClock()

    def check_id(self, text: str) -> str:
        if not re.fullmatch(r"L-[0-9]{4,}", text):
            raise MalformedId(f"{text!r} is not a letter's id", hint="It looks like L-0001.")
        return text

    async def identity(self) -> str:
        return str((await self._rows("SELECT identity FROM drawer"))[0]["identity"])

    async def page(self, query: PageQuery) -> Page:
        sort = check_sort(query.sort, DESCRIPTION.sortable)
        wanted = where(query.filter, FIELDS, ("id", "addressee"), SQLITE)
        if query.cursor is not None:
            wanted = both(wanted, _beyond(sort, query.cursor, backward=query.backward))
        order = ordering(sort.field, ("id",), sort, backward=query.backward)
        sql = f"SELECT * FROM letter WHERE {wanted.sql} ORDER BY {order} LIMIT ?"
        found = await self._rows(sql, *wanted.values, query.limit + 1)
        items = tuple(self._item(row) for row in found[: query.limit])
        more, came = len(found) > query.limit, query.cursor is not None
        if query.backward:
            return Page(items[::-1], more_before=more, more_after=came, as_of=self._now())
        return Page(items, more_before=came, more_after=more, as_of=self._now())

    async def count(
        self, wanted: Filter, *, as_of: str | None = None, before: tuple[Sort, Cursor] | None = None
    ) -> Count:
        clause = where(wanted, FIELDS, ("id", "addressee"), SQLITE)
        if before is not None:
            clause = both(clause, _beyond(*before, backward=True))
        [row] = await self._rows(f"SELECT count(*) AS n FROM letter WHERE {clause.sql}", *clause.values)
        return Count(row["n"])

    async def item(self, item_id: str) -> Item:
        found = await self._rows("SELECT * FROM letter WHERE id = ?", item_id)
        if not found:
            raise NotFound(f"there is no letter {item_id}", hint="Look into the drawer.")
        return self._item(found[0])

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        return await self._file.read(lambda connection: self._seen(connection, ids, verb))

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        listed = json.dumps(list(ids))
        rows = await self._rows(
            "SELECT id FROM letter WHERE id IN (SELECT value FROM json_each(?)) ORDER BY posts_at, id", listed
        )
        known = [row["id"] for row in rows]
        return [*known, *(one for one in ids if one not in set(known))]

    async def preview(self, item_id: str) -> Preview:
        await self.item(item_id)
        [seen] = await self.survey([item_id])
        return Preview(seen.verdict, seen.effects)

    async def trail(self, item_id: str) -> list[TrailEntry]:
        rows = await self._rows("SELECT * FROM note WHERE id = ? ORDER BY at, rowid", item_id)
        return [TrailEntry(row["at"], row["event"], row["by"], {"reason": row["reason"]}) for row in rows]

    async def execute(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        return await self._file.write(lambda connection: self._answers(connection, orders, errand))

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        if not errand.only_look:
            return await self.execute(orders, errand)
        return await self._file.write(lambda connection: [self._looked_at(connection, one, errand) for one in orders])

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        wanted = WITHDRAWN if errand.verb is Verb.CANCEL else WAITING
        found = []
        for order in orders:
            rows = await self._rows(
                "SELECT status FROM letter JOIN note USING (id) WHERE id = ? AND key = ?", order.id, order.key
            )
            holds = [row["status"] for row in rows] == [wanted]
            found.append(Verification(Verified.YES if holds else Verified.CONTRADICTED))
        return found

    async def close(self) -> None:
        await self._file.close()

    def _seen(self, connection: sqlite3.Connection, ids: Sequence[str], verb: Verb) -> list[Seen]:
        found = []
        for one in ids:
            row = connection.execute("SELECT * FROM letter WHERE id = ?", (one,)).fetchone()
            if row is None:
                found.append(Seen(one, "", "", MISSING))
                continue
            now = verdict(row["status"], row["undo_until"], verb, self._now())
            effects = (Effect("LETTER_KEPT"), Effect("LETTER_TOLD", row["addressee"])) if verb is Verb.CANCEL else ()
            due = row["posts_at"] if verb is Verb.CANCEL else row["undo_until"]
            kept = (effects, due) if now.cancellable else ((), None)
            found.append(Seen(one, row["status"], str(row["revision"]), now, *kept))
        return found

    def _answers(self, connection: sqlite3.Connection, orders: Sequence[Order], errand: Errand) -> list[Answer]:
        now = self._clock.now()
        return [self._answer(connection, order, errand, now) for order in orders]

    def _answer(self, connection: sqlite3.Connection, order: Order, errand: Errand, now: datetime) -> Answer:
        """One guarded write; our key on the envelope says that it was ours, however often it is sent."""
        cancels = errand.verb is Verb.CANCEL
        after, done = (WITHDRAWN, ItemState.CANCELLED) if cancels else (WAITING, ItemState.REINSTATED)
        until = moments.stamp(now + WINDOW) if cancels else None
        if connection.execute("SELECT 1 FROM note WHERE key = ?", (order.key,)).fetchone():
            return Answer(done, ours=True, after=after, undo_until=until)
        changed = connection.execute(
            "UPDATE letter SET status = ?, undo_until = ?, revision = revision + 1 "
            "WHERE id = ? AND status = ? AND revision = ? RETURNING addressee",
            (after, until, order.id, order.seen.status, int(order.seen.version or -1)),
        ).fetchone()
        if changed is None:
            return self._left_alone(connection, order, errand.verb)
        told = changed["addressee"] if cancels and errand.options.notify_stakeholders else None
        note = (order.id, moments.stamp(now), done.value, errand.operator, errand.reason, order.key, told)
        connection.execute("INSERT INTO note VALUES (?, ?, ?, ?, ?, ?, ?)", note)
        return Answer(done, before=order.seen.status, after=after, undo_until=until)

    def _looked_at(self, connection: sqlite3.Connection, order: Order, errand: Errand) -> Answer:
        if connection.execute("SELECT 1 FROM note WHERE key = ?", (order.key,)).fetchone():
            done = ItemState.CANCELLED if errand.verb is Verb.CANCEL else ItemState.REINSTATED
            return Answer(done, ours=True)
        answer = self._left_alone(connection, order, errand.verb)
        return stopped(order.seen.status, "nothing was sent") if answer.state is ItemState.SKIPPED else answer

    def _left_alone(self, connection: sqlite3.Connection, order: Order, verb: Verb) -> Answer:
        [seen] = self._seen(connection, [order.id], verb)
        if seen.status == WITHDRAWN and verb is Verb.CANCEL:
            return Answer(ItemState.ALREADY_CANCELLED, ours=False, after=WITHDRAWN)
        if seen.verdict.cancellable:
            return Answer(ItemState.SKIPPED, SkipCode.DRIFTED.value, after=seen.status)
        code = VerdictCode.NOT_KNOWN if seen.verdict.code is None else seen.verdict.code
        return Answer(ItemState.REFUSED, code.value, seen.verdict.reason, after=seen.status or POSTED)

    def _item(self, row: sqlite3.Row) -> Item:
        now = verdict(row["status"], row["undo_until"], Verb.CANCEL, self._now())
        fields = {name: row[name] for name in FIELDS}
        return Item(DESCRIPTION.system, row["id"], row["status"], str(row["revision"]), now, fields)

    async def _rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return await self._file.read(lambda connection: connection.execute(sql, values).fetchall())

    def _now(self) -> str:
        return moments.stamp(self._clock.now())


def _beyond(sort: Sort, cursor: Cursor, *, backward: bool) -> Clause:
    return beyond(sort.field, ("id",), sort, Place(cursor.value, (cursor.id,)), backward=backward, mark=("?", "?"))
