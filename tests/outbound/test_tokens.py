"""Tokens are asked for when they are needed, in time, once for all who wait, and once more when they are refused."""

import asyncio
import os
import sys
from datetime import datetime, timedelta

import jwt
import pytest

from support.raw_server import NOBODY, Answered, Asked, raw_server
from support.world import MovableClock
from tui_app.domain.errors import NotSignedIn
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.cases.dialects import error_of

NAME = "QUASH_CASES_TOKEN"
KEY = b"k" * 32


@pytest.fixture
def clock():
    return MovableClock()


def token(ends: datetime | None = None, **claims: object) -> str:
    return jwt.encode({"sub": "jane", **claims, **({} if ends is None else {"exp": ends})}, KEY, "HS256")


class Giver:
    """A token file whose reads can be counted, in place of a vault."""

    def __init__(self, path, clock):
        self.path = path
        self.source = TokenSource(None, str(path), NAME, {}, clock=clock)

    def gives(self, text: str) -> str:
        self.path.write_text(text, encoding="utf-8")
        self.path.chmod(0o600)
        return text


@pytest.fixture
def giver(tmp_path, clock):
    return Giver(tmp_path / "token", clock)


async def test_a_token_says_when_it_ends_and_whom_it_names(giver, clock):
    assert (giver.source.expires_at, giver.source.subject) == (None, None)
    ends = clock.now().replace(microsecond=0) + timedelta(hours=1)
    giver.gives(token(ends, principal_id="jane@example.com"))
    await giver.source.current()
    assert (giver.source.expires_at, giver.source.subject) == (ends, "jane@example.com")


@pytest.mark.parametrize(
    "text",
    ["opaque", "a.b.c", "a.b", "..", "eyJ.W10.x", token(), jwt.encode({"exp": 10**15}, KEY), "x.eyJleHAiOiAiMSJ9.y",
     "x.eyJleHAiOiBbXX0.y", "x.eyJleHAiOiB0cnVlfQ.y", f"x.{'W' * 4000}.y"],
)  # fmt: skip
async def test_one_that_does_not_say_when_it_ends_is_used_until_it_is_refused(giver, clock, text):
    giver.gives(text)
    assert (await giver.source.current()).reveal() == text
    giver.gives("another")
    clock.forward(10**6)
    assert giver.source.expires_at is None
    assert (await giver.source.current()).reveal() == text


@pytest.mark.parametrize(("life", "early"), [(3600, 60), (300, 30)])
async def test_it_is_asked_for_anew_before_it_ends(giver, clock, life, early):
    first = giver.gives(token(clock.now() + timedelta(seconds=life)))
    assert (await giver.source.current()).reveal() == first
    second = giver.gives(token(clock.now() + timedelta(hours=9)))
    clock.forward(life - early - 5)
    assert (await giver.source.current()).reveal() == first
    clock.forward(6)
    assert (await giver.source.current()).reveal() == second


async def test_one_that_still_holds_is_used_when_no_other_is_given(giver, clock):
    first = giver.gives(token(clock.now() + timedelta(hours=1)))
    await giver.source.current()
    giver.path.unlink()
    clock.forward(3600 - 30)
    assert (await giver.source.current()).reveal() == first
    clock.forward(60)
    with pytest.raises(NotSignedIn, match="token file"):
        await giver.source.current()


async def test_whoever_gives_tokens_is_not_asked_at_every_request(tmp_path, clock):
    count = tmp_path / "count"
    text = token(clock.now() - timedelta(hours=1))
    script = f"open({str(count)!r}, 'a').write('x'); print({text!r})"
    source = TokenSource((sys.executable, "-c", script), None, NAME, {}, clock=clock)
    await asyncio.gather(*(source.current() for _ in range(5)))
    assert count.read_text() == "x"
    clock.forward(4)
    await source.current()
    assert count.read_text() == "x"
    clock.forward(2)
    await source.current()
    assert count.read_text() == "xx"


def counting(count, then: str) -> tuple[str, ...]:
    """A command that counts how often it is run, and does something then."""
    return (sys.executable, "-c", f"open({str(count)!r}, 'a').write('x'); {then}")


