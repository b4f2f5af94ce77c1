"""What goes on in a system beside rows that cannot be read, or whose texts are odd."""

from __future__ import annotations

from support.benches import Bench
from support.orders import errand, orders, settled
from tui_app.domain.filters import Filter
from tui_app.domain.items import PageQuery, Sort
from tui_app.domain.ports import System
from tui_app.domain.run import ItemState
from tui_app.domain.verdict import VerdictCode


async def goes_on(bench: Bench, system: System, shown: str, deciding: str, fine: str, field: str) -> None:
    """Everything that an operator does goes on beside rows that cannot be read: one that is only shown, one that is."""
    page = await system.page(PageQuery(Filter(), Sort("id"), limit=10))
    rows = {item.id: item for item in page.items}
    assert rows.keys() == {shown, deciding, fine}
    assert (await system.count(Filter())).value == 3
    assert any("caf\\xe9 " in value for value in rows[shown].fields.values() if isinstance(value, str))
    for item_id in rows:
        await system.trail(item_id)
        preview = await system.preview(item_id)
        item = await system.item(item_id)
        (seen,) = await system.survey([item_id])
        assert preview.verdict == item.verdict == seen.verdict == rows[item_id].verdict
        assert preview.verdict.cancellable == (item_id != deciding)
    assert rows[deciding].verdict.code is VerdictCode.NOT_KNOWN
    assert f"its {field} cannot be read" in (rows[deciding].verdict.reason or "")
    sent, why = await orders(system, [shown, fine]), errand()
    answers = await settled(bench, system, sent, await system.execute(sent, why), why)
    assert {one.state for one in answers} == {ItemState.CANCELLED}
    assert len(await system.verify(sent, why)) == 2
