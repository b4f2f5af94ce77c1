"""What stands on a bench when a test of the conformance suite begins, and everything that can be read of it."""

from collections.abc import Sequence

from support.benches import Bench, Given, State
from tui_app.domain.filters import Filter
from tui_app.domain.items import Item, PageQuery, Sort
from tui_app.domain.ports import System

KINDS = ("TIMEOUT", "OUT_OF_STOCK", "INVALID", "")


async def set_scene(bench: Bench) -> None:
    """Thirty items with ties in every column; some fields are empty."""
    states = list(State)
    await bench.add(
        [
            Given(states[n % 5], n * 7 % 6, KINDS[n % 4], ("no answer", "refused 100%", "a_b")[n % 3], n % 3)
            for n in range(30)
        ]
    )


async def everything(system: System) -> Sequence[Item]:
    """All items, by id."""
    return (await system.page(PageQuery(Filter(), Sort("id"), limit=500))).items


def another_id(item_id: str) -> str:
    """An id of the same kind that nobody has."""
    return item_id[:-1] + ("0" if item_id[-1] != "0" else "1")
