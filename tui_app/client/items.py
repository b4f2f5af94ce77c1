"""The operations of ``/v1`` on items, as methods. Errors are those of ``tui_app.domain.errors``."""

from __future__ import annotations

from collections.abc import Sequence

from tui_app.client.channel import Channel
from tui_app.contract import paths
from tui_app.contract.models import (
    CountModel,
    IdsModel,
    IdsRequest,
    ItemModel,
    PageModel,
    PreviewModel,
    ProbesModel,
    TrailModel,
    TrailsModel,
)
from tui_app.contract.plans import check_number


class Items:
    """Items of the systems: read-only."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def page(
        self,
        system: str,
        *,
        filter: str = "",
        sort: str | None = None,
        limit: int = 100,
        after: str | None = None,
        before: str | None = None,
        last: bool = False,
        around: str | None = None,
        as_of: str | None = None,
        count: bool = False,
    ) -> PageModel:
        """Rows by keyset: ``after`` or ``before`` a cursor, the ``last`` ones, or ``around`` an id; else the first.

        With ``count`` the page says its total and the position of its first row.
        """
        query = {
            "filter": filter,
            "sort": sort,
            "limit": limit,
            "after": after,
            "before": before,
            "last": last,
            "around": around,
            "as_of": as_of,
            "count": count,
        }
        return await self._channel.get(PageModel, paths.fill(paths.ITEMS, system=system), query)

    async def count(self, system: str, *, filter: str = "", as_of: str | None = None) -> CountModel:
        """How many items match."""
        query = {"filter": filter, "as_of": as_of}
        return await self._channel.get(CountModel, paths.fill(paths.COUNT, system=system), query)

    async def check(self, system: str) -> ProbesModel:
        """Whether what answers at the address of a system is that system."""
        return await self._channel.get(ProbesModel, paths.fill(paths.PROBE, system=system))

    async def get(self, system: str, item: str) -> ItemModel:
        """One item."""
        return await self._channel.get(ItemModel, paths.fill(paths.ITEM, system=system, item=item))

    async def preview(self, system: str, item: str) -> PreviewModel:
        """What cancelling one item would do."""
        return await self._channel.get(PreviewModel, paths.fill(paths.PREVIEW, system=system, item=item))

    async def check_ids(self, system: str, ids: Sequence[str]) -> IdsModel:
        """Which of these can be ids of a system, without looking them up.

        Raises:
            UsageProblem: they are more than one request names.
        """
        check_number(ids)
        path, asked = paths.fill(paths.IDS, system=system), IdsRequest(ids=list(ids))
        return await self._channel.post(IdsModel, path, asked, reads=True)

    async def trail(self, system: str, item: str) -> list[TrailModel]:
        """The system's own audit entries of one item, oldest first."""
        return (await self._channel.get(TrailsModel, paths.fill(paths.TRAIL, system=system, item=item))).trail
