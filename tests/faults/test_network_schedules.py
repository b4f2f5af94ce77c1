"""Schedules over a network that fails in every way: what is recorded of each, held against the service's own log."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from support.orders import errand, orders
from support.raw_server import FAULTS, RawServer, raw_server
from support.schedule_servers import ALL, SHORT, LuxarisPosts, Posts, SeedPosts, adapter
from support.world import make_world
from tui_app.domain.errors import NotSignedIn, OutcomeUnknown, Unavailable
from tui_app.domain.items import Selection
from tui_app.domain.run import Answer, ItemState, RunState, Verified
from tui_app.systems.schedules.answers import cancelled
from tui_app.systems.schedules.http import HttpSchedules
from tui_app.systems.schedules.http_write import Sender

WAYS = {
    "bulk": lambda: SeedPosts(),
    "single": lambda: SeedPosts(quirks=["no bulk"]),
    "luxaris": lambda: LuxarisPosts(),
}
NUMBER = 4


@dataclass
class Scene:
    posts: Posts
    server: RawServer
    system: HttpSchedules
    ids: list[str]

    def effects(self, item_id: str) -> int:
        return sum(cancelled_id == item_id for cancelled_id, _ in self.posts.effects)


@asynccontextmanager
async def scene(way: str):
    posts = WAYS[way]()
    async with raw_server(posts.handle) as server:
        system = adapter(server, posts, **SHORT)
        if way == "single":
            # It has found out before that there is no such route.
            system._wire.no_bulk()
        try:
            yield Scene(posts, server, system, [posts.add() for _ in range(NUMBER)])
        finally:
            await system.close()


def cancels(asked):
    return asked.method == "POST"


async def run(scene: Scene, folder, fault: str, times: int):
    """A whole run of the engine, whose writes meet a fault so many times; a service that is gone comes back."""
    world = make_world(folder, {"schedules": scene.system}, scene.posts.clock)
    worker = world.worker()

    async def wait(seconds: float) -> None:
        await worker.wait(seconds)
        if not (FAULTS[fault].listens and FAULTS[fault].reads):
            await scene.server.mend()

    try:
        begun = await world.confirm(await world.plan(Selection("schedules", ids=tuple(scene.ids))))
        await scene.server.arm(fault, cancels, times)
        record = await replace(worker, wait=wait).drive(begun.id)
        if record.state is RunState.PAUSED:
            assert record.pause.cause == "credentials", record.pause
            await scene.server.mend()
            await world.steering.resume(begun.id, world.worker().who)
            record = await worker.drive(begun.id)
        return record, await world.items(begun.id)
    finally:
        await world.close()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS)
async def test_every_item_ends_as_the_service_s_log_says(way, fault, tmp_path):
    async with scene(way) as set_:
        record, items = await run(set_, tmp_path, fault, times=1 if way == "bulk" else 3)
        assert record.state is RunState.FINISHED
        assert {item.item.seen.id for item in items} == set(set_.ids)
        for one in items:
            item_id, answer = one.item.seen.id, one.outcome.answer
            assert set_.effects(item_id) == 1, "it was lost, or sent twice with effect"
            if way == "luxaris" and one.state is ItemState.ALREADY_CANCELLED:
                # No reason is kept there, so that whose it was is not known, and no token could tell.
                assert FAULTS[fault].effect
                assert answer.ours is None
                assert "not known" in answer.message
                continue
            assert one.state is ItemState.CANCELLED
            assert one.verification.verified is Verified.YES


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS)
async def test_while_nothing_can_be_read_nothing_is_claimed(way, fault):
    async with scene(way) as set_:
        chunk, why = await orders(set_.system, set_.ids), errand()
        await set_.server.arm(fault)
        unsent = unsettled = False
        try:
            replies = await set_.system.execute(chunk, why)
            assert all(isinstance(reply, Unavailable) for reply in replies)
            unsent = True
        except (Unavailable, NotSignedIn):
            unsent = True
        except OutcomeUnknown:
            unsettled = True
        if unsent:
            assert set_.posts.effects == []
        if unsettled:
            for reply in await set_.system.reconcile(chunk, why):
                assert isinstance(reply, Unavailable), "it was settled without being read"
        await set_.server.mend()
        again = set_.system.execute if unsent else set_.system.reconcile
        for order, answer in zip(chunk, await again(chunk, why), strict=True):
            assert isinstance(answer, Answer)
            assert answer.state in (ItemState.CANCELLED, ItemState.ALREADY_CANCELLED)
            assert answer.state is ItemState.CANCELLED or way == "luxaris"
            assert set_.effects(order.id) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_more_is_sent_once_the_service_asks_to_wait(way):
    async with scene(way) as set_:
        set_.ids += [set_.posts.add() for _ in range(60)]
        chunk = await orders(set_.system, set_.ids)
        await set_.server.arm("429 for seconds", cancels)
        try:
            replies = await set_.system.execute(chunk, errand())
        except Unavailable as limited:
            replies = [limited] * len(chunk)
        assert {reply.retry_after for reply in replies} == {3.0}
        written = [one for one in set_.server.log if one.asked.method == "POST"]
        assert len(written) <= 16
        assert set_.posts.effects == []


@pytest.mark.parametrize("way", ["single", "luxaris"])
async def test_what_was_answered_stays_known_while_the_rest_cannot_be_read(way):
    async with scene(way) as set_:
        chunk, why = await orders(set_.system, set_.ids), errand()
        lost = f"{ALL}/{set_.ids[0]}"
        await set_.server.arm("closed after the effect", lambda asked: asked.path.startswith(lost))
        with pytest.raises(OutcomeUnknown):
            await set_.system.execute(chunk, why)
        first, *others = await set_.system.reconcile(chunk, why)
        assert isinstance(first, Unavailable)
        assert {(reply.state, reply.ours) for reply in others} == {(ItemState.CANCELLED, None)}
        assert [set_.effects(item_id) for item_id in set_.ids] == [1] * NUMBER


class Hopeful(Sender):
    """Takes a cancellation without an answer for done."""

    async def _settled(self, order, errand):
        return cancelled(order, order.seen.status)


class Careless(Sender):
    """Takes a cancellation without an answer for one that was not sent, and so for one that somebody else did."""

    async def _settled(self, order, errand):
        return Answer(ItemState.REFUSED, "TIMEOUT")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("broken", "fault"), [(Hopeful, "reset before the effect"), (Careless, "reset after the effect")]
)
async def test_the_matrix_finds_who_guesses(way, broken, fault, tmp_path, monkeypatch):
    monkeypatch.setattr("tui_app.systems.schedules.http.Sender", broken)
    with pytest.raises(AssertionError):
        await test_every_item_ends_as_the_service_s_log_says(way, fault, tmp_path)
