"""What no system should hold and some do: moments that cannot be. The item is shown, and those beside it as well."""

from __future__ import annotations

from typing import Any

import pytest

from support.benches import EmbeddedBench, Given, State
from support.cases_bare_bench import BareBench
from support.cases_bench import CasesBench
from support.orders import errand, orders, settled
from support.schedule_servers import PostsBench
from support.schedules_bench import SchedulesBench
from tui_app.domain.filters import Filter
from tui_app.domain.items import Cursor, PageQuery, Sort
from tui_app.domain.moments import EARLIEST, LATEST, known, stamp
from tui_app.domain.plan import PlanTotals
from tui_app.domain.run import ItemState

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
