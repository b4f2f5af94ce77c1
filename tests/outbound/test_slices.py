"""Slices: how long is handed out, how many are on their way, and who is heard in between."""

import asyncio
from collections.abc import Callable

import pytest

from support.world import MovableClock
from tui_app.domain.errors import Fault, NotSignedIn
from tui_app.domain.ports import DEFERRED
from tui_app.domain.run import never
from tui_app.outbound.http import CONCURRENCY
from tui_app.outbound.slices import HANDED_OUT, Slices


class Service:
    """Answers after ``seconds``: one after another, or ``together`` what is on its way at that time."""

    def __init__(self, seconds: float, *, together: bool = False) -> None:
        self.clock = MovableClock()
        self.slices = Slices(self.clock)
        self.seconds, self.together = seconds, together
        self.taken: list[int] = []
        self.most = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._at_work: asyncio.Task[None] | None = None

    async def ask(self, number: int) -> int:
        self.taken.append(number)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self.most = max(self.most, len(self._waiting))
        if self._at_work is None or self._at_work.done():
            self._at_work = asyncio.create_task(self._work())
        await answer
        return number

    async def _work(self) -> None:
        while self._waiting:
            # What is handed out in the same breath has arrived by then.
            for _ in range(100):
                await asyncio.sleep(0)
            self.clock.forward(self.seconds)
            done, self._waiting = (self._waiting, []) if self.together else (self._waiting[:1], self._waiting[1:])
            for answer in done:
                answer.set_result(None)

    async def slice(self, number: int, halted: Callable = never) -> list[object]:
        return list(await self.slices.begin(halted).hand_out(range(number), self.ask))


async def test_a_prompt_service_is_handed_everything_at_full_width_in_order() -> None:
    service = Service(0.001, together=True)
    assert await service.slice(100) == list(range(100))
    assert service.taken == list(range(100))
    assert service.most == CONCURRENCY


async def test_one_that_takes_one_after_another_has_few_on_their_way() -> None:
    service = Service(0.4)
    told = await service.slice(40)
    reached = len(service.taken)
    assert told == [*range(reached), *[DEFERRED] * (40 - reached)]
    assert 4 <= reached <= 10
    assert service.most * service.seconds <= 2
    service.most = 0
    await service.slice(40)
    assert service.most * service.seconds <= 2


async def test_one_that_is_slow_and_takes_many_at_once_gets_many_in_the_end() -> None:
    service = Service(2.5, together=True)
    for _ in range(6):
        await service.slice(40)
    assert service.most == CONCURRENCY


async def test_one_that_has_become_slow_gets_fewer() -> None:
    service = Service(0.001)
    await service.slice(100)
    assert service.slices.width == CONCURRENCY
    service.seconds = 0.4
    await service.slice(100)
    service.most = 0
    await service.slice(100)
    assert service.most * service.seconds <= 2


async def test_each_slice_gets_on_however_slow_the_service() -> None:
    service = Service(2 * HANDED_OUT.total_seconds())
    for _ in range(3):
        before = len(service.taken)
        told = await service.slice(5)
        assert told[0] == 0
        assert len(service.taken) > before
    slice_ = service.slices.begin(never)
    assert await slice_.hand_out([1], service.ask) == [1]
    # Over is over, also for what would come in a second group.
    assert await slice_.hand_out([2, 3], service.ask) == [DEFERRED, DEFERRED]


async def test_nothing_is_handed_out_once_the_run_is_halted() -> None:
    service = Service(0.001)
    asked = 0

    async def halted() -> bool:
        nonlocal asked
        asked += 1
        return asked == 4

    assert await service.slice(6, halted) == [0, 1, 2, DEFERRED, DEFERRED, DEFERRED]
    assert service.taken == [0, 1, 2]


async def test_what_goes_wrong_is_raised_when_the_others_are_done() -> None:
    service, done = Service(0.001), []

    async def ask(number: int) -> int:
        if number == 1:
            raise NotSignedIn("the token has ended")
        done.append(await service.ask(number))
        return number

    with pytest.raises(NotSignedIn):
        await service.slices.begin(never).hand_out(range(5), ask)
    assert done == [0, 2, 3, 4]


async def test_whoever_is_interrupted_leaves_nothing_on_its_way() -> None:
    service = Service(0.001)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(number: int) -> int:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return number

    handing = asyncio.create_task(service.slices.begin(never).hand_out(range(5), hang))
    await begun.wait()
    handing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handing
    await asyncio.wait_for(ended.wait(), 10)


async def test_an_error_of_ours_ends_no_request_but_its_own() -> None:
    service = Service(0.001)

    async def ask(number: int) -> int:
        if number == 1:
            raise KeyError("status")
        return await service.ask(number)

    told = await service.slices.begin(never).hand_out(range(4), ask)
    assert [told[0], *told[2:]] == [0, 2, 3]
    assert isinstance(told[1], Fault)
    assert isinstance(told[1].__cause__, KeyError)
