"""Whoever answers in place of a remote quash, with whatever status and form: its journal decides what is said.

What reads has learned nothing; what steers is not known, before its effect and after it, and is never sent twice.
"""

from contextlib import asynccontextmanager

import httpx
import pytest

from support.backend import serving
from support.between import STRANGERS_OF_CHANGES, Between, changes
from tui_app.client.backend import BackendClient
from tui_app.client.channel import Channel
from tui_app.client.transport import BASE_URL
from tui_app.contract.plans import PlanRequest, SelectionModel
from tui_app.contract.runs import RunRequest
from tui_app.domain.errors import Conflict, NotFound, OutcomeUnknown, QuashError, Unavailable
from tui_app.outbound.recognition import Unrecognised
from tui_app.outbound.tokens import TokenSource

ITEM = "payments/c000001"
PLANNED = PlanRequest(selections=[SelectionModel(system="commands", filter="status:IN_TROUBLESHOOTING_QUEUE")])
READS = {
    "about": lambda client: client.about(),
    "items": lambda client: client.items.page("commands"),
    "count": lambda client: client.items.count("commands"),
    "item": lambda client: client.items.get("commands", ITEM),
    "preview": lambda client: client.items.preview("commands", ITEM),
    "trail": lambda client: client.items.trail("commands", ITEM),
    "ids": lambda client: client.items.check_ids("commands", [ITEM]),
    "plans": lambda client: client.plans.list(),
    "plan": lambda client: client.plans.get("p1"),
    "items of a plan": lambda client: client.plans.items("p1"),
    "a new plan": lambda client: client.plans.start(PLANNED),
    "a plan again": lambda client: client.plans.check("p1"),
    "a plan file": lambda client: client.plans.load(b"{}"),
    "runs": lambda client: client.runs.list(),
    "run": lambda client: client.runs.get("r1"),
    "items of a run": lambda client: client.runs.items("r1"),
    "retry": lambda client: client.runs.retry("r1"),
    "undo": lambda client: client.runs.undo("r1"),
    "verify": lambda client: client.runs.verify("r1"),
    "ledger": lambda client: client.ledger.page(),
    "ledger verify": lambda client: client.ledger.check(),
}
STEERS = {
    "confirm": lambda client: client.run("p1", RunRequest(hash="0" * 64, reason="duplicate"), "key-1"),
    "pause": lambda client: client.runs.pause("r1"),
    "resume": lambda client: client.runs.resume("r1"),
    "stop": lambda client: client.runs.stop("r1"),
}


class Nobody(httpx.AsyncBaseTransport):
    """A server that no request must reach."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"{request.url} was asked twice")


async def said(ask, stranger) -> QuashError:
    """What a client says where a stranger answers; it asks once."""
    between = Between(Nobody())
    between.arm(stranger, lambda asked: True)
    client = BackendClient(BASE_URL, between, tokens=Renewed(), origin="ops")
    with pytest.raises(QuashError) as caught:
        await ask(client)
    assert len(between.met) in ((1, 2) if stranger.status == 401 else (1,))
    return caught.value


class Renewed(TokenSource):
    """A source that has another token each time."""

    def __init__(self) -> None:
        super().__init__(None, None, "T", {"T": "first"})

    async def used(self, send, refused):
        token = await self.current()
        answer = await send(token)
        return await send(token) if refused(answer) else answer


@pytest.mark.parametrize("verb", READS)
async def test_a_read_has_learned_nothing_of_a_stranger(verb):
    for stranger in STRANGERS_OF_CHANGES.values():
        error = await said(READS[verb], stranger)
        assert isinstance(error, Unrecognised), f"{error!r} is believed of a stranger"
        assert ("Is this address" in error.hint) is (
            stranger.status not in (401, 403, 407, 451, 511) and stranger.status < 500
        )


@pytest.mark.parametrize("verb", STEERS)
async def test_what_a_stranger_says_of_a_run_leaves_open_what_was_done(verb):
    for stranger in STRANGERS_OF_CHANGES.values():
        error = await said(STEERS[verb], stranger)
        assert type(error) is OutcomeUnknown, f"{error!r} is believed of a stranger"
        assert "look at the run" in error.hint


async def test_a_plan_file_of_a_stranger_is_not_kept():
    for stranger in STRANGERS_OF_CHANGES.values():
        between = Between(Nobody())
        between.arm(stranger, lambda asked: True)
        client = BackendClient(BASE_URL, between, token="abc", origin="ops")
        with pytest.raises(Unrecognised):
            [piece async for piece in client.plans.file("p1")]


@asynccontextmanager
async def service(folder):
    """A client with somebody in between, of a service that is there."""
    async with serving("embedded", folder, rows=3) as there:
        between = Between(there.client._channel._line._transport)
        yield there, between, BackendClient(BASE_URL, between, origin="ops")


@pytest.mark.parametrize("acts", [False, True], ids=["before", "after"])
async def test_a_confirmation_that_a_stranger_answered_begins_one_run(acts, tmp_path):
    async with service(tmp_path) as (there, between, client):
        plan = await client.plan(PLANNED)
        confirmed = RunRequest(hash=plan.hash, reason="duplicate request", phrase=plan.phrase)
        for stranger in list(STRANGERS_OF_CHANGES.values())[::4]:
            between.arm(stranger, changes, acts=acts, times=1)
            with pytest.raises(OutcomeUnknown):
                await client.run(plan.id, confirmed, "one-key")
            assert len(await there.client.runs.list()) == int(acts)
        between.mend()
        run = await client.run(plan.id, confirmed, "one-key")
        assert [one.id for one in await there.client.runs.list()] == [run.id]


async def test_another_plan_or_run_than_was_asked_for_is_not_the_answer(tmp_path):
    async with service(tmp_path) as (_, between, client):
        first, second = await client.plan(PLANNED), await client.plan(PLANNED)
        answers = Between(between.server)

        class Stale(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request):
                url = str(request.url).replace(second.id, first.id)
                return await answers.handle_async_request(httpx.Request(request.method, url, headers=request.headers))

        with pytest.raises(Unrecognised):
            await BackendClient(BASE_URL, Stale(), origin="ops").plans.get(second.id)


async def test_the_service_s_own_refusals_are_believed(tmp_path):
    async with service(tmp_path) as (_, _, client):
        for ask in (client.runs.get, client.runs.pause, client.plans.get):
            with pytest.raises(NotFound):
                await ask("nosuch")
        plan = await client.plan(PLANNED)
        with pytest.raises(QuashError) as refused:
            await client.run(plan.id, RunRequest(hash="0" * 64, reason="duplicate request"), "key")
        assert not isinstance(refused.value, Unavailable | OutcomeUnknown)


def believes(self, request, reply, *, reads) -> QuashError:
    """A broken reading: a status is believed, whoever says it."""
    return {404: NotFound, 409: Conflict}.get(reply.status, NotFound)("no")


@pytest.mark.parametrize("verb", ["run", "pause"])
async def test_the_matrix_finds_who_believes_a_status(verb, monkeypatch):
    monkeypatch.setattr(Channel, "_problem", believes)
    check = test_a_read_has_learned_nothing_of_a_stranger if verb in READS else None
    with pytest.raises(AssertionError):
        await (check or test_what_a_stranger_says_of_a_run_leaves_open_what_was_done)(verb)