async def test_a_command_that_gives_none_is_run_once_for_all_who_wait_and_not_again_at_once(tmp_path, clock):
    count = tmp_path / "count"
    source = TokenSource(counting(count, "raise SystemExit(3)"), None, NAME, {}, clock=clock)
    told = await asyncio.gather(*(source.current() for _ in range(16)), return_exceptions=True)
    assert {str(one) for one in told} == {f"`{sys.executable}` gave no token: it ended with 3"}
    assert count.read_text() == "x"
    clock.forward(4)
    with pytest.raises(NotSignedIn, match="ended with 3"):
        await source.current()
    assert count.read_text() == "x"
    clock.forward(2)
    with pytest.raises(NotSignedIn, match="ended with 3"):
        await source.current()
    assert count.read_text() == "xx"


async def test_a_command_that_hangs_is_waited_for_once_by_all_whose_token_was_refused(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("tui_app.config.credentials.COMMAND_SECONDS", 3.0)
    count, once = tmp_path / "count", tmp_path / "once"
    then = f"import os, time; os.path.exists({str(once)!r}) and time.sleep(1000); print('old')"
    source = TokenSource(counting(count, then), None, NAME, {}, clock=clock)
    await source.current()
    once.touch()
    async with raw_server(Guard().handle) as server:
        http = HttpService(server.url, shape=error_of, tokens=source)
        told = await asyncio.gather(*(http.write("open", json={}) for _ in range(16)), return_exceptions=True)
        assert {str(one) for one in told} == {f"`{sys.executable}` gave no token within 3 s"}
        await http.close()
    assert count.read_text() == "xx"


async def test_one_who_stops_waiting_leaves_the_others_to_ask(tmp_path, clock):
    count, begun = tmp_path / "count", tmp_path / "begun"
    os.mkfifo(begun)
    waits = f"(open({str(begun)!r}, 'w').close(), time.sleep(1000))"
    then = f"import time; len(open({str(count)!r}).read()) == 1 and {waits}; print('sesame')"
    source = TokenSource(counting(count, then), None, NAME, {}, clock=clock)
    first, second = asyncio.create_task(source.current()), asyncio.create_task(source.current())
    await asyncio.to_thread(begun.read_bytes)
    first.cancel()
    assert (await second).reveal() == "sesame"


async def test_a_file_that_was_mended_is_read_at_once(giver):
    with pytest.raises(NotSignedIn):
        await giver.source.current()
    giver.gives("sesame")
    assert (await giver.source.current()).reveal() == "sesame"


@pytest.mark.parametrize(
    ("command", "file", "named"),
    [
        (None, None, NAME),
        (("/nowhere/vault", "read"), None, "/nowhere/vault"),
        (None, "/nowhere/token", "/nowhere/token"),
    ],
)
async def test_where_there_is_no_token_it_is_said_where_it_was_looked_for(command, file, named):
    source = TokenSource(command, file, NAME, {})
    with pytest.raises(NotSignedIn, match=named):
        await source.current()
    assert named in source.place


def test_a_token_is_in_no_repr(giver):
    source = TokenSource.given("sesame")
    assert "sesame" not in repr(vars(source)["_token"])


class Guard:
    """A service that believes some tokens; its effect is to open."""

    def __init__(self, *believed: str):
        self.believed = set(believed)
        self.opened = 0

    def handle(self, asked: Asked) -> Answered:
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.believed:
            return Answered(401, NOBODY)
        self.opened += 1
        return Answered(200, {"opened": self.opened})


async def test_a_refused_token_is_replaced_and_the_request_sent_once_more(giver):
    guard = Guard("new")
    async with raw_server(guard.handle) as server:
        http = HttpService(server.url, shape=error_of, tokens=giver.source)
        giver.gives("old")
        with pytest.raises(NotSignedIn, match="token_file"):
            await http.write("open", json={})
        assert len(server.log) == 1, "the same token was sent twice"
        giver.gives("new")
        assert (await http.write("open", json={})).json == {"opened": 1}
        assert [one.asked.headers["authorization"] for one in server.log] == ["Bearer old", "Bearer old", "Bearer new"]
        guard.believed = set()
        giver.gives("newer")
        with pytest.raises(NotSignedIn):
            await http.write("open", json={})
        assert (guard.opened, len(server.log)) == (1, 5)
        await http.close()


async def test_of_many_that_are_refused_at_once_one_asks_and_all_go_on(giver):
    guard = Guard("new")
    async with raw_server(guard.handle) as server:
        http = HttpService(server.url, shape=error_of, tokens=giver.source)
        giver.gives("old")
        await giver.source.current()
        giver.gives("new")
        await asyncio.gather(*(http.write("open", json={}) for _ in range(8)))
        assert guard.opened == 8
        await http.close()


async def test_one_that_has_expired_is_named_so(giver, clock):
    async with raw_server(Guard().handle) as server:
        http = HttpService(server.url, shape=error_of, tokens=giver.source, clock=clock)
        giver.gives(token(clock.now() - timedelta(minutes=1)))
        with pytest.raises(NotSignedIn, match="has expired"):
            await http.read("x")
        await http.close()


async def test_a_service_that_wants_a_token_and_a_profile_without_one():
    async with raw_server(Guard().handle) as server:
        http = HttpService(server.url, shape=error_of)
        with pytest.raises(NotSignedIn, match="none for it"):
            await http.read("x")
        await http.close()


async def test_a_session_goes_into_a_header_of_its_own():
    async with raw_server(lambda asked: Answered(200, dict(asked.headers))) as server:
        http = HttpService(server.url, shape=error_of, tokens=TokenSource.given("sesame"), auth="x-session-id")
        sent = (await http.read("x")).json
        assert (sent["x-session-id"], "authorization" in sent) == ("sesame", False)
        await http.close()


async def test_a_token_of_somebody_else_is_not_taken_in_the_middle(giver, clock):
    old = giver.gives(token(clock.now() + timedelta(minutes=10)))
    assert (await giver.source.current()).reveal() == old
    giver.gives(token(clock.now() + timedelta(hours=1), sub="bob"))
    clock.forward(9.5 * 60)
    assert (await giver.source.current()).reveal() == old, "it still holds"
    clock.forward(60)
    with pytest.raises(NotSignedIn, match="a token of bob now, and it was one of jane"):
        await giver.source.current()
    new = giver.gives(token(clock.now() + timedelta(hours=1)))
    clock.forward(10)
    assert (await giver.source.current()).reveal() == new


def tells(**names):
    """A server that says whose each token is."""
    asked = []

    async def whose(given):
        asked.append(given.reveal())
        return names.get(given.reveal())

    return asked, whose


async def test_whose_an_opaque_token_is_is_asked_once_for_each_token(giver):
    asked, whose = tells(first="bob@example.com", second="bob@example.com")
    giver.gives("first")
    giver.source.ask_whose(whose)
    for _ in range(3):
        await giver.source.identify()
    assert giver.source.subject == "bob@example.com"
    giver.gives("second")
    assert await giver.source.used(spoken, lambda answer: answer == "first") == "second"
    assert asked == ["first", "second"]


async def spoken(given):
    return given.reveal()


async def test_a_token_of_another_session_is_not_used_in_the_middle(giver):
    _, whose = tells(first="bob@example.com", second="carol@example.com")
    giver.gives("first")
    giver.source.ask_whose(whose)
    await giver.source.identify()
    giver.gives("second")
    with pytest.raises(NotSignedIn, match=r"a token of carol.* now, and it was one of bob"):
        await giver.source.used(spoken, lambda answer: answer == "first")
    assert giver.source.subject == "bob@example.com"


async def test_a_token_that_names_somebody_itself_is_not_asked_about(giver):
    asked, whose = tells()
    giver.gives(token(principal_id="jane@example.com"))
    giver.source.ask_whose(whose)
    await giver.source.identify()
    assert (giver.source.subject, asked) == ("jane@example.com", [])


async def test_without_asking_anothers_session_goes_on_in_the_middle(giver):
    """The same, with nobody to ask: an opaque token names nobody, and its change is not noticed."""
    giver.gives("first")
    await giver.source.identify()
    giver.gives("second")
    assert await giver.source.used(spoken, lambda answer: answer == "first") == "second"
