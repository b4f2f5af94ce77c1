"""The ledger: it holds, and whatever is done to it is found."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from support.journal import Change, apply
from support.world import World, commands, fill, make_world
from tui_app.domain.errors import LedgerBroken
from tui_app.domain.records import LedgerQuery
from tui_app.store.sqlite import open_store


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = make_world(tmp_path)
    ids = fill(made.records.path, 7)
    done = fill(made.records.path, 1, status="COMPLETED")
    for key, part in (("k1", [*ids[:4], *done]), ("k2", ids[4:])):
        await made.worker().drive((await made.confirm(await made.plan(commands(*part)), key=key)).id)
    yield made
    await made.close()


def tamper(world: World, statement: str) -> None:
    """Change the journal as somebody with the file in hand would, triggers taken away first and put back."""
    connection = sqlite3.connect(world.folder / "journal.db", isolation_level=None)
    connection.execute("BEGIN")
    assert apply(connection, Change(statement, ((statement, ()),)))
    assert connection.execute("SELECT changes()").fetchone()[0] > 0
    connection.execute("COMMIT")
    connection.close()


async def test_it_holds_and_names_its_head(world: World) -> None:
    report = await world.store.ledger.check()
    assert (report.problem, report.items) == (None, 8)
    seq, digest = (report.head or "").split(":")
    assert (int(seq), len(digest)) == (report.entries, 64)
    assert (await world.store.ledger.check([(int(seq), digest)])).problem is None


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE ledger SET body = replace(body, 'duplicate request', 'other reason') WHERE event = 'confirmed'",
            "hash",
        ),
        ("DELETE FROM ledger WHERE seq = 4", "entry 4 is missing"),
        ("UPDATE outcome SET record = replace(record, '\"cancelled\"', '\"refused\"')", "was changed"),
        ("UPDATE outcome SET record = 'x' WHERE position = 1", "what it speaks of cannot be read"),
        ("UPDATE outcome SET record = x'00' WHERE position = 1", "what it speaks of cannot be read"),
        ("UPDATE plan_item SET code = 'NO_SUCH_CODE' WHERE position = 1", "payments/c000001 cannot be read"),
        ("UPDATE plan SET head = '{}' WHERE number = 1", "what it speaks of cannot be read"),
        ("DELETE FROM outcome WHERE position = 1", "outcome rows are not the ones"),
        ("DELETE FROM verification WHERE position = 1", "verification rows are not the ones"),
        ("UPDATE plan_item SET version = '99' WHERE position = 1", "is not the one it was written for"),
        ("UPDATE ledger SET chain = 'elsewhere' WHERE seq = 3", "entry 3"),
        ("UPDATE outcome SET position = 90 WHERE position = 4", "was changed"),
        ("UPDATE verification SET position = 90 WHERE position = 3", "at position 90 was changed"),
        ("UPDATE run SET confirmed = replace(confirmed, 'duplicate request', 'other')", "not as it was confirmed"),
        ("DELETE FROM run", "is gone"),
        ("INSERT INTO outcome SELECT 999, position, hash, record FROM outcome LIMIT 1", "outcomes are stored"),
        (
            "INSERT INTO verification SELECT 999, position, hash, record FROM outcome LIMIT 1",
            "verifications are stored",
        ),
    ],
)
async def test_what_is_changed_is_found(world: World, statement: str, found: str) -> None:
    tamper(world, statement)
    report = await world.store.ledger.check()
    assert report.problem is not None
    assert found in report.problem
    assert report.seq is not None or "are stored" in report.problem


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE outcome SET record = 'x' WHERE position = 1",
        "UPDATE ledger SET body = '[]' WHERE seq = 2",
        "UPDATE ledger SET hash = 'zz' WHERE seq = 2",
    ],
)
async def test_a_line_that_cannot_be_read_is_told_as_a_broken_ledger(world: World, statement: str) -> None:
    tamper(world, statement)
    with pytest.raises(LedgerBroken, match="cannot be read"):
        await world.store.ledger.lines(LedgerQuery(limit=500))


async def test_a_cut_tail_is_found_by_an_anchor(world: World) -> None:
    """An older copy of the journal is whole, as is one that was rebuilt: only a head that stands elsewhere tells."""
    with (
        closing(sqlite3.connect(world.folder / "journal.db")) as now,
        closing(sqlite3.connect(world.folder / "older.db")) as older,
    ):
        now.backup(older)
    await world.plan(commands(*fill(world.records.path, 1)))
    seq, digest = ((await world.store.ledger.check()).head or "").split(":")
    cut = open_store(world.folder / "older.db")
    assert (await cut.ledger.check()).problem is None
    found = await cut.ledger.check([(int(seq), digest)])
    assert (found.seq, found.problems) == (int(seq), (f"the anchor {seq}:{digest} is not in this ledger",))
    await cut.close()


async def test_nothing_can_be_rewritten_through_the_journal(world: World) -> None:
    connection = sqlite3.connect(world.folder / "journal.db")
    for statement in (
        "UPDATE ledger SET seq = 99",
        "DELETE FROM outcome",
        "DELETE FROM verification",
        "DELETE FROM ledger",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()


async def test_lines_come_in_order_both_ways_and_page_by_page(world: World) -> None:
    everything = await world.store.ledger.lines(LedgerQuery(limit=1000))
    places = [(line.seq, line.position) for line in everything]
    assert places == sorted(places)
    backwards = await world.store.ledger.lines(LedgerQuery(newest=True, limit=1000))
    assert [(line.seq, line.position) for line in backwards] == places[::-1]
    paged, after = [], None
    while page := await world.store.ledger.lines(LedgerQuery(limit=3, after=after)):
        paged += [(line.seq, line.position) for line in page]
        after = paged[-1]
    assert paged == places


async def test_lines_by_run_item_event_and_operator(world: World) -> None:
    (run, _) = await world.store.runs.newest(2)
    ours = await world.store.ledger.lines(LedgerQuery(run=run.id))
    assert {line.facts["run"] for line in ours} == {run.id}
    (line,) = await world.store.ledger.lines(LedgerQuery(item="payments/c000002"))
    facts = line.facts
    assert (facts["event"], facts["reason"], facts["operator"]) == (
        "cancelled",
        "duplicate request",
        "jane@example.com",
    )
    skipped = await world.store.ledger.lines(LedgerQuery(event="skipped"))
    assert [one.facts["code"] for one in skipped] == ["TERMINAL"]
    assert await world.store.ledger.lines(LedgerQuery(operator="nobody")) == []


async def test_the_secret_of_a_run_stands_nowhere_but_in_its_row(world: World) -> None:
    (run, _) = await world.store.runs.newest(2)
    told = json.dumps([dict(line.facts) for line in await world.store.ledger.lines(LedgerQuery(limit=1000))])
    assert run.secret.hex() not in told
