"""The transport into this process behaves as a socket does, in the five ways in which httpx's own does not."""

import asyncio
import logging
from contextvars import ContextVar

import httpx
import pytest

from tui_app.client.exchange import AHEAD
from tui_app.client.transport import BASE_URL, EmbeddedTransport, tcp_transport
from tui_app.contract.principal import IN_PROCESS, Principal
from tui_app.domain.errors import UsageProblem

JANE = Principal("jane@example.com", unlimited=True)


class App:
    """An ASGI app whose handler the test writes; it notes its life."""

    def __init__(self, handler=None, *, startup=None, shutdown=None):
        self.handler = handler or self.hello
        self.startup, self.shutdown = startup, shutdown
        self.life: list[str] = []

    async def hello(self, scope, receive, send):
        await answer(send, b"hello")

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self.handler(scope, receive, send)
            return
        assert (await receive())["type"] == "lifespan.startup"
        self.life.append("up")
        if self.startup:
            await self.startup()
        scope["state"]["opened"] = True
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        if self.shutdown:
            await self.shutdown()
        self.life.append("down")
        await send({"type": "lifespan.shutdown.complete"})


async def answer(send, *pieces, status=200):
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-app", b"yes")]})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def client(app, **options):
    transport = EmbeddedTransport(app, principal=JANE, **options)
    return httpx.AsyncClient(base_url=BASE_URL, transport=transport, trust_env=False)


async def test_a_cancelled_caller_does_not_cancel_the_handler():
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(scope, receive, send):
        begun.set()
        await go_on.wait()
        done.set()
        await answer(send)

    async with client(App(handler)) as http:
        asking = asyncio.create_task(http.get("/"))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not done.is_set()
        go_on.set()
        await asyncio.wait_for(done.wait(), 5)


async def test_a_handler_learns_that_its_caller_left():
    begun, told = asyncio.Event(), []

    async def handler(scope, receive, send):
        told.append((await receive())["type"])
        begun.set()
        told.append((await receive())["type"])
        told.append((await receive())["type"])

    async with client(App(handler)) as http:
        asking = asyncio.create_task(http.post("/", content=b"x"))
        await begun.wait()
        asking.cancel()
        await asyncio.wait({asking})
    assert told == ["http.request", "http.request", "http.disconnect"]


async def test_a_read_timeout_holds_and_the_handler_goes_on():
    go_on, done = asyncio.Event(), asyncio.Event()

    async def handler(scope, receive, send):
        await go_on.wait()
        await answer(send)
        done.set()

    async with client(App(handler)) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get("/", timeout=0.02)
        go_on.set()
        await asyncio.wait_for(done.wait(), 5)


