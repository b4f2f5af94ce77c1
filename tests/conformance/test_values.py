"""What no system should hold and some do: moments that cannot be, and JSON beyond every limit.

The item is shown, and those beside it as well.
"""

from __future__ import annotations

from typing import Any

import pytest

from support.benches import EmbeddedBench, Given, State
from support.cases_bare_bench import BareBench
from support.cases_bench import CasesBench
from support.orders import errand, orders, settled
from support.schedule_servers import PostsBench
from support.schedules_bench import SchedulesBench
from tui_app.contract.models import TrailModel
from tui_app.domain.filters import Filter
from tui_app.domain.items import Cursor, PageQuery, Sort
from tui_app.domain.moments import EARLIEST, LATEST, known, stamp
from tui_app.domain.plan import PlanTotals
from tui_app.domain.run import ItemState
from tui_app.service.answers import encode

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
