"""The items that stand behind a number: those a plan blocks, and those a run did not cancel or cannot prove."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tui_app.domain.errors import Unavailable
from tui_app.domain.items import PAGE_LIMIT
from tui_app.domain.run import ItemState, Verified

if TYPE_CHECKING:
    from tui_app.client.backend import BackendClient
    from tui_app.contract.plans import PlanItemModel, PlanModel
    from tui_app.contract.runs import RunItemModel, RunModel

T = TypeVar("T")
ItemsByKind = dict[str, list[T]]
Read = Callable[[int | None, int], Awaitable[tuple[list[T], int | None]]]

SHOWN = 20
"""Items of one kind that are named in text; JSON names all."""

NOT_DONE = (ItemState.SKIPPED, ItemState.REFUSED, ItemState.UNKNOWN, ItemState.ALREADY_CANCELLED)
"""The outcomes that are not this run's doing, or in doubt."""

NOT_PROVEN = (Verified.CONTRADICTED, Verified.NOT_KNOWN, Verified.UNDONE)
"""The verifications that do not prove an outcome, or that it was taken back since."""


async def blocked_items(client: BackendClient, plan: PlanModel, most: int | None = SHOWN) -> ItemsByKind[PlanItemModel]:
    """The blocked items of a plan by code, ``most`` of each code; all of them where ``most`` is None."""

    def reading(code: str) -> Read[PlanItemModel]:
        async def read(after: int | None, limit: int) -> tuple[list[PlanItemModel], int | None]:
            page = await client.plans.items(plan.id, after=after, limit=limit, code=code)
            return page.items, page.next

        return read

    return {line.code: await _some(reading(line.code), most) for line in plan.blocked}


async def not_done_items(client: BackendClient, run: RunModel, most: int | None = SHOWN) -> ItemsByKind[RunItemModel]:
    """The items of a run that it did not cancel, or whose cancellation is not proven; ``most`` of each, or all."""

    def reading(**wanted: str) -> Read[RunItemModel]:
        async def read(after: int | None, limit: int) -> tuple[list[RunItemModel], int | None]:
            page = await client.runs.items(run.id, after=after, limit=limit, **wanted)
            return page.items, page.next

        return read

    found = {state.value: await _some(reading(state=state), most) for state in NOT_DONE if run.counts[state]}
    numbers = numbers_of(run)
    return found | {one.value: await _some(reading(verified=one), most) for one in NOT_PROVEN if numbers[one.value]}


def numbers_of(run: RunModel) -> dict[str, int]:
    """How many items of a run are of each kind that is named."""
    numbers = {state.value: run.counts[state] for state in NOT_DONE}
    return numbers | {one.value: int(getattr(run.verified, one.value)) for one in NOT_PROVEN}


async def _some(read: Read[T], most: int | None) -> list[T]:
    """Items from the first on. Where they cannot be read the numbers are told all the same."""
    items: list[T] = []
    after: int | None = None
    while most is None or len(items) < most:
        limit = PAGE_LIMIT if most is None else min(PAGE_LIMIT, most - len(items))
        try:
            page, after = await read(after, limit)
        except Unavailable:
            break
        items += page
        if after is None:
            break
    return items


def as_data(items: ItemsByKind[Any], *fields: str) -> list[dict[str, Any]]:
    """The items for a document, with these fields; ``kind`` is what they are listed for."""
    return [
        {"kind": kind, **item.model_dump(mode="json", include=set(fields))}
        for kind, several in items.items()
        for item in several
    ]
