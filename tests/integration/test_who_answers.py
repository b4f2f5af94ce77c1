"""What an operator is told where an address is wrong, an id is none there, or a token goes unseen."""

from contextlib import asynccontextmanager

import pytest

from support.between import Between, Handled, carried
from support.case_server import JANE, TOKEN, CaseServer, Kept
from support.orders import errand, orders
from support.raw_server import Answered, Asked
from support.schedule_servers import ALL, SECRET, LuxarisPosts, Posts, SeedPosts, wrong
from support.world import make_world
from tui_app.domain.errors import NotSignedIn, Unavailable
from tui_app.domain.filters import parse
from tui_app.domain.items import PageQuery, Selection, Sort
from tui_app.domain.run import ItemState, RunState
from tui_app.domain.verdict import VerdictCode
from tui_app.outbound.http import Auth, HttpService
from tui_app.outbound.recognition import Unrecognised
from tui_app.outbound.tokens import TokenSource
from tui_app.systems.cases.dialects import error_of as case_error
from tui_app.systems.cases.http import HttpCases
from tui_app.systems.cases.line import CaseLine
from tui_app.systems.schedules.bodies import error_of as schedule_error
from tui_app.systems.schedules.http import HttpSchedules

HERE = "http://127.0.0.1:1"


def cases(server: CaseServer, base: str = HERE, handle=None) -> HttpCases:
    tokens = TokenSource.given(TOKEN)
    service = HttpService(base, tokens=tokens, shape=case_error, clock=server.clock)
    carried(service, Between(Handled(handle or server.handle)))

    async def wait(seconds: float) -> None:
        server.clock.forward(seconds)

    return HttpCases(CaseLine(service, tokens, JANE, clock=server.clock, contact="#case-ops", wait=wait), base)


def schedules(posts: Posts, base: str = HERE, handle=None, auth: Auth | None = None) -> HttpSchedules:
    known: Auth = "bearer" if posts.auth[0] == "authorization" else "x-session-id"
    service = HttpService(base, tokens=TokenSource.given(SECRET), auth=auth or known, shape=schedule_error)
    return HttpSchedules(base, clock=posts.clock, http=carried(service, Between(Handled(handle or posts.handle))))


def case_servers() -> CaseServer:
    server = CaseServer()
    server.cases = {one: Kept() for one in ("CASE-1", "CASE-2")}
    return server


CASE_VERBS = {
    "list": lambda system: system.page(PageQuery(parse("status:pending"), Sort("updated"))),
    "ids": lambda system: system.page(PageQuery(parse("id:CASE-1"), Sort("id"))),
    "item": lambda system: system.item("CASE-1"),
    "survey": lambda system: system.survey(["CASE-1", "CASE-2"]),
    "preview": lambda system: system.preview("CASE-1"),
    "trail": lambda system: system.trail("CASE-1"),
}


@pytest.mark.parametrize("words", ["of the API", "of a stranger"])
@pytest.mark.parametrize("verb", CASE_VERBS)
async def test_an_address_with_a_path_too_many_shows_no_case_as_missing(verb, words):
    """The first reading says that nothing was recognised there, and names the setting."""
    server = case_servers()

    def bare(asked: Asked) -> Answered:
        return Answered(404, b"not here", {"Content-Type": "text/plain"})

    if (words, verb) == ("of the API", "list"):
        # An API without a list says as much: then the ids that are named are read, and those say it.
        verb = "ids"
    system = cases(server, f"{HERE}/api/v2", server.handle if words == "of the API" else bare)
    with pytest.raises(Unavailable) as caught:
        await CASE_VERBS[verb](system)
    assert isinstance(caught.value, Unrecognised)
    assert "recognised as the case API yet" in caught.value.message
    assert "`url` of cases" in caught.value.hint
    assert "dependencies" not in caught.value.hint


@pytest.mark.parametrize("make", [SeedPosts, LuxarisPosts])
@pytest.mark.parametrize("words", ["of the API", "of a stranger"])
async def test_an_address_with_a_path_too_many_shows_no_schedule_as_missing(make, words):
    posts = make()
    item_id = posts.add()

    def bare(asked: Asked) -> Answered:
        return Answered(404, b"not here", {"Content-Type": "text/plain"})

    def of_the_api(asked: Asked) -> Answered:
        return posts.handle(asked) if asked.path.startswith(ALL) else wrong(404, "ROUTE_NOT_FOUND", "no such route")

    base = f"{HERE}/api/v1"
    for ask in (lambda one: one.survey([item_id]), lambda one: one.item(item_id), lambda one: one.count(parse(""))):
        with pytest.raises(Unrecognised) as caught:
            await ask(schedules(posts, base, of_the_api if words == "of the API" else bare))
        assert "`url`" in caught.value.hint


@asynccontextmanager
async def world_of(folder, name, system, clock):
    world = make_world(folder, {name: system}, clock)
    try:
        yield world
    finally:
        await world.close()


