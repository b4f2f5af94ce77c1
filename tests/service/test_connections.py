"""Connections that say nothing, say it slowly or read nothing keep nobody out, and requests have their turn."""

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from support.backend import KEY, make_backend, quiet_listener, token
from support.world import make_world
from tui_app.client.backend import BackendClient
from tui_app.client.transport import tcp_transport
from tui_app.contract.principal import OPERATE, Principal
from tui_app.domain.errors import RateLimited, Unavailable
from tui_app.service.admission import Admission, Turns
from tui_app.service.app import create_app
from tui_app.service.auth import Authenticator
from tui_app.service.connections import Connections, Limits

MANY = 200
OPERATOR = Principal("jane@example.com", frozenset({OPERATE}))
VIEWER = Principal("eve@example.com")


@asynccontextmanager
async def listening(folder, limits):
    app = create_app(make_backend(make_world(folder), Authenticator({"": KEY})))
    async with quiet_listener(app, limits) as server:
        yield server


@pytest.fixture
async def connect():
    """Opens connections that say what they are told to, and closes them at the end."""
    opened = []

    async def one(server, *, source="127.0.0.1", said=b""):
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
        opened.append(writer)
        writer.write(said)
        await writer.drain()
        return reader, writer

    yield one
    for writer in opened:
        writer.transport.abort()
    await asyncio.gather(*(writer.wait_closed() for writer in opened), return_exceptions=True)


async def held(server, number):
    async with asyncio.timeout(30):
        while len(server.connections) < number:  # noqa: ASYNC110 - it is the other side that counts them
            await asyncio.sleep(0)


async def answers(server):
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        return (await http.get("/v1", headers={"Authorization": f"Bearer {token()}"})).status_code


HEADS = {
    "nothing": b"",
    "half a head": b"GET /v1 HTTP/1.1\r\nAuthorization: Bear",
    "a request with a token that does not hold, unended": b"POST /v1/plans HTTP/1.1\r\nAuthorization: Bearer x\r\n",
}


@pytest.mark.parametrize("said", HEADS.values(), ids=HEADS)
async def test_an_operator_is_answered_while_silent_connections_hold_every_place(connect, tmp_path, said):
    async with listening(tmp_path, Limits(most=MANY, of_address=MANY, head=600)) as server:
        silent = [await connect(server, said=said) for _ in range(MANY)]
        await held(server, MANY)
        assert await answers(server) == 200
        # The others still hold theirs: it was no limit of time that made room.
        assert sum(not reader.at_eof() for reader, _ in silent) >= MANY - 2


async def test_without_the_place_that_is_kept_an_operator_is_not_answered(connect, tmp_path, monkeypatch):
    monkeypatch.setattr(Connections, "_gives_way", lambda self: None)
    async with listening(tmp_path, Limits(most=20, of_address=100, head=600, slack=1)) as server:
        for _ in range(20):
            await connect(server)
        await held(server, 20)
        client = BackendClient(server.url, tcp_transport(server.url), token=token())
        with pytest.raises(Unavailable, match="as many requests as it can"):
            await client.about()
        await client.close()


@pytest.mark.parametrize(
    ("limits", "slack", "answered"),
    [
        ({"most": 60, "of_address": 400}, 2, True),
        ({"most": 400, "of_address": 60}, 2, True),
        ({"most": 400, "of_address": 60}, 1, False),
    ],
)
async def test_what_comes_with_a_crowd_is_read_before_anything_gives_way(tmp_path, limits, slack, answered):
    """Without slack, the deliberately broken variant, a request ends unread because so many came right after it."""
    async with listening(tmp_path, Limits(head=600, slack=slack, **limits)) as server, AsyncExitStack() as stack:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        # The loop does not run meanwhile: all of these are accepted at once.
        crowd = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(70)]
        crowd[0].sendall(f"GET /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n\r\n".encode())
        crowd[0].setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            said = await asyncio.wait_for(loop.sock_recv(crowd[0], 12), 30)
        except ConnectionResetError:
            said = b""
        assert (said == b"HTTP/1.1 200") is answered


async def test_one_address_does_not_take_the_places_of_others(connect, tmp_path):
    async with listening(tmp_path, Limits(most=MANY, of_address=5, head=600, settling=0)) as server:
        other = await connect(server, source="127.0.0.3")
        for _ in range(30):
            await connect(server, source="127.0.0.2")
        assert await answers(server) == 200
        assert len(server.connections) <= 7
        assert not other[0].at_eof()


async def test_a_connection_with_a_token_that_holds_does_not_give_way_to_silent_ones(connect, tmp_path):
    async with listening(tmp_path, Limits(most=10, of_address=5, head=600, settling=0)) as server:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            headers = {"Authorization": f"Bearer {token()}"}
            first = await http.get("/v1", headers=headers)
            used = [place_of(first)]
            for number in range(20):
                await connect(server, source=f"127.0.0.{number % 5 + 2}")
            again = await http.get("/v1", headers=headers)
            used.append(place_of(again))
        assert (first.status_code, again.status_code) == (200, 200)
        assert used[0] == used[1], "it was another connection"


def place_of(response):
    return response.extensions["network_stream"].get_extra_info("client_addr")


