"""Cancelling cases over a network that fails in every way: what we say of each is what the server's own log says.

A cancellation is confirmed by the server's log of effects, or it is not reported; one that the log does not have was
not sent, refused, or is not known; and no case is ever cancelled twice.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support.case_server import Way, carried_out, case_server
from support.orders import errand, orders
from support.raw_server import FAULTS
from tui_app.domain.errors import CannotConnect, NotSignedIn, OutcomeUnknown, Unavailable
from tui_app.domain.run import Answer, ItemState, Verified
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.line import CaseLine

PATIENCE = 0.15
CASES = ("CASE-1", "CASE-2", "CASE-3")
STRUCK = "CASE-2"
_OPEN = (ItemState.ACCEPTED, ItemState.UNKNOWN)


def of_the_struck(asked: Any) -> bool:
    return bool(asked.method == "POST" and STRUCK in asked.path)


def everything_after(way: Way) -> Callable[[Any], bool]:
    """From the cancellation of the struck case on, nothing is as it should be."""
    begun: list[bool] = []

    def meets(asked: Any) -> bool:
        if of_the_struck(asked):
            begun.append(True)
        return bool(begun)

    return meets


def confirmed(way: Way, case_id: str, reply: Any) -> None:
    """What was said of a case, held against the server's log."""
    effects = [key for one, key in way.server.effects if one == case_id]
    assert len(effects) <= 1, "it was cancelled twice"
    if isinstance(reply, Unavailable):
        assert effects == [], f"{reply!r} says that nothing was sent, and the case was cancelled"
        return
    if isinstance(reply, OutcomeUnknown):
        # It says that nobody knows, whatever was done.
        return
    assert isinstance(reply, Answer)
    if reply.state is ItemState.CANCELLED:
        assert len(effects) == 1, "it was reported, and not cancelled"
    elif reply.state not in _OPEN:
        assert effects == [], f"{reply} says that it was not cancelled, and it was"


async def strike(way: Way, system: HttpCases, fault: str, when: Callable[[Any], bool], times: int) -> list[Any]:
    """Send three cases, of which one meets a fault; the replies, as far as there are any."""
    sent = await orders(system, CASES)
    await way.raw.arm(fault, when, times)
    try:
        return await carried_out(way, system, sent, polls=5)
    except CannotConnect as error:
        assert not FAULTS[fault].listens
        return [error] * len(sent)
    except NotSignedIn:
        # The run pauses; what was sent is settled by reading once there is a token again.
        assert fault == "401"
        await way.raw.mend()
        return list(await system.reconcile(sent, errand()))


async def ended(way: Way, system: HttpCases, replies: list[Any]) -> list[Any]:
    """What becomes of them when the network is as it should be again."""
    await way.raw.mend()
    sent = await orders(system, CASES)
    for _ in range(20):
        open_ = [one for one in replies if not isinstance(one, Answer) or one.state in _OPEN]
        if not open_:
            return replies
        way.server.clock.forward(60)
        replies = list(await system.reconcile(sent, errand()))
    return replies


async def once(fault: str, disturb: Callable[[HttpCases], Awaitable[None] | None] | None = None) -> None:
    """The fault strikes the one request that cancels, and passes."""
    async with case_server(*CASES, patience=PATIENCE) as way:
        system = way.open()
        if disturb is not None:
            disturb(system)
        replies = await strike(way, system, fault, of_the_struck, 1)
        for case_id, reply in zip(CASES, replies, strict=True):
            confirmed(way, case_id, reply)
        final = await ended(way, system, replies)
        assert [one.state for one in final] == [ItemState.CANCELLED] * 3
        for case_id, reply in zip(CASES, final, strict=True):
            confirmed(way, case_id, reply)
        found = await system.verify(await orders(system, CASES), errand())
        assert [one.verified for one in found] == [Verified.YES] * 3


def test_there_are_faults_enough():
    assert len(FAULTS) >= 25


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_that_passes_ends_in_what_the_server_did(fault):
    await once(fault)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_that_stays_hides_nothing_that_was_done(fault):
    """Reading still works: what was done is found, and what was not is not known where it could yet come to be."""
    async with case_server(*CASES, patience=PATIENCE) as way:
        system = way.open()
        replies = await strike(way, system, fault, of_the_struck, 1_000_000)
        for case_id, reply in zip(CASES, replies, strict=True):
            confirmed(way, case_id, reply)
        struck = replies[CASES.index(STRUCK)]
        if isinstance(struck, Answer) and FAULTS[fault].listens and FAULTS[fault].reads and fault != "401":
            expected = ItemState.CANCELLED if FAULTS[fault].effect else ItemState.UNKNOWN
            assert struck.state is expected
        await ended(way, system, replies)
        assert sorted(one for one, _ in way.server.effects) == list(CASES)


UNCERTAIN = [name for name, one in FAULTS.items() if one.reads and one.listens and not one.certain]


@pytest.mark.parametrize("fault", UNCERTAIN)
async def test_what_cannot_be_known_is_unknown(fault):
    """From the cancellation on nothing can be read: nobody can tell, and that is what is said, with whom to ask."""
    async with case_server(STRUCK, patience=PATIENCE) as way:
        system = way.open()
        sent = await orders(system, [STRUCK])
        await way.raw.arm(fault, everything_after(way))
        [reply] = await system.execute(sent, errand())
        assert isinstance(reply, OutcomeUnknown), "not accepted either, where the server only asks for patience"
        assert "Level 3: contact #case-ops" in reply.message
        await way.raw.mend()
        for _ in range(5):
            way.server.clock.forward(60)
            [reply] = await system.reconcile(sent, errand())
        assert isinstance(reply, Answer)
        assert reply.state is ItemState.CANCELLED
        assert way.server.effects == [(STRUCK, sent[0].key)]


def taken_for_failures(system: HttpCases) -> None:
    """Break the adapter as many a script is broken: no answer in time is taken for nothing sent."""
    line: CaseLine = system._line
    post = line.post

    async def broken(*parts: str, **more: Any) -> Any:
        try:
            return await post(*parts, **more)
        except OutcomeUnknown as error:
            raise CannotConnect(error.message) from error

    line.post = broken  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", ["silent after the effect", "reset after the effect", "500 after the effect"])
async def test_the_matrix_can_fail(fault):
    with pytest.raises(AssertionError, match="says that nothing was sent"):
        await once(fault, taken_for_failures)