async def test_a_case_id_that_the_server_calls_malformed_is_blocked_alone(tmp_path):
    server = case_servers()

    def strict(asked: Asked) -> Answered:
        if "/abc" in asked.path:
            return Answered(400, {"error": {"code": "INVALID_ID", "message": "the id has to be a number"}})
        return server.handle(asked)

    system = cases(server, handle=strict)
    async with world_of(tmp_path, "cases", system, server.clock) as world:
        plan = await world.plan(Selection("cases", ids=("CASE-1", "abc", "CASE-2")))
        seen = {one.id: one for one in await system.survey(["CASE-1", "abc", "CASE-2"])}
        assert seen["abc"].verdict.code is VerdictCode.NOT_KNOWN
        assert "the id has to be a number" in seen["abc"].verdict.reason
        run = await world.confirm(plan)
        record = await world.worker().drive(run.id)
        assert record.state is RunState.FINISHED
        states = {one.item.seen.id: one.state for one in await world.items(run.id)}
        assert states == {"CASE-1": ItemState.CANCELLED, "abc": ItemState.SKIPPED, "CASE-2": ItemState.CANCELLED}


@pytest.mark.parametrize("code", ["DATABASE_ERROR", "VALIDATION_ERROR"])
@pytest.mark.parametrize("make", [SeedPosts, LuxarisPosts])
async def test_a_schedule_id_that_the_service_calls_malformed_is_blocked_alone(make, code, tmp_path):
    posts = make()
    first, second = posts.add(), posts.add()

    def strict(asked: Asked) -> Answered:
        if "/abc" in asked.path:
            return wrong(400, code, 'invalid input syntax for type integer: "abc"')
        return posts.handle(asked)

    system = schedules(posts, handle=strict)
    async with world_of(tmp_path, "schedules", system, posts.clock) as world:
        plan = await world.plan(Selection("schedules", ids=(first, "abc", second)))
        seen = {one.id: one for one in await system.survey([first, "abc", second])}
        assert seen["abc"].verdict.code is VerdictCode.NOT_KNOWN
        assert "invalid input syntax" in seen["abc"].verdict.reason
        run = await world.confirm(plan)
        await world.worker().drive(run.id)
        states = {one.item.seen.id: one.state for one in await world.items(run.id)}
        assert states == {first: ItemState.CANCELLED, "abc": ItemState.SKIPPED, second: ItemState.CANCELLED}


async def test_a_session_header_that_is_missing_is_not_told_as_a_token_to_renew():
    posts = LuxarisPosts()

    def handle(asked: Asked) -> Answered:
        if "x-session-id" not in asked.headers:
            return wrong(401, "AUTHENTICATION_REQUIRED", "Session ID is required in the X-Session-ID header")
        return posts.handle(asked)

    with pytest.raises(NotSignedIn) as caught:
        await schedules(posts, handle=handle, auth="bearer").count(parse(""))
    assert "Session ID is required" in caught.value.message
    assert caught.value.hint.startswith("It was sent as Authorization")
    assert 'write `auth = "x-session-id"` beside its url' in caught.value.hint


async def test_a_token_that_is_refused_is_told_as_one_to_renew():
    posts = LuxarisPosts()
    with pytest.raises(NotSignedIn) as caught:
        await schedules(posts, handle=lambda asked: wrong(401, "INVALID_SESSION", "Session expired")).count(parse(""))
    assert caught.value.hint.startswith("Renew what")


@pytest.mark.parametrize(
    "answer",
    [
        Answered(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),
        Answered(200, b'{"case_id": ', {"Content-Type": "application/json"}),
        Answered(404, b"no", {"Content-Type": "text/plain"}),
    ],
)
async def test_the_hint_of_what_cannot_be_read_is_about_that(answer):
    server, broken = case_servers(), []

    def handle(asked: Asked) -> Answered:
        return answer if broken else server.handle(asked)

    system = cases(server, handle=handle)
    await system.item("CASE-1")
    broken.append(True)
    with pytest.raises(Unrecognised) as caught:
        await system.item("CASE-1")
    assert "dependencies" not in caught.value.hint
    assert "what stands in between" in caught.value.hint
    assert "#case-ops" in caught.value.hint


async def test_a_permission_that_a_stranger_refuses_is_not_known():
    server = case_servers()

    def handle(asked: Asked) -> Answered:
        if "/permissions/" in asked.path:
            return Answered(403, b"<html>Blocked</html>", {"Content-Type": "text/html"})
        return server.handle(asked)

    seen = await cases(server, handle=handle).survey(["CASE-1", "CASE-2"])
    assert {one.verdict.code for one in seen} == {VerdictCode.NOT_KNOWN}
    assert all("whether this user may cancel" in one.verdict.reason for one in seen)
    [order] = (await orders(cases(server), ["CASE-1"]))[:1]
    with pytest.raises(Unrecognised):
        await cases(server, handle=handle).execute([order], errand())
    assert server.effects == []
