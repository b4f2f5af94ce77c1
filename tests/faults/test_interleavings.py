"""Cancel against publisher, embedded: every order of their transactions, and three broken variants that are caught.

What went out stands in the outbox, which takes everything that is put there: nothing but the code under test keeps a
post from going out twice.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from support import violations
from support.orders import errand, key_of
from support.schedules_bench import OWNER, a_schedule, insert
from support.stepped import Actor, Interleavings, SteppedFile, finish, memory
from support.world import MovableClock
from tui_app.domain.items import Seen
from tui_app.domain.moments import stamp
from tui_app.domain.run import Order
from tui_app.domain.verdict import YES
from tui_app.systems.schedules.desk import Desk
from tui_app.systems.schedules.embedded import EmbeddedSchedules
from tui_app.systems.schedules.embedded_desk import EmbeddedDeskStore
from tui_app.systems.schedules.embedded_runners import EmbeddedQueue, EmbeddedStore, OutboxChannel
from tui_app.systems.schedules.requests import ScheduleRefused
from tui_app.systems.schedules.rules import STUCK_AFTER
from tui_app.systems.schedules.runners import Job, Publisher, Standing, Unclaimed
from tui_app.systems.schedules.schema import prepare

ITEM = a_schedule(1)["id"]
BEGIN = MovableClock().moment


class Owner:
    name = OWNER

    def may(self, permission: str) -> bool:
        return False


@dataclass
class World:
    """One schedule that is due, with everything that acts on it."""

    file: SteppedFile
    clock: MovableClock

    def __post_init__(self) -> None:
        self.store = EmbeddedStore(self.file, self.clock)
        self.queue = EmbeddedQueue(self.file, self.clock)
        self.channel = OutboxChannel(self.file, self.clock)

    def one(self, query: str) -> Any:
        return self.file.connection.execute(query).fetchone()[0]

    # Those that act; a second word says what is broken in them.

    async def port(self):
        """A run of ours, that saw it pending or queued."""
        system = EmbeddedSchedules.__new__(EmbeddedSchedules)
        system.file, system.clock, system._server_rate = self.file, self.clock, None
        order = Order(ITEM, key_of("run-1", ITEM), Seen(ITEM, "queued", "1", YES))
        [answer] = await system.execute([order], errand())
        return answer.state.value

    async def desk(self):
        """A native request of the owner."""
        try:
            await Desk(EmbeddedDeskStore(self.file, self.clock)).cancel(Owner(), ITEM, {})
        except ScheduleRefused as refused:
            return refused.refusal.code
        return "cancelled"

    async def scanner(self):
        return await self.store.queue_due(10)

    async def publisher(self, store: EmbeddedStore | None = None):
        return await Publisher(store or self.store, self.queue, self.channel).work_one()

    async def time(self):
        """Enough of it for a lease to end."""
        await self.file.write(lambda _: self.clock.forward(60))

    async def checking_publisher(self):
        return await self.publisher(CheckingStore(self.file, self.clock))

    async def dequeuing_cancel(self):
        await self.file.write(lambda connection: connection.execute("DELETE FROM message"))
        return await self.desk()

    async def unguarded_cancel(self):
        def look(connection):
            return connection.execute("SELECT status FROM schedule").fetchone()[0]

        if await self.file.read(look) not in ("pending", "queued"):
            return

        def write(connection):
            connection.execute("UPDATE schedule SET status = 'cancelled'")
            connection.execute(
                "INSERT INTO audit (id, event, at, details) VALUES (?, 'SCHEDULE_CANCELLED', '', '{}')", (ITEM,)
            )

        await self.file.write(write)

    def drain(self) -> None:
        """Let everything come to its end: what is left in the queue comes again, until nothing is stuck."""
        for _ in range(4):
            self.clock.forward(STUCK_AFTER.total_seconds() + 60)
            finish(self.scanner())
            while finish(self.publisher()) is not None:
                pass

    def violations(self, *, died: bool) -> list[str]:
        """What must not be, now that nothing happens any more. ``died``: a publisher was killed on the way."""
        status, post = self.one("SELECT status FROM schedule"), self.one("SELECT status FROM post")
        out = self.one("SELECT count(*) FROM outbox")
        cancels = self.one("SELECT count(*) FROM audit WHERE event = 'SCHEDULE_CANCELLED'")
        queued = self.one("SELECT count(*) FROM audit WHERE event = 'SCHEDULE_QUEUED'")
        skipped = self.one("SELECT count(*) FROM audit WHERE event = 'PUBLISH_SKIPPED'")
        found = violations.of_a_race(status, out, cancels, died=died)
        if status == "cancelled" and (post, bool(skipped)) != ("ready", bool(queued)):
            found.append(f"cancelled, its post {post}, queued {queued} and passed over {skipped} times")
        if self.one("SELECT count(*) FROM message"):
            found.append("a message is left")
        return found


class CheckingStore(EmbeddedStore):
    """Broken: it looks whether the schedule is queued still, and publishes without claiming it."""

    async def claim(self, schedule_id):
        def work(connection):
            return connection.execute("SELECT status, attempts, channel FROM schedule").fetchone()

        row = await self._file.read(work)
        if row["status"] != "queued":
            return Unclaimed(row["status"], Standing.OVER)
        return Job(schedule_id, row["attempts"], row["channel"], "20 % off until Sunday")

    async def succeeded(self, job, at):
        await self._file.write(lambda connection: connection.execute("UPDATE schedule SET status = 'success'"))


def template(status: str) -> bytes:
    """A file with one schedule that is due, pending, or queued with its message."""
    connection = memory()
    prepare(connection)
    insert(connection, [a_schedule(1, run_at=stamp(BEGIN))])
    if status == "queued":
        finish(World(SteppedFile(connection), MovableClock()).scanner())
    return connection.serialize()


FILES = {status: template(status) for status in ("pending", "queued")}


def interleavings(status: str, *names: str, dies: tuple[int, int] | None = None) -> Interleavings:
    """All orders of these, each an actor; ``dies``: the actor at that place takes so many steps."""

    def scene():
        connection = memory()
        connection.deserialize(FILES[status])
        world = World(SteppedFile(connection), MovableClock())
        actors = [Actor(f"{name} {place}", getattr(world, name)()) for place, name in enumerate(names)]
        if dies is not None:
            actors[dies[0]].dies = dies[1]
        return world, actors

    return Interleavings(scene)


def caught(found: Interleavings, *, died: bool) -> dict[str, list[str]]:
    """Each violation, with the first order that shows it."""
    seen: dict[str, list[str]] = {}
    for order, world, _ in found:
        world.drain()
        for violation in world.violations(died=died):
            seen.setdefault(violation, order)
        world.file.connection.close()
    return seen


SCENES = {
    "one publisher": ("queued", "port", "publisher", "time"),
    "by hand": ("queued", "desk", "publisher", "time"),
    "scanner": ("pending", "port", "scanner", "publisher"),
    "two scanners": ("pending", "desk", "scanner", "scanner", "publisher"),
    "two operators": ("queued", "port", "desk", "publisher"),
    "two publishers": ("queued", "port", "publisher", "publisher", "time"),
    "everybody": ("pending", "desk", "scanner", "publisher", "publisher", "time"),
}
LEAST = {"two publishers": 3_000, "everybody": 3_000}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LEAST else name for name in SCENES]
)
def test_never_both_never_twice_nothing_lost(name):
    found = interleavings(*SCENES[name])
    assert caught(found, died=False) == {}
    assert found.tried >= LEAST.get(name, 10)


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_publisher_that_dies_anywhere(after):
    """After its claim and before the effect it leaves ``publishing``; anywhere else another one brings it to an end."""
    found = interleavings("queued", "port", "publisher", "publisher", "time", dies=(1, after))
    assert caught(found, died=after == 2) == {}
    assert found.tried >= 20


def test_a_publisher_that_died_leaves_what_is_shown_as_stuck():
    for _, world, _actors in interleavings("queued", "publisher", "port", dies=(0, 2)):
        world.drain()
        status = world.one("SELECT status FROM schedule")
        if status != "cancelled":
            assert (status, world.one("SELECT count(*) FROM outbox")) == ("publishing", 0)
            details = world.one("SELECT details FROM audit WHERE event = 'PUBLISH_SKIPPED'")
            assert json.loads(details) == {"status": "publishing"}


def test_whoever_is_told_that_it_is_cancelled_cancelled_it():
    """Of two that cancel, one did; and nobody is told so of what went out."""
    results = set()
    for order, world, actors in interleavings("queued", "port", "desk", "publisher"):
        world.drain()
        told = [actors["port 0"].result, actors["desk 1"].result]
        cancels = world.file.connection.execute(
            "SELECT principal, json_extract(details, '$.run_id') FROM audit WHERE event = 'SCHEDULE_CANCELLED'"
        ).fetchall()
        assert told.count("cancelled") == len(cancels), order
        if cancels:
            assert cancels[0][1] == ("run-1" if told[0] == "cancelled" else None), order
        results.add(tuple(told))
    assert results == {
        ("cancelled", "SCHEDULE_ALREADY_CANCELLED"),
        ("already_cancelled", "cancelled"),
        ("refused", "SCHEDULE_CANNOT_BE_CANCELLED"),
    }


# The harness can fail: what others have built is broken in it


def test_a_publisher_that_only_looks_is_caught():
    for cancel in ("port", "desk"):
        assert "both cancelled and published" in caught(
            interleavings("queued", cancel, "checking_publisher"), died=False
        )
    twice = caught(interleavings("queued", "checking_publisher", "checking_publisher", "time"), died=False)
    assert "published twice" in twice


def test_a_cancel_that_empties_the_queue_first_is_caught():
    broken = caught(interleavings("queued", "dequeuing_cancel", "publisher", dies=(0, 1)), died=False)
    assert "lost: it is queued" in broken


def test_a_cancel_that_only_looks_is_caught():
    broken = caught(interleavings("queued", "unguarded_cancel", "publisher"), died=False)
    assert "both cancelled and published" in broken
