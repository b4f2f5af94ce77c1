"""What no system should hold and some do: moments that cannot be, and JSON beyond every limit.

The item is shown, and those beside it as well.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from support.benches import EmbeddedBench, Given, State
from support.cases_bare_bench import BareBench
from support.cases_bench import CasesBench
from support.odd_rows import goes_on
from support.orders import errand, orders, settled
from support.raw_server import raw_server
from support.schedule_servers import KINDS, Posts, PostsBench, adapter
from support.schedules_bench import SchedulesBench
from tui_app.contract.models import TrailModel
from tui_app.domain.filters import Filter
from tui_app.domain.items import Cursor, PageQuery, Sort
from tui_app.domain.moments import EARLIEST, LATEST, known, stamp
from tui_app.domain.plan import PlanTotals
from tui_app.domain.run import ItemState
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.answers import Response
from tui_app.service.answers import encode
from tui_app.systems.cases import schema as cases_schema
from tui_app.systems.cases.lists import rows_of
from tui_app.systems.commands import schema as commands_schema
from tui_app.systems.schedules import schema as schedules_schema

ODD = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-12:00",
)
ODDER = ("infinity", "-infinity", "0044-03-15 BC", "294276-12-31")
"""What a column of PostgreSQL holds beside these."""


async def put(bench: Any, item_id: str, moment: str) -> None:
    """Write a moment wherever the system behind a bench keeps one of an item, past everything that would refuse it."""
    match bench:
        case PostsBench():
            bench.posts.rows[item_id] |= {"run_at": moment, "created_at": moment}
        case BareBench():
            kept = bench._server.cases[item_id]
            kept.updated = kept.deadline = kept.foretold = moment
            entry = {"event": "CASE_CANCELLED", "timestamp": moment, "user_id": "x@example.com"}
            kept.audit.append({**entry, "details": {"notes": "by hand"}})
        case CasesBench():
            with bench.connected() as connection:
                connection.execute(
                    "UPDATE cases SET created_at = ?, rollback_deadline = ? WHERE id = ?", (moment, moment, item_id)
                )
                connection.execute(
                    "INSERT INTO audit (case_id, event, at, user_id, details) VALUES (?, 'CASE_NOTED', ?, 'x', '{}')",
                    (item_id, moment),
                )
        case EmbeddedBench():
            with bench._connected() as connection:
                connection.execute("UPDATE command SET created_at = ? WHERE id = ?", (moment, item_id))
        case SchedulesBench() if hasattr(bench, "file"):
            bench.file.change("UPDATE schedule SET run_at = ?, created_at = ? WHERE id = ?", moment, moment, item_id)
        case SchedulesBench():
            await bench.rows.run(
                "UPDATE scheduler.schedule SET run_at = %s, created_at = %s WHERE id = %s", moment, moment, item_id
            )
        case _:
            await bench._run(
                "UPDATE commandbus.command SET created_at = %s, updated_at = %s WHERE command_id = %s",
                moment,
                moment,
                item_id.partition("/")[2],
            )


def moments_of(bench: Any) -> tuple[str, ...]:
    return (*ODD, *ODDER) if type(bench).__name__.startswith("Postgres") else ODD


async def test_moments_that_cannot_be_end_nothing(bench, system):
    odd = moments_of(bench)
    ids = await bench.add([Given(State.WAITING, minute=n) for n in range(len(odd) + 1)])
    for item_id, moment in zip(ids, odd, strict=False):
        await put(bench, item_id, moment)
    for item_id in ids:
        preview = await system.preview(item_id)
        assert preview.verdict.cancellable, (item_id, preview)
        if "audits" not in bench.lacks:
            await system.trail(item_id)
        await system.item(item_id)
    assert set(await system.arrange(ids)) == set(ids)
    seen = await system.survey(ids)
    totals = PlanTotals()
    for one in seen:
        assert one.due is None or known(one.due) is not None
        totals.add("x", one)
    assert totals.soonest is None or stamp(EARLIEST) <= totals.soonest <= stamp(LATEST)
    sent, why = await orders(system, ids), errand()
    answers = await settled(bench, system, sent, await system.execute(sent, why), why)
    assert {one.state for one in answers} == {ItemState.CANCELLED}
    assert [await bench.cancelled(item_id) for item_id in ids] == [True] * len(ids)
    assert len(await system.verify(sent, why)) == len(ids)


@pytest.mark.parametrize("descending", [False, True])
async def test_a_list_goes_on_behind_a_moment_that_cannot_be(bench, system, descending):
    if type(bench) is BareBench:
        pytest.skip("this server has no list")
    odd = moments_of(bench)
    ids = await bench.add([Given(State.WAITING, minute=n) for n in range(len(odd) + 2)])
    for item_id, moment in zip(ids, odd, strict=False):
        await put(bench, item_id, moment)
    fields = [name for name in ("run_at", "created", "updated") if name in system.description.sortable]
    for field in fields:
        met, cursor = [], None
        while True:
            page = await system.page(PageQuery(Filter(), Sort(field, descending), limit=2, cursor=cursor))
            met += [item.id for item in page.items]
            if not page.more_after:
                break
            assert len(met) < 100
            last = page.items[-1]
            cursor = Cursor(last.fields[field], last.id)
        assert sorted(met) == sorted(ids), field


LEVELS = 3_000
WIDE = {
    "a number of 5,000 digits": '{"operator": 7, "odd": ' + "7" * 5_000 + "}",
    "3,000 levels": '{"odd": ' + '{"a": ' * LEVELS + "1" + "}" * LEVELS + "}",
    "a list of 3,000 levels": "[" * LEVELS + "]" * LEVELS,
    "no object": "[1, 2]",
    "half a character": '{"odd": "\\ud800"}',
    "a number without end": '{"odd": 1e999}',
    "no JSON": "it was me",
}
NOT_IN_JSONB = {"half a character", "no JSON"}
"""What PostgreSQL does not let into a column of jsonb."""


async def note(bench: Any, item_id: str, details: str) -> None:
    """Write an entry with these details into the audit of one item, and a payload where the system keeps one."""
    match bench:
        case CasesBench():
            with bench.connected() as connection:
                connection.execute(
                    "INSERT INTO audit (case_id, event, at, user_id, details) VALUES (?, 'CASE_CANCELLED', ?, 'x', ?)",
                    (item_id, bench.now(), details),
                )
        case EmbeddedBench():
            with bench._connected() as connection:
                connection.execute(
                    "INSERT INTO audit (id, event, at, details) VALUES (?, 'OPERATOR_CANCEL', ?, ?)",
                    (item_id, stamp(EARLIEST), details),
                )
                connection.execute("INSERT INTO payload (id, body) VALUES (?, ?)", (item_id, details))
        case SchedulesBench() if hasattr(bench, "file"):
            bench.file.change(
                "INSERT INTO audit (id, event, at, principal, details) VALUES (?, 'SCHEDULE_CANCELLED', ?, 'x', ?)",
                item_id,
                stamp(EARLIEST),
                details,
            )
        case SchedulesBench():
            await bench.rows.run(
                "INSERT INTO scheduler.audit (id, event, principal, details)"
                " VALUES (%s, 'SCHEDULE_CANCELLED', 'x', %s)",
                item_id,
                details,
            )
        case _:
            own = item_id.partition("/")[2]
            await bench._run(
                "INSERT INTO commandbus.audit (domain, command_id, event_type, details_json)"
                " VALUES ('payments', %s, 'OPERATOR_CANCEL', %s)",
                own,
                details,
            )
            (row,) = await bench._run(
                "SELECT * FROM pgmq.send('payments__commands', jsonb_build_object('command_id', %s::text,"
                " 'data', %s::jsonb)) AS msg_id",
                own,
                details,
            )
            await bench._run("SELECT pgmq.archive('payments__commands', %s::bigint)", row["msg_id"])
            await bench._run("UPDATE commandbus.command SET msg_id = %s WHERE command_id = %s", row["msg_id"], own)


async def test_json_beyond_every_limit_takes_nothing_with_it(bench, system):
    if isinstance(bench, BareBench | PostsBench):
        pytest.skip("what this server answers is covered by the tests of answers")
    postgres = type(bench).__name__.startswith("Postgres")
    if type(bench).__name__ == "PostgresBench":
        await bench._run("SELECT pgmq.create('payments__commands')")
    odd = {name: text for name, text in WIDE.items() if not (postgres and name in NOT_IN_JSONB)}
    ids = await bench.add([Given(State.WAITING, minute=n) for n in range(len(odd) + 1)])
    for item_id, details in zip(ids, odd.values(), strict=False):
        await note(bench, item_id, details)
    for item_id in ids:
        preview = await system.preview(item_id)
        for section in preview.sections:
            "".join(section.lines).encode()
        for entry in await system.trail(item_id):
            encode(TrailModel(at=entry.at, event=entry.event, actor=entry.actor, details=dict(entry.details)))
    sent, why = await orders(system, ids), errand()
    answers = await settled(bench, system, sent, await system.execute(sent, why), why)
    assert {one.state for one in answers} == {ItemState.CANCELLED}
    assert len(await system.verify(sent, why)) == len(ids)
    assert len(await system.reconcile(sent, why)) == len(ids)


LATIN = "CAST(x'636166E920E280' AS TEXT)"
"""A text of bytes that are not UTF-8: a word in Latin-1, and the beginning of a sign that was cut in its middle."""


def garble(bench: Any, item_id: str, *, deciding: bool) -> str:
    """Write such a text into a field of an item in a SQLite file that is shown, or that decides; the field."""
    match bench:
        case CasesBench():
            field = "related_orders_status" if deciding else "title"
            with bench.connected() as connection:
                connection.execute(f"UPDATE cases SET {field} = {LATIN} WHERE id = ?", (item_id,))
        case EmbeddedBench():
            field = "reply_queue" if deciding else "error"
            with bench._connected() as connection:
                connection.execute(f"UPDATE command SET {field} = {LATIN} WHERE id = ?", (item_id,))
        case _ if deciding:
            field = "channel"
            bench.file.change(f"UPDATE schedule SET channel = {LATIN} WHERE id = ?", item_id)
        case _:
            field = "content"
            bench.file.change(
                f"UPDATE post_variant SET content = {LATIN}"
                " WHERE id = (SELECT post_variant_id FROM schedule WHERE id = ?)",
                item_id,
            )
    return field


def in_a_file(bench: Any) -> bool:
    return type(bench) in (EmbeddedBench, CasesBench, SchedulesBench)


async def test_a_text_that_is_not_utf_8_hides_no_other_row(bench, system):
    if not in_a_file(bench):
        pytest.skip("other tests write such a text to this system")
    shown, deciding, fine = ids = await bench.add([Given(State.WAITING, minute=n) for n in range(3)])
    garble(bench, shown, deciding=False)
    field = garble(bench, deciding, deciding=True)
    await goes_on(bench, system, shown, deciding, fine, field)
    assert [await bench.cancelled(item_id) for item_id in ids] == [True, False, True]


def test_columns_of_embedded_files_hold_text_alone(tmp_path):
    for prepare in (commands_schema.prepare, cases_schema.prepare, schedules_schema.prepare):
        connection = sqlite3.connect(":memory:")
        prepare(connection)
        tables = connection.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").fetchall()
        assert {name for name, strict in tables if not strict and not name.startswith("sqlite_")} <= {"meta"}
        connection.close()


ODD_ROWS = {
    "a run_at that is a number": {"run_at": 5},
    "a run_at that is an object": {"run_at": {"seconds": 5}},
    "no run_at": {"run_at": None},
    "a run_at of letters": {"run_at": "soon"},
    "a status that is a number": {"status": 7},
    "no status": {"status": None},
    "an attempt_count of letters": {"attempt_count": "many"},
}


class Odd(Posts):
    """What a service lists for one of its schedules is odd; how it judges and cancels it is not."""

    def __init__(self, posts: Posts) -> None:
        self.posts, self.changes = posts, dict[str, dict[str, Any]]()
        self.more: list[Any] = []

    def handle(self, asked: Any) -> Any:
        answer = self.posts.handle(asked)
        body = answer.body
        if isinstance(body, dict) and isinstance(body.get("data"), list):
            rows = [self.told(row) for row in body["data"]]
            numbers = "pagination" if "pagination" in body else "meta"
            whole = {**body[numbers], "total": body[numbers]["total"] + len(self.more)}
            body = {**body, "data": [*rows[:1], *self.more, *rows[1:]], numbers: whole}
        elif isinstance(body, dict) and "schedule" in body.get("data", {}):
            body = {"data": {"schedule": self.told(body["data"]["schedule"])}}
        elif isinstance(body, dict) and "id" in body:
            body = self.told(body)
        return replace(answer, body=body)

    def told(self, row: dict[str, Any]) -> dict[str, Any]:
        return {**row, **self.changes.get(str(row["id"]), {})}


@pytest.fixture(params=["seed", "luxaris"])
async def odd_posts(request):
    posts = KINDS[request.param]()
    odd = Odd(posts)
    async with raw_server(odd.handle) as server:
        system = adapter(server, posts)
        yield odd, system
        await system.close()


@pytest.mark.parametrize("change", ODD_ROWS.values(), ids=ODD_ROWS)
async def test_a_schedule_that_cannot_be_read_hides_no_other(odd_posts, change):
    odd, system = odd_posts
    ids = [odd.posts.add() for _ in range(3)]
    odd.changes[ids[1]] = change
    (field,) = change
    page = await system.page(PageQuery(system.description.default_filter, system.description.default_sort))
    rows = {item.id: item for item in page.items}
    assert rows.keys() == set(ids)
    assert (await system.count(system.description.default_filter)).value == 3
    seen = await system.survey(ids)
    assert [one.verdict.cancellable for one in seen] == [True, False, True]
    for verdict in (rows[ids[1]].verdict, (await system.preview(ids[1])).verdict, (await system.item(ids[1])).verdict):
        assert verdict.code is VerdictCode.NOT_KNOWN
        assert f"its {field} cannot be read" in verdict.reason
    assert seen[1].verdict.code is VerdictCode.NOT_KNOWN
    assert set(await system.arrange(ids)) == set(ids)
    sent, why = await orders(system, [ids[0], ids[2]]), errand()
    assert {one.state for one in await system.execute(sent, why)} == {ItemState.CANCELLED}
    assert len(await system.verify(sent, why)) == 2


@pytest.mark.parametrize(
    "row",
    [5, None, "a row", [], {}, {"id": None}, {"id": {"a": 1}, "status": "pending"}],
    ids=repr,
)
async def test_a_row_without_an_id_is_shown_and_hides_no_other(odd_posts, row):
    odd, system = odd_posts
    ids = [odd.posts.add() for _ in range(3)]
    odd.more.append(row)
    for sort in (system.description.default_sort, Sort("id")):
        page = await system.page(PageQuery(Filter(), sort))
        rows = {item.id: item for item in page.items}
        (nameless,) = rows.keys() - set(ids)
        assert rows[nameless].verdict.code is VerdictCode.NOT_KNOWN
        assert "no id that can be read" in rows[nameless].verdict.reason
    verdicts = [one.verdict for one in await system.survey([*ids, nameless])]
    assert [one.cancellable for one in verdicts] == [True, True, True, False]
    assert verdicts[-1].code is VerdictCode.NOT_KNOWN


ODD_CASES = [None, 5, [], {}, {"case_id": None}, {"case_id": {"a": 1}}, {"case_id": True, "status": "pending"}]


@pytest.mark.parametrize("odd", ODD_CASES, ids=repr)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_case_without_an_id_is_shown_between_those_from_which_a_page_goes_on(odd, place):
    listed = [{"case_id": "CASE-1", "status": "pending"}, {"case_id": "CASE-2", "status": "pending"}]
    listed.insert(place, odd)
    rows = rows_of(Response(200, {}, {"cases": listed}, ""), stamp(EARLIEST))
    assert [rows[0].id, rows[2].id] == ["CASE-1", "CASE-2"]
    assert rows[1].verdict.code is VerdictCode.NOT_KNOWN
    assert "no case_id that can be read" in (rows[1].verdict.reason or "")


@pytest.mark.parametrize("status", [None, 5, [], {"odd": 1}, ""], ids=repr)
def test_a_case_whose_status_cannot_be_read_is_blocked(status):
    (row,) = rows_of(Response(200, {}, {"cases": [{"case_id": "CASE-1", "status": status}]}, ""), stamp(EARLIEST))
    assert (row.id, row.verdict.code) == ("CASE-1", VerdictCode.NOT_KNOWN)
