"""The suite can fail: adapters that break one promise each, and the test that finds it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from conformance import test_cancelling as cancelling
from conformance import test_judging as judging
from conformance import test_limits as limits
from conformance import test_reading as reading
from conformance import test_reinstating as reinstating

from support.benches import Bench
from support.scenes import set_scene
from tui_app.domain.describe import Verb
from tui_app.domain.errors import RateLimited
from tui_app.domain.items import Filter, Page, PageQuery, Seen
from tui_app.domain.ports import Reply
from tui_app.domain.rates import Rate
from tui_app.domain.run import Answer, Errand, ItemState, Order, Verification, Verified
from tui_app.domain.verdict import YES


class Broken:
    """A system that is as the one behind it, but for one promise."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Unguarded(Broken):
    """Sends whatever an item has become since it was seen."""

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        now = await self._inner.survey([order.id for order in orders], errand.verb)
        fresh = [replace(order, seen=seen) for order, seen in zip(orders, now, strict=True)]
        return list(await self._inner.execute(fresh, errand))


class Forgetful(Broken):
    """Does not know its own keys again."""

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        renamed = [replace(order, key=order.key[::-1]) for order in orders]
        return list(await self._inner.execute(renamed, errand))


class Credulous(Broken):
    """Takes every cancellation for verified."""

    async def verify(self, orders: Sequence[Order], errand: Errand) -> list[Verification]:
        return [Verification(Verified.YES) for _ in orders]


class Silent(Broken):
    """Answers before anything was done."""

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        return [Answer(ItemState.CANCELLED) for _ in orders]


class Persistent(Broken):
    """Sends again what it was only to look at."""

    async def reconcile(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        return list(await self._inner.reconcile(orders, replace(errand, only_look=False)))


class Lenient(Broken):
    """Judges that everything may be done."""

    async def survey(self, ids: Sequence[str], verb: Verb = Verb.CANCEL) -> list[Seen]:
        return [replace(seen, verdict=YES) for seen in await self._inner.survey(ids, verb)]


class Unordered(Broken):
    """Sends what is urgent last."""

    async def arrange(self, ids: Sequence[str]) -> list[str]:
        return list(reversed(await self._inner.arrange(ids)))


class Forgotten(Broken):
    """Begins a page one row too late."""

    async def page(self, query: PageQuery) -> Page:
        page: Page = await self._inner.page(query)
        return page if query.cursor is None else replace(page, items=page.items[1:])


class Hasty(Broken):
    """Says that an order is over the limit, and sends it all the same."""

    async def execute(self, orders: Sequence[Order], errand: Errand) -> Sequence[Reply]:
        replies = await self._inner.execute(orders, errand)
        if any(isinstance(reply, RateLimited) for reply in replies):
            bench: Bench = self._inner.bench
            await bench.open().execute(orders, errand)
        return list(replies)


Test = Callable[..., Awaitable[None]]
PROMISES: list[tuple[type[Broken], Test]] = [
    (Unguarded, cancelling.test_the_guard_holds_against_whatever_happened_meanwhile),
    (Forgetful, cancelling.test_executing_again_changes_nothing_and_finds_it_ours),
    (Silent, cancelling.test_a_chunk_is_cancelled_each_once),
    (Persistent, cancelling.test_what_is_only_looked_at_is_never_sent),
    (Credulous, cancelling.test_verification_reads_what_the_system_says),
    (Lenient, judging.test_each_state_has_its_verdict),
]
EMBEDDED = ["commands-embedded", "cases-embedded", "schedules-embedded"]


@pytest.mark.parametrize("bench", EMBEDDED, indirect=True)
@pytest.mark.parametrize(("broken", "test"), PROMISES, ids=lambda one: one.__name__)
async def test_a_broken_promise_is_found(bench: Bench, broken: type[Broken], test: Test) -> None:
    await test(bench, bench.open())
    with pytest.raises(AssertionError):
        await test(bench, broken(bench.open()))


@pytest.mark.parametrize("bench", ["schedules-embedded"], indirect=True)
async def test_an_order_that_is_not_kept_is_found(bench: Bench) -> None:
    with pytest.raises(AssertionError):
        await judging.test_what_is_urgent_is_sent_first_and_nothing_is_lost(bench, Unordered(bench.open()))


@pytest.mark.parametrize("bench", EMBEDDED, indirect=True)
async def test_a_row_that_falls_between_two_pages_is_found(bench: Bench) -> None:
    await set_scene(bench)
    system = bench.open()
    sort = system.description.default_sort
    whole, _ = await reading.walk(system, Filter(), sort, 7, backward=False)
    holed, _ = await reading.walk(Forgotten(system), Filter(), sort, 7, backward=False)
    assert whole == reading.in_order(await reading.everything(system), sort)
    assert holed != whole


@pytest.mark.parametrize("bench", ["cases-embedded", "schedules-embedded"], indirect=True)
async def test_an_order_that_was_sent_over_the_limit_is_found(bench: Any) -> None:
    system: Any = bench.open(server_rate=Rate(2, limits.MINUTE.per))
    system.bench = bench
    with pytest.raises(AssertionError):
        await limits.test_what_is_over_the_limit_was_not_sent(bench, Hasty(system))


@pytest.mark.parametrize("bench", ["cases-embedded"], indirect=True)
@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Unguarded, reinstating.test_the_guard_holds_for_an_undo_too),
        (Forgetful, reinstating.test_sent_twice_it_comes_back_once_and_is_known_as_ours),
        (Persistent, reinstating.test_an_undo_that_is_only_looked_at_is_never_sent),
        (Credulous, reinstating.test_verification_of_an_undo_reads_what_the_system_says),
        (Lenient, reinstating.test_after_the_window_nothing_comes_back),
    ],
    ids=lambda one: one.__name__,
)
async def test_a_broken_promise_of_an_undo_is_found(bench: Bench, broken: type[Broken], test: Test) -> None:
    await test(bench, bench.open())
    with pytest.raises(AssertionError):
        await test(bench, broken(bench.open()))