@pytest.mark.parametrize("said", [b"", b"GET /v1 HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_head_that_does_not_arrive_ends_its_connection(connect, tmp_path, said):
    async with listening(tmp_path, Limits(head=0.05)) as server:
        reader, writer = await connect(server, said=said)
        await ended(reader, writer)
        assert await answers(server) == 200


async def test_a_second_head_that_comes_a_byte_at_a_time_ends_its_connection(connect, tmp_path):
    async with listening(tmp_path, Limits(head=0.05)) as server:
        whole = f"GET /v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token()}\r\n\r\n".encode()
        reader, writer = await connect(server, said=whole + b"GET /v1")
        answered = await reader.readuntil(b"\r\n\r\n")
        assert answered.startswith(b"HTTP/1.1 200")
        await ended(reader, writer)


async def ended(reader, writer):
    """Send a byte now and then until the other side ends it."""

    async def drip():
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(30):
            await reader.read()
    except ConnectionResetError:
        assert writer.transport.is_closing()
    finally:
        dripping.cancel()


async def test_without_a_limit_of_time_half_a_head_is_waited_for(connect, tmp_path):
    """The deliberately broken variant beside the other: what ends one connection leaves the other open."""
    async with listening(tmp_path, Limits(head=600)) as patient, quiet_listener(_nothing, Limits(head=0.05)) as strict:
        open_one = await connect(patient, said=b"GET /v1")
        await ended(*await connect(strict, said=b"GET /v1"))
        assert not open_one[0].at_eof()


async def _nothing(scope, receive, send):
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def test_a_client_that_reads_nothing_of_its_answer_is_cut_off(connect, tmp_path):
    ended = asyncio.Event()

    async def endless(scope, receive, send):
        if scope["type"] == "lifespan":
            return await _nothing(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for _ in range(10_000):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        finally:
            ended.set()

    async with quiet_listener(endless, Limits(reading=0.05)) as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port))) as deaf:
            deaf.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await held(server, 1)
            await asyncio.wait_for(ended.wait(), 30)


async def enter(admission, principal, number):
    """So many requests of one principal that stay until they are let go."""
    go_on, begun = asyncio.Event(), []

    async def one():
        async with admission.turn(principal):
            begun.append(principal.name)
            await go_on.wait()

    tasks = [asyncio.create_task(one()) for _ in range(number)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks, begun, go_on


async def test_one_principal_has_so_many_turns_and_the_others_theirs():
    admission = Admission(Turns(of_one=3, all=8, viewers=4, waiting=5))
    tasks, begun, go_on = await enter(admission, VIEWER, 8)
    assert len(begun) == 3
    with pytest.raises(RateLimited):
        async with admission.turn(VIEWER):
            pass
    more, theirs, _ = await enter(admission, Principal("joe"), 3)
    assert len(theirs) == 1, "those who only read have so many together"
    async with asyncio.timeout(30), admission.turn(OPERATOR):
        pass
    go_on.set()
    await asyncio.gather(*tasks)
    assert len(begun) == 8
    for task in more:
        task.cancel()


async def test_operators_are_let_in_before_viewers_who_came_first():
    admission, order = Admission(Turns(of_one=2, all=2, viewers=2)), []
    held, _, go_on = await enter(admission, VIEWER, 2)

    async def come(principal):
        async with admission.turn(principal):
            order.append(principal.name)

    later = [asyncio.create_task(come(Principal("joe"))), asyncio.create_task(come(OPERATOR))]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*held, *later)
    assert order == [OPERATOR.name, "joe"]


async def test_a_request_that_leaves_while_it_waits_takes_no_turn():
    admission = Admission(Turns(of_one=1, all=1, viewers=1))
    held, _, go_on = await enter(admission, VIEWER, 1)
    waiting, _, _ = await enter(admission, Principal("joe"), 1)
    waiting[0].cancel()
    await asyncio.wait(waiting)
    go_on.set()
    await asyncio.gather(*held)
    async with asyncio.timeout(30), admission.turn(OPERATOR):
        pass


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("content", [("text/plain", "Service Unavailable"), ("text/html", "<h1>Bad gateway</h1>")])
async def test_a_service_that_is_full_is_told_as_one_and_not_as_a_wrong_address(status, content):
    def full(_):
        return httpx.Response(status, headers={"Content-Type": content[0], "Retry-After": "7"}, text=content[1])

    client = BackendClient("http://127.0.0.1:1", httpx.MockTransport(full), token=token(), origin="http://ops1")
    with pytest.raises(Unavailable, match=f"http://ops1 answered {status}: it, or a proxy before it") as caught:
        await client.about()
    assert caught.value.retry_after == 7.0
    assert "quash service?" not in caught.value.hint
    await client.close()


@pytest.mark.parametrize("status", [502, 504])
async def test_a_proxy_without_a_service_behind_it_is_told_as_one(status):
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text="Bad Gateway"))
    client = BackendClient("http://127.0.0.1:1", transport, token=token(), origin="http://ops1")
    with pytest.raises(Unavailable) as caught:
        await client.about()
    assert "a proxy which gets no answer from the service" in caught.value.hint
    await client.close()
