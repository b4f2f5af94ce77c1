"""What is believed of a request that failed, held against what the server knows it did."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from support.raw_server import FAULTS, Answered, Asked, Fault, raw_server, twice
from tui_app.domain.errors import (
    CannotConnect,
    MalformedId,
    NotSignedIn,
    OutcomeUnknown,
    QuashError,
    RateLimited,
    Unavailable,
    UsageProblem,
)
from tui_app.domain.foreign_json import dump
from tui_app.outbound.addresses import check_id
from tui_app.outbound.answers import reset_after, retry_after
from tui_app.outbound.http import HttpService
from tui_app.outbound.recognition import Unrecognised
from tui_app.systems.cases.dialects import error_of

SHORT = {"patience": 0.25, "connect": 0.25}
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}
HOLD = {"error": {"code": "HOLD", "message": "no"}}


def good(asked: Asked) -> Answered:
    return Answered(200, {"method": asked.method, "path": asked.path, "query": asked.query})


@asynccontextmanager
async def meeting(handle=good, **options):
    async with raw_server(handle) as server:
        http = HttpService(server.url, shape=error_of, **{**SHORT, **options})
        try:
            yield server, http
        finally:
            await http.close()


async def _error(asking) -> QuashError:
    with pytest.raises(QuashError) as caught:
        await asyncio.wait_for(asking, 10)
    return caught.value


def is_good(answer):
    return isinstance(answer.json, dict) and "method" in answer.json


def write(http):
    return http.write("cases", "c1", "cancel", json={"reason": "duplicate"}, fits=is_good)


@pytest.mark.parametrize(("name", "fault"), FAULTS.items(), ids=FAULTS)
async def test_a_write_is_called_undone_only_where_that_is_certain(name: str, fault: Fault):
    async with meeting() as (server, http):
        await server.arm(name)
        error = await _error(write(http))
        assert len(server.effects) == (1 if fault.effect else 0)
        if fault.certain:
            assert not server.effects
            assert isinstance(error, Unavailable | NotSignedIn)
        else:
            assert isinstance(error, OutcomeUnknown)
        assert len(server.log) <= 1, "it was sent again"


ODD = ("NaN", "a number without end", "a huge number", "half a character", "no UTF-8")
"""Answers that a read tells as far as it can; of a change they prove nothing."""


@pytest.mark.parametrize("name", ODD)
async def test_a_read_tells_what_is_odd_in_an_answer_as_text(name: str):
    async with meeting() as (server, http):
        await server.arm(name)
        answer = await http.read("cases", "c1")
        assert isinstance(answer.json["a"], str)
        dump(answer.json).encode()


FAILING = {name: fault for name, fault in FAULTS.items() if name not in ODD}


@pytest.mark.parametrize(("name", "fault"), FAILING.items(), ids=FAILING)
async def test_a_read_that_fails_has_learned_nothing(name: str, fault: Fault):
    async with meeting() as (server, http):
        await server.arm(name)
        error = await _error(http.read("cases", "c1", fits=is_good))
        assert isinstance(error, NotSignedIn if name == "401" else Unavailable)
        assert isinstance(error, RateLimited) == (name.startswith("429") or fault.retry_after is not None)
        if isinstance(error, RateLimited):
            assert error.retry_after == fault.retry_after
        assert len(server.log) <= 1, "it was sent again"


@pytest.mark.parametrize("name", FAULTS)
async def test_after_a_fault_the_next_request_is_answered(name: str):
    async with meeting(concurrency=1) as (server, http):
        await http.read("before")
        await server.arm(name)
        await _error(write(http))
        await server.mend()
        answer = await http.read("after")
        assert answer.json["path"] == "/after", "an answer to another request"


async def test_what_was_said_too_much_is_not_the_answer_to_the_next_request(monkeypatch):
    monkeypatch.setitem(FAULTS, "twice", Fault(twice, effect=True))
    async with meeting(concurrency=1) as (server, http):
        await server.arm("twice", times=1)
        told = [(await http.read(path)).json["path"] for path in "abc"]
    assert told == ["/a", "/b", "/c"]


async def test_a_connection_is_used_again():
    async with meeting(concurrency=1) as (server, http):
        for path in "abc":
            await http.read(path)
        assert server.connections == 1


async def test_a_fault_costs_no_more_time_than_allowed():
    async with meeting() as (server, http):
        await server.arm("slow loris in the headers")
        begun = asyncio.get_running_loop().time()
        await _error(write(http))
        assert asyncio.get_running_loop().time() - begun < 3


async def test_a_redirect_is_named_and_not_followed():
    async with meeting() as (server, http), raw_server(good) as other:

        def away(asked: Asked) -> Answered:
            return Answered(302, headers={"Location": f"{other.url}/steal?x=1"})

        server._handle = away
        error = await _error(http.read("cases"))
        assert isinstance(error, CannotConnect)
        assert other.url in error.message
        assert "steal" not in error.message
        assert other.log == []


async def test_where_nobody_accepts_a_connection_nothing_was_sent():
    async with meeting(patience=5.0) as (_, http):
        http._door.base = http._door.base.copy_with(host="localhost")
        # The transport reaches one origin, and this is another.
        assert isinstance(await _error(write(http)), CannotConnect)


async def test_requests_say_what_was_meant():
    async with meeting() as (server, http):
        answer = await http.read("a/b", "c d", query={"q": "x&y", "none": None, "n": 2}, headers={"X-User-ID": "jane"})
        assert answer.json == {"method": "GET", "path": "/a%2Fb/c%20d", "query": {"q": ["x&y"], "n": ["2"]}}
        assert (answer.status, answer.ok, answer.headers["content-type"]) == (200, True, "application/json")
        await http.write("x", json={"reason": "ü"}, headers={"X-Idempotency-Key": "k"}, method="PUT")
    read, written = (one.asked for one in server.log)
    assert (read.headers["x-user-id"], read.headers["accept-encoding"]) == ("jane", "identity")
    assert (written.method, written.json, written.headers["x-idempotency-key"]) == ("PUT", {"reason": "ü"}, "k")


async def test_a_prefix_of_paths_is_kept():
    async with raw_server(good) as server:
        for base in (f"{server.url}/base/v9", f"{server.url}/base/v9/"):
            http = HttpService(base)
            assert (await http.read("cases")).json["path"] == "/base/v9/cases"
            await http.close()


@pytest.mark.parametrize("part", ["", ".", "..", "...", "x" * 600, "\ud800"])
async def test_a_part_that_is_no_segment_is_not_sent(part):
    async with meeting() as (server, http):
        with pytest.raises(UsageProblem):
            await http.read("cases", part)
        assert server.log == []


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"reason": "\ud800"}},
        {"json": {}, "headers": {"X-User-ID": "jané"}},
        {"json": {}, "headers": {"X-User-ID": "jane\r\nX-Evil: 1"}},
    ],
)
async def test_what_http_cannot_carry_is_not_sent(sent):
    async with meeting() as (server, http):
        with pytest.raises(UsageProblem):
            await http.write("cases", **sent)
        assert server.log == []


@pytest.mark.parametrize("bad", ["", "-a", "_a", "..", "a/b", "a#b", "a?b", "a b", "a%2e", "ä", "a\n", "x" * 129])
def test_an_id_that_could_leave_its_path_is_none(bad):
    with pytest.raises(MalformedId):
        check_id(bad)


@pytest.mark.parametrize("fine", ["a", "0", "case-1_B", "x" * 128])
def test_an_id_is_taken_as_it_is(fine):
    assert check_id(fine) == fine


@pytest.mark.parametrize(
    ("answered", "plain", "value"),
    [
        (Answered(200, b'"cancelled"', {"Content-Type": "application/json"}), False, "cancelled"),
        (Answered(200, b'{"a": 1}', {"Content-Type": "text/plain"}), False, {"a": 1}),
        (Answered(200, b'{"a": 1}'), False, {"a": 1}),
        (Answered(200, b"[]", {"Content-Type": "application/vnd.case+json; charset=utf-8"}), False, []),
        (Answered(200), False, None),
        (Answered(204), False, None),
        (Answered(200, b"cancelled", {"Content-Type": "text/plain"}), True, None),
        (Answered(200, b'{"a": 1}', {"Content-Type": "text/json"}), False, {"a": 1}),
        (Answered(200, b'\xef\xbb\xbf{"a": 1}', {"Content-Type": "application/json"}), False, {"a": 1}),
        (Answered(409, b'\xef\xbb\xbf{"error": {"code": "HOLD", "message": "no"}}', JSON), False, HOLD),
        (Answered(409, HOLD), False, HOLD),
    ],
)
async def test_what_servers_say_in_their_own_way_is_understood(answered, plain, value):
    async with meeting(lambda _: answered) as (_, http):
        answer = await http.read("x", plain=plain)
    assert (answer.status, answer.json) == (answered.status, value)
    assert answer.text == answered.raw().partition(b"\r\n\r\n")[2].decode("utf-8-sig")
    assert (answer.said is None) is answer.ok


STRANGERS = {
    "a page": Answered(404, b"<html>no</html>", {"Content-Type": "text/html"}),
    "a text": Answered(404, b"default backend - 404", {"Content-Type": "text/plain"}),
    "nothing": Answered(403),
    "half of JSON": Answered(403, b"{", {"Content-Type": "application/json"}),
    "a gateway's error": Answered(401, {"message": "Unauthorized"}),
    "an error with a number": Answered(404, {"error": {"code": 404, "message": "Not Found"}}),
    "an error without words": Answered(409, {"error": {"code": "HOLD"}}),
    "an error of another API": Answered(410, {"errors": [{"error_code": "GONE", "error_description": "no"}]}),
    "the right error as a page": Answered(404, b'{"error": {"code": "NO", "message": "no"}}', HTML),
    "a scalar": Answered(405, "Method Not Allowed"),
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_a_refusal_that_is_not_the_api_s_own_says_nothing(name):
    answered = STRANGERS[name]
    async with meeting(lambda _: answered) as (server, http):
        read, written = await _error(http.read("x")), await _error(write(http))
        assert isinstance(read, Unrecognised)
        assert isinstance(written, OutcomeUnknown)
        assert str(answered.status) in read.message
        assert ("the token" in read.hint) is (answered.status in (401, 403))
        assert len(server.log) == 2, "a write was sent again for a stranger's word"


@pytest.mark.parametrize("fits", [True, False])
async def test_a_success_that_is_not_what_was_asked_for_says_nothing(fits):
    async with meeting(lambda _: Answered(200, {"status": "ok"})) as (_, http):
        if fits:
            assert (await http.read("x", fits=lambda _: True)).json == {"status": "ok"}
            return
        assert isinstance(await _error(http.read("x", fits=lambda _: False)), Unrecognised)
        assert isinstance(await _error(http.write("x", json={}, fits=lambda _: False)), OutcomeUnknown)


async def test_without_a_shape_no_refusal_is_believed():
    async with raw_server(lambda _: Answered(404, HOLD)) as server:
        http = HttpService(server.url)
        assert isinstance(await _error(http.read("x")), Unrecognised)
        await http.close()


async def test_a_text_is_no_answer_unless_it_may_be_one():
    async with meeting(lambda _: Answered(200, b"cancelled", {"Content-Type": "text/plain"})) as (_, http):
        assert isinstance(await _error(http.read("x")), Unavailable)
        assert isinstance(await _error(write(http)), OutcomeUnknown)


async def test_the_clock_of_the_server_is_told():
    async with meeting(lambda _: Answered(200, {}, {"Date": "Tue, 24 Nov 2026 10:00:00 GMT"})) as (_, http):
        assert (await http.read("x")).date == datetime(2026, 11, 24, 10, tzinfo=UTC)


NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("Tue, 24 Nov 2026 10:00:30 GMT", None, 30.0),
        ("Tue, 24 Nov 2026 10:00:30 GMT", "Tue, 24 Nov 2026 10:00:20 GMT", 10.0),
        ("Tue, 24 Nov 2026 10:00:30 GMT", "not a date", 30.0),
        ("Tuesday, 24-Nov-26 10:00:30 GMT", None, 30.0),
        ("Tue Nov 24 10:00:30 2026", None, 30.0),
        ("Tue, 24 Nov 2036 10:00:30 GMT", None, 86400.0),
        ("٣", None, None),
        ("1e3", None, None),
        ("3, 5", None, None),
        ("Tue, 99 Nov 2026 10:00:30 GMT", None, None),
        ("9" * 5000, None, 86400.0),
        ("nan", None, None),
        ("0x10", None, None),
    ],
)
def test_every_form_of_a_time_to_wait(text, date, seconds):
    headers = {"retry-after": text} | ({} if date is None else {"date": date})
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "6"}, 6.0),
        ({"ratelimit-reset": "6"}, 6.0),
        ({"x-ratelimit-reset": f"{NOW.timestamp() + 6:.0f}"}, 6.0),
        ({"x-ratelimit-reset": f"{(NOW.timestamp() + 6) * 1000:.0f}"}, 6.0),
        ({"x-ratelimit-reset": f"{NOW.timestamp() - 6:.0f}"}, 0.0),
        ({"x-ratelimit-reset": f"{NOW.timestamp() + 6:.0f}", "date": "Tue, 24 Nov 2026 10:00:02 GMT"}, 4.0),
        ({"x-ratelimit-reset": "9999999999"}, 86400.0),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-reset": "-6"}, None),
        ({"x-ratelimit-reset": "9" * 40}, None),
        ({}, None),
    ],
)
def test_every_form_of_the_moment_at_which_a_limit_begins_anew(headers, seconds):
    assert reset_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"X-RateLimit-Reset": "6"}, 6.0), ({"X-RateLimit-Reset": "6", "Retry-After": "2"}, 2.0), ({}, None)],
)
async def test_a_429_without_a_time_is_waited_for_until_the_limit_begins_anew(headers, seconds):
    async with meeting(lambda _: Answered(429, {}, headers)) as (_, http):
        for asking in (http.read("x"), write(http)):
            error = await _error(asking)
            assert isinstance(error, RateLimited)
            assert error.retry_after == seconds


async def test_no_more_requests_at_once_than_allowed():
    at_once, most = 0, 0
    full = asyncio.Event()
    go_on = asyncio.Event()

    class Counting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            if at_once == 4:
                full.set()
            await go_on.wait()
            at_once -= 1
            return httpx.Response(200, json={})

    http = HttpService("http://127.0.0.1:1", concurrency=4)
    http._door.transport = lambda connections: Counting()
    asking = [asyncio.create_task(http.read("x")) for _ in range(12)]
    await asyncio.wait_for(full.wait(), 5)
    go_on.set()
    await asyncio.gather(*asking)
    assert most == 4
    await http.close()


async def test_a_caller_that_is_cancelled_gives_its_place_back():
    met = asyncio.Event()

    def noted(asked: Asked) -> Answered:
        met.set()
        return good(asked)

    async with meeting(noted, concurrency=1, patience=30.0) as (server, http):
        await server.arm("silent after the effect")
        asking = asyncio.create_task(write(http))
        await asyncio.wait_for(met.wait(), 5)
        asking.cancel()
        await asyncio.wait({asking})
        await server.mend()
        assert (await http.read("next")).json["path"] == "/next"


class Stuck(httpx.AsyncByteStream):
    """A body without an end, on a connection that is never given back to its pool."""

    async def __aiter__(self):
        while True:
            yield b" "
            await asyncio.sleep(0)


class OneConnection(httpx.AsyncBaseTransport):
    """A pool of one connection, which its first request keeps."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked > 1:
            raise httpx.PoolTimeout("")
        return httpx.Response(200, stream=Stuck())

    async def aclose(self) -> None:
        self.closed = True


async def test_a_connection_that_does_not_come_free_is_not_waited_for_again(monkeypatch):
    async with meeting(concurrency=1) as (_, http):
        stuck, real = OneConnection(), http._door.transport
        monkeypatch.setattr(http._door, "transport", lambda connections: stuck)
        assert isinstance(await _error(http.read("stuck")), Unavailable)
        monkeypatch.setattr(http._door, "transport", real)
        assert (await http.read("next")).json["path"] == "/next"
        assert stuck.closed


async def test_after_closing_nothing_is_sent():
    async with meeting() as (server, http):
        await http.read("x")
        await http.close()
        assert isinstance(await _error(http.read("x")), CannotConnect)
        assert len(server.log) == 1


def test_a_day_is_the_longest_wait():
    far = (NOW + timedelta(days=400)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after({"retry-after": far}, NOW) == 86400.0


@pytest.mark.parametrize(
    "url", ["http://example.com", "ftp://localhost", "https://u:p@example.com", "https://e.com:99999"]
)
def test_an_address_that_is_no_service_is_refused(url):
    with pytest.raises(UsageProblem):
        HttpService(url)