async def test_a_read_timeout_holds_between_two_pieces():
    async def handler(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await asyncio.Event().wait()

    async with client(App(handler), closing_seconds=0.01) as http:
        request = http.build_request("GET", "/", timeout=0.02)
        pieces = (await http.send(request, stream=True)).aiter_raw()
        assert await anext(pieces) == b"a"
        with pytest.raises(httpx.ReadTimeout):
            await anext(pieces)


async def test_the_app_starts_once_and_shuts_down_when_handlers_have_ended():
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handler(scope, receive, send):
        assert scope["state"] == {"opened": True}
        begun.set()
        await go_on.wait()
        app.life.append("answered")
        await answer(send)

    app = App(handler)
    http = client(app)
    assert app.life == []
    asking = [asyncio.create_task(http.get("/")) for _ in range(3)]
    await begun.wait()
    asking[0].cancel()
    await asyncio.wait({asking[0]})
    closing = asyncio.create_task(http.aclose())
    go_on.set()
    await closing
    assert app.life == ["up", "answered", "answered", "answered", "down"]
    assert [(await one).status_code for one in asking[1:]] == [200, 200]


async def test_closing_waits_for_handlers_only_so_long():
    begun = asyncio.Event()

    async def handler(scope, receive, send):
        begun.set()
        await asyncio.Event().wait()

    app = App(handler)
    http = client(app, closing_seconds=0.02)
    asking = asyncio.create_task(http.get("/"))
    await begun.wait()
    await http.aclose()
    assert app.life == ["up", "down"]
    assert (await asking).status_code == 500


async def test_a_shutdown_that_hangs_is_cut_off(caplog):
    app = App(shutdown=asyncio.Event().wait)
    http = client(app, closing_seconds=0.02)
    await http.get("/")
    await http.aclose()
    assert app.life == ["up"]
    assert "did not shut down" in caplog.text


async def test_a_cancelled_close_still_closes():
    go_on, shutting = asyncio.Event(), asyncio.Event()

    async def shutdown():
        shutting.set()
        await go_on.wait()

    app = App(shutdown=shutdown)
    http = client(app)
    await http.get("/")
    closing = asyncio.create_task(http.aclose())
    await shutting.wait()
    closing.cancel()
    await asyncio.wait({closing})
    go_on.set()
    await http._transport.aclose()
    assert app.life == ["up", "down"]


async def test_an_app_that_is_never_asked_is_never_started():
    app = App()
    await client(app).aclose()
    assert app.life == []


async def test_a_failed_startup_is_a_connection_that_was_never_made(caplog):
    async def startup():
        raise RuntimeError("no journal")

    async with client(App(startup=startup)) as http:
        for _ in range(2):
            with pytest.raises(httpx.ConnectError, match="no journal"):
                await http.get("/")


async def test_a_slow_startup_is_a_connect_timeout_and_goes_on():
    go_on = asyncio.Event()
    app = App(startup=go_on.wait)
    async with client(app) as http:
        with pytest.raises(httpx.ConnectTimeout):
            await http.get("/", timeout=0.02)
        go_on.set()
        assert (await http.get("/")).text == "hello"
    assert app.life == ["up", "down"]


async def test_nothing_is_answered_after_the_end():
    transport = EmbeddedTransport(App(), principal=JANE)
    await transport.aclose()
    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(httpx.Request("GET", BASE_URL))


async def test_an_exception_of_the_app_is_a_500_without_its_text(caplog):
    async def handler(scope, receive, send):
        raise RuntimeError("secret")

    with caplog.at_level(logging.ERROR):
        async with client(App(handler)) as http:
            response = await http.get("/")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "FAULT"
    assert "secret" not in response.text
    assert "secret" in caplog.text


async def test_an_app_that_says_nothing_is_a_500():
    async def handler(scope, receive, send):
        return

    async with client(App(handler)) as http:
        assert (await http.get("/")).status_code == 500


async def test_an_exception_in_the_middle_breaks_the_answer_off(caplog):
    async def handler(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("gone")

    async with client(App(handler)) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/")


async def test_an_answer_streams_as_fast_as_it_is_read():
    made = []

    async def handler(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(1000):
            made.append(number)
            await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    ahead = []
    async with client(App(handler)) as http, http.stream("GET", "/") as response:
        read = 0
        async for piece in response.aiter_raw():
            read += piece.count(b"\n")
            ahead.append(len(made) - read)
    assert read == 1000
    assert max(ahead) <= AHEAD


async def test_a_reader_that_leaves_frees_a_handler_that_was_ahead():
    ended = asyncio.Event()

    async def handler(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        ended.set()

    async with client(App(handler)) as http:
        async with http.stream("GET", "/") as response:
            assert await anext(response.aiter_raw())
            assert not ended.is_set()
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_request_streams_too():
    async def handler(scope, receive, send):
        parts = []
        while True:
            message = await receive()
            parts.append(message["body"])
            if not message["more_body"]:
                break
        await answer(send, str(parts).encode())

    async def body():
        yield b"a"
        yield b"b"

    async with client(App(handler)) as http:
        response = await http.post("/", content=body())
    assert response.text == "[b'a', b'b', b'']"


async def test_the_scope_says_who_asks_and_keeps_the_raw_path():
    seen = {}

    async def handler(scope, receive, send):
        seen.update(scope)
        await answer(send)

    async with client(App(handler)) as http:
        response = await http.get("/v1/a%2Fb", params={"q": "ü"}, headers={"X-One": "1"})
    assert response.headers["x-app"] == "yes"
    assert (seen["raw_path"], seen["path"]) == (b"/v1/a%2Fb", "/v1/a/b")
    assert seen["query_string"] == b"q=%C3%BC"
    assert (b"x-one", b"1") in seen["headers"]
    assert seen["extensions"][IN_PROCESS] is JANE


async def test_the_app_shares_no_context_with_its_caller():
    shared: ContextVar[str] = ContextVar("shared", default="nothing")
    shared.set("the caller's")

    async def handler(scope, receive, send):
        await answer(send, shared.get().encode())

    async with client(App(handler)) as http:
        assert (await http.get("/")).text == "nothing"


@pytest.mark.parametrize(
    "address",
    ["http://example.com", "http://127.0.0.2.example.com", "ftp://localhost", "localhost:8765", "https://", ""],
)
def test_a_service_elsewhere_needs_https(address):
    with pytest.raises(UsageProblem):
        tcp_transport(address)


def test_credentials_do_not_belong_into_an_address():
    with pytest.raises(UsageProblem) as caught:
        tcp_transport("https://jane:hunter2@example.com")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://example.com"]
)
async def test_loopback_and_https_are_fine(address):
    await tcp_transport(address).aclose()


@pytest.mark.parametrize("other", ["http://127.0.0.1:2/", "http://localhost:1/", "https://127.0.0.1:1/"])
async def test_a_transport_reaches_one_origin_only(other):
    transport = tcp_transport("http://127.0.0.1:1")
    with pytest.raises(httpx.UnsupportedProtocol):
        await transport.handle_async_request(httpx.Request("GET", other))
    await transport.aclose()


def test_a_certificate_file_has_to_hold_certificates(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(UsageProblem, match=r"ca\.pem"):
        tcp_transport("https://example.com", ca_file=tmp_path / "ca.pem")
