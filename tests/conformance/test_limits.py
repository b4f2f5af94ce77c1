"""What a system with a limit of its own promises: it says which orders were not sent, and takes them later, once."""

from datetime import timedelta

import pytest

from support.benches import Given
from support.orders import carried_out, errand, orders, settled
from tui_app.domain.errors import RateLimited
from tui_app.domain.rates import Rate
from tui_app.domain.run import Answer, ItemState

MINUTE = Rate(2, timedelta(minutes=1))

pytestmark = pytest.mark.parametrize(
    "bench", ["cases-embedded", "schedules-embedded", "schedules-postgres"], indirect=True
)


@pytest.fixture
def limited(bench):
    """The system of a bench, which takes two requests a minute of one operator."""
    return bench.open(server_rate=MINUTE)


async def spend(bench, limited, run_id="run-1", **who):
    """Send until the limit is reached: the orders that were taken, and the one that was not, with the reply to it."""
    chunk = await orders(limited, await bench.add([Given() for _ in range(3)]), run_id)
    why = errand(run_id, **who)
    told = [reply for order in chunk for reply in await limited.execute([order], why)]
    assert [isinstance(reply, Answer) for reply in told] == [True, True, False]
    await settled(bench, limited, chunk[:2], told[:2], why)
    return chunk[:2], chunk[2], told[2]


async def test_what_is_over_the_limit_was_not_sent(bench, limited):
    taken, left, reply = await spend(bench, limited)
    assert isinstance(reply, RateLimited)
    assert 0 < reply.retry_after <= 60
    assert reply.message
    assert [len(await bench.effects(order.id)) for order in (*taken, left)] == [1, 1, 0]
    assert await bench.notices(left.id) == []
    assert not await bench.cancelled(left.id)
    [seen] = await limited.survey([left.id])
    assert seen == left.seen


async def test_it_is_taken_later_and_once(bench, limited):
    _, left, reply = await spend(bench, limited)
    for _ in range(2):
        # Asking again may count as well: what came a moment after the first has to be out of the window, too.
        bench.forward(reply.retry_after)
        [answer] = await carried_out(bench, limited, [left])
        assert answer.state is ItemState.CANCELLED
    assert len(await bench.effects(left.id)) == 1
    assert len(await bench.notices(left.id)) == bench.notifies


async def test_what_was_asked_while_the_clock_was_ahead_counts_for_one_window(bench, limited):
    _, left, _ = await spend(bench, limited)
    bench.forward(-timedelta(days=1).total_seconds())
    [reply] = await limited.execute([left], errand())
    assert isinstance(reply, RateLimited)
    assert 0 < reply.retry_after <= 60
    bench.forward(61)
    [answer] = await carried_out(bench, limited, [left])
    assert answer.state is ItemState.CANCELLED


async def test_the_limit_is_that_of_one_operator_whoever_sends_for_them(bench, limited):
    _, left, reply = await spend(bench, limited)
    [elsewhere] = await bench.open(server_rate=MINUTE).execute([left], errand())
    assert isinstance(elsewhere, RateLimited)
    assert abs(elsewhere.retry_after - reply.retry_after) < 5
    other = errand("run-2", operator="ops2@example.com")
    [answer] = await carried_out(bench, limited, await orders(limited, [left.id], "run-2"), other)
    assert answer.state is ItemState.CANCELLED


async def test_never_more_than_the_limit_in_any_window(bench, limited):
    ids = await bench.add([Given() for _ in range(9)])
    started = 0.0
    taken = []
    for order in await orders(limited, ids):
        [reply] = await limited.execute([order], errand())
        while isinstance(reply, RateLimited):
            bench.forward(reply.retry_after)
            started += reply.retry_after
            [reply] = await limited.execute([order], errand())
        taken.append(started)
    assert all(late - early >= 59 for early, late in zip(taken, taken[2:], strict=False))
    # and it is no slower than it has to be
    assert taken[-1] <= 4 * 60 + 5


async def test_what_was_sent_is_settled_and_verified_though_the_limit_is_used_up(bench, limited):
    """Reading is free. Where settling is a request like any other, it says until when it has to wait."""
    taken, _, _ = await spend(bench, limited)
    assert [found.verified for found in await limited.verify(taken, errand())] == ["yes", "yes"]
    answers = await limited.reconcile(taken, errand())
    if any(isinstance(reply, RateLimited) for reply in answers):
        bench.forward(max(reply.retry_after for reply in answers))
        answers = await limited.reconcile(taken, errand())
    assert [(answer.state, answer.ours) for answer in answers] == [(ItemState.CANCELLED, True)] * 2
    assert [len(await bench.effects(order.id)) for order in taken] == [1, 1]
